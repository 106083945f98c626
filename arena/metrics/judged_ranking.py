"""Average precision from incomplete labels and the answers of people on a sample of cells (image, tag).

As in `metrics/judged.py`, the proxies give a first estimate and the answers correct it by its derivative to the label of each
cell. The first estimate is the expected average precision if every label is positive with the probability of its proxy,
independently of the others. The second derivative is left out, so proxies that are far off leave a small bias; the simulation
of judged truth shows how large it is.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import AnsweredLabels, Corrections, Influence


class _AtProxies(NamedTuple):
    """Average precision of a tag at the proxies.

    Attributes:
        value: 0 to 1.
        of_label: float64 (images,), derivative to the label of each image.
        of_image: float64 (images,), derivative to the weight of each image; the sum is 0.
    """

    value: float
    of_label: Floats
    of_image: Floats


def _at_proxies(scores: NDArray[np.float32], proxy: Floats) -> _AtProxies:
    """Return the average precision of a tag; images of one score have the rank of the last of them.

    Args:
        scores: float32 (images,).
        proxy: float64 (images,), 0 to 1, with a sum above 0.
    """
    order = np.argsort(-scores, kind="stable")
    score, q = scores[order], proxy[order].astype(np.float64)
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)  # of each group of equal scores
    group = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))
    rank, positives = (last + 1.0)[group], np.cumsum(q)[last][group]
    precision = (positives - q + 1) / rank  # expected precision at a positive image
    total = q.sum()
    value = float((q * precision).sum() / total)
    lower_labels = _of_this_rank_and_lower(q / rank, last, group) - q / rank
    lower_images = _of_this_rank_and_lower(q * precision / rank, last, group) - q * precision / rank
    of_label = (precision + lower_labels - value) / total
    of_image = q * of_label + (q * (1 - precision) / rank - lower_images) / total
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return _AtProxies(value, of_label[place], of_image[place])


def _of_this_rank_and_lower(values: Floats, last: Integers, group: Integers) -> Floats:
    """Return the sum of the values from the group of each image on."""
    before = np.append(0.0, np.cumsum(values)[last])
    return np.asarray((before[-1] - before[:-1])[group])


class AveragePrecisionAtProxies:
    """Mean average precision of a model at the proxies, and how answers change it.

    The mean is over the tags whose proxies have a positive sum.

    Args:
        scores: float32 (images, tags).
        proxy: float (images, tags), 0 to 1.
        change: the answers; the derivatives are kept for their cells only.
    """

    def __init__(self, scores: NDArray[np.float32], proxy: Floats, change: Corrections) -> None:
        images, tags = scores.shape
        used = np.flatnonzero(proxy.sum(0) > 0)
        self._by_image, self._of_label, values = np.zeros(images), np.zeros(len(change.tag)), []
        by_tag = np.argsort(change.tag, kind="stable")
        start = np.searchsorted(change.tag[by_tag], np.arange(tags + 1))
        for tag in used:
            one = _at_proxies(scores[:, tag], proxy[:, tag])
            values.append(one.value)
            self._by_image += one.of_image
            cells = by_tag[start[tag] : start[tag + 1]]
            self._of_label[cells] = one.of_label[change.image[cells]]
        self._tags = max(1, len(used))
        self._value = float(np.mean(values)) if values else float("nan")

    def corrected(self, change: Corrections) -> Influence:
        """Return the mean average precision with the influence of every image; the cells are those of the constructor."""
        moved = change.amount * self._of_label
        by_image = (self._by_image + np.bincount(change.image, moved, len(self._by_image))) / self._tags
        return Influence(self._value + float(moved.sum()) / self._tags, by_image)


def judged_map(scores: NDArray[np.float32], proxy: Floats, labels: AnsweredLabels) -> Influence:
    """Return the mean average precision by the answers, with the influence of every image and of the rate of wrong answers.

    Args:
        scores: float32 (images, tags).
        proxy: float (images, tags), 0 to 1.
        labels: the answers.
    """
    at_proxies = AveragePrecisionAtProxies(scores, proxy, labels.change)
    found = at_proxies.corrected(labels.change)
    if labels.more_errors is None:
        return found
    return found._replace(of_errors=at_proxies.corrected(labels.more_errors).value - found.value)
