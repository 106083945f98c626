"""Verdicts as sentences: which model is significantly higher, what is undetermined, and the smallest detectable difference.

A model is called higher only if `differences` or `ranks` decide so. Everything else is undetermined, which is not equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from arena.base.format import (
    DECIDED,
    clipped,
    count,
    estimate,
    figure,
    known_digits,
    listed,
    plural,
    probability,
    signed,
)
from arena.metrics.intervals import LEVEL
from arena.metrics.registry import HEADLINES
from arena.report.view_model.forest import other_policies
from arena.report.view_model.leaderboard import tags_in_mean, value_of
from arena.report.view_model.recorded_labels import BY_RECORDED_LABELS
from arena.report.view_model.regimes import policy_phrase

POWER = "four times in five"
"""Power of the smallest detectable difference: how often a test would detect it."""

_Model = Mapping[str, Any]
DifferenceRow = Mapping[str, Any]


def run_verdict(payload: Mapping[str, Any]) -> str:
    """Return the verdict of a run as sentences; empty if nothing was tested: one model, no resamples, or no tag."""
    if not payload["replicates"] or not payload["differences"] or len(payload["models"]) < 2:
        return ""
    parts = [
        f"{BY_RECORDED_LABELS}: {_headline(payload, policy_phrase('own'))}.",
        other_policies(payload),
        _tag_by_tag(payload),
        _by_category(payload),
    ]
    return " ".join(filter(None, parts))


def policy_verdict(payload: Mapping[str, Any], policy: str) -> str:
    """Return the verdict on the headline metrics as one sentence that names the threshold policy.

    Args:
        payload: the metrics and differences under that policy, see `under_policy`.
        policy: key of the policy.

    Returns: the sentence; empty for one model. Without resamples it names the highest values and says that nothing was tested.
    """
    if len(payload["models"]) < 2:
        return ""
    phrase = policy_phrase(policy)
    if payload["replicates"]:
        return f"{_headline(payload, phrase, names=_NAMED)}." if payload["differences"] else ""
    return _untested(payload["models"], phrase)


def _untested(models: Sequence[_Model], phrase: str) -> str:
    """Return which model has the highest value of each metric, as a point estimate."""
    leaders: dict[str, list[str]] = {}
    for key, title in HEADLINES.items():
        values = {clipped(model["name"]): value for model in models if (value := value_of(model, key)) is not None}
        if values:
            leaders.setdefault(max(values, key=lambda name: values[name]), []).append(title)
    parts = [f"{name} has the highest {listed(titles)}" for name, titles in leaders.items()]
    return f"{phrase} {' and '.join(parts)}: point estimates, not tested." if parts else ""


_NAMED = 3
"""Most models that the sentence of the first screen names; the picture below it has all."""


def _headline(payload: Mapping[str, Any], phrase: str, *, names: int | None = None) -> str:
    models = payload["models"]
    return _of_two(payload, phrase) if len(models) == 2 else _of_many(models, phrase, names or len(models))


def _tag_by_tag(payload: Mapping[str, Any]) -> str:
    """Return on how many tags each of the two models with the highest mAP has the higher AP; empty if nothing was tested."""
    row = _closest(payload)
    if row is None or not row["first"] + row["second"] + row["undetermined"]:
        return ""
    decided = row["first"] + row["second"]
    tested = decided + row["undetermined"]
    first, second = (clipped(name) for name in row["models"])
    of_tags = f"Of {plural(tested, 'tag', 'tags')}, "
    if not decided:
        return f"{of_tags}none has a significantly different AP for {first} and {second}."
    differ = f"{of_tags}{count(decided)} {'has' if decided == 1 else 'have'} a significantly different AP"
    return f"{differ}: {first} is higher on {count(row['first'])}, {second} on {count(row['second'])}."


def _closest(payload: Mapping[str, Any]) -> DifferenceRow | None:
    """Return the tag verdicts on AP of the two models with the highest mAP; None if there are none."""
    ranked = sorted(payload["models"], key=lambda model: -1.0 if model["map"] is None else -model["map"])
    best = {model["name"] for model in ranked[:2]}
    rows = (row for row in payload["tag_verdicts"] if row["figure"] == "ap" and set(row["models"]) == best)
    return next(rows, None)


def _by_category(payload: Mapping[str, Any]) -> str:
    """Return on which categories each of two models has the significantly higher macro F1; empty otherwise."""
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
    return f"By category (macro F1), {' and '.join(parts)}." if parts else ""


def _of_two(payload: Mapping[str, Any], phrase: str) -> str:
    rows = [row for row in headline_rows(payload) if row["figure"] in HEADLINES]
    undetermined = [HEADLINES[row["figure"]] for row in rows if row["higher"] is None]
    names = [clipped(model["name"]) for model in payload["models"]]
    if len(undetermined) == len(rows):
        return f"{phrase} {listed(names)} cannot be told apart on {listed(undetermined, last='or')}"
    parts = []
    for model in payload["models"]:
        higher = [HEADLINES[row["figure"]] for row in rows if row["higher"] == model["name"]]
        if higher:
            parts.append(f"{clipped(model['name'])} has the higher {listed(higher)}")
    if undetermined:
        parts.append(f"{listed(undetermined)} {'is' if len(undetermined) == 1 else 'are'} undetermined")
    return f"{phrase} {'; '.join(parts)}"


def _of_many(models: Sequence[_Model], phrase: str, most: int) -> str:
    leaders = [(tied_with_best(models, key), name) for key, name in HEADLINES.items()]
    parts = []
    for tied, group in groupby(sorted(leaders, key=lambda one: (len(one[0]), one[0])), key=lambda one: one[0]):
        figures, names = [name for _, name in group], [clipped(name) for name in tied]
        if len(names) == 1:
            parts.append(f"{names[0]} has the highest {listed(figures)}")
        elif len(names) == len(models):
            parts.append(f"no tagger is significantly better than all others on {listed(figures, last='or')}")
        elif names:
            are = "is" if len(figures) == 1 else "are"
            among = listed(names, keep=4) if len(names) <= most else f"{len(names)} of {len(models)} taggers"
            parts.append(f"the highest {listed(figures)} {are} undetermined among {among}")
    return f"{phrase} {'; '.join(parts)}" if parts else "No metric is defined"


def tied_with_best(models: Sequence[_Model], key: str) -> list[str]:
    """Return the models that are the best or not significantly below it; one name if the best is decided."""
    return [model["name"] for model in models if model["ranks"].get(key, {}).get("tied_with_best")]


def headline_rows(payload: Mapping[str, Any]) -> list[DifferenceRow]:
    """Return the differences of the headline metrics, in the order of `HEADLINES`."""
    return [row for key in HEADLINES for row in payload["differences"] if row["figure"] == key]


def with_interval(model: _Model, key: str) -> str:
    """Return a metric of a model with its interval.

    >>> with_interval({"map": 0.5, "intervals": {"map": [0.4, 0.6]}}, "map")
    '0.50 [0.40, 0.60]'
    """
    low, high = model["intervals"].get(key) or (None, None)
    return str(estimate(value_of(model, key), low, high))


def pair_evidence(models: Sequence[_Model], row: DifferenceRow) -> str:
    """Return the numbers behind a pair's verdict: both values, the higher first, difference, p, detectable difference."""
    names = [row["second"], row["first"]] if row["difference"] < 0 else [row["first"], row["second"]]
    first, second = (next(model for model in models if model["name"] == name) for name in names)
    key = row["figure"]
    tags = tags_in_mean(first, key)
    over = "" if tags is None else f", over {plural(tags, 'tag', 'tags')}"
    return (
        f"{with_interval(first, key)} ({clipped(first['name'])}) against {with_interval(second, key)} "
        f"({clipped(second['name'])}){over}; "
        f"{difference_text(row)}{detectable_text(row)}"
    )


def difference_text(row: DifferenceRow) -> str:
    """Return the difference of two models, the higher minus the lower, with interval and p.

    >>> difference_text({"difference": -0.01, "low": -0.02, "high": 0.005, "p": 0.2})
    'difference +0.010 [−0.005, +0.020], p 0.20'
    """
    value, low, high = row["difference"], row["low"], row["high"]
    if value < 0:
        value, low, high = -value, None if high is None else -high, None if low is None else -low
    p = probability(row["p"])
    return f"difference {estimate(value, low, high, signed)}, p {f'{p[0]} {p[1:]}' if p[0] in '<>' else p}"


def detectable_text(row: DifferenceRow) -> str:
    """Return the sentence on the smallest detectable difference; empty if the difference is decided."""
    least = row["minimum_detectable"]
    if row["higher"] is not None or not least:
        return ""
    digits = 4 if row["low"] is None or row["high"] is None else known_digits(row["low"], row["high"])
    return f". These images would have revealed a true difference of {figure(least, digits)} {POWER}"


CORRECTED = (
    " A mean over tags is biased where tags are rare, so macro metrics and mAP are shown without their estimated bias. "
    "“As published” is the plain mean: compare that one with the published values of others."
)
"""What the headline value of a mean is, as a continuation of a text."""


def _is_corrected(payload: Mapping[str, Any]) -> bool:
    """Return whether the run has corrected values; a run of an older version has none."""
    return any(value is not None for model in payload["models"] for value in model["as_published"].values())


def _cancels(payload: Mapping[str, Any]) -> str:
    """Return why a difference is not exactly that of the two values shown, as a continuation of a text."""
    why = " They are differences of the plain means, because the bias of both taggers cancels."
    return why if _is_corrected(payload) else ""


def uncertainty_note(payload: Mapping[str, Any]) -> str:
    """Return how the intervals and tests were computed, and what undetermined means."""
    units, images = payload["clusters"], payload["dataset"]["images"]
    drawn = plural(images, "image", "images")
    if units != images:
        drawn = f"{plural(units, 'group', 'groups')} of near duplicates ({drawn})"
    intervals = (
        f"Intervals contain the true value {100 * LEVEL:.0f} % of the time. Intervals of means come from "
        f"{count(payload['replicates'])} bootstrap resamples of {drawn}.{CORRECTED if _is_corrected(payload) else ''}"
    )
    if len(payload["models"]) < 2:
        return intervals
    return (
        f"{intervals} Differences are paired: both taggers are scored on the same images.{_cancels(payload)} A difference is "
        f"decided (significant) if p, adjusted for the number of comparisons (Holm), is at most {DECIDED}; for a single tag, "
        f"if q is at most {DECIDED}. Undetermined does not mean equal: these images cannot show which is higher."
    )
