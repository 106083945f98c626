"""The data of the tag page: the tags of all runs in a few script files, each of which holds some of the tags.

A page opened from disk may load a script beside it, but may not read another file. So a shard is a script that passes one
packed block to `arenaTags`. A tag is in the shard that a hash of its slug names; `templates/site/tag.js` computes it again.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from arena.base.format import probability
from arena.metrics.registry import TESTED
from arena.report.page.packed import (
    PackedColumn,
    join_columns,
    pack_integers,
    pack_places,
    pack_ratio_codes,
    pack_ratios,
    pack_values,
)
from arena.report.site.names import slug
from arena.report.site.runs import PublishedRun
from arena.report.site.tag_details import TagDetails, read_tag_details
from arena.report.site.tag_rows import FIGURES, Ints, RunTags

TAGS_PER_SHARD, MOST_SHARDS = 100, 64
"""Number of tags that a shard should hold, and largest number of shards, so that a site has few files."""

_LEVEL = 3
"""Gzip level of a shard; level 6 takes half as long again for 2 %."""

_Table = Mapping[str, Any]
"""Columns of one length; `tag` is the index of a tag in `_Order.tags`."""


def shard_count(tags: int) -> int:
    """Return the number of shards: a power of two, so that it seldom changes when tags are added.

    >>> [shard_count(tags) for tags in (0, 100, 101, 5_465, 70_000)]
    [1, 1, 2, 64, 64]
    """
    return min(MOST_SHARDS, 1 << max(0, -(-tags // TAGS_PER_SHARD) - 1).bit_length())


def shard_of(name: str, shards: int) -> int:
    """Return the shard of a slug: its FNV-1a hash of 32 bits, modulo the number of shards.

    >>> shard_of("a", 1 << 32) == 0xE40C292C, shard_of("1girl", 1)
    (True, 0)

    Source: Fowler, Noll, Vo, draft-eastlake-fnv.
    """
    found = 0x811C9DC5
    for byte in name.encode("ascii"):
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found % shards


def shard_path(shard: int) -> str:
    """Return the path of a shard in the site."""
    return f"tags/data/{shard}.js"


class TagShard(NamedTuple):
    """A shard as a file of the site; `tags` is the number of its tags."""

    path: str
    content: str
    tags: int


class _Order(NamedTuple):
    """Tags by shard, then by name; the tags of shard i are `starts[i]` to `starts[i + 1]`."""

    tags: Sequence[str]
    slugs: Sequence[str]
    starts: Ints


def _ordered(names: Sequence[str]) -> _Order:
    count = shard_count(len(names))
    rows = sorted((shard_of(address := slug(name), count), name, address) for name in names)
    starts = np.searchsorted([shard for shard, *_ in rows], np.arange(count + 1))
    return _Order([name for _, name, _ in rows], [address for *_, address in rows], starts)


def tag_shards(names: Sequence[str], runs: Sequence[PublishedRun]) -> Iterator[TagShard]:
    """Yield each shard.

    Args:
        names: the tags that have a page.
        runs: the newest first.
    """
    order = _ordered(names)
    place = {name: number for number, name in enumerate(order.tags)}
    listed = _Listed(
        [run.id for run in runs],
        sorted({model for run in runs for model in run.tags.models}),
        sorted({category for run in runs for category in set(run.tags.categories)}),
    )
    tables = _joined(runs, place, listed)
    newest = _newest(tables["in"], len(names))
    details = cache(lambda run: read_tag_details(runs[run].folder))
    for shard in range(len(order.starts) - 1):
        first, last = order.starts[shard : shard + 2].tolist()
        parts = {name: _rows_of(table, first, last) for name, table in tables.items()}
        columns = _packed(parts, listed)
        columns |= {"name": pack_values(order.tags[first:last]), "slug": pack_values(order.slugs[first:last])}
        of_tags = [(order.tags[tag], runs[newest[tag]], details(newest[tag])) for tag in range(first, last)]
        yield TagShard(shard_path(shard), _script(columns | _curves(of_tags) | _images(of_tags)), len(of_tags))


class _Listed(NamedTuple):
    """Values that columns refer to by index."""

    runs: Sequence[str]
    models: Sequence[str]
    categories: Sequence[str]


def _joined(runs: Sequence[PublishedRun], place: Mapping[str, int], listed: _Listed) -> dict[str, _Table]:
    """Return the rows of all runs by tag, then by run, the newest first."""
    parts: dict[str, list[dict[str, Any]]] = {"in": [], "row": [], "difference": []}
    for number, run in enumerate(runs):
        own = run.tags
        tag = np.array([place.get(name, -1) for name in own.names] or [-1], np.int64)
        for name, table in _tables(own, listed).items():
            here = tag[table["tag"]]
            kept = here >= 0
            columns = {**table, "tag": here, "run": np.full(len(here), number)}
            parts[name].append({key: values[kept] for key, values in columns.items()})
    return {name: _by_tag(tables) for name, tables in parts.items()}


def _tables(own: RunTags, listed: _Listed) -> dict[str, _Table]:
    """Return the tables of one run."""
    rows, found = own.taggers, own.differences
    model = np.array([listed.models.index(name) for name in own.models], np.int64)
    place = {name: number for number, name in enumerate(listed.categories)}
    return {
        "in": {
            "tag": np.arange(len(own.names)), "category": np.array([place[name] for name in own.categories], np.int64),
            "support": own.support,
            "compared": own.compared.astype(np.int64), "open": own.open,
        },
        "row": {"tag": rows.tag, "model": model[rows.model], "threshold": rows.threshold, **rows.codes},
        "difference": {
            "tag": found.tag, "metric": found.metric, "higher": model[found.higher], "lower": model[found.lower],
            **found.codes, "q": found.q,
        },
    }  # fmt: skip


def _by_tag(tables: Sequence[dict[str, Any]]) -> _Table:
    """Return the rows of all tables by tag; the columns are taken out of them one by one, to save memory."""
    if not tables:
        return {}
    tag = np.concatenate([table["tag"] for table in tables])
    order = np.argsort(tag.astype(np.uint16) if len(tag) and tag.max() < 1 << 16 else tag, kind="stable")  # radix sort
    return {name: np.concatenate([table.pop(name) for table in tables])[order] for name in list(tables[0])}


def _newest(table: _Table, tags: int) -> list[int]:
    """Return the newest run that knows each tag."""
    if not table:
        return []
    found: list[int] = table["run"][np.searchsorted(table["tag"], np.arange(tags))].tolist()
    return found


def _rows_of(table: _Table, first: int, last: int) -> _Table:
    """Return the rows of the tags from `first` to `last`, which are numbered from 0."""
    if not table:
        return {}
    start, end = np.searchsorted(table["tag"], (first, last))
    return {name: values[start:end] for name, values in table.items()} | {"tag": table["tag"][start:end] - first}


def _packed(parts: Mapping[str, _Table], listed: _Listed) -> dict[str, PackedColumn]:
    """Return the columns of a shard under names such as `row.tag`."""
    names = {
        "run": listed.runs, "category": listed.categories, "metric": list(TESTED.values()),
        **dict.fromkeys(("model", "higher", "lower"), listed.models),
    }  # fmt: skip
    return {
        f"{table}.{name}": _column(name, values, names)
        for table, columns in parts.items()
        for name, values in columns.items()
    }


def _column(name: str, values: Any, names: Mapping[str, Sequence[str]]) -> PackedColumn:
    if name in names:
        return pack_places(names[name], values)
    if name in (*FIGURES, "value", "low", "high"):
        return pack_ratio_codes(values)
    if name in ("threshold", "q"):
        used, places = np.unique(values, return_inverse=True)
        return pack_places([probability(one) for one in used] if name == "q" else used.tolist(), places)
    return pack_integers(values)


_OfTag = tuple[str, PublishedRun, TagDetails | None]
"""A tag, its newest run, and the curves and images of that run."""


def _curves(of_tags: Sequence[_OfTag]) -> dict[str, PackedColumn]:
    """Return a row for each tag and tagger, and the bins of all rows one after the other."""
    rows, hits, alarms = [], [], []
    for tag, (name, run, details) in enumerate(of_tags):
        for model, own in enumerate(details.hits if details else ()):
            if details and name in own:
                rows.append((tag, run.tags.models[model], details.step, details.images[name]))
                hits.append(own[name])
                alarms.append(details.alarms[model][name])
    tags, models, steps, images = zip(*rows, strict=True) if rows else ([], [], [], [])
    return {
        "curve.tag": pack_integers(tags), "curve.model": pack_values(models), "curve.step": pack_values(steps),
        "curve.images": pack_integers(images), "curve.hits": pack_integers(_flat(hits)),
        "curve.alarms": pack_integers(_flat(alarms)),
    }  # fmt: skip


def _flat(histograms: Sequence[Ints]) -> Ints:
    return np.concatenate(histograms) if histograms else np.zeros(0, np.int64)


def _images(of_tags: Sequence[_OfTag]) -> dict[str, PackedColumn]:
    """Return a row for each image with an error."""
    rows = [
        (tag, run.tags.models[one.model], one)
        for tag, (name, run, details) in enumerate(of_tags)
        for one in (details.errors.get(name, ()) if details else ())
    ]
    return {
        "image.tag": pack_integers([tag for tag, *_ in rows]), "image.model": pack_values([model for _, model, _ in rows]),
        "image.kind": pack_integers([one.kind for *_, one in rows]), "image.id": pack_values([one.image for *_, one in rows]),
        "image.score": pack_ratios([one.score for *_, one in rows]),
        "image.picture": pack_values([one.picture for *_, one in rows]),
        "image.open": pack_integers([int(one.is_open) for *_, one in rows]),
    }  # fmt: skip


def _script(columns: Mapping[str, PackedColumn]) -> str:
    packed = base64.b64encode(gzip.compress(join_columns(columns), _LEVEL, mtime=0)).decode("ascii")
    return f'// made by arena\narenaTags("{packed}");\n'
