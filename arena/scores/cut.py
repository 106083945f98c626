"""Which scores are stored if a matrix is too large to store whole, and what that means for metrics."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Cut(NamedTuple):
    """What a file of the high scores holds; a score that it lacks counts as 0.

    Attributes:
        top_k: largest number of stored scores of an image; None: no such limit, or unknown.
        min_score: lowest stored score; None if unknown.
        complete_above: every score above this value is stored; None if unknown.
    """

    top_k: int | None = None
    min_score: float | None = None
    complete_above: float | None = None


class Selection(NamedTuple):
    """The scores that are stored.

    Attributes:
        top_k: largest number of scores of an image, the highest ones; None stores all.
        min_score: lowest score.
    """

    top_k: int | None = None
    min_score: float = 0.0

    def of(self, block: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which scores of a block are stored, bool of the same shape; of equal scores the first tags."""
        kept: NDArray[np.bool_] = block >= self.min_score
        if self.top_k is None or self.top_k >= block.shape[1]:
            return kept
        lowest = np.partition(block, -self.top_k, axis=1)[:, -self.top_k, None]
        above, equal = block > lowest, block == lowest
        left = self.top_k - above.sum(1, keepdims=True)
        kept &= above | (equal & (equal.cumsum(1) <= left))
        return kept

    def complete_above(self, block: NDArray[Any], kept: NDArray[np.bool_]) -> float:
        """Return the score above which every score of a block is stored."""
        if self.top_k is None:
            return self.min_score
        full = kept.sum(1) == self.top_k
        lowest = np.where(kept[full], block[full], np.inf).min(1)
        return max(self.min_score, float(lowest.max(initial=0.0)))


def cut_note(cut: Cut) -> str:
    """Return what a file of high scores lacks, and which metrics are exact.

    >>> cut_note(Cut(50, 0.05, 0.3125)).partition("; ")[0]
    'only the 50 highest scores of each image, if at least 0.05, are stored'
    """
    parts = ["" if cut.top_k is None else f"the {cut.top_k:,} highest scores of each image", _lowest(cut)]
    what = ", if ".join(filter(None, parts)) or "some scores"
    exact = "Which thresholds that affects is unknown"
    if cut.complete_above is not None:
        exact = (
            f"Decisions at thresholds above {cut.complete_above:.4g} are exact. At lower thresholds recall is too low"
        )
    return f"only {what}, are stored; the others count as 0. {exact}. AP and calibration count the others as 0"


def _lowest(cut: Cut) -> str:
    if not cut.min_score:
        return ""
    return f"at least {cut.min_score:g}" if cut.top_k is not None else f"scores of at least {cut.min_score:g}"
