"""What the pages of tags need of one run, as arrays: a row for each tag, for each tag and tagger, and for each difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from arena.base.tables import Kind, read_table
from arena.metrics.registry import TAG_TABLE, TESTED
from arena.report.page.packed import ratio_codes
from arena.results.written import SCORE_AGAIN, refuse_changed_file

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FIGURES = tuple(f"{key}{end}" for key in TAG_TABLE for end in ("", "_low", "_high"))
"""Columns of a tag and tagger: each metric of the table of a tag page with both ends of its interval."""

_PER_TAG = {
    "model": Kind.TEXT, "truth_tag": Kind.TEXT, "category": Kind.TEXT, "support": Kind.INTEGER, "threshold": Kind.NUMBER,
    "compared": Kind.FLAG, **dict.fromkeys(FIGURES, Kind.NUMBER),
}  # fmt: skip

_TESTED = {
    "first": Kind.TEXT, "second": Kind.TEXT, "tag": Kind.TEXT,
    **{f"{key}_{part}": Kind.NUMBER for key in TESTED for part in ("difference", "low", "high", "q")},
    **{f"{key}_higher": Kind.TEXT for key in TESTED},
}  # fmt: skip


@dataclass(frozen=True)
class TaggerRows:
    """One row for each tag and tagger, by tag, then in the order of the run's taggers.

    Attributes:
        tag, model: indices of the tag and of the tagger.
        threshold: threshold of the tagger for the tag.
        ap: average precision; NaN if undefined.
        codes: `ratio_codes` of each of `FIGURES`.
    """

    tag: Ints
    model: Ints
    threshold: Floats
    ap: Floats
    codes: Mapping[str, NDArray[np.uint16]]


@dataclass(frozen=True)
class DifferenceRows:
    """One row for each significant difference of two taggers on a tag.

    Attributes:
        tag, metric, higher, lower: indices of the tag, of the metric in `TESTED`, and of both taggers.
        codes: `ratio_codes` of `value`, `low` and `high`, the difference of the higher tagger from the lower one.
        q: q value, rounded to the digits that `probability` shows.
    """

    tag: Ints
    metric: Ints
    higher: Ints
    lower: Ints
    codes: Mapping[str, NDArray[np.uint16]]
    q: Floats


@dataclass(frozen=True)
class RunTags:
    """The tags of one run.

    Attributes:
        names: ground truth tags that a tagger of the run knows.
        categories: category of each tag.
        support: number of images with each tag.
        compared: whether the run compared each tag.
        open: number of tested differences on each tag that are undetermined.
        models: names of the taggers, in the order of the run.
    """

    names: Sequence[str]
    categories: Sequence[str]
    support: Ints
    compared: NDArray[np.bool_]
    open: Ints
    models: Sequence[str]
    taggers: TaggerRows
    differences: DifferenceRows

    def ap_range(self) -> tuple[Floats, Floats]:
        """Return the lowest and the highest defined AP of each tag; NaN if no tagger has one."""
        known = ~np.isnan(self.taggers.ap)
        low, high = np.full(len(self.names), np.inf), np.full(len(self.names), -np.inf)
        np.minimum.at(low, self.taggers.tag[known], self.taggers.ap[known])
        np.maximum.at(high, self.taggers.tag[known], self.taggers.ap[known])
        return np.where(np.isinf(low), np.nan, low), np.where(np.isinf(high), np.nan, high)


def read_run_tags(folder: Path, run: Mapping[str, Any], models: Sequence[str]) -> RunTags:
    """Read the tags of a run folder.

    Args:
        run: content of `run.json`.
        models: names of the taggers, in the order of the run.

    Raises:
        ArenaError: a table is damaged, or was changed after the run.
    """
    tables = {}
    for name, columns in (("per_tag", _PER_TAG), ("tag_differences", _TESTED)):
        refuse_changed_file(folder, f"{name}.parquet", run)
        tables[name] = read_table(folder / f"{name}.parquet", columns, coded=True, fix=SCORE_AGAIN)
    return _run_tags(tables["per_tag"], tables["tag_differences"], models)


def _run_tags(per_tag: pa.Table, tested: pa.Table, models: Sequence[str]) -> RunTags:
    codes, names = _factorized(per_tag, "truth_tag")
    model = _places(per_tag, "model", models)
    compared = _plain(per_tag, "compared").astype(bool)
    rows = _one_row_each(codes, model, compared)
    tag = codes[rows]
    first = np.searchsorted(tag, np.arange(len(names)))  # row of the first tagger that knows the tag
    category, categories = _factorized(per_tag, "category")
    is_compared = np.zeros(len(names), bool)
    np.logical_or.at(is_compared, tag, compared[rows])
    support = _plain(per_tag, "support")[rows][first].astype(np.int64)
    differences, undetermined = _differences(tested, names, models)
    return RunTags(
        names, [categories[one] for one in category[rows][first].tolist()], support, is_compared,
        undetermined, models, _tagger_rows(per_tag, rows, tag, model), differences,
    )  # fmt: skip


def _one_row_each(tag: Ints, model: Ints, compared: NDArray[np.bool_]) -> Ints:
    """Return one row for each tag and tagger, sorted by both: the compared one if two tags of a tagger map to one tag."""
    order = np.lexsort((~compared, model, tag))
    kept = np.ones(len(order), bool)
    kept[1:] = (np.diff(tag[order]) != 0) | (np.diff(model[order]) != 0)
    return order[kept]


def _tagger_rows(table: pa.Table, rows: Ints, tag: Ints, model: Ints) -> TaggerRows:
    figures = {name: _plain(table, name)[rows].astype(np.float64) for name in FIGURES}
    codes = {name: ratio_codes(values).astype(np.uint16) for name, values in figures.items()}
    threshold = _plain(table, "threshold")[rows]
    used, places = np.unique(threshold, return_inverse=True)
    shortest = np.array([float(str(one)) for one in used], np.float64)  # 0.6, not 0.6000000238
    return TaggerRows(tag, model[rows], shortest[places], figures["ap"], codes)


def _differences(table: pa.Table, names: Sequence[str], models: Sequence[str]) -> tuple[DifferenceRows, Ints]:
    """Return the significant differences, by tag, and the number of undetermined ones of each tag."""
    tag, first, second = _places(table, "tag", names), _places(table, "first", models), _places(table, "second", models)
    found: list[dict[str, Any]] = []
    undetermined = np.zeros(len(names), np.int64)
    for number, key in enumerate(TESTED):
        q, higher = _plain(table, f"{key}_q").astype(np.float64), _places(table, f"{key}_higher", models)
        is_tested = ~np.isnan(q) & (tag >= 0)
        is_decided = is_tested & (higher >= 0) & ((higher == first) | (higher == second))
        np.add.at(undetermined, tag[is_tested & ~is_decided], 1)
        turned = higher == second
        value, low, high = (_plain(table, f"{key}_{part}").astype(np.float64) for part in ("difference", "low", "high"))
        columns = {
            "row": np.arange(len(tag)), "tag": tag, "metric": np.full(len(tag), number), "higher": higher,
            "lower": np.where(turned, first, second), "value": np.where(turned, -value, value),
            "low": np.where(turned, -high, low), "high": np.where(turned, -low, high), "q": q,
        }  # fmt: skip
        found.append({name: column[is_decided] for name, column in columns.items()})
    joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    order = np.lexsort((joined["metric"], joined["row"], joined["tag"]))
    joined = {name: values[order] for name, values in joined.items()}
    codes = {name: ratio_codes(joined[name]).astype(np.uint16) for name in ("value", "low", "high")}
    q = shown_probabilities(joined["q"])
    return DifferenceRows(joined["tag"], joined["metric"], joined["higher"], joined["lower"], codes, q), undetermined


def shown_probabilities(values: Floats) -> Floats:
    """Return each value rounded to two significant digits, so that few are distinct; `probability` shows both alike.

    A value near a tie or near a limit of `probability` stays as it is.

    >>> shown_probabilities(np.array([0.01234, 2e-23, 0.049999])).tolist()
    [0.012, 0.0, 0.049999]
    """
    plain = (values >= 0.0001) & (values < 0.0495)
    unit = 10.0 ** (np.floor(np.log10(np.where(plain, values, 1.0))) - 1)
    scaled = values / unit
    near_tie = np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6
    rounded = np.round(np.rint(scaled) * unit, 6)
    return np.where(values < 0.0001, 0.0, np.where(plain & ~near_tie, rounded, values))


def _factorized(table: pa.Table, column: str) -> tuple[Ints, list[str]]:
    """Return the index of each value, and the distinct values in order of appearance; a missing value is empty text."""
    values = table[column].combine_chunks()
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    names = [*map(str, coded.dictionary.to_pylist())]
    if not coded.null_count:
        return np.asarray(coded.indices, np.int64), names
    return np.asarray(coded.indices.fill_null(len(names)), np.int64), [*names, ""]


def _places(table: pa.Table, column: str, names: Sequence[str]) -> Ints:
    """Return the index of each value in `names`; -1 if it is not one of them."""
    codes, found = _factorized(table, column)
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(name, -1) for name in found] or [-1], np.int64)[codes]


def _plain(table: pa.Table, column: str) -> NDArray[Any]:
    """Return a column of numbers as an array; a missing number is NaN, a missing flag False."""
    values = table[column].combine_chunks()
    if pa.types.is_boolean(values.type):
        values = values.fill_null(False)
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found
