"""Hold published figures against a policy: no scores, so no pairs of predictions, and wider intervals or none at all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.format import shown
from arena.gate.cases import detectable, skipped
from arena.gate.decide import Seen
from arena.gate.limits import COVERAGE
from arena.gate.options import UNPAIRED, VERDICT
from arena.gate.parts import MARGINS
from arena.gate.policy import Policy
from arena.gate.requirement import Judged, Needs, Requirement, T
from arena.gate.requirements import REQUIREMENTS
from arena.gate.unpaired_evidence import NO_COUNTS, common_tags, evidence_apart
from arena.gate.verdict import Case, Measure, Outcome
from arena.metrics.registry import HEADLINES, METRICS
from arena.results.published.record import Published

NOT_TOLD = "published files do not hold it; judge runs of both models"
"""Why what needs a run is skipped."""


def judge_unpaired(*, candidate: Published, baseline: Published, policy: Policy) -> list[Case]:
    """Every case that published figures can answer.

    Where both sides have the counts of their tags, figures get intervals (see `unpaired_evidence`); where not, they are
    compared as they stand, which is inconclusive unless the policy has an allowance for it. The thresholds are the models' own.

    Returns: one incomparable case alone where both are plainly of other images.
    """
    aliases = policy.of(COVERAGE).renamed
    both = common_tags(candidate=candidate, baseline=baseline, aliases=aliases)
    other = _of_other_images(both, candidate=candidate, baseline=baseline)
    if other is not None:
        return [other]
    judged = Judged(
        evidence_apart(candidate=candidate, baseline=baseline, aliases=aliases), policy.of(VERDICT).list_tags
    )
    if not judged.evidence.why_none:
        return [case for one in REQUIREMENTS for case in _cases(one, judged, policy)]
    points = _point_cases(both, policy, candidate=candidate, baseline=baseline)
    return points + [case for one in REQUIREMENTS if one is not MARGINS for case in _cases(one, judged, policy)]


def _cases(requirement: Requirement[T], judged: Judged, policy: Policy) -> list[Case]:
    """The cases of a requirement; skipped where published files do not hold what it needs."""
    asked = policy.of(requirement)
    if requirement.needs is Needs.RUN:
        return [skipped(requirement.table, name, title, NOT_TOLD) for name, title in requirement.names(asked).items()]
    if requirement.needs is Needs.INTERVALS and judged.evidence.why_none:
        return [skipped(requirement.table, name, title, NO_COUNTS) for name, title in requirement.names(asked).items()]
    return [] if requirement.cases is None else requirement.cases(judged, asked)


def _of_other_images(both: pd.DataFrame, *, candidate: Published, baseline: Published) -> Case | None:
    """The case that says why nothing can be compared, if so."""
    ours, theirs = candidate.images, baseline.images
    if ours is not None and theirs is not None and ours != theirs:
        return _incomparable(
            "images",
            f"the candidate was scored on {figures.plural(ours, 'image', 'images')}, the baseline on {theirs:,}; score both on "
            "the same",
        )
    supports = both[["tag", "support_candidate", "support_baseline"]].dropna()
    differ = supports[supports["support_candidate"] != supports["support_baseline"]]
    if len(differ):
        first = differ.iloc[0]
        return _incomparable(
            "supports",
            f"{len(differ):,} of {figures.plural(len(supports), 'common tag', 'common tags')} have other numbers of positives, "
            f"{shown(first['tag'])} {first['support_candidate']:,} and {first['support_baseline']:,}: these are other images",
        )
    aggregated = candidate.figures.keys() & baseline.figures.keys() & HEADLINES.keys()
    if both.empty and not aggregated:
        return _incomparable("tags", "both sides have no tag in common; if tags are renamed, give an aliases file")
    return None


def _incomparable(name: str, message: str) -> Case:
    return Case("margins", name, f"the same {name}", Outcome.INCOMPARABLE, message)


def _point_cases(both: pd.DataFrame, policy: Policy, *, candidate: Published, baseline: Published) -> list[Case]:
    """Of each headline figure without an interval."""
    found = []
    allowance = policy.of(UNPAIRED).points
    for name in policy.of(MARGINS).asked:
        title = METRICS[name].title
        whole = f"{title} over all common tags"
        one, other, tags = _points(both, name, candidate=candidate, baseline=baseline)
        if one is None or other is None:
            found.append(skipped("margins", name, whole, f"{title} is not known of both sides"))
            continue
        error = sum(0.5 * 10.0**-side.digits for side in (candidate, baseline) if side.digits is not None)
        outcome = _point_outcome(one - other, allowance, error)
        measure = Measure(name, one, other, one - other, limit=None if allowance is None else -allowance)
        found.append(
            Case("margins", name, whole, outcome, _point_message(title, measure, tags, error, outcome), measure)
        )
    return found


def _points(
    both: pd.DataFrame, name: str, *, candidate: Published, baseline: Published
) -> tuple[float | None, float | None, int | None]:
    """A figure of both sides, over the tags that both tell; else their own aggregates, over whatever tags these ran."""
    metric = METRICS[name]
    if metric.average == "macro" and len(both):
        values = both[[f"{metric.base}_candidate", f"{metric.base}_baseline"]].dropna().to_numpy(np.float64)
        if len(values):
            return float(values[:, 0].mean()), float(values[:, 1].mean()), len(values)
    return candidate.figures.get(name), baseline.figures.get(name), None


def _point_outcome(difference: float, points: float | None, error: float) -> Outcome:
    """What figures rounded to within `error` of their difference can say."""
    if points is None:
        return Outcome.INCONCLUSIVE
    if difference - error >= -points:
        return Outcome.PASS
    return Outcome.FAIL if difference + error < -points else Outcome.INCONCLUSIVE


def _point_message(title: str, measure: Measure, tags: int | None, error: float, outcome: Outcome) -> str:
    over = f"over {figures.plural(tags, 'common tag', 'common tags')}" if tags is not None else "each over its own tags"
    seen = (
        f"{title} {figures.figure(measure.candidate)}, the baseline's {figures.figure(measure.baseline)}, {over}: "
        f"{figures.signed(measure.difference)}"
    )
    if measure.limit is None:
        return f"{seen}; {NO_COUNTS}. Scores of both sides would decide, or an allowance, [unpaired] points"
    held = f"{seen}, held against {figures.signed(measure.limit)} as it stands, without an interval"
    return f"{held}; the files round by more" if outcome is Outcome.INCONCLUSIVE and error else held


def unpaired_cost(cases: Sequence[Case]) -> str:
    """What is lost by having no pairs, in a sentence.

    >>> unpaired_cost([])
    'Unpaired, and without counts: nothing says how sure any difference is.'
    """
    told = []
    for case in cases:
        one = case.measure
        if case.gate != "margins" or one is None or one.difference is None or one.low is None or one.high is None:
            continue
        told.append(
            f"{figures.figure(detectable(Seen(one.difference, one.low, one.high)))} of {METRICS[one.figure].title}"
        )
    if not told:
        return "Unpaired, and without counts: nothing says how sure any difference is."
    return (
        f"Unpaired: both sides are taken as independent, so that a true loss is likely to show only from "
        f"{figures.listed(told)} on; with the scores of both on the same images smaller ones would."
    )
