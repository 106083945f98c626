"""Which cells of a ground truth are known. A cell is an image and a tag; it is present, absent or unknown.

An unknown cell has no label. In every pass over the tags its label is false and its score is `UNKNOWN_SCORE`, which is below
every threshold. So it is never predicted, and enters no count that follows from labels and predictions. What else counts
images, such as true negatives, takes the number of known images of each tag.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Amounts, Floats, Integers

UNKNOWN_SCORE = np.float32(-1)
"""Score of an unknown cell in the blocks of a pass; scores of known cells are 0 to 1."""

TAGS_AT_ONCE = 256
"""Tags whose cells are unpacked at once: 8 MB for 32,768 images."""


@dataclass(frozen=True)
class KnownCells:
    """The known cells of a ground truth, one bit each: 25 MB for 32,768 images and 6,000 tags.

    Attributes:
        bits: uint8 (tags, bytes), one bit per image, the first image in the highest bit; the bits after the last are 0.
        images: number of images.
    """

    bits: NDArray[np.uint8]
    images: int

    @classmethod
    def of_rows(cls, tiles: Iterable[NDArray[np.bool_]], images: int, tags: int) -> "KnownCells":
        """Pack consecutive blocks of rows, bool (rows, tags) each.

        >>> KnownCells.of_rows([np.array([[True, False]]), np.array([[True, True]])], 2, 2).counts().tolist()
        [2, 1]
        """
        bits, start = np.zeros((tags, (images + 7) // 8), np.uint8), 0
        for tile in tiles:
            before = np.zeros((start % 8, tags), np.bool_)  # the first byte may hold rows of the tile before
            packed = np.packbits(np.concatenate([before, tile]), axis=0)
            bits[:, start // 8 : start // 8 + len(packed)] |= packed.T
            start += len(tile)
        return cls(bits, images)

    @classmethod
    def of_cells(cls, rows: Integers, columns: Integers, images: int, tags: int) -> "KnownCells":
        """Return the known cells from their image and tag, int64 (cells,) each; a cell may be listed twice."""
        bits = np.zeros((tags, (images + 7) // 8), np.uint8)
        np.bitwise_or.at(bits, (columns, rows >> 3), np.uint8(128) >> (rows & 7).astype(np.uint8))
        return cls(bits, images)

    @property
    def complete(self) -> bool:
        """Whether every cell is known."""
        return int(self.counts().sum()) == self.images * len(self.bits)

    def block(self, tags: slice | Integers) -> NDArray[np.bool_]:
        """Return which images are known for some tags; bool (tags, images)."""
        return np.unpackbits(self.bits[tags], axis=1, count=self.images).view(np.bool_)

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """Yield ranges of tags with their `block`."""
        for start in range(0, len(self.bits), TAGS_AT_ONCE):
            tags = slice(start, min(start + TAGS_AT_ONCE, len(self.bits)))
            yield tags, self.block(tags)

    def rows(self, images: Integers) -> NDArray[np.bool_]:
        """Return which tags are known for some images; bool (images, tags)."""
        return self.at(images[:, None], np.arange(len(self.bits)))

    def at(self, images: Integers, tags: Integers) -> NDArray[np.bool_]:
        """Return whether cells are known; bool, the shape of `images` and `tags` broadcast."""
        shift = (7 - (images & 7)).astype(np.uint8)
        return np.asarray((self.bits[tags, images >> 3] >> shift) & 1, np.bool_)

    def take(self, images: Integers) -> "KnownCells":
        """Return the cells of some images, in their order."""
        bits = np.empty((len(self.bits), (len(images) + 7) // 8), np.uint8)
        for tags, known in self.blocks():
            bits[tags] = np.packbits(known[:, images], axis=1)
        return KnownCells(bits, len(images))

    def columns(self, tags: Integers) -> "KnownCells":
        """Return the cells of some tags, in their order."""
        return KnownCells(self.bits[tags], self.images)

    def counts(self, weights: Floats | None = None) -> Amounts:
        """Return the number of known images of each tag, int64 (tags,), or the sum of their weights, float64.

        Args:
            weights: float64 (images,), weight of each image.
        """
        if weights is None:
            return np.asarray(np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64))
        sums = np.empty(len(self.bits))
        for tags, known in self.blocks():
            sums[tags] = known @ weights
        return sums

    def per_image(self) -> Integers:
        """Return the number of known tags of each image; int64 (images,)."""
        total = np.zeros(self.images, np.int64)
        for _, known in self.blocks():
            total += known.sum(axis=0)
        return total

    def informative(self, tags: Integers) -> NDArray[np.bool_]:
        """Return which images are known for at least one of some tags; bool (images,)."""
        if not len(tags):
            return np.zeros(self.images, np.bool_)
        either = np.bitwise_or.reduce(self.bits[tags], axis=0)
        return np.unpackbits(either, count=self.images).view(np.bool_)
