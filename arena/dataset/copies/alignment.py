"""Compare two pictures by alignment: register one thumbnail on the other, then measure the remaining difference.

One picture is shifted and stretched along each axis, and its brightness fitted, until it matches the other (Gauss-Newton steps
of the Lucas-Kanade method; pixels that differ much get small weights, so that a watermark or another symbol does not distort
the fit). The fit removes the effects of cropping, padding and re-encoding. Differences of the drawing itself remain.

Source: S. Baker, I. Matthews, "Lucas-Kanade 20 Years On", IJCV 2004.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve1d

from arena.images.decode import RGB, Alpha

_Floats = NDArray[np.float64]
"""Double precision, so that two machines give equal values after rounding."""

Thumbnails = NDArray[np.uint8]
"""Thumbnails, uint8 (SIDE, SIDE, 4) or (k, SIDE, SIDE, 4): red, green, blue on white, and the alpha channel."""

ALIGNMENT_SIDE = 64
"""Rows and columns of a thumbnail."""

_STEPS = {32: 10, ALIGNMENT_SIDE: 4}
"""Side of the thumbnail -> Gauss-Newton steps, from coarse to fine. With 64 alone, crops of 5 % need 24 steps to converge,
three times the time; a start at 16 fails for one crop in 87."""

ROBUST_LEVELS = 16.0
"""A pixel that differs by this many grey levels has half the weight of one that agrees."""

LARGEST_SHIFT, LARGEST_STRETCH = 8.0, 0.2
"""Largest shift, in pixels of 64, and largest relative stretch: twice what a crop of 5 % needs."""

TILE = 8
"""Side of a tile in pixels; tiles are compared one by one."""

CHANGED_LEVELS = 24.0
"""A tile counts as changed if its mean difference exceeds this many levels."""

GREY_LEVELS = 4.0
"""A picture is treated as grey if no tile deviates from grey by more than this many levels."""

INSIDE = 0.99
"""Least sum of interpolation weights of a position that counts as inside a picture."""

FIGURE_DECIMALS = 3
"""Decimals of the reported values; differences between machines are ten decimals smaller."""

DAMPING = 1.0
"""Added to the diagonal of the normal equations, which are singular for a picture of one grey."""

GREY_BACKGROUND = 128
"""Level, 0 to 255, of the second background; a drawing that is invisible on white is visible on it, and vice versa."""

FLAT_THUMBNAIL = 2.0
"""Largest standard deviation of a channel, in levels, of a thumbnail that is one colour."""

BLUR = (0.25, 0.5, 0.25)
"""Smoothing filter along each axis."""

REC_601 = np.array([0.299, 0.587, 0.114], np.float64)
"""Weights of red, green and blue in grey."""

BOUNDS = np.array([LARGEST_STRETCH, LARGEST_SHIFT, LARGEST_STRETCH, LARGEST_SHIFT, 4, 255], np.float64)
"""Largest absolute value of each column of a fit, see `_fit`."""


class AlignmentDifference(NamedTuple):
    """Differences of aligned pictures, one row per pair; all float64 (k,).

    Attributes:
        correlation: correlation of the grey levels, -1 to 1; 0 if either picture has only one grey level.
        difference: mean absolute difference of the grey levels, 0 to 255.
        largest: largest mean difference of grey levels over the tiles.
        changed: share of the tiles whose grey or colour difference exceeds `CHANGED_LEVELS`, 0 to 1.
        colour: largest mean difference of the colour components (RGB minus grey) over the tiles, 0 to 255; 0 if either picture
            has no colour.
    """

    correlation: _Floats
    difference: _Floats
    largest: _Floats
    changed: _Floats
    colour: _Floats


def thumbnail(pixels: RGB, alpha: Alpha | None = None) -> Thumbnails:
    """Resize a picture to uint8 (SIDE, SIDE, 4) without keeping its aspect ratio; every pixel contributes.

    Args:
        pixels: composited on white, uint8 (height, width, 3).
        alpha: opacity, uint8 (height, width); None if every pixel is opaque.
    """
    small = np.full((ALIGNMENT_SIDE, ALIGNMENT_SIDE, 4), 255, np.uint8)
    small[..., :3] = _resized(pixels)
    if alpha is not None:
        small[..., 3] = _resized(alpha)
    return small


def _resized(values: RGB | Alpha) -> NDArray[np.uint8]:
    image = Image.fromarray(values).resize((ALIGNMENT_SIDE, ALIGNMENT_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)


def is_transparent(thumbnails: Thumbnails) -> NDArray[np.bool_]:
    """Return which pictures have transparent pixels; (k, SIDE, SIDE, 4) -> bool (k,)."""
    return np.asarray((thumbnails[..., 3] < 255).any((1, 2)))


def is_blank(thumbnails: Thumbnails) -> NDArray[np.bool_]:
    """Return which thumbnails are one colour on white; (k, SIDE, SIDE, 4) -> bool (k,)."""
    return np.asarray(thumbnails[..., :3].std((1, 2)).max(1) < FLAT_THUMBNAIL)


def on_grey(pixels: NDArray[np.uint8], alpha: Alpha) -> NDArray[np.uint8]:
    """Return a picture with its background changed from white to `GREY_BACKGROUND`, uint8 (..., 3).

    Args:
        pixels: composited on white, uint8 (..., 3).
        alpha: opacity, uint8 (...).
    """
    darker = ((255 - alpha.astype(np.uint16)) * (255 - GREY_BACKGROUND) // 255).astype(np.uint8)[..., None]
    return np.asarray(np.maximum(pixels, darker) - darker)


def align_and_compare(left: Thumbnails, right: Thumbnails) -> AlignmentDifference:
    """Compare pairs of thumbnails by their colours; each right one is aligned to its left one.

    Args:
        left, right: uint8 (k, SIDE, SIDE, 4); the alpha channel is ignored.
    """
    lefts, rights = _blurred(left[..., :3]), _blurred(right[..., :3])
    fit = _fit(lefts @ REC_601, rights @ REC_601)
    rows, columns = (
        _interpolation(fit[:, 2], fit[:, 3], ALIGNMENT_SIDE),
        _interpolation(fit[:, 0], fit[:, 1], ALIGNMENT_SIDE),
    )
    moved = np.stack([_moved(rights[..., band], rows, columns) for band in range(3)], axis=-1)
    return _differences(lefts, moved, _overlap(rows, columns))


def _differences(left: _Floats, right: _Floats, overlap: NDArray[np.bool_]) -> AlignmentDifference:
    """Measure the differences of aligned pictures over the pixels where both are defined."""
    count = np.maximum(overlap.sum((1, 2)), 1)
    grey, moved = left @ REC_601, right @ REC_601
    a, b = (
        np.where(overlap, g - (g * overlap).sum((1, 2), keepdims=True) / count[:, None, None], 0) for g in (grey, moved)
    )
    spread = np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)))
    correlation = np.divide((a * b).sum((1, 2)), spread, out=np.zeros_like(spread), where=spread > 0)
    difference = np.abs(grey - moved) * overlap
    tiles = _shrunk(difference, ALIGNMENT_SIDE // TILE)
    colours = _colour_tiles(left, grey, right, moved, overlap)
    values = (
        correlation,
        difference.sum((1, 2)) / count,
        tiles.max((1, 2)),
        (np.maximum(tiles, colours) > CHANGED_LEVELS).mean((1, 2)),
        colours.max((1, 2)),
    )
    return AlignmentDifference(*(value.round(FIGURE_DECIMALS) for value in values))


def _colour_tiles(left: _Floats, grey: _Floats, right: _Floats, moved: _Floats, overlap: NDArray[np.bool_]) -> _Floats:
    """Return the mean difference of the colour components by tile; 0 if either picture has no colour anywhere."""
    chroma = [(picture - levels[..., None]) * overlap[..., None] for picture, levels in ((left, grey), (right, moved))]
    strength = [_shrunk(np.abs(one).mean(3), ALIGNMENT_SIDE // TILE).max((1, 2)) for one in chroma]
    coloured = np.minimum(*strength) > GREY_LEVELS
    tiles: _Floats = _shrunk(np.abs(chroma[0] - chroma[1]).mean(3), ALIGNMENT_SIDE // TILE) * coloured[:, None, None]
    return tiles


def _fit(left: _Floats, right: _Floats) -> _Floats:
    """Return the transform that aligns each right picture to its left one, float64 (k, 6).

    Columns: stretch and shift along x, stretch and shift along y, gain and offset of the brightness.
    """
    fit = np.tile(np.array([0.0, 0, 0, 0, 1, 0]), (len(left), 1))
    for side, steps in _STEPS.items():
        scale = np.array([1, ALIGNMENT_SIDE / side, 1, ALIGNMENT_SIDE / side, 1, 1])
        fit /= scale
        lefts, rights = _shrunk(left, side), _shrunk(right, side)
        for _ in range(steps):
            fit += _step(lefts, rights, fit)
            fit = np.clip(fit, -BOUNDS / scale, BOUNDS / scale)
        fit *= scale
    return fit


def _step(left: _Floats, right: _Floats, fit: _Floats) -> _Floats:
    """Return one weighted least-squares step of the fit, float64 (k, 6)."""
    side = left.shape[1]
    rows, columns = _interpolation(fit[:, 2], fit[:, 3], side), _interpolation(fit[:, 0], fit[:, 1], side)
    moved = _moved(right, rows, columns)
    gain, offset = fit[:, 4, None, None], fit[:, 5, None, None]
    residual = left - gain * moved - offset
    weight = _overlap(rows, columns) / (1 + (residual / ROBUST_LEVELS) ** 2)
    down, across = (gain * slope for slope in np.gradient(moved, axis=(1, 2)))
    position = _positions(side)
    parts = (across * position, across, down * position[:, None], down, moved, np.ones_like(moved))
    slopes = np.stack([part.reshape(-1, side * side) for part in parts], axis=1)
    weighted = slopes * weight.reshape(-1, 1, side * side)
    normal = weighted @ slopes.transpose(0, 2, 1) + np.eye(6) * DAMPING
    step: _Floats = np.linalg.solve(normal, weighted @ residual.reshape(-1, side * side, 1))[..., 0]
    return step


def _positions(side: int) -> _Floats:
    """Return the pixel positions relative to the centre, float64 (side,)."""
    return np.arange(side, dtype=np.float64) - (side - 1) / 2


def _interpolation(stretch: _Floats, shift: _Floats, side: int) -> _Floats:
    """Return matrices of linear interpolation, (k, side, side); the row of a position outside the picture is zero."""
    position = (side - 1) / 2 + _positions(side) * (1 + stretch[:, None]) + shift[:, None]
    weights: _Floats = np.maximum(0, 1 - np.abs(position[:, :, None] - np.arange(side)))
    return weights


def _overlap(rows: _Floats, columns: _Floats) -> NDArray[np.bool_]:
    """Return which pixels lie inside the moved picture, bool (k, side, side)."""
    overlap: NDArray[np.bool_] = (rows.sum(2) > INSIDE)[:, :, None] & (columns.sum(2) > INSIDE)[:, None, :]
    return overlap


def _shrunk(grey: _Floats, side: int) -> _Floats:
    """Return the means over square blocks, (k, side, side)."""
    part = ALIGNMENT_SIDE // side
    means: _Floats = grey.reshape(-1, side, part, side, part).mean((2, 4))
    return means


def _moved(grey: _Floats, rows: _Floats, columns: _Floats) -> _Floats:
    moved: _Floats = rows @ grey @ columns.transpose(0, 2, 1)
    return moved


def _blurred(pictures: Thumbnails) -> _Floats:
    """Blur with weights 1 2 1 along both axes, so that a shift by a fraction of a pixel does not count as a difference."""
    blurred = convolve1d(pictures.astype(np.float64), BLUR, axis=1, mode="nearest")
    return np.asarray(convolve1d(blurred, BLUR, axis=2, mode="nearest"))
