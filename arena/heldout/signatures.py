"""What one picture is looked up by: digests, and perceptual hashes of it as it is, without its border, and mirrored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena.heldout.phash import dhash, phash
from arena.images import RGB

BORDER_LEVELS = 16
"""How far from its line's median a pixel of a border may lie; what JPEG leaves of one colour."""

BORDER_SHARE = 0.99
"""Share of a line's pixels that must be of one colour for it to be border: a speck does not hold it."""

BORDER_SIDE = 256
"""Border is looked for in a picture thinned out to about so many pixels a side: medians of every pixel take 30 ms."""

FLAT_LEVELS = 2.0
"""Grey levels that a picture must depart from a plane by (root mean square) for its hashes to mean anything."""

VARIANTS = ("as is", "trimmed", "cropped", "mirrored", "mirrored trimmed")
"""How a picture is hashed."""

CROPPED_SHARE = 0.02
"""What `cropped` loses of each side of the trimmed picture: it lies nearer to a crop of 5 % than the whole does, and finds 9 in
100 of such crops that nothing else finds."""


class HashPair(NamedTuple):
    """The two perceptual hashes of one variant."""

    phash: int
    dhash: int


@dataclass(frozen=True)
class Signature:
    """What one picture is looked up by.

    Attributes:
        pixel_sha256: digest of size and canonical pixels.
        flat: whether its hashes say nothing: one colour, or one gradient.
        hashes: by variant.
    """

    pixel_sha256: str
    flat: bool
    hashes: Mapping[str, HashPair] = field(default_factory=dict)


def sign(pixels: RGB) -> Signature:
    """Digest and hashes of one picture."""
    hashes = {name: HashPair(phash(variant), dhash(variant)) for name, variant in variants(pixels).items()}
    return Signature(pixel_digest(pixels), flat(pixels), hashes)


def variants(pixels: RGB) -> dict[str, RGB]:
    """A picture as each of `VARIANTS`."""
    inner = trimmed(pixels)
    return dict(zip(VARIANTS, (pixels, inner, cropped(inner), mirrored(pixels), mirrored(inner)), strict=True))


def pixel_digest(pixels: RGB) -> str:
    """SHA-256 over width, height and RGB bytes, in hexadecimal: equal for the same picture in any lossless format."""
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def mirrored(pixels: RGB) -> RGB:
    """Left and right swapped."""
    return np.ascontiguousarray(pixels[:, ::-1])


def cropped(pixels: RGB) -> RGB:
    """Without `CROPPED_SHARE` of each side."""
    rows, columns = (int(side * CROPPED_SHARE) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns])


def trimmed(pixels: RGB) -> RGB:
    """Without border: lines of one colour are taken from each side until none is left.

    The lines may be of different colours, so that a drawing on white gives the same whether a black border was put around it
    or not. A picture that is border all over stays as it is.
    """
    thin = [max(1, side // BORDER_SIDE) for side in pixels.shape[:2]]
    small = pixels[:: thin[0], :: thin[1]].astype(np.int16)
    top, bottom, left, right = 0, small.shape[0], 0, small.shape[1]
    while True:
        rows = np.flatnonzero(~_of_one_colour(small[top:bottom, left:right]))
        if not len(rows):
            return pixels
        inner = small[top + rows[0] : top + rows[-1] + 1, left:right]
        columns = np.flatnonzero(~_of_one_colour(inner.transpose(1, 0, 2)))
        if not len(columns):
            return pixels
        box = (top + rows[0], top + rows[-1] + 1, left + columns[0], left + columns[-1] + 1)
        if box == (top, bottom, left, right):
            break
        top, bottom, left, right = box
    return np.ascontiguousarray(pixels[top * thin[0] : bottom * thin[0], left * thin[1] : right * thin[1]])


def _of_one_colour(lines: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which lines are border; (lines, pixels, 3) -> bool (lines,)."""
    apart = np.abs(lines - np.median(lines, axis=1, keepdims=True)).max(2)
    return np.asarray((apart <= BORDER_LEVELS).mean(1) >= BORDER_SHARE)


def flat(pixels: RGB) -> bool:
    """Whether a picture is of one colour or one even gradient, as all of which share a few hashes.

    >>> flat(np.full((40, 30, 3), 200, np.uint8))
    True
    """
    grey = np.asarray(
        Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.BOX), dtype=np.float64
    ).ravel()
    beyond = grey - _PLANE @ (_PLANE.T @ grey)
    return float(np.sqrt((beyond**2).mean())) < FLAT_LEVELS


_PLANE = np.linalg.qr(np.stack([np.ones(1024), *np.indices((32, 32)).reshape(2, 1024) - 15.5], axis=1))[0]
"""Orthonormal columns that span every even gradient over 32 x 32."""
