"""Hold published figures against a policy: no scores, so no pairs of predictions, and wider intervals or none at all."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from arena.base import format as figures
from arena.base.format import shown
from arena.gate.by_tag import critical_cases, tag_cases
from arena.gate.cases import FIGURE_TITLES, detectable, skipped
from arena.gate.decide import Seen
from arena.gate.evidence import Evidence
from arena.gate.limits import coverage_cases
from arena.gate.parts import category_cases, margin_cases, slice_cases
from arena.gate.policy import Policy
from arena.gate.unpaired_evidence import NO_COUNTS, common_tags, evidence_apart
from arena.gate.verdict import Case, Measure, Outcome
from arena.results.published.record import Published
from arena.results.run_folder import HEADLINES

NOT_TOLD = "published figures do not tell"
"""Why what needs scores, or the model itself, is skipped."""

_COLUMNS: Mapping[str, str] = {"macro_f1": "f1", "map": "ap"}
"""The column of a published file that each mean is over."""


def judge_unpaired(*, candidate: Published, baseline: Published, policy: Policy) -> list[Case]:
    """Every case that published figures can answer.

    Where both sides have the counts of their tags, figures get intervals (see `unpaired_evidence`); where not, they are
    compared as they stand, which is inconclusive unless the policy has an allowance for it. The thresholds are the models' own.

    Returns: one incomparable case alone where both are plainly of other images.
    """
    both = common_tags(candidate=candidate, baseline=baseline, aliases=policy.coverage.aliases)
    other = _of_other_images(both, candidate=candidate, baseline=baseline)
    if other is not None:
        return [other]
    evidence = evidence_apart(candidate=candidate, baseline=baseline, aliases=policy.coverage.aliases)
    if evidence.why_none:
        overall = _point_cases(both, policy, candidate=candidate, baseline=baseline)
    else:
        overall = [*margin_cases(evidence, policy), *category_cases(evidence, policy), *slice_cases(evidence, policy)]
    tags = _untested(policy) if evidence.why_none else tag_cases(evidence, policy)
    return [*overall, *critical_cases(evidence, policy), *tags, *_coverage(evidence, policy), *_skipped(policy)]


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
    for name, title in HEADLINES.items():
        if getattr(policy.margins, name) is None:
            continue
        whole = f"{title} over all common tags"
        one, other, tags = _points(both, name, candidate=candidate, baseline=baseline)
        if one is None or other is None:
            found.append(skipped("margins", name, whole, f"{title} is not known of both sides"))
            continue
        error = sum(0.5 * 10.0**-side.digits for side in (candidate, baseline) if side.digits is not None)
        outcome = _point_outcome(one - other, policy.points, error)
        limit = policy.points
        measure = Measure(name, one, other, one - other, limit=None if limit is None else -limit)
        found.append(
            Case("margins", name, whole, outcome, _point_message(title, measure, tags, error, outcome), measure)
        )
    return found


def _points(
    both: pd.DataFrame, name: str, *, candidate: Published, baseline: Published
) -> tuple[float | None, float | None, int | None]:
    """A figure of both sides, over the tags that both tell; else their own aggregates, over whatever tags these ran."""
    column = _COLUMNS.get(name)
    if column is not None and len(both):
        values = both[[f"{column}_candidate", f"{column}_baseline"]].dropna().to_numpy(np.float64)
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


def _coverage(evidence: Evidence, policy: Policy) -> list[Case]:
    """Of the tags that the files list; one without tags says nothing of them."""
    if evidence.candidate_tags or policy.coverage.min_share is None:
        return coverage_cases(evidence, policy)
    return [skipped("coverage", "tags", "tags that the baseline knows", "the candidate's file lists no tags")]


def _untested(policy: Policy) -> list[Case]:
    """Single tags without counts."""
    return [
        skipped("tags", name, f"regressions of single tags: {FIGURE_TITLES[name]}", NO_COUNTS)
        for name in policy.tags.figures
    ]


def _skipped(policy: Policy) -> list[Case]:
    """What the policy asks for and no file of figures tells."""
    asked = {
        ("calibration", "ece", "calibration"): policy.calibration.ece,
        ("calibration", "brier", "calibration"): policy.calibration.brier,
        ("speed", "images_per_second", "speed"): policy.speed,
        ("size", "weight_bytes", "size"): policy.weight_bytes,
        ("size", "parameters", "size"): policy.parameters,
    }
    return [
        skipped(gate, name, f"{title}: {FIGURE_TITLES[name]}", f"{NOT_TOLD} {FIGURE_TITLES[name]}")
        for (gate, name, title), limit in asked.items()
        if limit is not None
    ]


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
            f"{figures.figure(detectable(Seen(one.difference, one.low, one.high)))} of {FIGURE_TITLES[one.figure]}"
        )
    if not told:
        return "Unpaired, and without counts: nothing says how sure any difference is."
    return (
        f"Unpaired: both sides are taken as independent, so that a true loss is likely to show only from "
        f"{figures.listed(told)} on; with the scores of both on the same images smaller ones would."
    )
