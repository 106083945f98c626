"""Hold a joint result against a policy: a case for every requirement, in the order of the policy."""

from arena.gate.by_tag import critical_cases, tag_cases
from arena.gate.limits import calibration_cases, coverage_cases, size_cases, speed_cases
from arena.gate.paired import evidence_of
from arena.gate.parts import category_cases, group_cases, margin_cases, slice_cases
from arena.gate.policy import Policy
from arena.gate.verdict import Case
from arena.results.run_folder import Result


def judge(result: Result, policy: Policy, *, candidate: str, baseline: str) -> list[Case]:
    """Every case of the policy but the canary, which needs scores.

    Args:
        result: of both models on the same images, in any order, other models beside them or not.
        candidate, baseline: what they are called in it.

    Raises:
        ArenaError: it has no such model.
    """
    sides = {"candidate": candidate, "baseline": baseline}
    evidence = evidence_of(result, regime=policy.margins.regime, **sides)
    return [
        *margin_cases(evidence, policy),
        *category_cases(evidence, policy),
        *slice_cases(evidence, policy),
        *group_cases(evidence, policy),
        *critical_cases(evidence, policy),
        *tag_cases(evidence, policy),
        *calibration_cases(result, policy, **sides),
        *coverage_cases(evidence, policy),
        *speed_cases(result, policy, **sides),
        *size_cases(result, policy, **sides),
    ]
