"""Metrics of several models, and the differences of every pair of them, by judged truth."""

from collections.abc import Mapping
from itertools import combinations

from numpy import float32
from numpy.typing import NDArray

from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import (
    NO_ERRORS,
    AtProxies,
    Bools,
    ErrorRate,
    Estimated,
    JudgedCells,
    answered_labels,
    difference,
    estimated,
)
from arena.metrics.judged_ranking import judged_map

RANKED = "map"
"""Metric of the ranking, which depends on no threshold."""


def estimate_all(
    predicted: Mapping[str, Bools],
    proxy: Floats,
    cells: JudgedCells,
    clusters: Integers | None = None,
    errors: ErrorRate = NO_ERRORS,
    scores: Mapping[str, NDArray[float32]] | None = None,
) -> tuple[dict[str, dict[str, Estimated]], dict[tuple[str, str], dict[str, Estimated]]]:
    """Return the metrics of every model, and the differences of every pair of models, by judged truth.

    Args:
        predicted: model -> bool (images, tags).
        proxy: float (images, tags).
        cells: the answers.
        clusters: as in `estimated`.
        errors: how often the answers are wrong.
        scores: model -> float32 (images, tags), for the mean average precision; a model without them has none.
    """
    labels = answered_labels(proxy, cells, errors)
    each = {name: AtProxies(one, proxy).answered(labels) for name, one in predicted.items()}
    for name, one in (scores or {}).items():
        each[name][RANKED] = judged_map(one, proxy, labels)
    models = {name: {key: estimated(one, clusters) for key, one in found.items()} for name, found in each.items()}
    pairs = {
        (first, second): {
            key: estimated(difference(one, each[second][key]), clusters)
            for key, one in each[first].items()
            if key in each[second]
        }
        for first, second in combinations(each, 2)
    }
    return models, pairs
