"""Speed again, side by side: two times that were taken apart tell as much of what else the machine did as of the models."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.base.format import rate
from arena.cards import ModelCard
from arena.gate.limits import SPEED, speed_case
from arena.gate.policy import Policy
from arena.gate.verdict import Case, Outcome
from arena.pipeline.paired import Joint
from arena.pipeline.stages import Compute
from arena.taggers.base import Tagger

ROUNDS = 5
"""Batches that each side is timed on, in turn; the fastest of them counts, for other work can only slow one down."""

BATCH = 8
"""Images of such a batch."""


class Rates(NamedTuple):
    """Images a second through the network alone."""

    candidate: float
    baseline: float


def time_again(
    cases: Sequence[Case], joint: Joint, rules: Policy, cards: Sequence[ModelCard | None], compute: Compute
) -> list[Case]:
    """The cases, where speed failed with both sides timed side by side; skipped where one of the models is not at hand.

    Args:
        cards: of the candidate and the baseline, None where it cannot be run.
    """
    failed = next((case for case in cases if case.gate == "speed" and case.outcome is Outcome.FAIL), None)
    if failed is None:
        return list(cases)
    ours, theirs = cards
    if ours is None or theirs is None:
        reason = f"timed apart, on a machine that may have been busy: {failed.message}; name both sides as models to time them"
        told = replace(failed, outcome=Outcome.SKIPPED, message=reason)
    else:
        told = _judged(joint, rules, side_by_side(ours, theirs, compute))
    return [told if case is failed else case for case in cases]


def side_by_side(candidate: ModelCard, baseline: ModelCard, compute: Compute) -> Rates:
    """Time both on batches of noise, in turn."""
    loaded = [taggers.load(card, device=compute.device, precision=compute.precision) for card in (candidate, baseline)]
    seconds: list[list[float]] = [[], []]
    batches = [_noise(tagger) for tagger in loaded]
    for _ in range(ROUNDS + 1):  # the first one warms up
        for tagger, batch, timed in zip(loaded, batches, seconds, strict=True):
            start = time.perf_counter()
            tagger.scores(batch)
            timed.append(time.perf_counter() - start)
    return Rates(*(BATCH / min(timed[1:]) for timed in seconds))


def _noise(tagger: Tagger) -> np.ndarray:
    side = tagger.preprocess.size
    return np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)


def _judged(joint: Joint, rules: Policy, rates: Rates) -> Case:
    """The case by these rates; what the runs recorded is told behind it."""
    names = (joint.candidate.name, joint.baseline.name)
    recorded = [joint.result.run["models"][name] for name in names]
    seen = [
        facts | {"images_per_second": rate_now, "timed_on": "here"}
        for facts, rate_now in zip(recorded, rates, strict=True)
    ]
    min_share = rules.of(SPEED).min_share
    assert min_share is not None, "a case of speed failed"
    case = speed_case(min_share, *seen)
    before = " and ".join(rate(facts["images_per_second"]) for facts in recorded)
    return replace(case, message=f"{case.message}; timed side by side, for apart they had {before}")
