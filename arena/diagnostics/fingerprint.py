"""A model's fingerprint: what it scores the canary images, short enough to paste, and comparable in spite of rounding.

A digest of rounded scores would change whenever one of many thousand scores lies on the edge of its rounding. So the
fingerprint is no digest but a sketch: for each image, two sums of all scores, each tag with a sign of its own, in steps of
1/1024. Sums of two machines differ by the noise of their arithmetic; two fingerprints are compared with a tolerance for it.

    canary set . precision . names of the tags . sketch
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena import taggers
from arena.base.errors import IncomparableError
from arena.cards import Fingerprint, ModelCard, find_dataset
from arena.dataset.frozen import HeldOut, read_frozen
from arena.images.decode import decode
from arena.taggers.base import check_scores
from arena.taggers.preprocess import square

CANARY = "canary"
"""The dataset of bundled images, the same in every installation."""

STEPS = 1024
"""Steps of a sum to one: finer than any tolerance."""

SUMS = 2
"""Sums an image, each with other signs."""

TOLERANCES = {"fp32": 0.01, "fp16": 0.1, "bf16": 0.5}
"""By how much a sum may differ through arithmetic alone."""

TOP = 5
"""Tags of an image that are shown."""


class Agreement(NamedTuple):
    """How near two fingerprints are.

    Attributes:
        largest: difference of any two sums of scores.
        tolerance: of the coarser of both precisions.
    """

    largest: float
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether arithmetic alone explains the difference."""
        return self.largest <= self.tolerance


def compare(*, expected: Fingerprint, seen: Fingerprint, where: str) -> Agreement:
    """Hold one fingerprint against another.

    Args:
        where: what tells the expected one.

    Raises:
        IncomparableError: they are of other images or of other tags.
    """
    if expected.canary != seen.canary or len(expected.sums) != len(seen.sums):
        raise IncomparableError(
            f"{where}: of canary images {expected.canary}, these are {seen.canary}; take the same release, or make it anew"
        )
    if expected.tags != seen.tags:
        raise IncomparableError(f"{where}: of tags {expected.tags}, this model has {seen.tags}; it is another model")
    largest = max(abs(one - other) for one, other in zip(expected.sums, seen.sums, strict=True)) / STEPS
    coarsest = max(TOLERANCES.get(one.precision, max(TOLERANCES.values())) for one in (expected, seen))
    return Agreement(largest, coarsest)


def sketch(scores: NDArray[np.float32], tags: Sequence[str]) -> tuple[int, ...]:
    """`SUMS` signed sums of every image's scores, in steps; a tag's signs come from its name, so that order is no matter.

    Args:
        scores: float32 (images, tags).

    >>> values = np.array([[0.5, 0.25]], np.float32)
    >>> told = sketch(values, ["a", "d"])
    >>> told == sketch(values[:, ::-1], ["d", "a"]), told == sketch(values, ["d", "a"])
    (True, False)
    """
    first_bytes = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[0] for name in tags]
    signs = np.array([[1 if byte >> bit & 1 else -1 for bit in range(SUMS)] for byte in first_bytes], np.float64)
    sums = np.rint(scores.astype(np.float64) @ signs * STEPS)
    most = (1 << 23) - 1
    return tuple(int(value) for value in np.clip(sums, -most, most).ravel())


class TopTags(NamedTuple):
    """The highest tags of one image, and their scores."""

    image_id: str
    tags: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Examined:
    """What a model did with the canary images.

    Attributes:
        exact: SHA-256 of the scores' bytes; equal on the same machine with the same versions only.
        spread: the largest standard deviation of a tag's scores over the images; near 0 the network sees nothing.
    """

    model: str
    tags: int
    image_side: int
    device: str
    precision: str
    load_seconds: float
    score_seconds: float
    images: tuple[TopTags, ...]
    spread: float
    fingerprint: Fingerprint
    exact: str


def examine(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> Examined:
    """Load a model and score the canary images.

    Raises:
        WeightsError: its files are not to be had, damaged, or disagree.
        ScoresError: its scores are no probabilities.
    """
    canary = read_frozen(find_dataset(CANARY))
    start = time.perf_counter()
    tagger = taggers.load(card, device=device, precision=precision)
    loaded = time.perf_counter()
    pixels = np.stack([square(decode(path), tagger.preprocess) for path in canary.paths])
    scores = tagger.scores(pixels)
    check_scores(card.name, scores, images=len(pixels), tags=len(tagger.tags))
    names = tagger.tags.names
    of_tags = hashlib.sha256("\n".join(sorted(names)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    told = Fingerprint(canary.digest[:6], tagger.precision, of_tags, sketch(scores, names))
    return Examined(
        model=card.name, tags=len(names), image_side=tagger.preprocess.size, device=tagger.device,
        precision=tagger.precision, load_seconds=loaded - start, score_seconds=time.perf_counter() - loaded,
        images=_top_tags(canary, scores, names), spread=float(scores.std(axis=0).max()), fingerprint=told,
        exact=hashlib.sha256(np.ascontiguousarray(scores, np.dtype("<f4")).tobytes()).hexdigest(),
    )  # fmt: skip


def _top_tags(canary: HeldOut, scores: NDArray[np.float32], names: Sequence[str]) -> tuple[TopTags, ...]:
    """The `TOP` highest of every image, ties by name."""
    tops = []
    for image_id, row in zip(canary.image_ids, scores, strict=True):
        best = sorted(range(len(names)), key=lambda column: (-row[column], names[column]))[:TOP]
        tops.append(TopTags(image_id, tuple(names[c] for c in best), tuple(round(float(row[c]), 4) for c in best)))
    return tuple(tops)
