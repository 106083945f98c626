"""Differences between the scores of two models: absolute differences, rank agreement, and flipped decisions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.diagnostics.parity.pairs import ModelPair, PairedScores
from arena.metrics.ranks import spearman

PARITY_BLOCK_BYTES = 32 << 20
"""Size of a block of one model's scores; ranking needs about ten times as much memory."""

LOGIT_LIMIT = 10.0
"""Limit of logits (a probability of 0.99995); beyond it, float32 probabilities cannot distinguish logits."""

_MOST_DIFFERING = 5
"""Number of images and of tags that are listed as differing most."""

Float64s = NDArray[np.float64]
_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ScorePlace:
    """The scores of both models for one image and tag."""

    image_id: str
    tag: str
    a: float
    b: float


@dataclass(frozen=True)
class ItemDifference:
    """The differences of one image or one tag.

    Attributes:
        largest, mean: absolute difference of scores.
        flips: number of decisions that differ, each model at its own thresholds.
    """

    name: str
    largest: float
    mean: float
    flips: int


@dataclass(frozen=True)
class RankAgreement:
    """Spearman's rank correlation, one value per image or per tag; None if it is undefined for all.

    Attributes:
        mean, least: mean and lowest of the defined values.
        least_of: name of the image or tag with the lowest value.
        undefined: number of images or tags for which either model's scores are constant.
    """

    mean: float | None
    least: float | None
    least_of: str
    undefined: int


@dataclass(frozen=True)
class Flips:
    """Number of decisions that differ between the models.

    Attributes:
        flipped: decisions that differ.
        positives: decisions that are positive for either model; the denominator of `share`, as most decisions are negative.
        decisions: images times tags.
    """

    flipped: int
    positives: int
    decisions: int

    @property
    def share(self) -> float:
        """`flipped` over `positives`; 0 if neither model predicts any tag."""
        return self.flipped / self.positives if self.positives else 0.0


@dataclass(frozen=True)
class Parity:
    """Differences between the scores of models A and B, over all common images and tags.

    Attributes:
        a, b: names of the models.
        images, tags: number of common images and tags.
        largest, mean: absolute difference of scores; `at` is the place of the largest.
        logit_largest, logit_mean: the same for logits, limited to ±`LOGIT_LIMIT`.
        ranks_by_image: correlation over the tags of each image; `ranks_by_tag`: over the images of each tag.
        flips: each model at its own thresholds; `flips_at_a`, `flips_at_b`: both at the thresholds of one.
        same_thresholds: whether the thresholds of both are equal on all common tags.
        same_columns: whether common tags have the same columns in both.
        worst_images, worst_tags: the `_MOST_DIFFERING` that differ most.
        only_a, only_b: tags that the other model lacks.
        images_only_a, images_only_b: number of images that the other model has no scores of.
    """

    a: str
    b: str
    images: int
    tags: int
    largest: float
    mean: float
    at: ScorePlace
    logit_largest: float
    logit_mean: float
    ranks_by_image: RankAgreement
    ranks_by_tag: RankAgreement
    flips: Flips
    flips_at_a: Flips
    flips_at_b: Flips
    same_thresholds: bool
    same_columns: bool
    worst_images: tuple[ItemDifference, ...]
    worst_tags: tuple[ItemDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    images_only_a: int
    images_only_b: int


def measure_parity(pair: ModelPair, advance: Callable[[int], None] = lambda tags: None) -> Parity:
    """Compare every common score, in blocks of columns and then of rows.

    Args:
        advance: called with the number of tags just finished; the total is `2 * tags`.
    """
    sums = _Sums(pair)
    for columns in _slices(len(pair.tags), len(pair.image_ids)):
        sums.add(columns, pair.values(columns=columns))
        advance(columns.stop - columns.start)
    by_image = np.concatenate(
        [spearman(*pair.values(rows=rows)) for rows in _slices(len(pair.image_ids), len(pair.tags))]
    )
    advance(len(pair.tags))
    images, tags = len(pair.image_ids), len(pair.tags)
    return Parity(
        a=pair.a.name, b=pair.b.name, images=images, tags=tags,
        largest=float(sums.by_tag.largest.max()), mean=float(sums.by_tag.total.sum()) / (images * tags), at=sums.at,
        logit_largest=sums.logit_largest, logit_mean=sums.logit_total / (images * tags),
        ranks_by_image=_agreement(by_image, pair.image_ids), ranks_by_tag=_agreement(sums.ranks, pair.tags),
        flips=sums.flips[0], flips_at_a=sums.flips[1], flips_at_b=sums.flips[2],
        same_thresholds=np.array_equal(pair.thresholds_a, pair.thresholds_b),
        same_columns=np.array_equal(pair.columns_a, pair.columns_b),
        worst_images=sums.by_image.worst(pair.image_ids, tags), worst_tags=sums.by_tag.worst(pair.tags, images),
        only_a=pair.only_a, only_b=pair.only_b,
        images_only_a=int((pair.rows_a < 0).sum()), images_only_b=int((pair.rows_b < 0).sum()),
    )  # fmt: skip


def logits(probabilities: NDArray[np.floating], limit: float = LOGIT_LIMIT) -> Float64s:
    """Return the logits of probabilities, limited to ±`limit`.

    >>> logits(np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [-10.0, 0.0, 10.0]
    """
    least = 1 / (1 + np.exp(limit))
    inside = np.clip(probabilities.astype(np.float64), least, 1 - least)
    found: Float64s = np.log(inside / (1 - inside))
    return found


class _Axis:
    """Accumulated differences of each image, or each tag."""

    def __init__(self, length: int) -> None:
        self.largest = np.zeros(length)
        self.total = np.zeros(length)
        self.flips = np.zeros(length, np.int64)

    def worst(self, names: tuple[str, ...], others: int) -> tuple[ItemDifference, ...]:
        """Return those that differ most: by largest difference, then by mean, then in order."""
        order = np.lexsort((-self.total, -self.largest))[:_MOST_DIFFERING]
        return tuple(
            ItemDifference(names[i], float(self.largest[i]), float(self.total[i]) / others, int(self.flips[i]))
            for i in order
            if self.largest[i] > 0 or self.flips[i] > 0
        )


class _Sums:
    """Accumulates differences over blocks of columns."""

    def __init__(self, pair: ModelPair) -> None:
        self.pair = pair
        self.by_image, self.by_tag = _Axis(len(pair.image_ids)), _Axis(len(pair.tags))
        self.ranks = np.full(len(pair.tags), np.nan)
        self.logit_largest = self.logit_total = 0.0
        self.flips = [Flips(0, 0, 0)] * 3
        self.at = ScorePlace("", "", 0.0, 0.0)
        self._at_difference = -1.0

    def add(self, columns: slice, values: PairedScores) -> None:
        """Add the scores of some tags."""
        difference = np.abs(values.a.astype(np.float64) - values.b)
        self._locate(columns, values, difference)
        own_a, own_b = self.pair.thresholds_a[columns], self.pair.thresholds_b[columns]
        pairs = ((own_a, own_b), (own_a, own_a), (own_b, own_b))
        decided = [(values.a >= at_a, values.b >= at_b) for at_a, at_b in pairs]
        self.flips = [_more(flips, *decisions) for flips, decisions in zip(self.flips, decided, strict=True)]
        flipped = decided[0][0] != decided[0][1]
        self.by_tag.largest[columns], self.by_tag.total[columns] = difference.max(axis=0), difference.sum(axis=0)
        self.by_tag.flips[columns] = flipped.sum(axis=0)
        self.by_image.largest = np.maximum(self.by_image.largest, difference.max(axis=1))
        self.by_image.total += difference.sum(axis=1)
        self.by_image.flips += flipped.sum(axis=1)
        self.ranks[columns] = spearman(values.a.T, values.b.T)
        apart = np.abs(logits(values.a) - logits(values.b))
        self.logit_largest = max(self.logit_largest, float(apart.max()))
        self.logit_total += float(apart.sum())

    def _locate(self, columns: slice, values: PairedScores, difference: Float64s) -> None:
        row, column = (int(place) for place in np.unravel_index(difference.argmax(), difference.shape))
        if difference[row, column] > self._at_difference:
            self._at_difference = float(difference[row, column])
            names = self.pair.image_ids[row], self.pair.tags[columns.start + column]
            self.at = ScorePlace(*names, float(values.a[row, column]), float(values.b[row, column]))


def _more(flips: Flips, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Flips:
    return Flips(flips.flipped + int((a != b).sum()), flips.positives + int((a | b).sum()), flips.decisions + a.size)


def _agreement(ranks: Float64s, names: tuple[str, ...]) -> RankAgreement:
    defined = ~np.isnan(ranks)
    if not defined.any():
        return RankAgreement(None, None, "", len(ranks))
    least = int(np.nanargmin(ranks))
    return RankAgreement(float(ranks[defined].mean()), float(ranks[least]), names[least], int((~defined).sum()))


def _slices(length: int, other: int) -> Iterator[slice]:
    """Yield consecutive slices of an axis, such that a block has about `PARITY_BLOCK_BYTES`."""
    step = max(1, PARITY_BLOCK_BYTES // max(1, 4 * other))
    yield from (slice(start, min(start + step, length)) for start in range(0, length, step))
