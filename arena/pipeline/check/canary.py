"""The canary gate: if only the code changed, scores must not change. It judges the largest difference of all common scores."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from arena.base.format import clipped, plural
from arena.diagnostics.parity.pairs import ModelPair
from arena.gate.verdict import Case, Measure, Outcome
from arena.pipeline.paired import PairedEvaluation

GATE, _CASE_NAME, TITLE = "canary", "scores", "canary: scores when only the code changed"

_BLOCK_BYTES = 32 << 20
"""Bytes of one model's scores that are compared at a time."""


class _LargestDifference(NamedTuple):
    """The score with the largest difference between candidate and baseline."""

    largest: float
    image_id: str
    tag: str
    candidate: float
    baseline: float


def same_weights(joint: PairedEvaluation) -> bool | None:
    """Whether candidate and baseline have the same weights; None if the weights of either are unknown."""
    ours, theirs = (one.facts.get("weights") for one in (joint.candidate, joint.baseline))
    return None if not ours or not theirs else bool(ours == theirs)


def canary_case(joint: PairedEvaluation, *, epsilon: float, wanted: bool) -> Case:
    """Compare the scores of candidate and baseline if their weights are equal; otherwise the case is skipped.

    Args:
        epsilon: the largest difference of scores that passes, inclusive.
        wanted: compare in any case.
    """
    same = same_weights(joint)
    if not wanted and not same:
        reason = "the weights differ" if same is False else "some weights are unknown; --canary compares in any case"
        return Case(GATE, _CASE_NAME, TITLE, Outcome.SKIPPED, f"not judged: {reason}")
    pair = joint.pair
    moved = _largest_difference(pair)
    passed = moved.largest <= epsilon
    where = f"{clipped(moved.tag, 40)} of image {clipped(moved.image_id, 40)}"
    scores = f"{moved.baseline:.6g} in the baseline, {moved.candidate:.6g} now"
    found = (
        f"the largest difference is {moved.largest:.2g} ({where}: {scores})"
        if moved.largest
        else "every score is the same"
    )
    over = f"over {plural(len(pair.image_ids), 'image', 'images')} and {plural(len(pair.tags), 'tag', 'tags')}"
    message = f"{found} {over}; {epsilon:g} is allowed{', because the weights are the same' if same else ''}"
    measure = Measure(
        "score", moved.candidate, moved.baseline, moved.candidate - moved.baseline,
        limit=epsilon if moved.candidate >= moved.baseline else -epsilon,
    )  # fmt: skip
    return Case(GATE, _CASE_NAME, TITLE, Outcome.PASS if passed else Outcome.FAIL, message, measure)


def _largest_difference(pair: ModelPair, advance: Callable[[int], None] = lambda tags: None) -> _LargestDifference:
    """The largest absolute difference of all common scores; the first of equal ones. Scores are read in blocks of tags."""
    step = max(1, _BLOCK_BYTES // max(1, 4 * len(pair.image_ids)))
    worst = _LargestDifference(-1.0, "", "", 0.0, 0.0)
    for start in range(0, len(pair.tags), step):
        a, b = pair.values(columns=slice(start, start + step))
        difference = np.abs(a.astype(np.float64) - b)
        row, column = np.unravel_index(int(difference.argmax()), difference.shape)
        if difference[row, column] > worst.largest:
            names = pair.image_ids[int(row)], pair.tags[start + int(column)]
            worst = _LargestDifference(
                float(difference[row, column]), *names, float(b[row, column]), float(a[row, column])
            )
        advance(a.shape[1])
    return worst
