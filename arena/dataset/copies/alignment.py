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

from arena.images.decode import RGB

Floats = NDArray[np.float64]
"""In double precision, so that two machines come to the same figures once these are rounded."""

Thumbnails = NDArray[np.uint8]
"""Small pictures, (SIDE, SIDE, 3) or (k, SIDE, SIDE, 3)."""

SIDE = 64
"""Rows and columns of a thumbnail."""

STEPS = {32: 10, SIDE: 4}
"""Gauss-Newton steps at each side, from coarse to fine. At 64 alone it takes 24 until crops of 5 % have settled, three
times the time; a start at 16 loses one crop in 87."""

ROBUST_LEVELS = 16.0
"""A pixel that differs by so many grey levels has half the weight of one that agrees."""

LARGEST_SHIFT, LARGEST_STRETCH = 8.0, 0.2
"""How far a picture is moved, pixels of 64, and stretched: twice what a crop of 5 % needs."""

TILE = 8
"""Pixels a side of the parts that are compared one by one."""

CHANGED_LEVELS = 24.0
"""A tile whose grey levels differ by so many on average shows something else."""

GREY_LEVELS = 4.0
"""A picture of which no tile lies farther from grey than this has no colour."""

INSIDE = 0.99
"""Sum of the weights of a place that lies wholly inside a picture."""

FIGURE_DECIMALS = 3
"""Of what is told and judged; what machines differ by lies ten places below."""

DAMPING = 1.0
"""Added to the normal equations, which a picture of one grey leaves singular."""

BLUR = (0.25, 0.5, 0.25)

REC_601 = np.array([0.299, 0.587, 0.114], np.float64)
"""Grey from red, green and blue."""

BOUNDS = np.array([LARGEST_STRETCH, LARGEST_SHIFT, LARGEST_STRETCH, LARGEST_SHIFT, 4, 255], np.float64)


class Overlay(NamedTuple):
    """What is left between two pictures laid over each other, one row a pair; all float64 (k,).

    Attributes:
        correlation: of the grey levels, -1 to 1; 0 where either is of one grey.
        difference: mean difference of the grey levels, 0 to 255.
        largest: the same of the tile that differs most.
        changed: share of the tiles that show something else, 0 to 1.
        colour: difference of the colours beyond grey in the tile that differs most, 0 to 255; 0 where either picture has none.
    """

    correlation: Floats
    difference: Floats
    largest: Floats
    changed: Floats
    colour: Floats


def thumbnail(pixels: RGB) -> Thumbnails:
    """A picture squeezed to uint8 (SIDE, SIDE, 3), every pixel of it counted."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.uint8)


def overlay(left: Thumbnails, right: Thumbnails) -> Overlay:
    """Compare pairs of thumbnails, each right one laid over its left one.

    Args:
        left, right: uint8 (k, SIDE, SIDE, 3).
    """
    lefts, rights = _blurred(left), _blurred(right)
    fit = _fit(lefts @ REC_601, rights @ REC_601)
    rows, columns = _interpolation(fit[:, 2], fit[:, 3], SIDE), _interpolation(fit[:, 0], fit[:, 1], SIDE)
    moved = np.stack([_moved(rights[..., band], rows, columns) for band in range(3)], axis=-1)
    return _left_over(lefts, moved, _seen(rows, columns))


def _left_over(left: Floats, right: Floats, seen: NDArray[np.bool_]) -> Overlay:
    """The figures of pictures that lie on each other, over the pixels that both have."""
    count = np.maximum(seen.sum((1, 2)), 1)
    grey, moved = left @ REC_601, right @ REC_601
    a, b = (np.where(seen, g - (g * seen).sum((1, 2), keepdims=True) / count[:, None, None], 0) for g in (grey, moved))
    spread = np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)))
    correlation = np.divide((a * b).sum((1, 2)), spread, out=np.zeros_like(spread), where=spread > 0)
    apart = np.abs(grey - moved) * seen
    tiles = _shrunk(apart, SIDE // TILE)
    colours = _colour_tiles(left, grey, right, moved, seen)
    figures = (
        correlation,
        apart.sum((1, 2)) / count,
        tiles.max((1, 2)),
        (np.maximum(tiles, colours) > CHANGED_LEVELS).mean((1, 2)),
        colours.max((1, 2)),
    )
    return Overlay(*(figure.round(FIGURE_DECIMALS) for figure in figures))


def _colour_tiles(left: Floats, grey: Floats, right: Floats, moved: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Mean difference of the colours beyond grey by tile; none where either picture has no colour anywhere."""
    beyond = [(picture - levels[..., None]) * seen[..., None] for picture, levels in ((left, grey), (right, moved))]
    strength = [_shrunk(np.abs(one).mean(3), SIDE // TILE).max((1, 2)) for one in beyond]
    coloured = np.minimum(*strength) > GREY_LEVELS
    tiles: Floats = _shrunk(np.abs(beyond[0] - beyond[1]).mean(3), SIDE // TILE) * coloured[:, None, None]
    return tiles


def _fit(left: Floats, right: Floats) -> Floats:
    """Where to look up the right picture so that it lies on the left: float64 (k, 6).

    Columns: stretch and shift along x, stretch and shift along y, gain, offset of the brightness.
    """
    fit = np.tile(np.array([0.0, 0, 0, 0, 1, 0]), (len(left), 1))
    for side, steps in STEPS.items():
        shrunk = np.array([1, SIDE / side, 1, SIDE / side, 1, 1])
        fit /= shrunk
        lefts, rights = _shrunk(left, side), _shrunk(right, side)
        for _ in range(steps):
            fit += _step(lefts, rights, fit)
            fit = np.clip(fit, -BOUNDS / shrunk, BOUNDS / shrunk)
        fit *= shrunk
    return fit


def _step(left: Floats, right: Floats, fit: Floats) -> Floats:
    """One weighted least-squares step; float64 (k, 6)."""
    side = left.shape[1]
    rows, columns = _interpolation(fit[:, 2], fit[:, 3], side), _interpolation(fit[:, 0], fit[:, 1], side)
    moved = _moved(right, rows, columns)
    gain, offset = fit[:, 4, None, None], fit[:, 5, None, None]
    apart = left - gain * moved - offset
    weight = _seen(rows, columns) / (1 + (apart / ROBUST_LEVELS) ** 2)
    down, across = (gain * slope for slope in np.gradient(moved, axis=(1, 2)))
    place = _positions(side)
    parts = (across * place, across, down * place[:, None], down, moved, np.ones_like(moved))
    slopes = np.stack([part.reshape(-1, side * side) for part in parts], axis=1)
    weighted = slopes * weight.reshape(-1, 1, side * side)
    normal = weighted @ slopes.transpose(0, 2, 1) + np.eye(6) * DAMPING
    step: Floats = np.linalg.solve(normal, weighted @ apart.reshape(-1, side * side, 1))[..., 0]
    return step


def _positions(side: int) -> Floats:
    """Places of the pixels from the centre, (side,)."""
    return np.arange(side, dtype=np.float64) - (side - 1) / 2


def _interpolation(stretch: Floats, shift: Floats, side: int) -> Floats:
    """Matrices that look up places between pixels linearly, (k, side, side); a row outside the picture is zero."""
    place = (side - 1) / 2 + _positions(side) * (1 + stretch[:, None]) + shift[:, None]
    weights: Floats = np.maximum(0, 1 - np.abs(place[:, :, None] - np.arange(side)))
    return weights


def _seen(rows: Floats, columns: Floats) -> NDArray[np.bool_]:
    """Pixels whose place lies inside the moved picture, (k, side, side)."""
    seen: NDArray[np.bool_] = (rows.sum(2) > INSIDE)[:, :, None] & (columns.sum(2) > INSIDE)[:, None, :]
    return seen


def _shrunk(grey: Floats, side: int) -> Floats:
    """Means over squares, (k, side, side)."""
    part = SIDE // side
    means: Floats = grey.reshape(-1, side, part, side, part).mean((2, 4))
    return means


def _moved(grey: Floats, rows: Floats, columns: Floats) -> Floats:
    moved: Floats = rows @ grey @ columns.transpose(0, 2, 1)
    return moved


def _blurred(pictures: Thumbnails) -> Floats:
    """Neighbours 1 2 1 along both axes: what lies between two pixels of one picture must not count as a difference."""
    blurred = convolve1d(pictures.astype(np.float64), BLUR, axis=1, mode="nearest")
    return np.asarray(convolve1d(blurred, BLUR, axis=2, mode="nearest"))
