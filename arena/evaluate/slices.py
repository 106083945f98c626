"""Slices of a comparison: subsets of the tags, or of the images, with their own metrics."""

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
    """A subset of the compared tags."""

    slice: str
    """What the tags are sliced by: `all`, `category`, `support` or `group`."""
    value: str
    title: str
    tags: Integers
    """Columns of the ground truth, ascending; int64."""


class ImageSlice(NamedTuple):
    """A subset of the images."""

    slice: str
    """Column that the images are sliced by."""
    value: str
    member: NDArray[np.bool_]
    """bool (images,), which images belong to it."""


def tag_slices(truth: Truth, compared: Integers, categories: Sequence[str], settings: Settings) -> list[TagSlice]:
    """Return slices of the tags: all compared tags, then by category, by support, by group; empty slices are left out.

    Args:
        truth: ground truth.
        compared: int64, its columns that are compared.
        categories: category of each compared tag.
        settings: settings of the evaluation; its tag groups are used.
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


def refuse_unknown_slices(truth: Truth, settings: Settings) -> None:
    """Refuse a slice by a column that the images do not have.

    The default slices are never refused; those without a column are left out.

    Raises:
        ArenaError: the images have no such column.
    """
    known = {*truth.images, *(["size"] if {"width", "height"} <= truth.images.keys() else [])}
    unknown = next((name for name in settings.slices if name not in known), None)
    if unknown is not None and tuple(settings.slices) != SLICE_COLUMNS:
        raise ArenaError(f"--slices {unknown}: the images have no such column. {nearest(unknown, known)}")


def image_slices(truth: Truth, settings: Settings) -> list[ImageSlice]:
    """Return slices of the images by each column of the settings; a column with one value is left out.

    Default columns that do not exist are left out too.

    Raises:
        ArenaError: a column that the settings name, other than by default, does not exist.
    """
    refuse_unknown_slices(truth, settings)
    columns = {name: np.array(values, dtype=object) for name, values in truth.images.items()}
    if {"width", "height"} <= columns.keys():
        columns.setdefault("size", size_band(*(columns[name].astype(np.float64) for name in ("width", "height"))))
    found = []
    for name in settings.slices:
        if name not in columns:
            continue
        parts = column_slices(columns[name], name=name)
        if len(parts) > 1:
            found += [ImageSlice(name, part.label, part.mask) for part in parts]
    return found
