"""Fingerprint of a model: its scores on the canary images, short enough to paste, and comparable despite rounding errors.

A digest of rounded scores changes whenever one of many thousand scores crosses a rounding boundary. So the fingerprint is a
sketch: for each image, two sums of all scores with a fixed sign for each tag, in units of 1/1024. The sums of two machines
differ by floating-point error, so fingerprints are compared with a tolerance.

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

CANARY_DATASET = "canary"
"""Dataset of bundled images, the same in every installation."""

_UNITS_PER_ONE = 1024
"""Units per 1.0 of a sum; finer than any tolerance."""

SUMS_PER_IMAGE = 2
"""Sums per image, each with different signs."""

_TOLERANCES = {"fp32": 0.01, "fp16": 0.1, "bf16": 0.5}
"""Largest difference of a sum from floating-point error alone, by precision."""

_TOP_TAGS = 5
"""Number of tags shown for each image."""


class FingerprintDifference(NamedTuple):
    """Difference of two fingerprints.

    Attributes:
        largest: largest absolute difference of two sums.
        tolerance: tolerance of the lower precision of the two.
    """

    largest: float
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether floating-point error alone explains the difference."""
        return self.largest <= self.tolerance


def compare_fingerprints(*, expected: Fingerprint, seen: Fingerprint, where: str) -> FingerprintDifference:
    """Compare two fingerprints.

    Args:
        where: source of the expected one, for errors.

    Raises:
        IncomparableError: the canary images or the tags differ.
    """
    if expected.canary != seen.canary or len(expected.sums) != len(seen.sums):
        raise IncomparableError(
            f"{where}: made on canary images {expected.canary}, installed are {seen.canary}; install the same release, or make "
            "a new fingerprint"
        )
    if expected.tags != seen.tags:
        raise IncomparableError(
            f"{where}: made with tags {expected.tags}, this model has {seen.tags}; the models differ"
        )
    largest = max(abs(one - other) for one, other in zip(expected.sums, seen.sums, strict=True)) / _UNITS_PER_ONE
    coarsest = max(_TOLERANCES.get(one.precision, max(_TOLERANCES.values())) for one in (expected, seen))
    return FingerprintDifference(largest, coarsest)


def sketch(scores: NDArray[np.float32], tags: Sequence[str]) -> tuple[int, ...]:
    """Return `SUMS_PER_IMAGE` signed sums of each image's scores, in units of 1/`_UNITS_PER_ONE`.

    The signs of a tag are derived from its name, so that the order of the tags does not matter.

    Args:
        scores: float32 (images, tags).

    >>> values = np.array([[0.5, 0.25]], np.float32)
    >>> sums = sketch(values, ["a", "d"])
    >>> sums == sketch(values[:, ::-1], ["d", "a"]), sums == sketch(values, ["d", "a"])
    (True, False)
    """
    first_bytes = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[0] for name in tags]
    signs = np.array(
        [[1 if byte >> bit & 1 else -1 for bit in range(SUMS_PER_IMAGE)] for byte in first_bytes], np.float64
    )
    sums = np.rint(scores.astype(np.float64) @ signs * _UNITS_PER_ONE)
    most = (1 << 23) - 1
    return tuple(int(value) for value in np.clip(sums, -most, most).ravel())


class _TopTags(NamedTuple):
    """The tags of one image with the highest scores, and these scores."""

    image_id: str
    tags: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class CanaryScores:
    """A model's results on the canary images.

    Attributes:
        tags: number of tags.
        image_side: side of the network's input, pixels.
        spread: largest standard deviation of a tag's scores over the images; near 0 the scores do not depend on the image.
        exact: SHA-256 of the scores' bytes; reproducible only on the same machine with the same versions.
    """

    model: str
    tags: int
    image_side: int
    device: str
    precision: str
    load_seconds: float
    score_seconds: float
    images: tuple[_TopTags, ...]
    spread: float
    fingerprint: Fingerprint
    exact: str


def score_canary(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> CanaryScores:
    """Load a model and score the canary images.

    Raises:
        WeightsError: its files are unavailable, damaged or inconsistent.
        ScoresError: its scores are not probabilities.
    """
    canary = read_frozen(find_dataset(CANARY_DATASET))
    start = time.perf_counter()
    tagger = taggers.load(card, device=device, precision=precision)
    loaded = time.perf_counter()
    pixels = np.stack([square(decode(path), tagger.preprocess) for path in canary.paths])
    scores = check_scores(card.name, tagger.scores(pixels), images=len(pixels), tags=len(tagger.tags))
    names = tagger.tags.names
    tags_digest = hashlib.sha256("\n".join(sorted(names)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    fingerprint = Fingerprint(canary.digest[:6], tagger.precision, tags_digest, sketch(scores, names))
    return CanaryScores(
        model=card.name, tags=len(names), image_side=tagger.preprocess.size, device=tagger.device,
        precision=tagger.precision, load_seconds=loaded - start, score_seconds=time.perf_counter() - loaded,
        images=_top_tags(canary, scores, names), spread=float(scores.std(axis=0).max()), fingerprint=fingerprint,
        exact=hashlib.sha256(np.ascontiguousarray(scores, np.dtype("<f4")).tobytes()).hexdigest(),
    )  # fmt: skip


def _top_tags(canary: HeldOut, scores: NDArray[np.float32], names: Sequence[str]) -> tuple[_TopTags, ...]:
    """Return the `_TOP_TAGS` tags of each image with the highest scores, ties by name."""
    tops = []
    for image_id, row in zip(canary.image_ids, scores, strict=True):
        best = sorted(range(len(names)), key=lambda column: (-row[column], names[column]))[:_TOP_TAGS]
        tops.append(_TopTags(image_id, tuple(names[c] for c in best), tuple(round(float(row[c]), 4) for c in best)))
    return tuple(tops)
