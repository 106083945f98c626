"""Whether pictures are of the same kind as labelled images: the shares of images to which a model gives each tag.

Calibrated probabilities hold for images like those that they were measured on. Other pictures have other tags, which the
decisions show without any label.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, vstack

from arena.metrics.counts import Floats

PERMUTATIONS = 199
"""Random divisions of all images into two sets; the least p is 1 / 200."""

_DRAWN_TOGETHER = 32


class Shift(NamedTuple):
    """Difference between the tag shares of two sets of images.

    Attributes:
        distance: sum of |share - share| over the sum of all shares, 0 (equal) to 1 (no tag in common).
        by_chance: mean distance of random divisions of the same images; distances of small sets are above 0.
        p: share of random divisions with at least this distance, the observed one included.
    """

    distance: float
    by_chance: float
    p: float

    @property
    def excess(self) -> float:
        """Distance beyond that of chance."""
        return self.distance - self.by_chance


def tag_shift(pictures: csr_array, labelled: csr_array, seed: int = 0) -> Shift:
    """Return the difference of the tag shares of two sets of images, with a permutation test.

    Args:
        pictures, labelled: bool (images, tags), decisions of one model on the same tags.
        seed: of the random divisions.

    Returns: distance 0 and p 1 if no tag is predicted.

    Source: Bray and Curtis 1957 for the distance.

    >>> one = tag_shift(csr_array(np.eye(4, dtype=bool)), csr_array(np.eye(4, dtype=bool)))
    >>> one.distance, one.p
    (0.0, 1.0)
    """
    every = csr_array(vstack([pictures, labelled]), dtype=np.float32)
    sizes = pictures.shape[0], labelled.shape[0]
    total = np.asarray(every.sum(0), np.float64)
    if not total.sum():
        return Shift(0.0, 0.0, 1.0)
    first = np.zeros((sum(sizes), 1), np.float32)
    first[: sizes[0]] = 1
    observed = float(_distances(every, first, total, sizes)[0])
    rng, found = np.random.default_rng(seed), []
    for start in range(0, PERMUTATIONS, _DRAWN_TOGETHER):
        drawn = np.zeros((sum(sizes), min(_DRAWN_TOGETHER, PERMUTATIONS - start)), np.float32)
        for column in drawn.T:
            column[rng.permutation(len(column))[: sizes[0]]] = 1
        found.append(_distances(every, drawn, total, sizes))
    chance = np.concatenate(found)
    return Shift(observed, float(chance.mean()), float((1 + (chance >= observed - 1e-9).sum()) / (1 + PERMUTATIONS)))


def _distances(every: csr_array, first: np.ndarray, total: Floats, sizes: tuple[int, int]) -> Floats:
    """Return the distance of each division; float64 (divisions,)."""
    counts = np.asarray(every.T @ first, np.float64)
    one, other = counts / sizes[0], (total[:, None] - counts) / sizes[1]
    return np.asarray(np.abs(one - other).sum(0) / (one + other).sum(0))
