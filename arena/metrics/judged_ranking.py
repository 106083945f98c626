"""Average precision from incomplete labels and the answers of people: the estimator of `metrics/judged.py` for rankings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats
from arena.metrics.judged import Influence


class _RankedTag(NamedTuple):
    """One tag at its proxies, in the order of the images.

    Attributes:
        value: average precision expected at the proxies.
        pull: derivative to the label of each image; float64 (images,).
        weight: derivative to the weight of each image; float64 (images,), sum 0.
    """

    value: float
    pull: Floats
    weight: Floats


def map_influence(scores: NDArray[np.float32], proxy: Floats, labels: Floats) -> Influence:
    """Return mAP with the influence of every image: the mean of AP over the tags with a positive proxy.

    At labels that are known, the value is AP with equal scores grouped.

    Args:
        scores: float32 (images, tags).
        proxy: float (images, tags), 0 to 1.
        labels: float (images, tags), from `corrected_labels`.
    """
    moved, values = np.zeros(len(scores)), []
    for column in np.flatnonzero(proxy.sum(0) > 0).tolist():
        found = _ranked(scores[:, column], proxy[:, column])
        values.append(found.value)
        moved += found.weight + found.pull * (labels[:, column] - proxy[:, column])
    moved /= max(1, len(values))
    return Influence(float(np.mean(values)) + float(moved.sum()) if values else float("nan"), moved)


def _ranked(scores: NDArray[np.float32], proxy: Floats) -> _RankedTag:
    """Return the average precision of a tag with its derivatives.

    With z the labels, AP is (1 / sum z) sum_k z_k C_k / r_k: C_k is the sum of z over the images that score as high as image k
    or higher, and r_k their number. Labels are independent with mean q, so the mean of z_k C_k is q_k (C_k - q_k + 1), with C
    summed over q.
    """
    order = np.argsort(-scores, kind="stable")
    q = proxy[order].astype(np.float64)
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])  # last image of each group of equal scores
    group = np.searchsorted(last, np.arange(len(q)))
    above, rank = np.cumsum(q)[last][group], (last + 1.0)[group]
    total = float(q.sum())
    precision = (above - q + 1) / rank
    value = float((q * precision).sum()) / total

    def at_or_below(terms: Floats) -> Floats:
        """Return the sum over the images that score as high as each image or lower."""
        sums = np.cumsum(terms[::-1])[::-1]
        return np.asarray(sums[np.r_[0, last[:-1] + 1]][group])

    shared = at_or_below(q / rank) - q / rank
    pull = (precision + shared - value) / total
    weight = (q * precision + q / rank + q * shared - at_or_below(q * precision / rank) - q * value) / total
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return _RankedTag(value, pull[back], weight[back])
