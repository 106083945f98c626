"""Evidence behind a tag's metrics: worst errors, confused tags, and images on which models disagree.

There are errors of every model and tag. With thousands of tags they would fill most of the page. Tags are therefore added by
interest until `EVIDENCE_BYTES` is reached, and the page states how many tags have evidence.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from arena.metrics.registry import TESTED
from arena.report.columns import rounded_column
from arena.report.page.packed import PackedColumn, pack_columns, pack_integers, pack_ratios, pack_values
from arena.results.run_folder import Result

EVIDENCE_BYTES = 120_000
"""Most bytes of packed evidence: a page of three models and 5,813 tags stays under 2 MB with it."""

ROW_BYTES = 4
"""Fewest packed bytes of a row; bounds the first guess of how many tags fit."""

EVIDENCE_IMAGES = 5
"""Most images in each list: false positives, false negatives, and each pair of a right and a wrong model."""

_ERROR_KINDS = ("false alarm", "miss")

EVIDENCE_TABLES = ("errors", "confusions", "disagreements")
"""Tables of the result with the evidence; the page has one block of columns for each."""


def evidence(
    result: Result, places: Mapping[str, int], *, first: Sequence[str] = (), image_ids: bool = True
) -> dict[str, Any]:
    """Return the evidence of as many tags as fit into `EVIDENCE_BYTES`, in the order of `by_interest`.

    Args:
        places: the compared tags by support descending, each with its index on the page.
        first: images that are numbered before all others.
        image_ids: whether images may be named; if not, the evidence has confusions only.

    Returns: `of`, the number of tags in that order (0 if there is no evidence); `tags`, the page indices of the tags
    included; `images`, the image ids by number; and for each of `EVIDENCE_TABLES` its columns, one row per image or confused
    tag. Columns refer to models, tags and images by number.
    """
    order = by_interest(result, places)
    tables = {name: _ranked(result.tables[name], order) for name in EVIDENCE_TABLES}
    if not image_ids:
        tables |= {name: tables[name].iloc[:0] for name in ("errors", "disagreements")}
    if not any(map(len, tables.values())):
        order = []
    shown = _first_guess(tables, len(order))
    while True:
        kept = {name: table[table["tag_rank"] < shown] for name, table in tables.items()}
        found = _numbered(kept, result.models, places, first)
        found |= {"of": len(order), "tags": [places[tag] for tag in order[:shown]]}
        size = len(evidence_block(found))
        if size <= EVIDENCE_BYTES or not shown:
            return found
        shown = int(shown * min(0.95, EVIDENCE_BYTES / size))


def evidence_block(found: Mapping[str, Any], more: Mapping[str, PackedColumn] | None = None) -> str:
    """Return the evidence as a packed block: `tags`, `images`, `errors.tag` ..., and the columns of `more`."""
    columns = {"tags": pack_integers(found["tags"]), "images": pack_values(found["images"])}
    for table in EVIDENCE_TABLES:
        for name, values in found[table].items():
            columns[f"{table}.{name}"] = pack_ratios(values) if name.endswith("score") else pack_integers(values)
    return pack_columns(columns | dict(more or {}))


def by_interest(result: Result, tags: Mapping[str, Any]) -> list[str]:
    """Return tags by interest: alternately the next largest significant difference and the next tag of `tags`.

    Ordering by significant difference of F1 or AP alone would leave no room for the most frequent tags of a large run,
    which are the first rows of its table.
    """
    table = result.tables["tag_differences"]
    largest: dict[str, float] = {}
    for metric in TESTED:
        decided = table[table[f"{metric}_q"].notna() & (table[f"{metric}_higher"] != "undetermined")]
        sizes = decided[f"{metric}_difference"].abs()
        for tag, size in zip(decided["tag"].tolist(), sizes.tolist(), strict=True):
            largest[tag] = max(largest.get(tag, 0.0), size)
    changed = sorted((tag for tag in tags if tag in largest), key=lambda tag: -largest[tag])
    turns = [tag for pair in zip_longest(changed, tags) for tag in pair if tag is not None]
    return list(dict.fromkeys(turns))


def _ranked(table: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the tags in `order`, sorted by it, with `tag_rank`; at most `EVIDENCE_IMAGES` of each list."""
    ranks = table["tag"].astype(object).map({tag: rank for rank, tag in enumerate(order)})
    found = table.assign(tag_rank=ranks)[ranks.notna()].sort_values("tag_rank", kind="stable")
    if "rank" in found:  # errors: rank 1 is the worst
        return found[found["rank"] <= EVIDENCE_IMAGES]
    if "right" in found:
        return found[found.groupby(["tag_rank", "right", "wrong"], sort=False).cumcount() < EVIDENCE_IMAGES]
    return found


def _first_guess(tables: Mapping[str, pd.DataFrame], tags: int) -> int:
    """Return an upper bound for the number of tags that fit, from `ROW_BYTES`."""
    ranks = np.concatenate([table["tag_rank"].to_numpy(np.int64) for table in tables.values()])
    rows = np.cumsum(np.bincount(ranks, minlength=tags))
    return int(np.searchsorted(rows, EVIDENCE_BYTES // ROW_BYTES, side="right"))


def _numbered(
    tables: Mapping[str, pd.DataFrame], models: Sequence[str], places: Mapping[str, int], first: Sequence[str]
) -> dict[str, Any]:
    """Return the tables as columns of numbers, and the image ids that the numbers refer to."""
    errors, confusions, disagreements = (tables[name] for name in EVIDENCE_TABLES)
    both = pd.concat([one[["tag_rank", "image_id"]] for one in (errors, disagreements)])
    ids = [*first, *both.sort_values("tag_rank", kind="stable")["image_id"].tolist()]
    images = {image: number for number, image in enumerate(dict.fromkeys(ids))}
    numbers = {name: number for number, name in enumerate(models)}
    return {
        "images": list(images),
        "errors": {
            "tag": _mapped(errors, "tag", places), "model": _mapped(errors, "model", numbers),
            "kind": _mapped(errors, "kind", {kind: number for number, kind in enumerate(_ERROR_KINDS)}),
            "image": _mapped(errors, "image_id", images), "score": _scores(errors, "score"),
        },
        "confusions": {
            "tag": _mapped(confusions, "tag", places), "model": _mapped(confusions, "model", numbers),
            "instead_of": _mapped(confusions, "instead_of", places), "images": confusions["images"].tolist(),
            "expected_tenths": [round(10 * value) for value in confusions["expected"].tolist()],
        },
        "disagreements": {
            "tag": _mapped(disagreements, "tag", places), "image": _mapped(disagreements, "image_id", images),
            "carried": [int(value) for value in disagreements["carried"].tolist()],
            "right": _mapped(disagreements, "right", numbers), "right_score": _scores(disagreements, "right_score"),
            "wrong": _mapped(disagreements, "wrong", numbers), "wrong_score": _scores(disagreements, "wrong_score"),
        },
    }  # fmt: skip


def _mapped(table: pd.DataFrame, column: str, numbers: Mapping[str, int]) -> list[int]:
    return [numbers[value] for value in table[column].tolist()]


def _scores(table: pd.DataFrame, column: str) -> list[float | int | None]:
    return rounded_column(table[column].tolist())
