"""Sentences on the limits of recorded labels: what missing labels do to the metrics, and when they can reverse a verdict.

A label that nobody recorded makes a correct prediction a false positive. This lowers the precision and F1 of the model that
predicts more. With 30 % of the labels missing at random, the model with the truly lower macro F1 can be decided to be higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena.base.format import clipped, listed, percent

BY_RECORDED_LABELS = "By recorded labels"
"""Start of every verdict."""

_BUT_JUDGED = "All metrics that do not say “judged truth” are by recorded labels"

MOST_UNEQUAL = 1.1
"""Largest ratio of two models' numbers of predictions without a warning."""

_ROUNDING = 1e-9
"""Relative error of a ratio of two ratios, so that exactly a tenth more is no warning."""

MODELS_NAMED = 4
"""Most models whose share of suspected false positives is listed."""


def recorded_labels(payload: Mapping[str, Any]) -> list[str]:
    """Return the sentences on recorded labels: their effect, the suspected false positives, unequal numbers of predictions.

    Args:
        payload: `models` (with `micro`) and `labels` of a page payload.
    """
    predicted = {model["name"]: predictions_per_label(model["micro"]) for model in payload["models"]}
    found = label_sentences(predicted, (payload["labels"] or {}).get("false_positives", {}))
    if "models" not in payload.get("judged", {}):
        return found
    return [found[0].replace("All metrics are by recorded labels", _BUT_JUDGED), *found[1:]]


def label_sentences(
    predicted: Mapping[str, float | None], false_positives: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Return the sentences of `recorded_labels`.

    Args:
        predicted: as in `unequal_predictions`.
        false_positives: as in `suspected`.
    """
    effect = (
        "All metrics are by recorded labels: a correct prediction whose label is missing counts as a false positive."
    )
    return [one for one in (effect, suspected(false_positives), unequal_predictions(predicted)) if one]


def suspected(false_positives: Mapping[str, Mapping[str, int]]) -> str:
    """Return which share of each model's false positives label issues suspect; empty if unknown or without false positives.

    >>> suspected({"a": {"total": 200, "suspected": 70}, "b": {"total": 90, "suspected": 9}})
    'Label issues suspect that 35.0 % of the false positives of a and 10.0 % of those of b are missing labels; a confident \
mistake is suspected too.'
    """
    shares = [(name, one["suspected"], one["total"]) for name, one in false_positives.items() if one["total"]]
    if not shares:
        return ""
    if len(shares) > MODELS_NAMED:
        (_, *least), *_, (_, *most) = sorted(shares, key=lambda one: one[1] / one[2])
        parts = [f"{percent(*least)} to {percent(*most)} of the false positives of the taggers"]
    else:
        whose = ["the false positives", *["those"] * len(shares)]
        parts = [
            f"{percent(part, whole)} of {what} of {clipped(name)}"
            for what, (name, part, whole) in zip(whose, shares, strict=False)
        ]
    return f"Label issues suspect that {listed(parts)} are missing labels; a confident mistake is suspected too."


def predictions_per_label(micro: Mapping[str, float | None]) -> float | None:
    """Return the number of predictions per recorded label; None if unknown.

    It is micro recall divided by micro precision: (TP / labels) / (TP / predictions).

    >>> predictions_per_label({"precision": 0.25, "recall": 0.5}), predictions_per_label({"precision": None, "recall": 0.0})
    (2.0, None)
    """
    precision, recall = micro.get("precision"), micro.get("recall")
    return recall / precision if precision and recall is not None else None


def unequal_predictions(predicted: Mapping[str, float | None]) -> str:
    """Return the warning that one model predicts more than a tenth more than another; empty if none does.

    Args:
        predicted: number of predictions of each model per recorded label, at its own thresholds; None where unknown.

    >>> unequal_predictions({"a": 1.5, "b": 1.0, "c": 1.2, "d": None})
    'Warning: at their own thresholds a makes 1.50 times as many predictions as b. Missing labels lower the precision and F1 \
of a more, which favours b.'
    >>> unequal_predictions({"a": 1.1, "b": 1.0})
    ''
    """
    known = sorted(((value, name) for name, value in predicted.items() if value), key=lambda one: one[0])
    if len(known) < 2 or known[-1][0] <= MOST_UNEQUAL * known[0][0] * (1 + _ROUNDING):
        return ""
    (least, few), (most, many) = known[0], known[-1]
    few, many = clipped(few), clipped(many)
    return (
        f"Warning: at their own thresholds {many} makes {most / least:.2f} times as many predictions as {few}. "
        f"Missing labels lower the precision and F1 of {many} more, which favours {few}."
    )
