"""Findings of a run: which model is higher where that is decided, and by how much; the rest is undetermined.

This module computes no metric: it only compares, counts and describes values. Without intervals nothing is decided, and a
finding states which point estimate is higher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import DECIDED, UNDEFINED, clipped, count, digits_of_support, estimate, figure, listed, plural
from arena.metrics.registry import HEADLINES, TESTED
from arena.report.view_model.leaderboard import MODEL_STYLES, tags_in_mean, value_of
from arena.report.view_model.uncertainty import (
    detectable_text,
    difference_text,
    headline_rows,
    tied_with_best,
    with_interval,
)

STATIC_TAGS = 50
"""Rows of the table of tags that is shown without JavaScript."""

FIGURES_SHOWN = 6
"""Most models that a finding lists; the leaderboard has all."""

_UNDEFINED_MEAN = "undefined: no tag to average over"
"""Text of an undefined mean."""

MOST_PAIRS_LISTED = 12
"""Most pairs of models whose tag-by-tag verdicts the page lists; `tag_differences.parquet` has all."""


@dataclass(frozen=True)
class TagShare:
    """A segment of a bar of tags: those on which one model is higher, or (`name` None) the rest; the bar is 100 wide."""

    name: str | None
    style: int
    tags: int
    start: float
    width: float


@dataclass(frozen=True)
class HeadlineFinding:
    """One finding.

    Attributes:
        label: what was compared, such as `Higher mAP`.
        lead: the name of the higher model, `undetermined`, or a value.
        detail: the numbers behind it, without a final full stop.
        style: style of the model that `lead` names.
        figures: name, style, value and interval of each model, the highest first; empty if `detail` has them.
    """

    label: str
    lead: str
    detail: str
    style: int | None = None
    figures: Sequence[tuple[str, int, str, str]] = ()


@dataclass(frozen=True)
class TagFinding:
    """On how many tags each model is higher; `other` names the remaining tags."""

    label: str
    shares: Sequence[TagShare]
    other: str
    detail: str = ""


def findings(payload: Mapping[str, Any]) -> list[HeadlineFinding]:
    """Return the findings on the headline metrics: tested if there are resamples, else point estimates."""
    models = payload["models"]
    if payload["replicates"] and payload["differences"] and len(models) == 2:
        return [_pair(models, row) for row in headline_rows(payload)]
    if payload["replicates"] and len(models) > 2:
        return [_many(models, key) for key in HEADLINES]
    return [_point(models, key, aside) for key, aside in (("map", _chance(models)), ("macro_f1", _at(models)))]


def _pair(models: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> HeadlineFinding:
    key = row["figure"]
    name, over, figures = HEADLINES[key], tags_in_mean(models[0], key), _figures(models, key)
    span = f", over {plural(over, 'tag', 'tags')}" if over is not None else ""
    chance = f"; {_chance(models)}" if key == "map" else ""
    detail = f"{_capital(difference_text(row))}{span}{chance}{detectable_text(row)}"
    if row["higher"] is None:
        return HeadlineFinding(_capital(name), "undetermined", detail, figures=figures)
    return HeadlineFinding(f"Higher {name}", row["higher"], detail, _style(models, row["higher"]), figures)


def _many(models: Sequence[Mapping[str, Any]], key: str) -> HeadlineFinding:
    name, tied = HEADLINES[key], tied_with_best(models, key)
    ordered = [m for m in models if value_of(m, key) is not None]
    if not ordered:
        return HeadlineFinding(_capital(name), UNDEFINED, _UNDEFINED_MEAN)
    figures = _figures(models, key)[:FIGURES_SHOWN]
    if len(tied) == 1:
        detail = "Significantly higher than that of every other tagger"
        return HeadlineFinding(f"Highest {name}", tied[0], detail, _style(models, tied[0]), figures)
    whom = f"all {len(ordered)}" if len(tied) == len(ordered) else listed([clipped(one) for one in tied], keep=4)
    return HeadlineFinding(
        f"Highest {name}", "undetermined", f"Not significantly below the highest: {whom}", None, figures
    )


def _figures(models: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, int, str, str]]:
    """Return name, style, value and interval of each model, the highest first, undefined last."""
    rows = []
    for place, model in enumerate(models):
        value, ends = value_of(model, key), model["intervals"][key] or (None, None)
        shown = (model["name"], place % MODEL_STYLES, *estimate(value, *ends))
        rows.append((-1.0 if value is None else value, shown))
    return [shown for _, shown in sorted(rows, key=lambda row: row[0], reverse=True)]


def _point(models: Sequence[Mapping[str, Any]], key: str, aside: str) -> HeadlineFinding:
    """Return which point estimate is higher; for a single model its value, with interval if it has one."""
    name = HEADLINES[key]
    defined = sorted((m for m in models if value_of(m, key) is not None), key=lambda m: -(value_of(m, key) or 0.0))
    if not defined:
        return HeadlineFinding(_capital(name), UNDEFINED, _UNDEFINED_MEAN)
    best = figure(value_of(defined[0], key))
    tied = [m for m in defined if figure(value_of(m, key)) == best]
    over = sorted({tags_in_mean(m, key) or 0 for m in defined})
    span = (
        f"over {plural(over[-1], 'tag', 'tags')}" if len(over) == 1 else f"over {count(over[0])} to {over[-1]:,} tags"
    )
    if len(models) == 1:
        ends = with_interval(defined[0], key).partition(" ")[2]
        return HeadlineFinding(_capital(name), best, f"{f'interval {ends}, ' if ends else ''}{span}; {aside}")
    others = [*defined[len(tied) :], *(m for m in models if value_of(m, key) is None)]
    rest = listed([f"{figure(value_of(m, key))} ({clipped(m['name'])})" for m in others], keep=3)
    if len(tied) > 1:
        names = listed([clipped(m["name"]) for m in tied])
        label = f"Highest {name}, shared" if others else f"Same {name} to four digits"
        return HeadlineFinding(label, best, f"{names}{f' against {rest}' if others else ''}, {span}; {aside}")
    label = f"{'Higher' if len(models) == 2 else 'Highest'} {name}"
    return HeadlineFinding(
        label, tied[0]["name"], f"{best} against {rest}, {span}; {aside}", _style(models, str(tied[0]["name"]))
    )


def _capital(text: str) -> str:
    """Return text with an upper-case first letter; `mAP` keeps its spelling."""
    return text if text.startswith("mAP") else text[0].upper() + text[1:]


def _style(models: Sequence[Mapping[str, Any]], name: str) -> int:
    return [model["name"] for model in models].index(name) % MODEL_STYLES


def _at(models: Sequence[Mapping[str, Any]]) -> str:
    thresholds = [str(m["threshold"]) for m in models]
    if len(set(thresholds)) == 1:
        return f"{'both ' if len(models) == 2 else 'all ' if len(models) > 2 else ''}at threshold {thresholds[0]}"
    return f"at their own thresholds{f' ({listed(thresholds)})' if len(models) <= 3 else ''}"


def _chance(models: Sequence[Mapping[str, Any]]) -> str:
    shown = sorted({figure(m["random_map"]) for m in models})
    return f"random scores would reach {' to '.join((shown[0], shown[-1]) if len(shown) > 1 else shown)}"


def tag_findings(payload: Mapping[str, Any]) -> list[TagFinding]:
    """Return on how many tags each of two models is higher; without intervals, which model has the highest AP."""
    names = [model["name"] for model in payload["models"]]
    if len(names) < 2:
        return []
    if not payload["replicates"]:
        label = f"Tags with the {'higher' if len(names) == 2 else 'highest'} AP"
        return [TagFinding(label, highest_ap(payload), "equal")]
    return [
        _tag_finding(names, row) for row in payload["tag_verdicts"] if len(names) == 2 and row["models"] == names
    ]  # fmt: skip


def _tag_finding(names: Sequence[str], row: Mapping[str, Any]) -> TagFinding:
    name = TESTED[row["figure"]]
    a, b = (clipped(one) for one in names)
    sentence = (
        f"On {name}, {a} is higher on {plural(row['first'], 'tag', 'tags')} and {b} on {count(row['second'])}; "
        f"{count(row['undetermined'])} {'is' if row['undetermined'] == 1 else 'are'} undetermined (decided: q ≤ {DECIDED}, "
        "the false discovery rate)"
    )
    shares = _shares([*zip(names, (row["first"], row["second"]), strict=True), (None, row["undetermined"])])
    return TagFinding(f"{name}, tag by tag", shares, "undetermined", sentence)


def tag_verdicts_by_pair(payload: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Mapping[str, Any]]]]:
    """Return each pair's verdicts by metric, for more than two models; empty otherwise."""
    if len(payload["models"]) < 3:
        return []
    pairs: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in payload["tag_verdicts"]:
        pairs.setdefault((row["models"][0], row["models"][1]), {})[row["figure"]] = row
    return [(*pair, rows) for pair, rows in pairs.items()]


def highest_ap(payload: Mapping[str, Any]) -> list[TagShare]:
    """Return on how many compared tags each model has the highest AP, among tags with a defined AP for every model."""
    tags, names = payload["tags"], [m["name"] for m in payload["models"]]
    wins, ties = [0] * len(names), 0
    columns = zip(*(tags["models"][name]["ap"] for name in names), strict=True)
    for compared, row in zip(tags["compared"], columns, strict=True):
        if not compared or None in row:
            continue
        best = [i for i, value in enumerate(row) if value == max(row)]
        if len(best) == 1:
            wins[best[0]] += 1
        else:
            ties += 1
    return _shares([*zip(names, wins, strict=True), (None, ties)])


def _shares(parts: Sequence[tuple[str | None, int]]) -> list[TagShare]:
    """Return numbers of tags as segments of a bar 100 wide."""
    total = max(sum(number for _, number in parts), 1)
    shares, start = [], 0.0
    for i, (name, number) in enumerate(parts):
        width = 100 * number / total
        shares.append(TagShare(name=name, style=i % MODEL_STYLES, tags=number, start=start, width=width))
        start += width
    return shares


def run_subject(payload: Mapping[str, Any]) -> str:
    """Return the sentence that states what was compared, on which images and tags."""
    dataset, models, least = payload["dataset"], payload["models"], payload["min_positives"]
    taggers = plural(len(models), "tagger", "taggers")
    who = "that it knows" if len(models) == 1 else "that " + ("both" if len(models) == 2 else "all") + " know"
    sample = f", a weighted sample of {dataset['weighted_images']:,}" if "weighted_images" in dataset else ""
    frequent = f" and that have at least {plural(least, 'positive image', 'positive images')}" if least else ""
    return (
        f"{taggers} scored on {'' if len(models) == 1 else 'the same '}{plural(dataset['images'], 'image', 'images')} "
        f"({dataset['title']}{sample}), and {'measured' if len(models) == 1 else 'compared'} on the "
        f"{plural(payload['compared_tags'], 'tag', 'tags')} {who}{frequent}."
    )


def static_tags(payload: Mapping[str, Any]) -> list[int]:
    """Return indices of the tags shown without JavaScript: compared tags first, then by support, then by name."""
    tags = payload["tags"]
    order = sorted(
        range(len(tags["name"])), key=lambda i: (not tags["compared"][i], -tags["support"][i], tags["name"][i])
    )
    return order[:STATIC_TAGS]


def tag_text(payload: Mapping[str, Any], model: str, key: str, place: int) -> str:
    """Return a metric of a tag with the digits that are known: by its interval, else by the tag's support."""
    columns = payload["tags"]["models"][model]
    low, high = (columns[f"{key}_{end}"][place] if f"{key}_{end}" in columns else None for end in ("low", "high"))
    if low is None or high is None:
        return figure(columns[key][place], digits_of_support(payload["tags"]["support"][place]))
    return estimate(columns[key][place], low, high).value
