"""Description of a dataset: tags, tag pairs, ratings, sizes, formats, groups, and the images dropped at each step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from arena.dataset.frozen import HeldOut
from arena.dataset.ratings import RATING_SCHEMES
from arena.dataset.selection import INCLUDED_FOR, RANDOM
from arena.tags import TagRelations, TagSpace

SUPPORT_BOUNDS = (0, 1, 3, 10, 30, 100, 300, 1_000, 10_000)
"""Lower bounds of the support classes (tags by number of images); the last class has no upper bound."""

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Reported quantiles of sizes: minimum, quartiles, maximum."""

TAGS_PER_BLOCK = 256
"""Tags whose pairs are counted in one block: 256 columns of counts for 10,000 tags take 20 MB."""


class TagPair(NamedTuple):
    """Two tags that occur together.

    Attributes:
        images: number of images that carry both.
        lift: observed number of images with both, divided by the number expected if the tags were independent.
        phi: correlation of the two tags, -1 to 1.
    """

    first: str
    second: str
    images: int
    lift: float
    phi: float


def summarise_dataset(heldout: HeldOut, *, min_positives: int = 10, pairs: int = 20) -> dict[str, Any]:
    """Return the description of a dataset as plain JSON values.

    Args:
        min_positives: least number of images of a tag for it to enter the pairs.
        pairs: number of pairs that are listed.
    """
    truth = heldout.truth
    support: NDArray[np.int64] = np.asarray(truth.values.sum(axis=0)).ravel().astype(np.int64)
    per_image = np.asarray(truth.values.sum(axis=1)).ravel().astype(np.int64)
    # how often tags occur together is not known where cells are unknown
    most = pairs if truth.known is None else 0
    together = strongest_pairs(truth.values, heldout.tags, heldout.relations, min_positives=min_positives, most=most)
    known = {} if truth.known is None else {"known_cells": int(truth.known.counts().sum())}
    facts = heldout.card.facts
    return {
        "name": heldout.card.name,
        "title": heldout.card.title,
        "licence": heldout.card.licence,
        "digest": heldout.digest,
        "images": len(heldout),
        "tags": _tags(heldout.tags, support),
        "categories": _categories(heldout.tags, support),
        "support": _support_classes(support),
        "tags_per_image": _quantiles(per_image),
        "untagged_images": int((per_image == 0).sum()),
        "min_positives": min_positives,
        "pairs": [pair._asdict() for pair in together],
        "ratings": _counts(heldout.images["rating"].fillna("").astype(str).tolist()),
        "rating_meanings": RATING_SCHEMES.get(str(facts.get("rating_scheme")), {}),
        "formats": _counts([PurePosixPath(path).suffix.lower().lstrip(".") for path in heldout.images["path"]]),
        "sizes": _sizes(heldout),
        "groups": _groups(heldout.images["group"].dropna().tolist()),
        "included_for": _included(heldout),
        "weighted": heldout.weights is not None,
        **known,
        "steps": [_step(row) for row in facts.get("steps", []) if isinstance(row, Mapping)],
        "facts": {
            key: value for key, value in facts.items() if isinstance(value, str | int | float) or _is_plain_list(value)
        },
    }


def strongest_pairs(
    values: csc_array, tags: TagSpace, relations: TagRelations, *, min_positives: int, most: int
) -> list[TagPair]:
    """Return the pairs of tags with the highest phi; both tags have enough images, and neither implies the other.

    A tag that every image carries has no correlation (phi is 0/0) and is left out.

    Args:
        values: bool (images, tags).

    Returns: at most `most` pairs of positive phi, the highest phi first, ties in order of the tags.

    >>> values = csc_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], bool))
    >>> strongest_pairs(values, TagSpace(("a", "b", "c")), TagRelations(), min_positives=1, most=1)
    [TagPair(first='a', second='b', images=2, lift=2.0, phi=1.0)]
    """
    images = values.shape[0]
    support = np.asarray(values.sum(axis=0)).ravel().astype(np.float64)
    columns = np.flatnonzero((support >= max(1, min_positives)) & (support < images))
    counts = csc_array(values[:, columns], dtype=np.int32)
    n = support[columns]
    found: list[TagPair] = []
    for start in range(0, len(columns), TAGS_PER_BLOCK):
        both = (counts[:, start : start + TAGS_PER_BLOCK].T @ counts).tocoo()
        left, right, together = both.row + start, both.col, both.data.astype(np.float64)
        spread = np.sqrt(n[left] * n[right] * (images - n[left]) * (images - n[right]))
        phi = (images * together - n[left] * n[right]) / spread
        least = found[-1].phi if found and len(found) == most else 0.0
        wanted = np.flatnonzero((left < right) & (phi > least))
        for one in wanted[np.lexsort((right[wanted], left[wanted], -phi[wanted]))]:
            first, second = tags.names[columns[left[one]]], tags.names[columns[right[one]]]
            if len(found) == most and (not most or phi[one] <= found[-1].phi):
                break
            if not _implied(first, second, relations):
                lift = float(images * together[one] / (n[left[one]] * n[right[one]]))
                found.append(TagPair(first, second, int(together[one]), lift, float(phi[one])))
                found = sorted(found, key=lambda pair: -pair.phi)[:most]
    return found


def _implied(first: str, second: str, relations: TagRelations) -> bool:
    return second in relations.implications.get(first, ()) or first in relations.implications.get(second, ())


def _tags(tags: TagSpace, support: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return every tag with its number of images, sorted by that number, then by name."""
    order = sorted(range(len(tags)), key=lambda column: (-support[column], tags.names[column]))
    return [
        {"name": tags.names[column], "category": tags.category(column), "images": int(support[column])}
        for column in order
    ]


def _categories(tags: TagSpace, support: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return a row for each category: its number of tags, and the number of labels (image, tag) of these tags."""
    names = [tags.category(column) for column in range(len(tags))]
    labels: Counter[str] = Counter()
    for name, images in zip(names, support.tolist(), strict=True):
        labels[name] += images
    return [
        {"category": name, "tags": count, "labels": labels[name]}
        for name, count in sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    ]


def _support_classes(support: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return the number of tags in each support class; empty classes at the upper end are left out."""
    ends = [*(bound - 1 for bound in SUPPORT_BOUNDS[1:]), None]
    rows = [
        {
            "from": start,
            "to": end,
            "tags": int(((support >= start) & (support <= (end if end is not None else np.inf))).sum()),
        }
        for start, end in zip(SUPPORT_BOUNDS, ends, strict=True)
    ]
    last = max((number for number, row in enumerate(rows) if row["tags"]), default=0)
    return rows[: last + 1]


def _quantiles(values: NDArray[Any]) -> list[float]:
    return [float(value) for value in np.quantile(values, QUANTILES)]


def _sizes(heldout: HeldOut) -> dict[str, list[float]]:
    width, height = (heldout.images[name].to_numpy(np.int64) for name in ("width", "height"))
    return {"width": _quantiles(width), "height": _quantiles(height), "megapixels": _quantiles(width * height / 1e6)}


def _counts(values: Sequence[str]) -> list[dict[str, Any]]:
    """Return the number of images of each value, the most frequent value first."""
    ordered = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return [{"value": value, "images": images} for value, images in ordered]


def _groups(labels: Sequence[Any]) -> dict[str, int]:
    sizes = Counter(map(str, labels)).values()
    shared = [size for size in sizes if size > 1]
    return {
        "groups": len(sizes),
        "shared": len(shared),
        "images_in_shared": sum(shared),
        "largest": max(sizes, default=0),
    }


def _included(heldout: HeldOut) -> dict[str, int] | None:
    """Return how many images a representative sample chose for a tag and how many at random; None for any other dataset."""
    if INCLUDED_FOR not in heldout.images.columns:
        return None
    random = int((heldout.images[INCLUDED_FOR] == RANDOM).sum())
    return {"for_a_tag": len(heldout) - random, "random": random}


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `[[steps]]`; numbers that a hand-written card lacks are None."""
    numbers = {key: row[key] if isinstance(row.get(key), int) else None for key in ("kept", "dropped")}
    return {"name": str(row.get("name", "")), **numbers, "why": str(row.get("why", ""))}


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str | int | float) for item in value)
