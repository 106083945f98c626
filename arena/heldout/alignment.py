"""Whether two pictures show the same: small pixels laid over each other as well as they go, and what then still differs.

One picture is moved and stretched along each axis, and its brightness fitted, until it lies on the other (Gauss-Newton steps
of Lucas and Kanade's method, with small weights where the two differ much, so that a watermark or another symbol does not
pull it away). What a copy was cropped, padded or re-encoded by goes; what was drawn otherwise stays.

Source: S. Baker, I. Matthews, "Lucas-Kanade 20 Years On", IJCV 2004.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve1d

from arena.images import RGB

Floats = NDArray[np.float32]

Thumbnails = NDArray[np.uint8]
"""Small pictures, (SIDE, SIDE, 3) or (k, SIDE, SIDE, 3)."""

SIDE = 64
"""Rows and columns of a thumbnail."""

STEPS = 12
"""Gauss-Newton steps; a crop of 5 % has settled after 6."""

ROBUST_LEVELS = 16.0
"""A pixel that differs by so many grey levels has half the weight of one that agrees."""

LARGEST_SHIFT, LARGEST_STRETCH = 8.0, 0.2
"""How far a picture is moved, pixels of 64, and stretched: twice what a crop of 5 % needs, so that no part is looked up at will."""

TILE = 8
"""Pixels a side of the parts that are compared one by one."""

CHANGED_LEVELS = 24.0
"""A tile whose grey levels differ by so many on average shows something else."""

GREY_LEVELS = 2.0
"""A picture whose colours lie nearer to grey than this has none."""

INSIDE = 0.99
"""Sum of the weights of a place that lies wholly inside a picture."""

DAMPING = 1.0
"""Added to the normal equations, which a picture of one grey leaves singular."""

BLUR = (0.25, 0.5, 0.25)

REC_601 = np.array([0.299, 0.587, 0.114], np.float32)
"""Grey from red, green and blue."""

CENTRE = (SIDE - 1) / 2
POSITIONS = np.arange(SIDE, dtype=np.float32) - np.float32(CENTRE)
BOUNDS = np.array([LARGEST_STRETCH, LARGEST_SHIFT, LARGEST_STRETCH, LARGEST_SHIFT, 4, 255], np.float32)


class Overlay(NamedTuple):
    """What is left between two pictures laid over each other, one row a pair; all float32 (k,).

    Attributes:
        correlation: of the grey levels, -1 to 1; 0 where either is of one grey.
        difference: mean difference of the grey levels, 0 to 255.
        changed: share of the tiles that show something else, 0 to 1.
        colour: mean difference of the colours beyond grey, 0 to 255; 0 where either picture has none.
    """

    correlation: Floats
    difference: Floats
    changed: Floats
    colour: Floats


def thumbnail(pixels: RGB) -> Thumbnails:
    """A picture squeezed to uint8 (SIDE, SIDE, 3), every pixel of it counted."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def overlay(left: Thumbnails, right: Thumbnails) -> Overlay:
    """Compare pairs of thumbnails, each right one laid over its left one.

    Args:
        left, right: uint8 (k, SIDE, SIDE, 3).
    """
    lefts, rights = _blurred(left), _blurred(right)
    fit = _fit(lefts @ REC_601, rights @ REC_601)
    rows, columns = _interpolation(fit[:, 2], fit[:, 3]), _interpolation(fit[:, 0], fit[:, 1])
    moved = np.stack([_moved(rights[..., band], rows, columns) for band in range(3)], axis=-1)
    seen = (rows.sum(2) > INSIDE)[:, :, None] & (columns.sum(2) > INSIDE)[:, None, :]
    return _left_over(lefts, moved, seen, gain=fit[:, 4], offset=fit[:, 5])


def _left_over(left: Floats, right: Floats, seen: NDArray[np.bool_], *, gain: Floats, offset: Floats) -> Overlay:
    """The figures of pictures that lie on each other, over the pixels that both have."""
    count = np.maximum(seen.sum((1, 2)), 1)
    grey, moved = left @ REC_601, right @ REC_601
    a, b = (np.where(seen, g - (g * seen).sum((1, 2), keepdims=True) / count[:, None, None], 0) for g in (grey, moved))
    spread = np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)))
    correlation = np.divide((a * b).sum((1, 2)), spread, out=np.zeros_like(spread), where=spread > 0)
    apart = np.abs(gain[:, None, None] * moved + offset[:, None, None] - grey) * seen
    tiles, whole = _tiles(apart), _tiles(seen.astype(np.float32))
    share = np.divide(tiles, whole, out=np.zeros_like(tiles), where=whole > 0.25)
    changed = (share > CHANGED_LEVELS).mean((1, 2))
    colours = [picture - levels[..., None] for picture, levels in ((left, grey), (right, moved))]
    strength = np.minimum(*(np.abs(c).mean((1, 2, 3)) for c in colours))
    colour = (np.abs(colours[0] - colours[1]).mean(3) * seen).sum((1, 2)) / count
    return Overlay(
        correlation.astype(np.float32),
        (apart.sum((1, 2)) / count).astype(np.float32),
        changed.astype(np.float32),
        np.where(strength > GREY_LEVELS, colour, 0).astype(np.float32),
    )


def _tiles(values: Floats) -> Floats:
    """Means over tiles, (k, SIDE / TILE, SIDE / TILE)."""
    parts = SIDE // TILE
    return values.reshape(-1, parts, TILE, parts, TILE).mean((2, 4))


def _fit(left: Floats, right: Floats) -> Floats:
    """Where to look up the right picture so that it lies on the left: float32 (k, 6).

    Columns: stretch and shift along x, stretch and shift along y, gain, offset of the brightness.
    """
    fit = np.tile(np.array([0, 0, 0, 0, 1, 0], np.float32), (len(left), 1))
    for _ in range(STEPS):
        rows, columns = _interpolation(fit[:, 2], fit[:, 3]), _interpolation(fit[:, 0], fit[:, 1])
        moved = _moved(right, rows, columns)
        seen = (rows.sum(2) > INSIDE)[:, :, None] & (columns.sum(2) > INSIDE)[:, None, :]
        fit += _step(left, moved, seen, gain=fit[:, 4, None, None], offset=fit[:, 5, None, None])
        fit = np.clip(fit, -BOUNDS, BOUNDS)
    return fit


def _step(left: Floats, moved: Floats, seen: NDArray[np.bool_], *, gain: Floats, offset: Floats) -> Floats:
    """One weighted least-squares step; float32 (k, 6)."""
    apart = left - gain * moved - offset
    weight = seen / (1 + (apart / ROBUST_LEVELS) ** 2)
    down, across = np.gradient(moved, axis=(1, 2))
    parts = (gain * across * POSITIONS[None, None, :], gain * across, gain * down * POSITIONS[None, :, None], gain * down,
             moved, np.ones_like(moved))  # fmt: skip
    slopes = np.stack([part.reshape(len(left), -1) for part in parts], axis=1)
    weighted = slopes * weight.reshape(len(left), 1, -1)
    normal = weighted @ slopes.transpose(0, 2, 1) + np.eye(6, dtype=np.float32) * DAMPING
    towards = weighted @ apart.reshape(len(left), -1, 1)
    return np.linalg.solve(normal, towards)[..., 0].astype(np.float32)


def _interpolation(stretch: Floats, shift: Floats) -> Floats:
    """Matrices that look up places between pixels linearly, (k, SIDE, SIDE); a row outside the picture is zero."""
    place = CENTRE + POSITIONS * (1 + stretch[:, None]) + shift[:, None]
    return np.maximum(0, 1 - np.abs(place[:, :, None] - np.arange(SIDE, dtype=np.float32)))


def _moved(grey: Floats, rows: Floats, columns: Floats) -> Floats:
    return np.asarray(rows @ grey @ columns.transpose(0, 2, 1))


def _blurred(pictures: Thumbnails) -> Floats:
    """Neighbours 1 2 1 along both axes: what lies between two pixels of one picture must not count as a difference."""
    blurred = convolve1d(pictures.astype(np.float32), BLUR, axis=1, mode="nearest")
    return np.asarray(convolve1d(blurred, BLUR, axis=2, mode="nearest"))
