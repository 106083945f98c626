"""Metrics by judged truth next to those by recorded labels: rows, sentences, and where the two disagree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.base.format import clipped, count, estimate, figure, interval, listed, plural, signed
from arena.metrics.registry import HEADLINES, METRICS, THRESHOLDED
from arena.report.view_model.leaderboard import MODEL_STYLES, value_of
from arena.report.view_model.regimes import policy_name

BY_LABELS, BY_TRUTH = "labels", "judged truth"
"""Names of the two sources of a metric."""

JUDGED_METRICS = (*THRESHOLDED, "map")
"""Metrics that answers can estimate; runs of earlier versions lack the last."""


@dataclass(frozen=True)
class Estimate:
    """A metric, or a difference of two models, from one source; None where undefined.

    Attributes:
        higher: of a difference, the model that is significantly higher; None if undecided.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    higher: str | None = None

    @property
    def range(self) -> str:
        """The interval; empty if undefined."""
        return estimate(self.value, self.low, self.high).interval

    @property
    def text(self) -> str:
        """The value with its interval."""
        return str(estimate(self.value, self.low, self.high))

    @property
    def signed_text(self) -> str:
        """The value with sign and interval."""
        return str(estimate(self.value, self.low, self.high, signed))


@dataclass(frozen=True)
class JudgedLevel:
    """The metrics of one model at its own thresholds: metric -> estimate, by labels and by judged truth."""

    name: str
    style: int
    by_labels: Mapping[str, Estimate]
    by_truth: Mapping[str, Estimate]


@dataclass(frozen=True)
class JudgedContrast:
    """The difference of two models at their own thresholds, the first minus the second.

    Attributes:
        effective: number of answers of a plan for this difference alone that are worth as much as these; None if unknown.
        wanted: true difference that the forecast is for.
        more: number of further answers that show it with 80 % power; None if no number does.
    """

    figure: str
    first: str
    second: str
    labels: Estimate
    truth: Estimate
    effective: int | None
    wanted: float | None
    more: int | None
    tested: bool


@dataclass(frozen=True)
class Completeness:
    """How many of the true tags are recorded, and how many of the recorded ones are true, as shares."""

    title: str
    tags: int
    answers: int
    complete: Estimate
    right: Estimate


def judged_levels(payload: Mapping[str, Any]) -> list[JudgedLevel]:
    """Return the metrics of every model; empty without metrics by judged truth."""
    found = []
    for place, model in enumerate(payload["models"]):
        own = _judged(payload).get("models", {}).get(model["name"], {}).get("regimes", {}).get("own")
        if own is None:
            return []
        by_labels = {}
        estimated = [key for key in JUDGED_METRICS if key in own]
        for key in estimated:
            low, high = model["intervals"].get(key) or (None, None)
            by_labels[key] = Estimate(value_of(model, key), low, high)
        by_truth = {key: Estimate(*(own[f"{key}{end}"] for end in ("", "_low", "_high"))) for key in estimated}
        found.append(JudgedLevel(model["name"], place % MODEL_STYLES, by_labels, by_truth))
    return found


def judged_contrasts(payload: Mapping[str, Any], figures: Sequence[str] = tuple(HEADLINES)) -> list[JudgedContrast]:
    """Return the differences of every pair of models, pair by pair."""
    by_labels = {(row["first"], row["second"], row["figure"]): row for row in payload["differences"]}
    found = []
    for row in _judged(payload).get("differences", []):
        if row["regime"] != "own" or row["figure"] not in figures:
            continue
        other = by_labels.get((row["first"], row["second"], row["figure"]))
        effective, more = row.get("effective_answers"), row.get("more_answers")
        found.append(
            JudgedContrast(
                row["figure"], row["first"], row["second"], Estimate() if other is None else _estimate(other),
                _estimate(row), None if effective is None else round(effective), row.get("wanted"),
                None if more is None else math.ceil(more), other is not None,
            )
        )  # fmt: skip
    return found


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["difference"], row["low"], row["high"], row.get("higher"))


def _judged(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = payload.get("judged") or {}
    return found


def judged_verdict(payload: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each pair of models and headline metric: what labels say, and what judged truth says.

    Only the reason if there are no metrics by judged truth; empty without judgements.
    """
    judged = _judged(payload)
    if judged.get("undefined"):
        return [f"No metric by judged truth: {judged['undefined']}."]
    return [_sentence(one, payload) for one in judged_contrasts(payload)]


def _sentence(one: JudgedContrast, payload: Mapping[str, Any]) -> str:
    title = METRICS[one.figure].heading
    if len(payload["models"]) > 2:
        title = f"{clipped(one.first, 30)} and {clipped(one.second, 30)}, {METRICS[one.figure].title}"
    answers = plural(_judged(payload)["answers"], "answer", "answers")
    if one.labels.higher and one.labels.higher == one.truth.higher:
        return f"{title}: labels and judged truth name {clipped(one.truth.higher)}, {answers}."
    named = f"labels name {clipped(one.labels.higher)}" if one.labels.higher else "undecided by labels"
    named = named if one.tested else "not tested by labels"
    if one.truth.higher:
        return f"{title}: {named}; by judged truth {clipped(one.truth.higher)} is higher, {answers}."
    return f"{title}: {named}; by judged truth undecided: {more_answers(one)}."


def more_answers(one: JudgedContrast) -> str:
    """Return the clause on how many more answers would decide a difference."""
    if one.truth.value is None:
        return "the difference is undefined"
    if one.wanted is None:
        return "no forecast of the number of answers"
    wanted = f"a difference of {figure(one.wanted)}"
    if one.more is None:
        return f"no number of answers would decide {wanted} on these images"
    if not one.more:
        return f"these answers would show {wanted} four times in five"
    return f"about {plural(one.more, 'more answer', 'more answers')} would decide {wanted}"


def judged_facts(payload: Mapping[str, Any]) -> list[str]:
    """Return the sentences on the answers: their number and agreement, their errors, and the labels; empty without any."""
    judged = _judged(payload)
    return [*_answer_facts(judged), *_error_facts(judged), *_label_facts(judged)] if judged else []


def _answer_facts(judged: Mapping[str, Any]) -> Iterator[str]:
    repeated = plural(judged["repeated"], "cell", "cells")
    alpha = judged["agreement"]
    agreement = "" if alpha is None else f"; agreement (Krippendorff's alpha) {alpha:.2f} on {repeated} answered twice"
    yield f"{plural(judged['answers'], 'clear answer', 'clear answers')}, {count(judged['unclear'])} unclear{agreement}."
    if number := judged["unsampled"]:
        yield f"{plural(number, 'answered cell was', 'answered cells were')} not sampled and enter no estimate."
    if number := judged["elsewhere"]:
        yield f"{plural(number, 'answered cell is', 'answered cells are')} on images or tags that are not compared here."
    if plans := judged["unfinished"]:
        yield f"{plural(len(plans), 'plan', 'plans')} left out, because a cell has no answer: {listed(plans, keep=3)}."
    if judged["assumed"]:
        yield "The judgements do not say which cells could be drawn; it is assumed that every compared cell could."


def _error_facts(judged: Mapping[str, Any]) -> Iterator[str]:
    rate = judged["error_rate"]
    if rate is None:
        yield "Wrong answers are not corrected, and their rate is unknown: no cell was answered twice."
        return
    if not rate:
        yield "No answer is known to be wrong. The intervals allow for errors that were not seen."
        return
    shifts = []
    for name, model in judged.get("models", {}).items():
        shift = model.get("error_shift", {})
        of = [f"{METRICS[key].title} by about {signed(shift[key])}" for key in HEADLINES if key in shift]
        shifts += [f"{listed(of)} ({clipped(name, 30)})"] if of else []
    for row in judged.get("differences", []):
        if row["regime"] == "own" and row["figure"] in HEADLINES and row.get("error_shift") is not None:
            pair = f"{clipped(row['first'], 30)} − {clipped(row['second'], 30)}"
            shifts.append(
                f"the difference {pair} in {METRICS[row['figure']].title} by about {signed(row['error_shift'])}"
            )
    error = judged["error_rate_standard_error"]
    effect = f", which would shift {'; '.join(shifts)}" if shifts else ""
    yield (
        f"About {_share(rate)} of the answers are wrong (standard error {_share(error)}){effect}. This is corrected, and the "
        "intervals are wider for it."
    )


def _label_facts(judged: Mapping[str, Any]) -> Iterator[str]:
    for row in judged.get("labels", []):
        if row["slice"] == "all" and row["complete"] is not None and row["right"] is not None:
            yield (
                f"{_share(row['complete'])} {_range(row, 'complete')} of the true tags are recorded; {_share(row['right'])} "
                f"{_range(row, 'right')} of the recorded tags are true."
            )


def _range(row: Mapping[str, Any], key: str) -> str:
    return interval(row[f"{key}_low"], row[f"{key}_high"], _share)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def completeness(payload: Mapping[str, Any]) -> list[Completeness]:
    """Return how complete and right the labels are: of all tags, by category, and by class of support."""
    return [
        Completeness(
            _slice_title(row), row["tags"], row["answers"],
            *(Estimate(*(row[f"{key}{end}"] for end in ("", "_low", "_high"))) for key in ("complete", "right")),
        )
        for row in _judged(payload).get("labels", [])
    ]  # fmt: skip


def _slice_title(row: Mapping[str, Any]) -> str:
    if row["slice"] == "all":
        return "all compared tags"
    return f"category {row['value']}" if row["slice"] == "category" else f"tags with {row['value']} positives"


def share_text(one: Estimate) -> str:
    """Return a share in percent with its interval.

    >>> share_text(Estimate(0.701, 0.66, 0.742)), share_text(Estimate())
    ('70.1 % [66.0 %, 74.2 %]', '–')
    """
    if one.value is None or one.low is None or one.high is None:
        return _share(one.value)
    return f"{_share(one.value)} {interval(one.low, one.high, _share)}"


def other_policies_judged(payload: Mapping[str, Any]) -> str:
    """Return the sentence on differences by judged truth under threshold policies other than `own`; empty without any."""
    rows = [
        row for row in _judged(payload).get("differences", []) if row["regime"] != "own" and row["figure"] in HEADLINES
    ]
    if not rows:
        return ""
    decided = [row for row in rows if row.get("higher")]
    if not decided:
        return "Under the other threshold policies judged truth decides no difference."
    named = [
        f"{clipped(row['higher'], 30)}, {METRICS[row['figure']].title} ({policy_name(row['regime'])})"
        for row in decided
    ]
    return f"By judged truth under other threshold policies, higher: {listed(named, keep=6)}."
