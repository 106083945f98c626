"""The entry `judged` of the summary: metrics by judged truth, differences, and how complete the recorded labels are."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from arena.base.files import to_json
from arena.dataset.judgements import Judgements
from arena.evaluate.answers import SampledAnswers, agreement, error_rate, sampled_answers, useless
from arena.evaluate.judged import Cells
from arena.evaluate.passes import Measured
from arena.metrics.counts import Floats, Integers
from arena.metrics.intervals import resampled_interval, resampled_p
from arena.metrics.judged import (
    AnsweredLabels,
    AtProxies,
    Bools,
    Corrections,
    ErrorRate,
    Estimated,
    Influence,
    JudgedCells,
    Pulls,
    answered_labels,
    corrections,
    difference,
    difference_of_pulls,
    estimated,
    pulls,
)
from arena.metrics.judged_design import answers_missing, answers_worth
from arena.metrics.judged_estimates import RANKED
from arena.metrics.judged_ranking import AveragePrecisionAtProxies, judged_map
from arena.metrics.registry import HEADLINES
from arena.metrics.significance import holm
from arena.metrics.slices import SUPPORT_LABELS, support_band

FAMILY_WISE_ERROR = 0.05
"""Family-wise error rate over the headline metrics and pairs of models of a threshold policy."""

LEAST_DIFFERENCE = 0.01
"""Smallest difference for which the number of answers is forecast; of a larger measured difference, that one is taken."""

Regimes = Iterable[tuple[str, Mapping[str, Bools]]]
"""Name of each threshold policy, and model -> decisions, bool (images, tags)."""


class _Context(NamedTuple):
    """What all estimates of a comparison share."""

    cells: Cells
    answers: JudgedCells
    proxy: Floats
    labels: AnsweredLabels
    as_answered: Corrections | None
    """The same with the effect of wrong answers; None if no answer is known to be wrong."""


def regimes_of(cells: Cells, measured: Measured) -> Regimes:
    """Yield the decisions of each threshold policy: the models' own thresholds, then those that were cross-fitted.

    A cross-fitted threshold is chosen on recorded labels of other images, so it depends on no answer, and its decisions can be
    judged like any other. A model that cannot reach the rule of a policy is left out of it.
    """
    yield "own", cells.predicted
    if measured.uncertainty is None:
        return
    for name in [one for one in measured.uncertainty.regimes[0].by_name if one != "own"]:
        predicted = {}
        for model, regimes in zip(measured.models, measured.uncertainty.regimes, strict=True):
            if regimes.by_name[name].reachable:
                thresholds = regimes.by_name[name].by_fold[:, model.chosen[measured.compared]]
                predicted[model.entry.name] = cells.scores[model.entry.name] >= thresholds[cells.fold]
        if predicted:
            yield name, predicted


def judged_summary(cells: Cells, judgements: Judgements, regimes: Regimes) -> dict[str, Any]:
    """Return the entry `judged` of `summary.json`; with `undefined` and without metrics if the answers do not suffice.

    Args:
        cells: labels, scores and decisions on the compared tags.
        judgements: all answers; those that no plan sampled, and those on other images or tags, are counted and left out.
        regimes: decisions to judge, `own` first.
    """
    answers = sampled_answers(cells.image_ids, cells.tags, judgements)
    found = _counts(answers, judgements)
    errors = ErrorRate(found["error_rate"], found["error_rate_standard_error"])
    if problem := answers.problem or useless(errors):
        return _as_written(found | {"undefined": problem})
    proxy = cells.proxy(answers.cells, errors.rate)
    as_answered = corrections(proxy, answers.cells) if errors.rate > 0 else None
    context = _Context(cells, answers.cells, proxy, answered_labels(proxy, answers.cells, errors), as_answered)
    models: dict[str, dict[str, Any]] = {name: {"regimes": {}} for name in cells.predicted}
    rows: list[dict[str, Any]] = []
    for regime, predicted in regimes:
        each = {name: AtProxies(one, proxy).answered(context.labels) for name, one in predicted.items()}
        if regime == "own":  # the ranking depends on no threshold
            for name in each:
                each[name][RANKED] = judged_map(cells.scores[name], proxy, context.labels)
        for name, metrics in each.items():
            models[name]["regimes"][regime] = _levels(metrics, cells.clusters)
        of_regime = [row for pair in combinations(each, 2) for row in _pair(context, regime, pair, predicted, each)]
        rows += _corrected(of_regime)
    for name, shift in _shifts(context).items():
        models[name]["error_shift"] = shift
    for row in rows:
        if as_answered is not None and row["regime"] == "own":
            row["error_shift"] = math.fsum(
                sign * models[row[end]]["error_shift"][row["figure"]] for sign, end in ((1, "first"), (-1, "second"))
            )
    return _as_written(found | {"models": models, "labels": [*_label_rows(context)], "differences": rows})


def _as_written(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry as a reader of the file finds it: an undefined number is None."""
    found: dict[str, Any] = json.loads(to_json(entry))
    return found


def _counts(answers: SampledAnswers, judgements: Judgements) -> dict[str, Any]:
    rows = judgements.rows
    sampled = rows[rows["inclusion_probability"].notna() & (rows["plan"] != "")]
    alpha, repeated = agreement(sampled)
    errors = error_rate(sampled)
    return {
        "answers": answers.clear, "unclear": answers.unclear, "unsampled": answers.unsampled,
        "elsewhere": answers.elsewhere, "unfinished": list(answers.unfinished), "assumed": answers.assumed,
        "agreement": alpha, "repeated": repeated, "error_rate": errors.rate,
        "error_rate_standard_error": errors.standard_error, "undefined": "",
    }  # fmt: skip


def bounded(one: Estimated) -> tuple[float, float, float]:
    """Return a metric and both ends of its interval, each limited to 0 to 1; NaN where undefined."""
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    value, low, high = np.clip([one.value, ends.low, ends.high], 0.0, 1.0).tolist()
    return value, low, high


def _levels(metrics: Mapping[str, Influence], clusters: Integers) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, influence in metrics.items():
        one = estimated(influence, clusters)
        value, low, high = bounded(one)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_standard_error": one.standard_error}
    return found


def _pair(
    context: _Context, regime: str, pair: tuple[str, str], predicted: Mapping[str, Bools],
    each: Mapping[str, Mapping[str, Influence]],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield a row for each metric: the difference of two models, and what the answers are worth for it."""
    first, second = pair
    pull = difference_of_pulls([pulls(predicted[name], context.proxy) for name in pair])
    for figure, influence in each[first].items():
        between = difference(influence, each[second][figure])
        one = estimated(between, context.cells.clusters)
        ends = resampled_interval(one.value, one.standard_error, math.inf)
        low, high = np.clip([ends.low, ends.high], -1.0, 1.0).tolist()
        yield {
            "regime": regime, "figure": figure, "first": first, "second": second, "difference": one.value, "low": low,
            "high": high, "standard_error": one.standard_error,
            "p": float(resampled_p(one.value, one.standard_error, math.inf)),
            **_worth(context, figure, pull, one, between.of_errors),
        }  # fmt: skip


def _worth(context: _Context, figure: str, pull: Pulls, one: Estimated, of_errors: float) -> dict[str, float]:
    """Return the effective number of answers of a difference of F1, and how many more decide; empty for other metrics."""
    if figure not in ("macro_f1", "micro_f1"):
        return {}
    wanted = max(LEAST_DIFFERENCE, abs(one.value))
    of_figure = pull.macro if figure == "macro_f1" else pull.micro
    worth = answers_worth(of_figure, context.proxy, context.answers, one, of_errors)
    more = answers_missing(worth.effective, one.standard_error, worth.image_error, wanted)
    return {
        "image_error": worth.image_error, "effective_answers": _finite(worth.effective), "wanted": wanted,
        "more_answers": _finite(more),
    }  # fmt: skip


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one threshold policy with Holm's p over its headline metrics and pairs, and the higher model."""
    tested = [row for row in rows if row["figure"] in HEADLINES]
    adjusted = holm(np.array([row["p"] for row in tested], np.float64))
    for row, p in zip(tested, adjusted.tolist(), strict=True):
        first = row["first"] if row["difference"] > 0 else row["second"]
        row |= {"p_adjusted": p, "higher": first if p <= FAMILY_WISE_ERROR else None}
    return rows


def _shifts(context: _Context) -> dict[str, dict[str, float]]:
    """Return what wrong answers add to each metric of each model at its own thresholds, uncorrected; empty without any."""
    if context.as_answered is None:
        return {}
    found: dict[str, dict[str, float]] = {}
    for name, predicted in context.cells.predicted.items():
        at_proxies = AtProxies(predicted, context.proxy)
        ranking = AveragePrecisionAtProxies(context.cells.scores[name], context.proxy, context.labels.change)
        as_is, right = (
            {**at_proxies.corrected(one), RANKED: ranking.corrected(one)}
            for one in (context.as_answered, context.labels.change)
        )
        found[name] = {figure: one.value - right[figure].value for figure, one in as_is.items()}
    return found


def _label_rows(context: _Context) -> Iterator[dict[str, Any]]:
    """Yield how complete and how right the recorded labels are: all, by category, and by class of support."""
    cells = context.cells
    bands = support_band(cells.labels.sum(0).astype(np.int64))
    asked = np.bincount(context.answers.tag, minlength=len(cells.tags))
    groups: list[tuple[str, str, Bools]] = [("all", "all", np.ones(len(cells.tags), np.bool_))]
    kinds, present = sorted(set(cells.categories)), set(bands.tolist())
    groups += [("category", one, np.array(cells.categories) == one) for one in kinds if len(kinds) > 1]
    groups += [("support", one, bands == one) for one in SUPPORT_LABELS if one in present]
    for slice_, value, member in groups:
        at_proxies = AtProxies(cells.labels[:, member], context.proxy[:, member])
        of_part = at_proxies.answered(context.labels.of_tags(member))
        row: dict[str, Any] = {"slice": slice_, "value": value, "tags": int(member.sum())}
        row["answers"] = int(asked[member].sum())
        for key, figure in (("complete", "micro_recall"), ("right", "micro_precision")):
            ends = bounded(estimated(of_part[figure], cells.clusters))
            row |= dict(zip((key, f"{key}_low", f"{key}_high"), ends, strict=True))
        yield row
