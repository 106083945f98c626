"""Judge a paired run by a policy: the cases of every requirement, in the order of the policy."""

from collections.abc import Mapping
from dataclasses import replace

from arena.gate.by_answers import BY_LABELS
from arena.gate.by_tag import CRITICAL, TAG_REGRESSIONS
from arena.gate.calibration import CALIBRATION
from arena.gate.evidence import MetricPair
from arena.gate.names import names_in_run, refuse_unknown_names
from arena.gate.options import VERDICT_OPTIONS
from arena.gate.paired import evidence_from_run
from arena.gate.parts import CATEGORY_MARGINS, MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS
from arena.gate.policy import Policy
from arena.gate.requirement import JudgedData
from arena.gate.requirements import REQUIREMENTS
from arena.gate.sample import fitted
from arena.gate.verdict import Case
from arena.results.run_folder import Result

_LABELLED = (CATEGORY_MARGINS, SLICE_MARGINS, TAG_GROUP_MARGINS, CRITICAL, TAG_REGRESSIONS, CALIBRATION)
_BY_LABELS = frozenset(one.table for one in _LABELLED)
"""Tables on metrics that answers of people do not decide; coverage, speed and size need no labels."""


def judge_paired(
    result: Result,
    policy: Policy,
    *,
    candidate: str,
    baseline: str,
    calibration: Mapping[str, MetricPair] | None = None,
) -> list[Case]:
    """Return every case of the policy except the canary, which needs scores.

    Args:
        result: a run with both models on the same images; the order does not matter, and other models may be in it.
        policy: fitted to what the images can decide, or it is fitted to the baseline's intervals in `result`.
        candidate, baseline: names of the two models in `result`.
        calibration: as `JudgedData.calibration`.

    Raises:
        ArenaError: the run has no such model, or the policy names a category or tag group that does not exist.
    """
    refuse_unknown_names(policy, names_in_run(result))
    policy = fitted(policy, result, baseline)
    evidence = evidence_from_run(result, candidate=candidate, baseline=baseline, regime=policy.of(MARGINS).regime)
    assert policy.decidable is not None
    judged = JudgedData(
        evidence, policy.of(VERDICT_OPTIONS).list_tags, result, candidate, baseline, calibration or {}, policy.decidable
    )
    cases = [case for one in REQUIREMENTS if one.cases is not None for case in one.cases(judged, policy.of(one))]
    if not policy.of(MARGINS).judged:
        return cases
    return [replace(case, title=f"{BY_LABELS}: {case.title}") if case.gate in _BY_LABELS else case for case in cases]
