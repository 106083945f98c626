"""Verdicts in words: who is higher beyond doubt, where it cannot be told, and how large a difference would have shown.

Only what `differences` and `ranks` decide is said to be higher. What they do not is undetermined, which is not equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from arena.base.format import DECIDED, clipped, count, figure, interval, listed, percent, plural, probability, signed
from arena.metrics.intervals import LEVEL
from arena.metrics.registry import HEADLINES
from arena.report.view_model.leaderboard import tags_of, value_of

POWER = "80 %"
"""How often the smallest detectable difference would have been seen."""

Model = Mapping[str, Any]
Row = Mapping[str, Any]


def verdict(payload: Mapping[str, Any]) -> str:
    """Who is higher in what, in one sentence; empty where nothing was tested: one model, no resamples, no tag."""
    if not payload["replicates"] or not payload["differences"] or len(payload["models"]) < 2:
        return ""
    headline = _of_two(payload) if len(payload["models"]) == 2 else _of_many(payload["models"])
    said = "; ".join(filter(None, [headline, _tag_by_tag(payload), _by_category(payload)]))
    return f"{said[0].upper() if said.startswith('no ') else said[0]}{said[1:]}."


def _tag_by_tag(payload: Mapping[str, Any]) -> str:
    """Of the two with the highest mAP: which leads on AP, on how many of the tags that can be told apart; how many cannot."""
    row = _closest(payload)
    if row is None or not row["first"] + row["second"] + row["undetermined"]:
        return ""
    decided = row["first"] + row["second"]
    tested = decided + row["undetermined"]
    if not decided:
        return f"on AP no single tag can be told apart (all {plural(tested, 'tag', 'tags')} undetermined)"
    most = max(row["first"], row["second"])
    leader, other = (
        clipped(name) for name in (row["models"] if row["first"] >= row["second"] else row["models"][::-1])
    )
    against = f" against {other}" if len(payload["models"]) > 2 else ""
    apart = f"the {plural(decided, 'tag', 'tags')} that can be told apart"
    open_ = f"({percent(row['undetermined'], tested)} of {plural(tested, 'tag', 'tags')} undetermined)"
    if row["first"] == row["second"]:
        return f"on AP {leader} and {other} each lead on half of {apart} {open_}"
    share = "all" if most == decided else f"{percent(most, decided)} of"
    return f"on AP {leader} leads{against} on {share} {apart} {open_}"


def _closest(payload: Mapping[str, Any]) -> Row | None:
    """The verdicts on AP of the two models with the highest mAP."""
    ranked = sorted(payload["models"], key=lambda model: -1.0 if model["map"] is None else -model["map"])
    best = {model["name"] for model in ranked[:2]}
    rows = (row for row in payload["tag_verdicts"] if row["figure"] == "ap" and set(row["models"]) == best)
    return next(rows, None)


def _by_category(payload: Mapping[str, Any]) -> str:
    """Of two models: on which categories each has the higher macro F1, where that is decided."""
    if len(payload["models"]) != 2:
        return ""
    parts = []
    for model in payload["models"]:
        higher = [
            clipped(one["title"])
            for one in payload["slices"]
            if one["slice"] == "category"
            and any(row["higher"] == model["name"] for row in one["figures"]["macro_f1"]["differences"])
        ]
        if higher:
            parts.append(f"{clipped(model['name'])} is better on {listed(higher)} tags")
    return f"by category (macro F1) {', '.join(parts)}" if parts else ""


def _of_two(payload: Mapping[str, Any]) -> str:
    rows = [row for row in headline_rows(payload) if row["figure"] in HEADLINES]
    undetermined = [HEADLINES[row["figure"]] for row in rows if row["higher"] is None]
    names = [clipped(model["name"]) for model in payload["models"]]
    if len(undetermined) == len(rows):
        return f"no difference between {listed(names)} can be told in {listed(undetermined, last='or')}"
    parts = []
    for model in payload["models"]:
        higher = [HEADLINES[row["figure"]] for row in rows if row["higher"] == model["name"]]
        if higher:
            parts.append(f"{clipped(model['name'])} has the higher {listed(higher)}")
    if undetermined:
        parts.append(f"{listed(undetermined)} {'is' if len(undetermined) == 1 else 'are'} undetermined")
    return "; ".join(parts)


def _of_many(models: Sequence[Model]) -> str:
    leaders = [(leading(models, key), name) for key, name in HEADLINES.items()]
    parts = []
    for tied, group in groupby(sorted(leaders, key=lambda one: (len(one[0]), one[0])), key=lambda one: one[0]):
        figures, names = [name for _, name in group], [clipped(name) for name in tied]
        if len(names) == 1:
            parts.append(f"{names[0]} has the highest {listed(figures)}")
        elif len(names) == len(models):
            parts.append(f"no tagger can be told to have the highest {listed(figures, last='or')}")
        elif names:
            are = "is" if len(figures) == 1 else "are"
            parts.append(f"the highest {listed(figures)} {are} undetermined among {listed(names, keep=4)}")
    return "; ".join(parts) or "no figure is defined"


def leading(models: Sequence[Model], key: str) -> list[str]:
    """Names of those tied with the best by what is significant; one name where it is decided."""
    return [model["name"] for model in models if model["ranks"].get(key, {}).get("tied_with_best")]


def headline_rows(payload: Mapping[str, Any]) -> list[Row]:
    """The differences of headline figures, in the order of `HEADLINES`."""
    return [row for key in HEADLINES for row in payload["differences"] if row["figure"] == key]


def with_interval(model: Model, key: str) -> str:
    """A figure of a model and its interval.

    >>> with_interval({"map": 0.5, "intervals": {"map": [0.4, 0.6]}}, "map")
    '0.5000 [0.4000, 0.6000]'
    """
    low, high = model["intervals"].get(key) or (None, None)
    return f"{figure(value_of(model, key))} {interval(low, high)}".rstrip()


def told(models: Sequence[Model], row: Row) -> str:
    """The numbers behind a pair's verdict: both figures, the higher first, their difference, p, power."""
    names = [row["second"], row["first"]] if row["difference"] < 0 else [row["first"], row["second"]]
    first, second = (next(model for model in models if model["name"] == name) for name in names)
    key = row["figure"]
    tags = tags_of(first, key)
    over = "" if tags is None else f", over {plural(tags, 'tag', 'tags')}"
    return (
        f"{with_interval(first, key)} ({clipped(first['name'])}) against {with_interval(second, key)} "
        f"({clipped(second['name'])}){over}; "
        f"{difference(row)}{detectable(row)}"
    )


def difference(row: Row) -> str:
    """How far the higher figure of two lies above the other, with interval and p.

    >>> difference({"difference": -0.01, "low": -0.02, "high": 0.005, "p": 0.2})
    'difference +0.0100 [−0.0050, +0.0200], p 0.20'
    """
    ends = [row["difference"], row["low"], row["high"]]
    if row["difference"] < 0:
        ends = [None if end is None else -end for end in (row["difference"], row["high"], row["low"])]
    shown = f"{signed(ends[0])} {interval(ends[1], ends[2], signed)}".rstrip()
    return f"difference {shown}, p {probability(row['p'])}".replace("p <", "p < ").replace("p >", "p > ")


def detectable(row: Row) -> str:
    """The smallest difference that would have been seen; only where none was."""
    least = row["minimum_detectable"]
    if row["higher"] is not None or not least:
        return ""
    return f". A difference of {figure(least)} would have been seen with {POWER} power"


def how_sure(payload: Mapping[str, Any]) -> str:
    """What the intervals are, and what undetermined means."""
    units, images = payload["clusters"], payload["dataset"]["images"]
    drawn = plural(images, "image", "images")
    if units != images:
        drawn = f"{plural(units, 'group', 'groups')} of near duplicates ({drawn})"
    said = (
        f"Intervals hold the true figure {100 * LEVEL:.0f} % of the time. Those of means come from "
        f"{count(payload['replicates'])} resamples of {drawn} and are corrected for the bias that rare tags bring: a mean "
        "need not lie in the middle of its interval, and with many rare tags may lie outside it."
    )
    if len(payload["models"]) < 2:
        return said
    return (
        f"{said} Both sides of a difference share their images. A difference is called decided where p, corrected for the "
        f"number of comparisons (Holm), is at most {DECIDED}; that of a single tag where q is. Undetermined is not equal: "
        "these images cannot tell."
    )
