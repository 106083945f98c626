"""How far apart the scores of two sides are: differences, rank agreement, and decisions that flip."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.diagnostics.parity.pairs import Pair, Values
from arena.metrics.ranks import spearman

BLOCK_BYTES = 32 << 20
"""Bytes of a side's scores that are looked at together; ranking takes about ten times as much."""

LOGIT_LIMIT = 10.0
"""Logits are cut off here (a probability of 0.99995): beyond it a float32 probability does not tell two logits apart."""

NAMED = 5
"""Images and tags that are named: those that differ most."""

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """One score of both sides."""

    image_id: str
    tag: str
    a: float
    b: float


@dataclass(frozen=True)
class Differing:
    """An image or a tag, and how far apart its scores are.

    Attributes:
        largest, mean: of the absolute difference.
        flips: decisions that differ, each side at its own threshold.
    """

    name: str
    largest: float
    mean: float
    flips: int


@dataclass(frozen=True)
class RankAgreement:
    """Spearman's correlation over images, or over tags; None where it is undefined for all.

    Attributes:
        mean, least: over those where it is defined.
        least_of: which one has the least.
        undefined: how many have constant scores on either side.
    """

    mean: float | None
    least: float | None
    least_of: str
    undefined: int


@dataclass(frozen=True)
class Flips:
    """Decisions that differ.

    Attributes:
        flipped: how many of all images x tags.
        positives: decisions that either side makes positive: what the share is of, for most decisions are negative.
    """

    flipped: int
    positives: int
    decisions: int

    @property
    def share(self) -> float:
        """Flipped of the positive ones; 0 where neither side predicts anything."""
        return self.flipped / self.positives if self.positives else 0.0


@dataclass(frozen=True)
class Parity:
    """What sets the scores of A and B apart, over all common images and tags.

    Attributes:
        images, tags: common ones.
        largest, mean: of the absolute difference of scores; `at` is where the largest is.
        logit_largest, logit_mean: the same of logits, cut off at `LOGIT_LIMIT` on both ends.
        ranks_by_image: agreement of the order of tags in an image; `ranks_by_tag`: of the images of a tag.
        flips: each side at its own thresholds; `flips_at_a`, `flips_at_b`: both at those of one.
        same_thresholds: whether the two sides' thresholds are equal on all common tags.
        same_columns: whether common tags stand in the same columns.
        only_a, only_b: tags that the other side has not; `images_only_a`, `images_only_b`: how many images.
    """

    a: str
    b: str
    images: int
    tags: int
    largest: float
    mean: float
    at: Place
    logit_largest: float
    logit_mean: float
    ranks_by_image: RankAgreement
    ranks_by_tag: RankAgreement
    flips: Flips
    flips_at_a: Flips
    flips_at_b: Flips
    same_thresholds: bool
    same_columns: bool
    worst_images: tuple[Differing, ...]
    worst_tags: tuple[Differing, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    images_only_a: int
    images_only_b: int


def measure(pair: Pair, advance: Callable[[int], None] = lambda tags: None) -> Parity:
    """Compare every common score, in blocks of columns and then of rows.

    Args:
        advance: called with the number of tags just finished, `2 * tags` in all.
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


def logits(probabilities: NDArray[np.floating], limit: float = LOGIT_LIMIT) -> Doubles:
    """Logits of probabilities, cut off at both ends.

    >>> logits(np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [-10.0, 0.0, 10.0]
    """
    least = 1 / (1 + np.exp(limit))
    inside = np.clip(probabilities.astype(np.float64), least, 1 - least)
    found: Doubles = np.log(inside / (1 - inside))
    return found


class _Axis:
    """Running differences of every image, or every tag."""

    def __init__(self, length: int) -> None:
        self.largest = np.zeros(length)
        self.total = np.zeros(length)
        self.flips = np.zeros(length, np.int64)

    def worst(self, names: tuple[str, ...], others: int) -> tuple[Differing, ...]:
        """Those that differ most, by largest difference, then by mean, then in order."""
        order = np.lexsort((-self.total, -self.largest))[:NAMED]
        return tuple(
            Differing(names[i], float(self.largest[i]), float(self.total[i]) / others, int(self.flips[i]))
            for i in order
            if self.largest[i] > 0 or self.flips[i] > 0
        )


class _Sums:
    """What a pass over blocks of columns gathers."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.by_image, self.by_tag = _Axis(len(pair.image_ids)), _Axis(len(pair.tags))
        self.ranks = np.full(len(pair.tags), np.nan)
        self.logit_largest = self.logit_total = 0.0
        self.flips = [Flips(0, 0, 0)] * 3
        self.at = Place("", "", 0.0, 0.0)
        self._at_difference = -1.0

    def add(self, columns: slice, values: Values) -> None:
        """Take in the scores of some tags."""
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

    def _locate(self, columns: slice, values: Values, difference: Doubles) -> None:
        row, column = (int(place) for place in np.unravel_index(difference.argmax(), difference.shape))
        if difference[row, column] > self._at_difference:
            self._at_difference = float(difference[row, column])
            names = self.pair.image_ids[row], self.pair.tags[columns.start + column]
            self.at = Place(*names, float(values.a[row, column]), float(values.b[row, column]))


def _more(flips: Flips, a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Flips:
    return Flips(flips.flipped + int((a != b).sum()), flips.positives + int((a | b).sum()), flips.decisions + a.size)


def _agreement(ranks: Doubles, names: tuple[str, ...]) -> RankAgreement:
    defined = ~np.isnan(ranks)
    if not defined.any():
        return RankAgreement(None, None, "", len(ranks))
    least = int(np.nanargmin(ranks))
    return RankAgreement(float(ranks[defined].mean()), float(ranks[least]), names[least], int((~defined).sum()))


def _slices(length: int, other: int) -> Iterator[slice]:
    """Consecutive parts of an axis whose blocks have about `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // max(1, 4 * other))
    yield from (slice(start, min(start + step, length)) for start in range(0, length, step))
