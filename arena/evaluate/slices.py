"""The parts of a comparison that get figures of their own: some of the tags, or some of the images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, nearest
from arena.dataset.frozen import Truth
from arena.metrics.counts import Integers
from arena.metrics.slices import SUPPORT_LABELS, column_slices, size_band, support_band
from arena.results.recipe import SLICE_COLUMNS, Settings


class TagSlice(NamedTuple):
    """Some of the compared tags."""

    slice: str
    """By what: `all`, `category`, `support`, `group`."""
    value: str
    title: str
    tags: Integers
    """Columns of the truth, ascending."""


class ImageSlice(NamedTuple):
    """Some of the images."""

    slice: str
    """By which column."""
    value: str
    member: NDArray[np.bool_]


def tag_slices(truth: Truth, compared: Integers, categories: Sequence[str], settings: Settings) -> list[TagSlice]:
    """All compared tags, then by category, by support, by named group; a slice without a compared tag is left out.

    Args:
        categories: of each compared tag.
    """
    support = np.diff(truth.values.indptr)[compared]
    bands, names = support_band(support), np.array(categories, dtype=object)
    slices = [TagSlice("all", "all", "all compared tags", compared)]
    slices += [TagSlice("category", name, name, compared[names == name]) for name in sorted(set(categories))]
    slices += [
        TagSlice("support", band, f"{band} positives", compared[bands == band])
        for band in SUPPORT_LABELS
        if (bands == band).any()
    ]
    for group in settings.tag_groups:
        members = np.intersect1d(group.members(truth.tags), compared)
        if len(members):
            slices.append(TagSlice("group", group.name, group.title, members))
    return slices


def image_slices(truth: Truth, settings: Settings) -> list[ImageSlice]:
    """The images by each column asked for; a default column that is not there, or has one value, is left out.

    Raises:
        ArenaError: a column that was asked for by name is not there.
    """
    columns = {name: np.array(values, dtype=object) for name, values in truth.images.items()}
    if {"width", "height"} <= columns.keys():
        columns.setdefault("size", size_band(*(columns[name].astype(np.float64) for name in ("width", "height"))))
    found = []
    for name in settings.slices:
        if name not in columns:
            if tuple(settings.slices) != SLICE_COLUMNS:
                raise ArenaError(f"--slices {name}: no such column of the images. {nearest(name, columns)}")
            continue
        parts = column_slices(columns[name], name=name)
        if len(parts) > 1:
            found += [ImageSlice(name, part.label, part.mask) for part in parts]
    return found
