"""Small results of drawn scores, for pictures and summaries: models under any names, the later the better."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache

import numpy as np

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagSpace
from arena.tags.groups import TagGroup

HOSTILE = (
    "<script>alert(1)</script>", "</details></picture>", "[x](https://example.org) ![y](z)", "a|b|c", "`code``", "@someone #1",
    "*x* _y_ ~~z~~ $\\alpha$", "_hidden", "$x_1^2$", "\u202eevil\u202c", "שלום עולם", "漢字" * 40, "W" * 500, "👩\u200d💻 ok",
    "line\nbreak\x00\x1b", "- item", "1. one", "&lt;b&gt;", '" onerror="x', "www.example.org",
)  # fmt: skip


def result_of(
    names: Sequence[str], *, replicates: int = 40, images: int = 120, tags: Sequence[str] = (), thresholds: float = 0.35
) -> Result:
    """Models of these names on `images` images with some tags and a group of tags; a copy that a test may change."""
    own = tuple(tags or (f"tag_{i}" for i in range(6)))
    return deepcopy(_evaluated(tuple(names), replicates, images, own, thresholds))


@cache
def _evaluated(
    names: tuple[str, ...], replicates: int, images: int, tags: tuple[str, ...], thresholds: float
) -> Result:
    rng = np.random.default_rng(3)
    ids = tuple(f"image_{i}" for i in range(images))
    dense = rng.random((images, len(tags))) < np.linspace(0.5, 0.15, len(tags))
    entries = []
    for number, name in enumerate(names):
        scores = np.clip(0.25 + 0.22 * number * dense + rng.normal(0, 0.15, dense.shape), 0, 1).astype(np.float32)
        entries.append(Entry(name, name, Scores.of(ids, TagSpace(tags), scores), Thresholds(thresholds), "card"))
    settings = Settings(replicates=replicates, tag_groups=[TagGroup("first", "First <tags>", "", tags[:2])])
    run = {
        "dataset": {"name": "d", "title": "Drawn", "digest": "0123abcd"},
        "signature": "data:d@0123abcd|v:1", "command": "arena run `x`", "created": "2026-11-02T12:00:00Z", "arena_version": "1",
    }  # fmt: skip
    return evaluate(Truth.of(ids, TagSpace(tags), dense), entries, settings, run=run)
