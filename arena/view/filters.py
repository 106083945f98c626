"""Filters of the images: which images a page lists, and in which order, from the parameters of its address."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, nearest
from arena.metrics.counts import Integers
from arena.view.viewed_run import Bools, ViewedModel, ViewedRun

KINDS = {
    "": "all images",
    "fp": "false positives",
    "fn": "false negatives",
    "tp": "true positives",
    "disagree": "models disagree",
    "recorded": "tag is recorded",
    "predicted": "tag is predicted",
}
"""Kinds of images by the value of the parameter `show`."""

WITHOUT_TAG = ("", "fp", "fn", "disagree")
"""Kinds that need no tag; an image then belongs to it with any of its tags."""


class Filter(NamedTuple):
    """A filter of images.

    Attributes:
        tag: name of a tag; empty for any.
        show: a key of `KINDS`.
        model: name of the model that is right or wrong; empty for the first.
        low, high: range of the model's score of the tag, both included.
        rating: rating in words; empty for any.
        slice: `column:value` of a slice of the run; empty for all images.
    """

    tag: str = ""
    show: str = ""
    model: str = ""
    low: float = 0.0
    high: float = 1.0
    rating: str = ""
    slice: str = ""

    @property
    def query(self) -> str:
        """The parameters of the address; those with their default are left out."""
        default = Filter()
        return urlencode(
            {name: value for name, value in self._asdict().items() if value != getattr(default, name)},
            errors="surrogatepass",
        )


def read_filter(parameters: Mapping[str, str], run: ViewedRun) -> Filter:
    """Return the filter of an address.

    Raises:
        ArenaError: a name or a number is not valid; the message names the nearest valid names.
    """
    tag, show = parameters.get("tag", "").strip().replace(" ", "_"), parameters.get("show", "")
    if tag and tag not in run.truth.tags.index:
        tag = run.truth.relations.canonical(tag)
    for what, name, known in (
        ("tag", tag, run.truth.tags.index),
        ("show", show, KINDS),
        ("model", parameters.get("model", ""), [one.name for one in run.models]),
        ("rating", parameters.get("rating", ""), run.ratings),
        ("slice", parameters.get("slice", ""), run.slices),
    ):
        if name and name not in known:
            raise ArenaError(f"no {what} {name}. {nearest(name, set(known))}")
    if not tag and show not in WITHOUT_TAG:
        raise ArenaError(f"“{KINDS[show]}” needs a tag; name one")
    low, high = (_share(parameters.get(name, ""), default) for name, default in (("low", 0.0), ("high", 1.0)))
    if not tag and (low, high) != (0.0, 1.0):
        raise ArenaError("a range of scores needs a tag; name one")
    model, rating, of_slice = (parameters.get(name, "") for name in ("model", "rating", "slice"))
    return Filter(tag, show, model, low, high, rating, of_slice)


def _share(text: str, default: float) -> float:
    try:
        found = float(text.strip().replace(",", ".")) if text.strip() else default
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise ArenaError(f"score {text}: write a number from 0 to 1")
    return found


class Listed(NamedTuple):
    """The images of a filter, in order.

    Attributes:
        rows: int64 (found,), rows of the images.
        values: (found,), the score of the tag, or the number of errors; None if images are in the order of the dataset.
        unit: what the values are: `score`, `false positives`, ...; empty without values.
    """

    rows: Integers
    values: NDArray[np.float64] | None = None
    unit: str = ""


def list_images(run: ViewedRun, wanted: Filter) -> Listed:
    """Return the images of a filter: with a tag by score, with errors of any tag by their number, else as in the dataset."""
    kept = np.ones(len(run.ratings), np.bool_)
    if wanted.rating:
        kept &= np.array([one == wanted.rating for one in run.ratings])
    if wanted.slice:
        kept &= run.slices[wanted.slice].member
    model = run.model(wanted.model)
    if wanted.tag:
        return _with_tag(run, wanted, model, kept)
    if not wanted.show:
        return Listed(np.flatnonzero(kept))
    counts = {
        "fp": run.errors.false_positives[model.name],
        "fn": run.errors.false_negatives[model.name],
        "disagree": run.errors.disagree,
    }[wanted.show]
    rows = np.flatnonzero(kept & (counts > 0))
    rows = rows[np.argsort(-counts[rows], kind="stable")]
    return Listed(rows, counts[rows].astype(np.float64), {"disagree": "tags"}.get(wanted.show, KINDS[wanted.show]))


def _with_tag(run: ViewedRun, wanted: Filter, model: ViewedModel, kept: Bools) -> Listed:
    tag = run.truth.tags.index[wanted.tag]
    labels = run.labels(tag)
    if not model.known[tag]:
        if wanted.show not in ("", "recorded"):
            raise ArenaError(f"{model.name} does not know the tag {wanted.tag}; choose another model")
        return Listed(np.flatnonzero(kept & (labels if wanted.show else True)))
    scores = model.column(tag)
    kept = kept & (scores >= np.float32(wanted.low)) & (scores <= np.float32(wanted.high))
    rows = np.flatnonzero(kept & _of_kind(run, wanted.show, model, tag, labels))
    ascending = wanted.show == "fn"  # the clearest errors first
    rows = rows[np.argsort(scores[rows] if ascending else -scores[rows], kind="stable")]
    return Listed(rows, scores[rows].astype(np.float64), "score")


def _of_kind(run: ViewedRun, show: str, model: ViewedModel, tag: int, labels: Bools) -> Bools:
    """Return which images belong to a kind, for a tag that the model knows."""
    predicted = model.column(tag) >= model.thresholds[tag]

    def disagree() -> Bools:
        every = [one.column(tag) >= one.thresholds[tag] for one in run.models if one.known[tag]]
        return np.asarray(np.any(every, axis=0) & ~np.all(every, axis=0))

    kinds: dict[str, Callable[[], Bools]] = {
        "": lambda: np.ones(len(labels), np.bool_),
        "fp": lambda: predicted & run.absent(tag),
        "fn": lambda: labels & ~predicted,
        "tp": lambda: labels & predicted,
        "disagree": disagree,
        "recorded": lambda: labels,
        "predicted": lambda: predicted,
    }
    return kinds[show]()
