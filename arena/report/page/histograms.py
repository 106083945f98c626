"""Histograms of a model's scores for each tag, over images with the tag and images without it.

From these the page draws a tag's curves and computes the metrics of any set of tags at any threshold. The count at a threshold
is the sum of the bins at and above it, so it is exact at bin edges. Bins are wider with more tags and models: two
histograms of 5,813 tags take 0.39 MB in a page with bins of 0.01 and 0.13 MB with bins of 0.05.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.metrics.counts import CONVENTIONS, Integers, TagCounts
from arena.metrics.thresholds import SWEEP_STEPS, sweep_thresholds
from arena.report.columns import exact_number
from arena.report.page.packed import compress
from arena.results.run_folder import Result

_BIN_WIDTHS = ((15_000, 1), (60_000, 2))
"""Pairs of a largest number of cells (models times tags) and the bin width in steps of the sweep."""

HISTOGRAM_LEVEL = 8
"""Gzip level: 0.33 s for 5,813 tags; level 9 takes 0.74 s and makes the block only 1.5 % shorter."""

_WIDEST_BIN = 5
"""Bin width in steps of the sweep, for more cells than `_BIN_WIDTHS` lists."""


def tag_histograms(result: Result, names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the histograms of every model's tags, the bin width, and the values of undefined metrics.

    Args:
        names: for each model, its own names of its tags in the page's order.

    Returns: `step`, the entries of `undefined_rules`, and `models`: for each an int64 array (2, 1 + bins, tags) of positives
    and negatives. The first entry counts scores below every threshold (zero, unless prediction means score > threshold), then
    bin by bin.
    """
    width = bin_width(sum(map(len, names.values())))
    return {
        "step": width / SWEEP_STEPS,
        **undefined_rules(result.summary["convention"]),
        "models": {
            model: histograms(rows, own, sweep_thresholds()[::width])
            for model, own in names.items()
            for rows in [result.tag_sweep_of(model)]
        },
    }


def bin_width(cells: int) -> int:
    """Return the bin width in steps of the sweep.

    >>> [bin_width(cells) for cells in (15_000, 17_439, 124_760)]
    [1, 2, 5]
    """
    return next((width for most, width in _BIN_WIDTHS if cells <= most), _WIDEST_BIN)


def undefined_rules(convention: str) -> dict[str, Any]:
    """Return how the page computes the means of a convention.

    Returns: `undefined`, each metric of a tag with neither positives nor predictions, as `undefined_metrics`;
    `f1_needs_positives`, whether the mean of F1 leaves out a tag that has predictions but no positive.
    """
    f1 = undefined_metrics(convention, predictions=1)["f1"]
    return {"undefined": undefined_metrics(convention), "f1_needs_positives": f1 is None}


def undefined_metrics(convention: str, predictions: int = 0) -> dict[str, float | int | None]:
    """Return each metric of a tag with no positive; None: the tag is left out of the mean.

    Args:
        predictions: number of images for which the tag is predicted.

    >>> undefined_metrics("animetimm")
    {'precision': 0, 'recall': 0, 'f1': 1}
    """
    nothing = np.zeros(1, np.int64)
    counts = TagCounts(np.zeros(1, np.float32), nothing, nothing + predictions, nothing, predictions)
    figures = CONVENTIONS[convention].ratios(counts)._asdict()
    return {name: exact_number(float(values[0])) for name, values in figures.items()}


def histograms(rows: pd.DataFrame, names: Sequence[str], edges: NDArray[np.float32]) -> Integers:
    """Return one model's histograms from its rows of `tag_sweep.parquet`; int64 (2, 1 + bins, tags), see `tag_histograms`."""
    kept = rows[np.isin(rows["threshold"].to_numpy(np.float32), edges)]
    of_tags = kept["tag"].astype("category").cat
    tag = pd.Index(names).get_indexer(pd.Index(of_tags.categories))[of_tags.codes]
    edge = np.searchsorted(edges, kept["threshold"].to_numpy(np.float32))
    known = tag >= 0
    counts = np.zeros((4, len(edges), len(names)), np.int64)
    for place, column in enumerate(("tp", "fp", "fn", "tn")):
        counts[place, edge[known], tag[known]] = kept[column].to_numpy()[known]
    found, below = counts[:2], counts[2:, :1]
    return np.concatenate([below, -np.diff(found, axis=1, append=0)], axis=1)


def histogram_block(bins: Integers) -> str:
    """Return one model's histograms as page text: bin by bin, the count of each tag, as varints in gzip in base 85.

    The lowest bin, which has most images, is omitted: it follows from the support and the number of images.
    """
    return compress(encode_varints(np.delete(bins, 1, axis=1)), level=HISTOGRAM_LEVEL)


def encode_varints(values: Integers) -> bytes:
    """Return integers of at least 0 as LEB128: groups of seven bits, lowest first; the high bit marks that more follow.

    >>> encode_varints(np.array([5, 300]))
    b'\\x05\\xac\\x02'
    """
    flat = np.asarray(values, np.int64).ravel()
    groups = np.maximum(1, -(-np.frexp(flat.astype(np.float64))[1] // 7))
    starts = np.cumsum(groups) - groups
    coded = np.zeros(int(groups.sum()), np.uint8)
    for group in range(int(groups.max(initial=0))):
        some = groups > group
        more = np.where(groups[some] > group + 1, 128, 0)
        coded[starts[some] + group] = ((flat[some] >> (7 * group)) & 127) | more
    return coded.tobytes()
