"""Perceptual hashes of canonical RGB pixels, 64 bits each.

`phash` and `dhash` are exactly `imagehash.phash` and `imagehash.dhash` at their defaults: grey by Rec. 601, LANCZOS, bits
row by row, most significant first. Hashes of other tools differ in grey, filter, median or bit order, so an index names its
algorithm (`PHASH`, `DHASH`) and two that differ are never compared.

Source: the imagehash package.
"""

import imagehash
import numpy as np
from PIL import Image

from arena.images import RGB

PHASH = "imagehash.phash/8x8"
"""Discrete cosine transform of a 32 x 32 grey, the 8 x 8 low frequencies with DC, bit = above the median."""

DHASH = "imagehash.dhash/8x8"
"""Horizontal gradient of a 9 x 8 grey, bit = brighter than the left neighbour."""


def phash(pixels: RGB) -> int:
    """The perceptual hash of `imagehash.phash`, as an unsigned 64-bit integer."""
    return _integer(imagehash.phash(Image.fromarray(pixels)))


def dhash(pixels: RGB) -> int:
    """The difference hash of `imagehash.dhash`, as an unsigned 64-bit integer."""
    return _integer(imagehash.dhash(Image.fromarray(pixels)))


def _integer(value: imagehash.ImageHash) -> int:
    return int.from_bytes(np.packbits(value.hash.ravel()).tobytes(), "big")
