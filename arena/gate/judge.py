"""Hold a joint result against a policy: a case for every requirement, in the order of the policy."""

from arena.gate.options import VERDICT
from arena.gate.paired import evidence_of
from arena.gate.parts import MARGINS
from arena.gate.policy import Policy
from arena.gate.requirement import Judged
from arena.gate.requirements import REQUIREMENTS
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
    evidence = evidence_of(result, candidate=candidate, baseline=baseline, regime=policy.of(MARGINS).regime)
    judged = Judged(evidence, policy.of(VERDICT).list_tags, result, candidate, baseline)
    return [case for one in REQUIREMENTS if one.cases is not None for case in one.cases(judged, policy.of(one))]
