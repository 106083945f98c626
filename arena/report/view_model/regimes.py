"""Threshold policies (`regimes` in `summary.json`): title, description and results of each.

A threshold that is chosen and scored on the same images gives optimistic results. Every policy except `own` is therefore
cross-fitted: thresholds are chosen on other images than those they are scored on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import UNDEFINED, estimate, figure, signed
from arena.metrics.thresholds import FOLDS, MIN_CATEGORY_TAGS, PRECISION

_PolicyText = tuple[str, str]
"""Title and description of a threshold policy."""

POLICY_TEXTS: dict[str, _PolicyText] = {
    "own": (
        "Own",
        "The threshold given with -t, else that of the model's files or card, else 0.5; not chosen by this run.",
    ),
    "macro_f1": ("Global, by macro F1", "One threshold for all tags, with the highest macro F1; cross-fitted."),
    "micro_f1": ("Global, by micro F1", "One threshold for all tags, with the highest micro F1; cross-fitted."),
    "break_even": (
        "Global, P = R",
        "One threshold for all tags, where micro precision equals micro recall; cross-fitted.",
    ),
    "category": (
        "By category",
        (
            "One threshold per category, by macro F1; the global one if a category has fewer than "
            f"{MIN_CATEGORY_TAGS} compared tags; cross-fitted."
        ),
    ),
    "precision_90": (
        f"Global, precision {100 * PRECISION:.0f} %",
        f"The lowest threshold for all tags with a micro precision of at least {100 * PRECISION:.0f} %; cross-fitted.",
    ),
    "tag": (
        "By tag",
        "One threshold per tag, by F1; those of rare tags are shrunk towards the average; cross-fitted.",
    ),
}
"""Title and description of each threshold policy."""

POLICY_PHRASES = {
    "own": "At their own thresholds",
    "macro_f1": "At one threshold for all tags, by macro F1,",
    "micro_f1": "At one threshold for all tags, by micro F1,",
    "break_even": "At one threshold for all tags, with P = R,",
    "category": "At one threshold per category",
    "precision_90": f"At one threshold for all tags, with {100 * PRECISION:.0f} % precision,",
    "tag": "At one threshold per tag",
}
"""Start of a sentence on the metrics under each threshold policy."""

_UNSHRUNK: _PolicyText = (
    "By tag, without shrinkage",
    "One threshold per tag, from its own images alone; cross-fitted. A plain mean, as published results state it.",
)

UNREACHABLE_REASON = f"no threshold reaches a precision of {100 * PRECISION:.0f} %"
"""Why a model has no metrics under the policy `precision_90`."""

_IN_SAMPLE: _PolicyText = (
    "By tag, best in hindsight (not a result)",
    "One threshold per tag, chosen on the images it is scored on: too high for new images, but often published. A plain mean.",
)

CROSS_FITTED = (
    f"Cross-fitted: the images are split into {FOLDS} folds, each fold is scored at thresholds chosen on the others, and the "
    "counts of all folds are summed. The thresholds in the table were chosen on all images, for use in production; "
    "thresholds.csv in the run folder lists the threshold of every tag."
)


@dataclass(frozen=True)
class RegimeCell:
    """One model under one threshold policy, as displayed.

    Attributes:
        macro_aside: the interval, or another remark.
        macro_plain: the plain mean with its label; empty if `macro_f1` is it.
        thresholds_aside: a remark on the threshold: the confident one, or why there is none.
    """

    macro_f1: str
    macro_aside: str
    micro_f1: str
    micro_interval: str
    thresholds: str
    macro_plain: str = ""
    thresholds_aside: str = ""


@dataclass(frozen=True)
class RegimeRow:
    """One threshold policy; `flatters` marks an in-sample value that is not a result."""

    title: str
    what: str
    cells: Sequence[RegimeCell]
    flatters: bool = False


def regime_rows(payload: Mapping[str, Any]) -> list[RegimeRow]:
    """Return one row per threshold policy, then `_UNSHRUNK` and `_IN_SAMPLE`; empty if the run has only `own`."""
    if len(payload["regimes"]) < 2:
        return []
    models = payload["models"]
    rows = [
        _row(POLICY_TEXTS.get(one["name"], (one["name"], "")), [_cell(one["name"], cell) for cell in one["models"]])
        for one in payload["regimes"]
    ]
    shrunk = {one["name"]: one["models"] for one in payload["regimes"]}.get("tag", [{}] * len(models))
    unshrunk = [
        RegimeCell(
            figure(model["unshrunk_macro_f1"]),
            _shrinkage_gain(_plain(cell), model["unshrunk_macro_f1"]),
            "",
            "",
            "",
        )
        for model, cell in zip(models, shrunk, strict=True)
    ]
    in_sample = [RegimeCell(figure(model["in_sample_best_macro_f1"]), "", "", "", "") for model in models]
    return [*rows, _row(_UNSHRUNK, unshrunk), _row(_IN_SAMPLE, in_sample, flatters=True)]


def _row(words: _PolicyText, cells: Sequence[RegimeCell], *, flatters: bool = False) -> RegimeRow:
    return RegimeRow(words[0], words[1], cells, flatters)


def _cell(policy: str, cell: Mapping[str, Any]) -> RegimeCell:
    plain = cell["macro_f1_as_published"]
    return RegimeCell(
        *estimate(cell["macro_f1"], cell["macro_f1_low"], cell["macro_f1_high"]),
        *estimate(cell["micro_f1"], cell["micro_f1_low"], cell["micro_f1_high"]),
        threshold_range(cell["lowest_threshold"], cell["highest_threshold"]),
        "" if plain is None else f"as published {figure(plain)}", _thresholds_aside(policy, cell),
    )  # fmt: skip


def _plain(cell: Mapping[str, Any]) -> float | None:
    """Return the plain macro F1 under a threshold policy; None if undefined."""
    plain: float | None = cell.get("macro_f1_as_published")
    return cell.get("macro_f1") if plain is None else plain


def _thresholds_aside(policy: str, cell: Mapping[str, Any]) -> str:
    """Return the threshold that has the precision of `precision_90` with confidence, or why there is none."""
    if policy != "precision_90":
        return ""
    if reason := why_undefined(policy, cell):
        return reason
    confident = cell["confident_threshold"]
    return f"with 95 % confidence: {UNDEFINED if confident is None else f'{confident:g}'}"


def why_undefined(policy: str, cell: Mapping[str, Any]) -> str:
    """Return why a model has no metrics under a threshold policy; empty if it has some.

    >>> cell = {"tags": 9, "micro_f1": None, "lowest_threshold": 0.9}
    >>> why_undefined("precision_90", cell)
    'no threshold reaches a precision of 90 % in every fold'
    """
    if policy != "precision_90" or not cell["tags"] or cell["micro_f1"] is not None:
        return ""
    return UNREACHABLE_REASON if cell["lowest_threshold"] is None else f"{UNREACHABLE_REASON} in every fold"


def policy_name(policy: str) -> str:
    """Return the title of a threshold policy for the middle of a sentence.

    >>> policy_name("macro_f1"), policy_name("own"), policy_name("break_even")
    ('global by macro F1', 'own', 'global P = R')
    """
    title = POLICY_TEXTS.get(policy, (policy, ""))[0].replace(",", "")
    return f"{title[0].lower()}{title[1:]}"


def policy_phrase(policy: str) -> str:
    """Return the start of a sentence on the metrics under a threshold policy.

    >>> policy_phrase("own"), policy_phrase("new")
    ('At their own thresholds', 'Under the threshold policy new')
    """
    return POLICY_PHRASES.get(policy, f"Under the threshold policy {policy}")


def _shrinkage_gain(shrunk: float | None, unshrunk: float | None) -> str:
    """Return what shrinkage adds to macro F1.

    >>> _shrinkage_gain(0.3502, 0.3513)
    '(shrinkage adds −0.0011)'
    """
    return "" if shrunk is None or unshrunk is None else f"(shrinkage adds {signed(shrunk - unshrunk)})"


def threshold_range(lowest: float | None, highest: float | None) -> str:
    """Return one threshold, or a range of thresholds.

    >>> threshold_range(0.4, 0.4), threshold_range(0.26, 0.9), threshold_range(None, None)
    ('0.4', '0.26–0.9', '–')
    """
    if lowest is None or highest is None:
        return UNDEFINED
    return f"{lowest:g}" if lowest == highest else f"{lowest:g}–{highest:g}"
