"""The chart of a dataset page: the number of images of each tag, from the most to the least frequent, on logarithmic axes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from arena.base.format import count
from arena.report.site.series import Tick

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 40
"""Size of the chart and of the margins around its plot area, in SVG units."""


class SupportChart(NamedTuple):
    """The chart as SVG coordinates.

    Attributes:
        path: line through the tags, in steps.
        ranks, images: ticks of the axes.
        threshold: y coordinate of the smallest number of images that a comparison needs; None if it is outside the chart.
    """

    path: str
    ranks: Sequence[Tick]
    images: Sequence[Tick]
    threshold: float | None


def support_chart(supports: Sequence[int], min_positives: int) -> SupportChart | None:
    """Return the chart of the tags with at least one image; None if fewer than two tags have any.

    Args:
        supports: number of images of each tag, in any order.
        min_positives: smallest number of images that a comparison needs.
    """
    found = sorted((one for one in supports if one > 0), reverse=True)
    if len(found) < 2:
        return None
    ends = (math.log10(len(found)), max(math.log10(found[0]), 1.0))
    points = dict.fromkeys((_x(rank, ends[0]), _y(images, ends[1])) for rank, images in enumerate(found, 1))
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    inside = 1 <= min_positives <= 10 ** ends[1]
    return SupportChart(
        path,
        [Tick(_x(one, ends[0]), count(one)) for one in _decades(ends[0])],
        [Tick(_y(one, ends[1]), count(one)) for one in _decades(ends[1])],
        _y(min_positives, ends[1]) if inside else None,
    )


def _x(rank: int, end: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * math.log10(rank) / end, 1)


def _y(images: int, end: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log10(images) / end, 1)


def _decades(end: float) -> list[int]:
    """Return the powers of ten up to 10 ** end.

    >>> _decades(2.3)
    [1, 10, 100]
    """
    return [10**power for power in range(math.floor(end + 1e-9) + 1)]
