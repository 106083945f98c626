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
"""Where the classes of tags by number of images begin; the last has no end."""

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of which sizes are told: least, quartiles, most."""

BLOCK_TAGS = 256
"""Tags whose pairs are counted at a time: 256 columns of counts against 10,000 tags are 20 MB."""


class TagPair(NamedTuple):
    """Two tags that go together.

    Attributes:
        images: that carry both.
        lift: how often both occur for once that they would if they were independent.
        phi: correlation of the two, -1 to 1.
    """

    first: str
    second: str
    images: int
    lift: float
    phi: float


def describe(heldout: HeldOut, *, min_positives: int = 10, pairs: int = 20) -> dict[str, Any]:
    """Everything that is told of a dataset, as plain values that JSON can hold.

    Args:
        min_positives: images that a tag needs to enter the pairs.
        pairs: how many pairs are listed.
    """
    truth = heldout.truth
    support: NDArray[np.int64] = np.asarray(truth.values.sum(axis=0)).ravel().astype(np.int64)
    per_image = np.asarray(truth.values.sum(axis=1)).ravel().astype(np.int64)
    together = strongest_pairs(truth.values, heldout.tags, heldout.relations, min_positives=min_positives, most=pairs)
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
        "steps": [_step(row) for row in facts.get("steps", []) if isinstance(row, Mapping)],
        "facts": {
            key: value for key, value in facts.items() if isinstance(value, str | int | float) or _is_plain_list(value)
        },
    }


def strongest_pairs(
    values: csc_array, tags: TagSpace, relations: TagRelations, *, min_positives: int, most: int
) -> list[TagPair]:
    """The pairs of tags of the highest phi, both with enough images and neither implied by the other.

    A tag that every image carries correlates with nothing (phi is 0/0) and is left out.

    Args:
        values: bool (images, tags).

    Returns: at most `most` pairs, by phi from the highest, ties in order of the tags.

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
    for start in range(0, len(columns), BLOCK_TAGS):
        both = (counts[:, start : start + BLOCK_TAGS].T @ counts).tocoo()
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
    """Every tag with its images, by number of images, then name."""
    order = sorted(range(len(tags)), key=lambda column: (-support[column], tags.names[column]))
    return [
        {"name": tags.names[column], "category": tags.category(column), "images": int(support[column])}
        for column in order
    ]


def _categories(tags: TagSpace, support: NDArray[np.int64]) -> list[dict[str, Any]]:
    """A row a category: its tags, and how often any of them is carried."""
    names = [tags.category(column) for column in range(len(tags))]
    carried: Counter[str] = Counter()
    for name, images in zip(names, support.tolist(), strict=True):
        carried[name] += images
    return [
        {"category": name, "tags": count, "labels": carried[name]}
        for name, count in sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    ]


def _support_classes(support: NDArray[np.int64]) -> list[dict[str, Any]]:
    """How many tags have so many images; classes without a tag above the last one with any are left out."""
    ends = [*(bound - 1 for bound in SUPPORT_BOUNDS[1:]), None]
    rows = [
        {
            "from": start,
            "to": end,
            "tags": int(((support >= start) & (support <= (end if end is not None else np.inf))).sum()),
        }
        for start, end in zip(SUPPORT_BOUNDS, ends, strict=True)
    ]
    last = max((place for place, row in enumerate(rows) if row["tags"]), default=0)
    return rows[: last + 1]


def _quantiles(values: NDArray[Any]) -> list[float]:
    return [float(value) for value in np.quantile(values, QUANTILES)]


def _sizes(heldout: HeldOut) -> dict[str, list[float]]:
    width, height = (heldout.images[name].to_numpy(np.int64) for name in ("width", "height"))
    return {"width": _quantiles(width), "height": _quantiles(height), "megapixels": _quantiles(width * height / 1e6)}


def _counts(values: Sequence[str]) -> list[dict[str, Any]]:
    """How often each value occurs, the most frequent first."""
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
    """How many images a representative sample took for a tag, and how many at random; None for any other set."""
    if INCLUDED_FOR not in heldout.images.columns:
        return None
    random = int((heldout.images[INCLUDED_FOR] == RANDOM).sum())
    return {"for_a_tag": len(heldout) - random, "random": random}


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `[[steps]]`; numbers that a hand-written card lacks are None."""
    numbers = {key: row[key] if isinstance(row.get(key), int) else None for key in ("kept", "dropped")}
    return {"name": str(row.get("name", "")), **numbers, "why": str(row.get("why", ""))}


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str | int | float) for item in value)
