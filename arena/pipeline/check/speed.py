"""Time candidate and baseline again in turn; times from separate runs also depend on other work on the machine."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.format import rate
from arena.cards import ModelCard
from arena.gate.limits import SPEED, judge_speed
from arena.gate.policy import Policy
from arena.gate.verdict import Case, Outcome
from arena.pipeline.paired import PairedEvaluation
from arena.pipeline.stages import Compute
from arena.taggers.base import Tagger

_ROUNDS = 5
"""Timed batches per model, in turn; the fastest counts, because other work can only slow a batch down."""

_BATCH_IMAGES = 8
"""Images per timed batch."""


class Rates(NamedTuple):
    """Throughput of the network alone, in images per second."""

    candidate: float
    baseline: float


def retime_if_slow(
    cases: Sequence[Case], joint: PairedEvaluation, rules: Policy, cards: Sequence[ModelCard | None], compute: Compute
) -> list[Case]:
    """Time both models again if the speed case failed, and replace that case; it is skipped if a model cannot be run.

    Args:
        cards: the models of candidate and baseline; None for one that cannot be run.

    Returns: the cases in their order.
    """
    failed = next((case for case in cases if case.gate == "speed" and case.outcome is Outcome.FAIL), None)
    if failed is None:
        return list(cases)
    ours, theirs = cards
    if ours is None or theirs is None:
        reason = (
            f"timed in separate runs, on a machine that may have been busy: {failed.message}; "
            "name both entrants as models to time them again"
        )
        judged = replace(failed, outcome=Outcome.SKIPPED, message=reason)
    else:
        judged = _judged(joint, rules, _time_in_turn(ours, theirs, compute))
    return [judged if case is failed else case for case in cases]


def _time_in_turn(candidate: ModelCard, baseline: ModelCard, compute: Compute) -> Rates:
    """Time both models in turn on batches of random pixels."""
    loaded = [taggers.load(card, device=compute.device, precision=compute.precision) for card in (candidate, baseline)]
    seconds: list[list[float]] = [[], []]
    batches = [_noise(tagger) for tagger in loaded]
    for _ in range(_ROUNDS + 1):  # the first round is a warm-up
        for tagger, batch, timed in zip(loaded, batches, seconds, strict=True):
            start = time.perf_counter()
            tagger.scores(batch)
            timed.append(time.perf_counter() - start)
    return Rates(*(_BATCH_IMAGES / min(timed[1:]) for timed in seconds))


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
    min_share = rules.of(SPEED).min_share
    assert min_share is not None, "a case of speed failed"
    case = judge_speed(min_share, *timed)
    before = " and ".join(rate(facts["images_per_second"]) for facts in recorded)
    return replace(case, message=f"{case.message}; timed again in turn, after {before} in separate runs")
