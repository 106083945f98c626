"""Contamination in words and figures: which images are in the training data, and what of a figure or a lead goes with them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import clipped, count, figure, interval, listed, plural, signed
from arena.metrics.registry import HEADLINES, METRICS, SLICED
from arena.report.columns import number
from arena.results.run_folder import CONTAMINATION, Result

NUMBERS = ("value", "low", "high", "change", "change_low", "change_high", "tags")
"""What the page knows of each level, model or pair, and figure."""

CAVEAT = (
    "A figure also moves because the images left out are easier or harder than the others. That moves taggers that never saw "
    "them as well; a lead moves where only one of two saw them."
)
"""What a change does not prove."""


def contamination(result: Result) -> dict[str, Any] | None:
    """The indexes, images by class, and every level's figures; None where the run was held against nothing."""
    found = result.summary.get(CONTAMINATION)
    if found is None:
        return None
    table = result.tables[CONTAMINATION]
    levels = []
    for name, rows in table.groupby("level", sort=False):
        lost = sum(one["tags_without_positives"] for one in found["levels"] if one["level"] == name)
        figures = {
            key: {
                "models": [_numbers(row) for row in of_key[of_key["second"] == ""].to_dict("records")],
                "pairs": [
                    {"first": row["first"], "second": row["second"]} | _numbers(row)
                    for row in of_key[of_key["second"] != ""].to_dict("records")
                ],
            }
            for key in SLICED
            for of_key in [rows[rows["figure"] == key]]
        }
        levels.append(
            {
                "level": name, "images": int(rows["images"].iloc[0]), "dropped": int(rows["dropped"].iloc[0]),
                "tags_without_positives": lost, "figures": figures,
            }
        )  # fmt: skip
    indexes = [{key: one[key] for key in ("name", "digest", "images")} for one in found["indexes"]]
    told = {key: found[key] for key in ("radius", "classes", "untold")}
    return {"indexes": indexes, **told, "levels": levels}


def _numbers(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {name: number(row[name]) for name in NUMBERS}


def contamination_told(payload: Mapping[str, Any]) -> list[str]:
    """How many images are in the training data, then what goes with them, a sentence each; empty where nothing is known."""
    found = payload["contamination"]
    if found is None:
        return []
    images = found["levels"][0]["images"]
    names = listed([clipped(one["name"]) for one in found["indexes"]], keep=3)
    among = f"{plural(images, 'image', 'images')} against {names}"
    parts = [_class(one) for one in found["classes"] if one["images"]]
    said = [
        f"Of {among}: {listed(parts)}." if parts else f"Of {among}: none is there, nor within {found['radius']} bits."
    ]
    if found["untold"]:
        are = "image has" if found["untold"] == 1 else "images have"
        said.append(
            f"{count(found['untold'])} {are} no hash that tells pictures apart, and only digests were compared."
        )
    return said + (_changes(payload, found) if parts else [])


def _class(one: Mapping[str, Any]) -> str:
    """`14 at distance 5–8 (94 pairs by chance)`."""
    name = str(one["class"])
    chance = f" ({chance_pairs(one['chance_pairs'])} by chance)" if one["chance_pairs"] is not None else ""
    return f"{count(one['images'])} {'at ' if name.startswith('distance') else ''}{shown(name)}{chance}"


def chance_pairs(pairs: float) -> str:
    """An expected number of pairs with two significant digits.

    >>> chance_pairs(93.97), chance_pairs(0.0177), chance_pairs(1e-9), chance_pairs(1.0)
    ('94 pairs', '0.018 pairs', '<0.001 pairs', '1 pair')
    """
    if pairs >= 10:
        return f"{pairs:,.0f} pairs"
    return "<0.001 pairs" if 0 < pairs < 0.001 else f"{pairs:.2g} {'pair' if pairs == 1 else 'pairs'}"


def shown(name: str) -> str:
    """A class or level as a reader sees it.

    >>> shown("without distance <= 8"), shown("distance 5-8")
    ('without distance ≤ 8', 'distance 5–8')
    """
    head, found, tail = name.rpartition(" ")
    return f"{head}{found}{tail.replace('-', '–')}".replace("<=", "≤")


def _changes(payload: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What goes with all images of any class: of two models of the lead, otherwise of each figure."""
    last = found["levels"][-1]
    if not last["images"]:
        return [f"No image is left {shown(last['level'])}: nothing can be said of the figures without them."]
    if not payload["replicates"]:
        return ["The figures without these images come from resamples, of which this run has none."]
    names = [model["name"] for model in payload["models"]]
    said = []
    for key in SLICED:
        before, after = found["levels"][0]["figures"][key], last["figures"][key]
        if len(names) == 2:
            said += [_lead(key, before=before["pairs"][0], after=after["pairs"][0], level=last)]
        else:
            columns = zip(names, before["models"], after["models"], strict=True)
            said += [_figure(key, name, before=one, after=other, level=last) for name, one, other in columns]
    return [one for one in said if one] + ([_lost_tags(last)] if last["tags_without_positives"] else [])


def _lead(key: str, *, before: Mapping[str, Any], after: Mapping[str, Any], level: Mapping[str, Any]) -> str:
    """The lead of the model that leads on all images."""
    if before["value"] is None or after["value"] is None:
        return ""
    names, sign = (clipped(before["first"]), clipped(before["second"])), 1
    if before["value"] < 0:
        names, sign = (names[1], names[0]), -1
    return (
        f"The lead of {names[0]} over {names[1]} in {HEADLINES[key]} is {signed(sign * before['value'])} on all images and "
        f"{signed(sign * after['value'])} {shown(level['level'])}: {_worth(after, sign)}."
    )


def _figure(
    key: str, name: str, *, before: Mapping[str, Any], after: Mapping[str, Any], level: Mapping[str, Any]
) -> str:
    if before["value"] is None or after["value"] is None:
        return ""
    return (
        f"The {HEADLINES[key]} of {clipped(name)} is {figure(before['value'])} on all images and {figure(after['value'])} "
        f"{shown(level['level'])}: {_worth(after, 1)}."
    )


def _worth(row: Mapping[str, Any], sign: int) -> str:
    """What the images left out add, with its interval; turned round for the lead of the second model."""
    said = f"the images left out are worth {signed(sign * row['change'])}"
    if row["change_low"] is None or row["change_high"] is None:
        return said
    low, high = sorted((sign * row["change_low"], sign * row["change_high"]))
    return f"{said} {interval(low, high, signed)}" + (", which may be chance" if low <= 0 <= high else "")


def _lost_tags(level: Mapping[str, Any]) -> str:
    tags = level["tags_without_positives"]
    return (
        f"{plural(tags, 'compared tag has', 'compared tags have')} no image left {shown(level['level'])}, "
        "so that the means are not of the same tags."
    )


@dataclass(frozen=True)
class LevelCell:
    """A figure, or a lead, at a level: itself, its interval, and what of it on all images the images left out are worth."""

    value: str
    interval: str
    worth: str


@dataclass(frozen=True)
class LevelRow:
    """A level: its name, images, and a cell a model, then that of the lead where two compare."""

    title: str
    images: str
    cells: Sequence[LevelCell]


@dataclass(frozen=True)
class LevelGroup:
    """The levels of one figure."""

    title: str
    rows: Sequence[LevelRow]


def level_groups(payload: Mapping[str, Any]) -> list[LevelGroup]:
    """The levels, all images first, of each figure in `SLICED`; empty where nothing is known."""
    found = payload["contamination"]
    if found is None:
        return []
    pairs = len(payload["models"]) == 2
    return [LevelGroup(METRICS[key].heading, [_row(level, key, pairs) for level in found["levels"]]) for key in SLICED]


def _row(level: Mapping[str, Any], key: str, pairs: bool) -> LevelRow:
    title, left = shown(level["level"]), plural(level["images"], "image", "images")
    cells = [_cell(one, figure, level) for one in level["figures"][key]["models"]]
    cells += [_cell(one, signed, level) for one in level["figures"][key]["pairs"] if pairs]
    return LevelRow(title[0].upper() + title[1:], f"{left}, {count(level['dropped'])} left out", cells)


def _cell(one: Mapping[str, Any], show: Callable[[float | None], str], level: Mapping[str, Any]) -> LevelCell:
    worth = f"worth {signed(one['change'])} {interval(one['change_low'], one['change_high'], signed)}".rstrip()
    return LevelCell(
        show(one["value"]),
        interval(one["low"], one["high"], show),
        worth if level["dropped"] and one["value"] is not None else "",
    )
