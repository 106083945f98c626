"""Metrics per image for the summary: precision and recall at k, samples F1, and the rating head."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from arena.dataset.frozen import effective_number
from arena.evaluate.matching import MatchedModel
from arena.evaluate.passes import Measured
from arena.metrics import intervals, per_image
from arena.metrics.known import KnownCells

_TOP_K = (1, 5, 10, 20)
"""Values of k for precision and recall at k."""

IMAGES_PER_TILE = 256
"""Images ranked at a time."""

_RATING = "rating"
"""Category of the tags of a head that chooses exactly one class for each image."""

RATING_LETTERS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
"""Danbooru's current rating letters."""


def image_metrics(measured: Measured, number: int) -> dict[str, Any]:
    """Return the `per_image` entry of a model in `summary.json`.

    It holds precision and recall at k, samples F1 at the model's own thresholds (with resamples only), and the metrics of
    its rating head if there is one.
    """
    model, truth = measured.models[number], measured.truth
    found: dict[str, Any] = {}
    if len(measured.compared):
        carried = csr_array(truth.values[:, measured.compared])
        known = None if truth.known is None else truth.known.columns(measured.compared)
        hits = _hits(model, model.columns[model.chosen[measured.compared]], carried, known)
        positives, most = np.diff(carried.indptr).astype(np.int64), None if known is None else _most(known)
        for one in per_image.precision_recall_at_k(hits, positives, _TOP_K, truth.weights, most):
            found |= {f"precision_at_{one.k}": one.precision, f"recall_at_{one.k}": one.recall}
        found |= {"precision_at_k_images": one.precision_images, "recall_at_k_images": one.recall_images}
        if measured.uncertainty is not None:
            predicted = csr_array(measured.uncertainty.resampled.predictions[number])
            tp = np.asarray(predicted.astype(np.int64).multiply(carried).sum(1))
            tags = np.diff(predicted.indptr).astype(np.int64)
            samples = per_image.samples_f1(tp, tags, positives, truth.weights)
            found |= {"samples_f1": samples.value, "samples_f1_images": samples.images}
    if (rating := _rating(measured, model)) is not None:
        found["rating"] = rating
    return found


def _most(known: KnownCells) -> NDArray[np.int64]:
    """Return the number of known tags of each image, the largest k if all are known; int64 (images,)."""
    number = known.per_image()
    return np.where(number < len(known.bits), number, max(_TOP_K))


def _hits(
    model: MatchedModel, columns: NDArray[np.int64], carried: csr_array, known: KnownCells | None
) -> NDArray[np.float64]:
    """Return the number of true tags among the top k known tags of each image; float64 (len(TOP), images)."""
    place, hits = model.scored.place, np.zeros((len(_TOP_K), carried.shape[0]))
    others = np.setdiff1d(np.arange(len(model.entry.scores.tags)), columns)

    def rank(start: int, tile: NDArray[Any]) -> None:
        where = np.arange(start, start + len(tile)) if place is None else place[start : start + len(tile)]
        if (where < 0).any():
            tile, where = tile[where >= 0], where[where >= 0]
        scores = tile.astype(np.float32)
        scores[:, others] = -1  # below every score; faster than selecting the compared columns
        if known is not None:
            rows, tags = np.nonzero(~known.rows(where))
            scores[rows, columns[tags]] = -1
        rows, tags = carried[where].nonzero()
        hits[:, where] = per_image.hits_at_k(scores, rows.astype(np.int64), columns[tags], _TOP_K)

    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(rank, first + start, tile[start : start + IMAGES_PER_TILE])
            for first, tile in model.entry.scores.values.tiles()
            for start in range(0, len(tile), IMAGES_PER_TILE)
        ]
        for job in jobs:
            job.result()
    return hits


def _rating(measured: Measured, model: MatchedModel) -> dict[str, Any] | None:
    """Return the metrics of the rating head; None if the model has none or no rating of an image is known."""
    tags = model.entry.scores.tags
    columns = [c for c in range(len(tags)) if tags.category(c) == _RATING]
    classes = [_class_name(tags.names[c]) for c in columns]
    label = _rating_labels(measured, classes)
    if len(columns) < 2 or (label < 0).all():
        return None
    scores = model.entry.scores.values.columns(np.array(columns), model.scored.place).astype(np.float32)
    weights = measured.truth.weights
    found = per_image.multi_class(scores, label, classes, weights)
    effective = found.images if weights is None else effective_number(weights[label >= 0])
    right = int(np.trace(found.confusion)) if weights is None else found.accuracy * effective
    interval = intervals.wilson(right, effective)
    return {
        "accuracy": found.accuracy, "accuracy_low": float(interval.low), "accuracy_high": float(interval.high),
        "macro_f1": found.macro_f1, "images": found.images, "classes": list(found.classes),
        "confusion": found.confusion.round().astype(np.int64).tolist(),
    }  # fmt: skip


def _rating_labels(measured: Measured, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the class of each image, -1 if unknown: from tags of the ground truth, else from the images' rating column.

    Of an image with an unknown rating tag the class is unknown.
    """
    truth, places = measured.truth, {name: place for place, name in enumerate(classes)}
    label = np.full(len(truth.image_ids), -1)
    columns: list[int] | NDArray[np.int64] = [
        c for c, name in enumerate(truth.tags.names) if truth.tags.category(c) == _RATING or name.startswith("rating:")
    ]
    if columns:
        rows, which = truth.values[:, columns].nonzero()
        single = np.bincount(rows, minlength=len(label)) == 1
        known = np.array([places.get(_class_name(truth.tags.names[c]), -1) for c in columns])
        label[rows[single[rows]]] = known[which[single[rows]]]
        if truth.known is not None:
            label[~truth.known.columns(np.array(columns)).block(slice(None)).all(axis=0)] = -1
    elif _RATING in truth.images:
        label[:] = [places.get(RATING_LETTERS.get(str(one), str(one)), -1) for one in truth.images[_RATING]]
    return label


def _class_name(tag: str) -> str:
    """Return the class of a rating tag: `rating:general` and `rating_general` give `general`."""
    return tag.removeprefix("rating:").removeprefix("rating_")
