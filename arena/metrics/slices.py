"""Slices: tags split by support, images split by size or by any column, so that no mean hides a weak subset.

Labels are in the order that a reader expects: bands ascending, ratings from harmless to explicit, words by frequency.
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError

SUPPORT_BANDS = ((1, 9), (10, 29), (30, 99), (100, 299), (300, 999), (1000, None))
"""Smallest and largest support of each band; half of JoyTag's tags have fewer than 30 positives in 32,768 images."""

SUPPORT_LABELS = ("0", *(f"{low:,}+" if high is None else f"{low:,}–{high:,}" for low, high in SUPPORT_BANDS))
"""Labels of the bands of support; the first is for tags without a positive."""

SIZE_EDGES_MP = (0.1, 0.5, 1, 2, 4)
"""Edges between the bands of image size, in millions of pixels."""

SIZE_LABELS = ("<0.1 MP", *(f"{low:g}–{high:g} MP" for low, high in pairwise(SIZE_EDGES_MP)), "4+ MP")
"""Labels of the bands of image size."""

_UNKNOWN = "unknown"
"""Label of the slice of images without a value; always the last."""

NATURAL_ORDERS = (
    ("g", "s", "q", "e", "unrated"),
    ("general", "safe", "sensitive", "questionable", "explicit", "unrated"),
    SIZE_LABELS,
    SUPPORT_LABELS,
)
"""Words in a fixed order; a column whose words are all in one of these tuples follows its order."""

MAX_VALUES = 12
"""Most distinct values for which each value becomes a slice. More numbers are cut at quartiles; more words are an error."""


class Slice(NamedTuple):
    """A subset of the images with a label."""

    label: str
    mask: NDArray[np.bool_]
    """(images,), which images belong to the slice."""


def support_band(support: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return the label of the band of `SUPPORT_BANDS` of each tag; "0" for a tag without a positive.

    Args:
        support: int64 (tags,), 0 or more.

    Returns: str (tags,).

    >>> support_band(np.array([0, 9, 10, 1000])).tolist()
    ['0', '1–9', '10–29', '1,000+']
    """
    first = [low for low, _ in SUPPORT_BANDS]
    return np.array(SUPPORT_LABELS)[np.searchsorted(first, support, side="right")]


def size_band(width: NDArray[Any], height: NDArray[Any]) -> NDArray[np.str_]:
    """Return the label of the size band of each image in megapixels (10^6 pixels); an edge belongs to the upper band.

    Args:
        width, height: pixels, (images,); NaN where unknown.

    Returns: str (images,); "unknown" where the size is unknown.

    >>> size_band(np.array([256, 1000, 2500]), np.array([256, 500, 2000])).tolist()
    ['<0.1 MP', '0.5–1 MP', '4+ MP']
    """
    pixels = width.astype(np.float64) * height
    edges = np.round(np.array(SIZE_EDGES_MP) * 1e6)
    bands = np.array(SIZE_LABELS)[np.searchsorted(edges, pixels, side="right")]
    return np.where(np.isnan(pixels), _UNKNOWN, bands)


def column_slices(values: NDArray[Any], *, name: str) -> tuple[Slice, ...]:
    """Split the images by a column, so that each image is in exactly one slice; no slice is empty.

    Numbers and booleans become slices in ascending order; words in their natural order (`NATURAL_ORDERS`), or else by number
    of images, then name. Numbers with more than `MAX_VALUES` distinct values are cut at their quartiles, which are observed
    values; equal quartiles give fewer slices. A date counts as its year. A missing value (None, NaN, infinite, an empty
    word) is in the slice "unknown".

    Args:
        values: (images,): numbers, booleans, dates or words; values may be missing.
        name: name of the column, for errors.

    Raises:
        ArenaError: more than `MAX_VALUES` different words, such as identifiers; or the column holds lists.

    >>> [(label, mask.tolist()) for label, mask in column_slices(np.array(["q", None, "g"], object), name="rating")]
    [('g', [False, False, True]), ('q', [True, False, False]), ('unknown', [False, True, False])]
    """
    # Convert to days first: tolist() gives dates, which have a year. Nanoseconds would become plain integers.
    items = (values.astype("datetime64[D]") if values.dtype.kind == "M" else values).tolist()
    if any(isinstance(item, (list, tuple, set, dict, np.ndarray)) for item in items):
        raise ArenaError(f"column {name!r} holds lists; images can only be sliced by a column with one value per image")
    items = [getattr(item, "year", item) for item in items]
    known = np.array([not _missing(item) for item in items], bool)
    present = [item for item, is_known in zip(items, known.tolist(), strict=True) if is_known]
    slices = []
    for label, mask in _slices(present, name):
        whole = np.zeros(len(items), bool)
        whole[known] = mask
        slices.append(Slice(label, whole))
    if not known.all():
        slices.append(Slice(_UNKNOWN, ~known))
    return tuple(slices)


def _slices(items: Sequence[Any], name: str) -> list[Slice]:
    """Return the slices of a column without missing values."""
    if not items:
        return []
    if all(isinstance(item, (bool, np.bool_)) for item in items):
        flags = np.array(items, bool)
        return [Slice(label, mask) for label, mask in (("false", ~flags), ("true", flags)) if mask.any()]
    if all(isinstance(item, (int, float, np.integer, np.floating)) for item in items):
        return _number_slices(np.array(items))
    words = [str(item) for item in items]
    counts = Counter(words)
    if len(counts) > MAX_VALUES:
        raise ArenaError(
            f"column {name!r} has {len(counts):,} different values; images can be sliced by at most {MAX_VALUES}. "
            "Use a column with few values, such as rating, or a column of numbers"
        )
    column = np.array(words)
    return [Slice(word, column == word) for word in _ordered(counts)]


def _number_slices(numbers: NDArray[Any]) -> list[Slice]:
    """Return one slice per value if there are few values, otherwise four slices of about equal size."""
    whole = bool((numbers == np.floor(numbers)).all())
    distinct = np.unique(numbers)
    if len(distinct) <= MAX_VALUES:
        labels = [str(int(value)) for value in distinct] if whole else _fractions(distinct.tolist())
        return [Slice(label, numbers == value) for label, value in zip(labels, distinct, strict=True)]
    # A cut at an observed value leaves no slice empty, and is an integer if all values are. numpy's quantile would compute in
    # float64, which cannot hold every 64-bit integer exactly.
    cuts = np.unique(np.sort(numbers)[(len(numbers) * np.arange(1, 4) + 3) // 4 - 1])
    cuts = cuts[cuts < distinct[-1]]
    parts = np.searchsorted(cuts, numbers, side="left")
    labels = _whole_labels([int(cut) for cut in cuts]) if whole else _fraction_labels(cuts.tolist())
    return [Slice(label, parts == part) for part, label in enumerate(labels)]


def _whole_labels(cuts: Sequence[int]) -> list[str]:
    """Return the labels of slices of integers; each slice but the last ends with its cut.

    >>> _whole_labels([512, 1024, 1025])
    ['<= 512', '513–1024', '1025', '1026+']
    """
    between = [(low + 1, high) for low, high in pairwise(cuts)]
    dash = "–" if cuts[0] >= -1 else " to "
    middle = [f"{low}" if low == high else f"{low}{dash}{high}" for low, high in between]
    return [f"<= {cuts[0]}", *middle, f"{cuts[-1] + 1}+"]


def _fraction_labels(cuts: Sequence[float]) -> list[str]:
    """Return the labels of slices of other numbers; each slice but the last ends with its cut.

    >>> _fraction_labels([0.25, 0.5, 2 / 3])
    ['<= 0.25', '> 0.25 to 0.5', '> 0.5 to 0.666667', '> 0.666667']
    """
    texts = _fractions(cuts)
    return [f"<= {texts[0]}", *(f"> {low} to {high}" for low, high in pairwise(texts)), f"> {texts[-1]}"]


def _fractions(numbers: Sequence[float]) -> list[str]:
    """Format different numbers as different texts, with six digits or as many more as needed; 17 are always enough."""
    rounded = ([f"{number:.{digits}g}" for number in numbers] for digits in range(6, 18))
    return next(texts for texts in rounded if len(set(texts)) == len(texts))


def _ordered(counts: Counter[str]) -> list[str]:
    """Return the words in their natural order, or else the most frequent first."""
    order = next((order for order in NATURAL_ORDERS if counts.keys() <= set(order)), ())
    place = {word: number for number, word in enumerate(order)}
    return sorted(counts, key=lambda word: (place.get(word, 0), -counts[word], word))


def _missing(item: Any) -> bool:
    """Return whether a value is missing."""
    if item is None or (isinstance(item, str) and item in ("", _UNKNOWN)):
        return True
    if isinstance(item, (float, np.floating)):
        return not math.isfinite(item)
    try:
        return bool(item != item)
    except TypeError:  # the truth value of pandas' NA is undefined
        return True
