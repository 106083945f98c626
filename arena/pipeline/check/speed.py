"""Time candidate and baseline again in turn; times from separate runs also depend on other work on the machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.format import rate
from arena.cards import ModelCard
from arena.gate.limits import SPEED, SPEED_NOISE, judge_speed
from arena.gate.policy import Policy
from arena.gate.verdict import Case, Outcome
from arena.pipeline.paired import PairedEvaluation
from arena.pipeline.stages import Compute
from arena.taggers.base import Tagger

_ROUNDS = (5, 40)
"""Least and largest number of timed batches per model, in turn; the fastest counts, because other work only slows a batch."""

_SECONDS = 20.0
"""Time after which no further round starts."""

_CLEAR = 1.15
"""Factor from the limits at which the rates are clear, and no further round is needed."""

_BATCH_IMAGES = 8
"""Images per timed batch."""


class Rates(NamedTuple):
    """Throughput of the network alone, in images per second."""

    candidate: float
    baseline: float


def retime_if_slow(
    cases: Sequence[Case],
    joint: PairedEvaluation,
    rules: Policy,
    cards: Sequence[ModelCard | None],
    compute: Compute,
    *,
    stored: bool = False,
) -> list[Case]:
    """Time both models again if the speed case did not pass, and replace that case.

    Recorded rates of stored runs near the limit stay undecided and are not timed again, so that the same scores give the same
    verdict each time. A case that fails by them is skipped if a model cannot be run.

    Args:
        cards: the models of candidate and baseline; None for one that cannot be run.
        stored: whether the scores of both models are those of finished runs.

    Returns: the cases in their order.
    """
    wanted = {Outcome.FAIL} if stored else {Outcome.FAIL, Outcome.INCONCLUSIVE}
    slow = next((case for case in cases if case.gate == "speed" and case.outcome is not Outcome.PASS), None)
    if slow is None or slow.outcome is Outcome.SKIPPED:
        return list(cases)
    ours, theirs = cards
    if slow.outcome in wanted and ours is not None and theirs is not None:
        judged = _judged(joint, rules, time_in_turn(ours, theirs, compute, _min_share(rules)))
    else:
        reason = (
            f"timed in separate runs, on a machine that may have been busy: {slow.message}; "
            "name both entrants as models to time them again"
        )
        judged = replace(
            slow, outcome=Outcome.SKIPPED if slow.outcome is Outcome.FAIL else slow.outcome, message=reason
        )
    return [judged if case is slow else case for case in cases]


def time_in_turn(candidate: ModelCard, baseline: ModelCard, compute: Compute, min_share: float) -> Rates:
    """Time both models in turn on batches of random pixels; the closer they are to the limit, the more rounds.

    Args:
        min_share: smallest share of the baseline's images per second.
    """
    loaded = [taggers.load(card, device=compute.device, precision=compute.precision) for card in (candidate, baseline)]
    batches = [_noise(tagger) for tagger in loaded]
    for tagger, batch in zip(loaded, batches, strict=True):
        tagger.scores(batch)  # a warm-up
    least, most = _ROUNDS
    best, end = [math.inf, math.inf], time.perf_counter() + _SECONDS
    for number in range(1, most + 1):
        for model, (tagger, batch) in enumerate(zip(loaded, batches, strict=True)):
            start = time.perf_counter()
            tagger.scores(batch)
            best[model] = min(best[model], time.perf_counter() - start)
        if number >= least and (_is_clear(best[1] / best[0], min_share) or time.perf_counter() > end):
            break
    return Rates(*(_BATCH_IMAGES / seconds for seconds in best))


def _is_clear(share: float, min_share: float) -> bool:
    """Return whether a share of the baseline's speed is far from both ends of the undecided range."""
    return share > _CLEAR * min_share or share < (1 - SPEED_NOISE) * min_share / _CLEAR


def _min_share(rules: Policy) -> float:
    min_share = rules.of(SPEED).min_share
    assert min_share is not None, "there is a case of speed"
    return min_share


def _noise(tagger: Tagger) -> np.ndarray:
    side = tagger.preprocess.size
    return np.random.default_rng(0).integers(0, 256, (_BATCH_IMAGES, side, side, 3), np.uint8)


def _judged(joint: PairedEvaluation, rules: Policy, rates: Rates) -> Case:
    """Rebuild the speed case from these rates and append the recorded ones."""
    names = (joint.candidate.name, joint.baseline.name)
    recorded = [joint.result.run["models"][name] for name in names]
    timed = [
        facts | {"images_per_second": rate_now, "timed_on": "here"}
        for facts, rate_now in zip(recorded, rates, strict=True)
    ]
    case = judge_speed(_min_share(rules), *timed)
    before = " and ".join(rate(facts["images_per_second"]) for facts in recorded)
    return replace(case, message=f"{case.message}; timed again in turn, after {before} in separate runs")
