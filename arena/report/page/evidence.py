"""What stands behind a tag's figures: images that a model gets most wrong, tags it confuses, and where models part.

Errors are of every model and tag, and name images; a page of thousands of tags would be mostly this. So tags are taken in
order of what a reader looks for as long as there is room, and the page says of how many there was.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from arena.metrics.registry import TESTED
from arena.report.columns import rounded
from arena.report.page.packed import Packed, figures, integers, listed, pack
from arena.results.run_folder import Result

EVIDENCE_BYTES = 170_000
"""Room in the page for evidence, packed: a page of three models and 5,813 tags stays under 2 MB with it."""

ROW_BYTES = 4
"""What a row takes at least, packed; more rows than have room at that are not tried."""

EVIDENCE_IMAGES = 5
"""Images shown of each kind: false alarms, misses, and of each model that is right where another is wrong."""

KINDS = ("false alarm", "miss")

TABLES = ("errors", "confusions", "disagreements")
"""Where the evidence comes from; each is a list of rows on the page too."""

Columns = dict[str, list[Any]]


def evidence(
    result: Result, places: Mapping[str, int], *, first: Sequence[str] = (), image_ids: bool = True
) -> dict[str, Any]:
    """The evidence of as many tags as fit, `by_interest`.

    Args:
        places: the compared tags by falling support, each with its place on the page.
        first: images that are numbered before all others.
        image_ids: whether images are named; else there are only confusions.

    Returns: `of` how many tags have evidence; `tags`, the places of those that are shown; `images`, the ids that numbers
    stand for, in the order of the tags; and of each of `TABLES` columns, a row an image or confused tag. Models, tags and
    images are numbers.
    """
    order = by_interest(result, places)
    tables = {name: _ranked(result.tables[name], order) for name in TABLES}
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


def evidence_block(found: Mapping[str, Any], more: Mapping[str, Packed] | None = None) -> str:
    """The evidence, packed: `tags`, `images`, `errors.tag` ..., and further columns; the browser reads it when it is needed."""
    columns = {"tags": integers(found["tags"]), "images": listed(found["images"])}
    for table in TABLES:
        for name, values in found[table].items():
            columns[f"{table}.{name}"] = figures(values) if name.endswith("score") else integers(values)
    return pack(columns | dict(more or {}))


def by_interest(result: Result, tags: Mapping[str, Any]) -> list[str]:
    """Tags in the order in which a reader looks at them: in turns by decided difference, largest first, and as given.

    By the largest decided difference of F1 or AP alone, a large run would have no room for its most frequent tags, which
    are the first of its table.
    """
    table = result.tables["tag_differences"]
    largest: dict[str, float] = {}
    for figure in TESTED:
        decided = table[table[f"{figure}_q"].notna() & (table[f"{figure}_higher"] != "undetermined")]
        sizes = decided[f"{figure}_difference"].abs()
        for tag, size in zip(decided["tag"].tolist(), sizes.tolist(), strict=True):
            largest[tag] = max(largest.get(tag, 0.0), size)
    changed = sorted((tag for tag in tags if tag in largest), key=lambda tag: -largest[tag])
    turns = [tag for pair in zip_longest(changed, tags) for tag in pair if tag is not None]
    return list(dict.fromkeys(turns))


def _ranked(table: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """The rows of tags of that order, in it, with `tag_rank`; at most `EVIDENCE_IMAGES` of each list."""
    ranks = table["tag"].astype(object).map({tag: rank for rank, tag in enumerate(order)})
    found = table.assign(tag_rank=ranks)[ranks.notna()].sort_values("tag_rank", kind="stable")
    if "rank" in found:  # of errors: the worst is 1
        return found[found["rank"] <= EVIDENCE_IMAGES]
    if "right" in found:
        return found[found.groupby(["tag_rank", "right", "wrong"], sort=False).cumcount() < EVIDENCE_IMAGES]
    return found


def _first_guess(tables: Mapping[str, pd.DataFrame], tags: int) -> int:
    """So many tags that no more than these can fit."""
    ranks = np.concatenate([table["tag_rank"].to_numpy(np.int64) for table in tables.values()])
    rows = np.cumsum(np.bincount(ranks, minlength=tags))
    return int(np.searchsorted(rows, EVIDENCE_BYTES // ROW_BYTES, side="right"))


def _numbered(
    tables: Mapping[str, pd.DataFrame], models: Sequence[str], places: Mapping[str, int], first: Sequence[str]
) -> dict[str, Any]:
    """The tables as columns of numbers, and the images that these stand for, by tag."""
    errors, confusions, disagreements = (tables[name] for name in TABLES)
    both = pd.concat([one[["tag_rank", "image_id"]] for one in (errors, disagreements)])
    ids = [*first, *both.sort_values("tag_rank", kind="stable")["image_id"].tolist()]
    images = {image: number for number, image in enumerate(dict.fromkeys(ids))}
    numbers = {name: number for number, name in enumerate(models)}
    return {
        "images": list(images),
        "errors": {
            "tag": _mapped(errors, "tag", places), "model": _mapped(errors, "model", numbers),
            "kind": _mapped(errors, "kind", {kind: number for number, kind in enumerate(KINDS)}),
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
    return [rounded(value) for value in table[column].tolist()]
