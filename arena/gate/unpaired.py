"""Judge two published results by a policy: as independent samples, with wider intervals than a paired run, or without any."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.format import shown
from arena.base.tables import rows_of
from arena.gate.by_tag import CRITICAL
from arena.gate.cases import metric_of_tag, skipped_case
from arena.gate.decidable import DecidableLosses, MetricOfPart, overall
from arena.gate.decide import DifferenceInterval, detectable
from arena.gate.limits import COVERAGE
from arena.gate.names import names_in_published, refuse_unknown_names
from arena.gate.options import SAMPLE, UNPAIRED_OPTIONS, VERDICT_OPTIONS
from arena.gate.parts import MARGINS
from arena.gate.policy import Policy
from arena.gate.requirement import JudgedData, RequiredData, Requirement, SettingsT
from arena.gate.requirements import REQUIREMENTS
from arena.gate.unpaired_evidence import NO_PUBLISHED_COUNTS, evidence_from_published, join_common_tags
from arena.gate.verdict import Case, Measure, Outcome
from arena.metrics.intervals import standard_error_of
from arena.metrics.registry import HEADLINES, METRICS, TESTED
from arena.results.published.record import Published
from arena.tags.spelling import canonical_spelling

_NOT_PUBLISHED = "published files do not contain it; compare runs of both models instead"
"""Why a requirement that needs a run is skipped."""


def judge_unpaired(*, candidate: Published, baseline: Published, policy: Policy) -> list[Case]:
    """Return the cases of a policy for two published results, at the models' own thresholds.

    If both have counts of each tag, the metrics get intervals (see `unpaired_evidence`). Otherwise they are compared without,
    which is inconclusive unless `[unpaired] points` allows a loss.

    Returns: a single incomparable case if the results are of different images or have no tag in common.

    Raises:
        ArenaError: the policy names a category or tag that neither result has.
    """
    candidate, baseline = _spelled(candidate), _spelled(baseline)
    refuse_unknown_names(policy, names_in_published(candidate, baseline))
    aliases = policy.of(COVERAGE).renamed
    both = join_common_tags(candidate=candidate, baseline=baseline, aliases=aliases)
    incomparable = _incomparable_case(both, candidate=candidate, baseline=baseline)
    if incomparable is not None:
        return [incomparable]
    evidence = evidence_from_published(candidate=candidate, baseline=baseline, aliases=aliases)
    policy = fitted_unpaired(policy, baseline)
    assert policy.decidable is not None
    judged = JudgedData(evidence, policy.of(VERDICT_OPTIONS).list_tags, decidable=policy.decidable)
    if not judged.evidence.why_none:
        return [case for one in REQUIREMENTS for case in _cases(one, judged, policy)]
    points = _point_cases(both, policy, candidate=candidate, baseline=baseline)
    return points + [case for one in REQUIREMENTS if one is not MARGINS for case in _cases(one, judged, policy)]


def fitted_unpaired(policy: Policy, baseline: Published) -> Policy:
    """Return the policy fitted to what an unpaired check against a published result can decide.

    The baseline is compared with itself as with an independent result, so the choice does not depend on the candidate. A policy
    that is fitted already is returned as it is.
    """
    if policy.decidable is not None:
        return policy
    baseline = _spelled(baseline)
    own = evidence_from_published(candidate=baseline, baseline=baseline, aliases={})
    seen = {overall(name): pair.seen for name, pair in own.overall.items()}
    for part in own.parts:
        seen |= {MetricOfPart(part.kind, part.value, name): pair.seen for name, pair in part.figures.items()}
    critical = {one.tag for one in policy.of(CRITICAL).each}
    for row in rows_of(own.tags[own.tags["tag"].isin(critical)]):
        seen |= {MetricOfPart("tag", str(row["tag"]), name): metric_of_tag(row, name).seen for name in TESTED}
    errors = {part: standard_error_of(one.low, one.high) for part, one in seen.items() if one.known}
    return replace(policy, decidable=DecidableLosses(baseline.images, policy.of(SAMPLE).small, errors))


def averaged_tags(*, candidate: Published, baseline: Published, policy: Policy) -> int | None:
    """Return the number of tags in the unpaired macro F1; None without counts, where each case says its number."""
    aliases = policy.of(COVERAGE).renamed
    evidence = evidence_from_published(candidate=_spelled(candidate), baseline=_spelled(baseline), aliases=aliases)
    return evidence.averaged or None


def _spelled(published: Published) -> Published:
    """Return a published result with its tags in the canonical spelling of policies; of equal names the first stays."""
    tags = published.tags.assign(tag=[canonical_spelling(tag) for tag in published.tags["tag"]])
    return replace(published, tags=tags.drop_duplicates("tag").reset_index(drop=True))


def _cases(requirement: Requirement[SettingsT], judged: JudgedData, policy: Policy) -> list[Case]:
    """Return the cases of a requirement, skipped if published files lack the data that it needs."""
    settings = policy.of(requirement)
    if requirement.needs is RequiredData.RUN:
        return [
            skipped_case(requirement.table, name, title, _NOT_PUBLISHED)
            for name, title in requirement.names(settings).items()
        ]
    if requirement.needs is RequiredData.INTERVALS and judged.evidence.why_none:
        return [
            skipped_case(requirement.table, name, title, NO_PUBLISHED_COUNTS)
            for name, title in requirement.names(settings).items()
        ]
    return [] if requirement.cases is None else requirement.cases(judged, settings)


def _incomparable_case(both: pd.DataFrame, *, candidate: Published, baseline: Published) -> Case | None:
    """Return a case that says why the results cannot be compared; None if they can."""
    ours, theirs = candidate.images, baseline.images
    if ours is not None and theirs is not None and ours != theirs:
        return _incomparable(
            "images",
            f"the candidate was scored on {figures.plural(ours, 'image', 'images')}, the baseline on {theirs:,}; score both on "
            "the same images",
        )
    supports = both[["tag", "support_candidate", "support_baseline"]].dropna()
    differ = supports[supports["support_candidate"] != supports["support_baseline"]]
    if len(differ):
        first = differ.iloc[0]
        return _incomparable(
            "supports",
            f"{len(differ):,} of {figures.plural(len(supports), 'common tag', 'common tags')} differ in their positives, "
            f"such as {shown(first['tag'])} with {first['support_candidate']:,} and {first['support_baseline']:,}: the images "
            "differ",
        )
    aggregated = candidate.figures.keys() & baseline.figures.keys() & HEADLINES.keys()
    if both.empty and not aggregated:
        return _incomparable("tags", "the two results have no tag in common; if tags are renamed, give an aliases file")
    return None


def _incomparable(name: str, message: str) -> Case:
    return Case("margins", name, f"the same {name}", Outcome.INCOMPARABLE, message)


def _point_cases(both: pd.DataFrame, policy: Policy, *, candidate: Published, baseline: Published) -> list[Case]:
    """Return a case for each headline metric, compared without an interval."""
    found = []
    allowance = policy.of(UNPAIRED_OPTIONS).points
    for name in policy.of(MARGINS).asked:
        title = METRICS[name].title
        whole = f"{title} over all common tags"
        one, other, tags = _points(both, name, candidate=candidate, baseline=baseline)
        if one is None or other is None:
            without = "candidate" if one is None else "baseline"
            found.append(skipped_case("margins", name, whole, f"{title} of the {without} is unknown"))
            continue
        error = sum(0.5 * 10.0**-result.digits for result in (candidate, baseline) if result.digits is not None)
        outcome = _point_outcome(one - other, allowance, error)
        measure = Measure(name, one, other, one - other, limit=None if allowance is None else -allowance)
        found.append(
            Case("margins", name, whole, outcome, _point_message(title, measure, tags, error, outcome), measure)
        )
    return found


def _points(
    both: pd.DataFrame, name: str, *, candidate: Published, baseline: Published
) -> tuple[float | None, float | None, int | None]:
    """Return a metric of the candidate and the baseline with the number of tags.

    It is the mean over the common tags where both have it; else the published aggregates, with None for the number of tags.
    """
    metric = METRICS[name]
    if metric.average == "macro" and len(both):
        values = both[[f"{metric.base}_candidate", f"{metric.base}_baseline"]].dropna().to_numpy(np.float64)
        if len(values):
            return float(values[:, 0].mean()), float(values[:, 1].mean()), len(values)
    return candidate.figures.get(name), baseline.figures.get(name), None


def _point_outcome(difference: float, points: float | None, error: float) -> Outcome:
    """Return the outcome of a difference without an interval; `error` is the largest rounding error of the difference."""
    if points is None:
        return Outcome.INCONCLUSIVE
    if difference - error >= -points:
        return Outcome.PASS
    return Outcome.FAIL if difference + error < -points else Outcome.INCONCLUSIVE


def _point_message(title: str, measure: Measure, tags: int | None, error: float, outcome: Outcome) -> str:
    over = f"over {figures.plural(tags, 'common tag', 'common tags')}" if tags is not None else "each over its own tags"
    values = (
        f"{title} {figures.figure(measure.candidate)}, the baseline's {figures.figure(measure.baseline)}, {over}: "
        f"{figures.signed(measure.difference)}"
    )
    if measure.limit is None:
        fix = "compare scores of both models, or set [unpaired] points in the policy"
        return f"{values}; {NO_PUBLISHED_COUNTS}. To decide, {fix}"
    compared = f"{values}; limit {figures.signed(measure.limit)}, without an interval"
    undecided = outcome is Outcome.INCONCLUSIVE and error
    return f"{compared}; the rounding of the files is too coarse to decide" if undecided else compared


def unpaired_cost(cases: Sequence[Case]) -> str:
    """Return a sentence on what the unpaired comparison cannot detect.

    >>> unpaired_cost([])
    'Unpaired and without counts: the differences have no intervals.'
    """
    detectable_losses = []
    for case in cases:
        one = case.measure
        if case.gate != "margins" or one is None or one.difference is None or one.low is None or one.high is None:
            continue
        detectable_losses.append(
            f"{figures.figure(detectable(DifferenceInterval(one.difference, one.low, one.high)))} {METRICS[one.figure].title}"
        )
    if not detectable_losses:
        return "Unpaired and without counts: the differences have no intervals."
    return (
        f"Unpaired: the results are treated as independent samples, so the smallest true losses detected with 80 % power are "
        f"{figures.listed(detectable_losses)}. A paired run of both models on the same images would detect smaller ones."
    )
