"""Contamination: which images are in training data, and how metrics and leads change without them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import clipped, count, estimate, figure, listed, plural, signed
from arena.base.tables import rows_of
from arena.metrics.registry import HEADLINES, METRICS, SLICED
from arena.report.columns import exact_number
from arena.results.run_folder import CONTAMINATION, Result

_LEVEL_VALUES = ("value", "low", "high", "change", "change_low", "change_high", "tags")
"""Values in the payload for each level, metric, and model or pair."""

CONTAMINATION_CAVEAT = (
    "A metric also changes because the excluded images are easier or harder than the others. This affects taggers that were "
    "not trained on them as well; a lead changes if only one of the two was trained on them."
)
"""Limits of what a change proves."""


def contamination(result: Result) -> dict[str, Any] | None:
    """Return training indexes, images by class, and metrics of every level; None if no training index was checked."""
    found = result.summary.get(CONTAMINATION)
    if found is None:
        return None
    table = result.tables[CONTAMINATION]
    levels = []
    for name, rows in _rows_by(rows_of(table), "level").items():
        lost = sum(one["tags_without_positives"] for one in found["levels"] if one["level"] == name)
        of_figure = _rows_by(rows, "figure")
        figures = {
            key: {
                "models": [_numbers(row) for row in of_figure.get(key, ()) if not row["second"]],
                "pairs": [
                    {"first": row["first"], "second": row["second"]} | _numbers(row)
                    for row in of_figure.get(key, ())
                    if row["second"]
                ],
            }
            for key in SLICED
        }
        levels.append(
            {
                "level": name, "images": int(rows[0]["images"]), "dropped": int(rows[0]["dropped"]),
                "tags_without_positives": lost, "figures": figures,
            }
        )  # fmt: skip
    indexes = [{key: one[key] for key in ("name", "digest", "images")} for one in found["indexes"]]
    facts = {key: found[key] for key in ("radius", "classes", "untold")}
    return {"indexes": indexes, **facts, "levels": levels}


def _rows_by(rows: Iterable[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows by their value of a column, in order of first appearance."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row, without the bias of means over rare tags if the run has them so."""
    corrected = {"value": "corrected", "change": "change_corrected"}
    return {name: exact_number(row.get(corrected.get(name, name), row[name])) for name in _LEVEL_VALUES}


def contamination_sentences(payload: Mapping[str, Any]) -> list[str]:
    """Return sentences: how many images are in training data, then how the metrics change without them; empty if unchecked."""
    found = payload["contamination"]
    if found is None:
        return []
    images = found["levels"][0]["images"]
    names = listed([clipped(one["name"]) for one in found["indexes"]], keep=3)
    compared = f"{plural(images, 'image was', 'images were')} compared with {names}"
    parts = [_class(one) for one in found["classes"] if one["images"]]
    none = f"none is identical or within {found['radius']} bits"
    sentences = [f"{compared}: {listed(parts) or none}."]
    if found["untold"]:
        have = "image has" if found["untold"] == 1 else "images have"
        sentences.append(f"{count(found['untold'])} {have} no distinctive hash, so only digests were compared.")
    return sentences + (_changes(payload, found) if parts else [])


def _class(one: Mapping[str, Any]) -> str:
    """Return the images of a class, such as `14 at distance 5–8 (94 pairs expected by chance)`."""
    name = str(one["class"])
    chance = f" ({chance_pairs(one['chance_pairs'])} expected by chance)" if one["chance_pairs"] is not None else ""
    return f"{count(one['images'])} {'at ' if name.startswith('distance') else ''}{level_title(name)}{chance}"


def chance_pairs(pairs: float) -> str:
    """Return an expected number of pairs with two significant digits.

    >>> chance_pairs(93.97), chance_pairs(0.0177), chance_pairs(1e-9), chance_pairs(1.0)
    ('94 pairs', '0.018 pairs', '<0.001 pairs', '1 pair')
    """
    if pairs >= 10:
        return f"{pairs:,.0f} pairs"
    return "<0.001 pairs" if 0 < pairs < 0.001 else f"{pairs:.2g} {'pair' if pairs == 1 else 'pairs'}"


def level_title(name: str) -> str:
    """Return the display name of a class or level.

    >>> level_title("without distance <= 8"), level_title("distance 5-8")
    ('without distance ≤ 8', 'distance 5–8')
    """
    head, found, tail = name.rpartition(" ")
    return f"{head}{found}{tail.replace('-', '–')}".replace("<=", "≤")


def _changes(payload: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return how the metrics change without the images of any class: the lead for two models, else each metric."""
    last = found["levels"][-1]
    if not last["images"]:
        return [f"No image is left {level_title(last['level'])}, so no metric is defined there."]
    if not payload["replicates"]:
        return ["The metrics without these images need resamples, but this run has none."]
    names = [model["name"] for model in payload["models"]]
    sentences = []
    for key in SLICED:
        before, after = found["levels"][0]["figures"][key], last["figures"][key]
        if len(names) == 2:
            sentences += [_lead(key, before=before["pairs"][0], after=after["pairs"][0], level=last)]
        else:
            columns = zip(names, before["models"], after["models"], strict=True)
            sentences += [_metric(key, name, before=one, after=other, level=last) for name, one, other in columns]
    return [one for one in sentences if one] + ([_lost_tags(last)] if last["tags_without_positives"] else [])


def _lead(key: str, *, before: Mapping[str, Any], after: Mapping[str, Any], level: Mapping[str, Any]) -> str:
    """Return the sentence on the lead of the model that leads on all images; empty if undefined."""
    if before["value"] is None or after["value"] is None:
        return ""
    names, sign = (clipped(before["first"]), clipped(before["second"])), 1
    if before["value"] < 0:
        names, sign = (names[1], names[0]), -1
    return (
        f"The lead of {names[0]} over {names[1]} in {HEADLINES[key]} is {_value(before, signed, sign)} on all images and "
        f"{_value(after, signed, sign)} {level_title(level['level'])}; {_effect(after, sign)}."
    )


def _metric(
    key: str, name: str, *, before: Mapping[str, Any], after: Mapping[str, Any], level: Mapping[str, Any]
) -> str:
    """Return the sentence on one model's metric; empty if undefined."""
    if before["value"] is None or after["value"] is None:
        return ""
    return (
        f"The {HEADLINES[key]} of {clipped(name)} is {_value(before, figure)} on all images and {_value(after, figure)} "
        f"{level_title(level['level'])}; {_effect(after, 1)}."
    )


def _value(row: Mapping[str, Any], show: Callable[[float | None, int], str], sign: int = 1) -> str:
    """Return a value with the digits that its interval allows; `sign` is -1 for the lead of the second model."""
    low, high = row["low"], row["high"]
    if sign < 0 and None not in (low, high):
        low, high = -high, -low
    return estimate(sign * row["value"], low, high, show).value


def _effect(row: Mapping[str, Any], sign: int) -> str:
    """Return the effect of the excluded images, with interval; `sign` is -1 for the lead of the second model."""
    if row["change_low"] is None or row["change_high"] is None:
        return f"the excluded images add {signed(sign * row['change'])}"
    low, high = sorted((sign * row["change_low"], sign * row["change_high"]))
    by_chance = ", possibly by chance" if low <= 0 <= high else ""
    return f"the excluded images add {estimate(sign * row['change'], low, high, signed)}{by_chance}"


def _lost_tags(level: Mapping[str, Any]) -> str:
    tags = level["tags_without_positives"]
    return (
        f"{plural(tags, 'compared tag has', 'compared tags have')} no image left {level_title(level['level'])}, "
        "so the means are over different tags."
    )


@dataclass(frozen=True)
class LevelCell:
    """A metric or lead at a level: value, interval, and effect of the excluded images (all images minus this level)."""

    value: str
    interval: str
    worth: str


@dataclass(frozen=True)
class LevelRow:
    """A level: name, images, and one cell per model, then the lead if there are two models."""

    title: str
    images: str
    cells: Sequence[LevelCell]


@dataclass(frozen=True)
class LevelGroup:
    """The levels of one metric."""

    title: str
    rows: Sequence[LevelRow]


def level_groups(payload: Mapping[str, Any]) -> list[LevelGroup]:
    """Return the levels of each metric in `SLICED`, all images first; empty if no training index was checked."""
    found = payload["contamination"]
    if found is None:
        return []
    pairs = len(payload["models"]) == 2
    return [LevelGroup(METRICS[key].heading, [_row(level, key, pairs) for level in found["levels"]]) for key in SLICED]


def _row(level: Mapping[str, Any], key: str, pairs: bool) -> LevelRow:
    title, left = level_title(level["level"]), plural(level["images"], "image", "images")
    cells = [_cell(one, figure, level) for one in level["figures"][key]["models"]]
    cells += [_cell(one, signed, level) for one in level["figures"][key]["pairs"] if pairs]
    return LevelRow(title[0].upper() + title[1:], f"{left}, {count(level['dropped'])} excluded", cells)


def _cell(one: Mapping[str, Any], show: Callable[[float | None, int], str], level: Mapping[str, Any]) -> LevelCell:
    worth = f"effect {estimate(one['change'], one['change_low'], one['change_high'], signed)}"
    return LevelCell(
        *estimate(one["value"], one["low"], one["high"], show),
        worth if level["dropped"] and one["value"] is not None else "",
    )
