"""Small real runs of releases on the same images, each with the tags that it lost."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.pipeline.entrants import find_run
from arena.results.baselines.store import set_baseline
from arena.results.run_folder import write_result
from arena.scores.store import Scores, ScoreStore
from arena.tags import TagRelations, TagSpace
from tests.conftest import write_once

TAGS = ("cat", "dog", "hat", "old_hat")

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a finished run folder, with its scores; runs that are the same are evaluated once."""

    def make(name: str, **how: Any) -> Path:
        return write_once(tmp_path / name, repr(("run", how)), lambda folder: write_evaluated(folder, **how))

    return make


def write_evaluated(
    folder: Path,
    *,
    lost: Sequence[str] = (),
    models: Sequence[str] = (),
    dataset: str = "d1",
    tags: Sequence[str] = TAGS,
    spelt: Mapping[str, str] | None = None,
    seed: int = 1,
    created: str = "2026-11-01T10:00:00Z",
) -> None:
    rng, ids = np.random.default_rng(int(dataset[1:])), tuple(f"i{n}" for n in range(120))
    dense = rng.random((len(ids), len(tags))) < 0.4
    own = TagSpace(tuple((spelt or {}).get(tag, tag) for tag in tags))
    noise = np.random.default_rng(seed)
    entries = []
    for model in models or (folder.name,):
        seen = dense.copy()
        for tag in lost:
            seen[:, tags.index(tag)] = noise.random(len(ids)) < 0.4
        values = np.clip(0.25 + 0.5 * seen + noise.normal(0, 0.12, seen.shape), 0, 1).astype(np.float32)
        store = ScoreStore(folder / "scores" / model, key="ab" * 32, shards=[ids])
        store.prepare(own, {})
        store.write(0, values, {})
        facts = {"key": "ab" * 32}
        entries.append(Entry(model, model, Scores.of(ids, own, values), Thresholds(0.5), "card", facts))
    run = {
        "created": created, "signature": f"data:{dataset}|models:{folder.name}", "command": "arena score",
        "arena_version": "1", "dataset": {"name": dataset, "title": f"Drawn {dataset}", "digest": dataset * 16},
    }  # fmt: skip
    relations = TagRelations.of(aliases=[(new, tag) for tag, new in (spelt or {}).items()])
    truth = Truth.of(ids, TagSpace(tuple(tags)), dense, relations=relations)
    write_result(evaluate(truth, entries, Settings(replicates=40, slices=()), run=run), folder)


@pytest.fixture
def releases(make_run: MakeRun, tmp_path: Path) -> Path:
    """Three releases on the same images, the second without `hat`, and one on other images; their runs are deleted."""
    return write_once(tmp_path / "baselines", "releases", lambda folder: set_releases(make_run, folder))


def set_releases(make_run: MakeRun, folder: Path) -> None:
    for number, name in enumerate(("v-1", "v-2", "v-3", "v-4")):
        run = make_run(name, lost=["hat"] if number == 1 else [], seed=number, dataset="d2" if number == 3 else "d1")
        set_baseline(find_run(str(run)), folder, reason=f"release {number}")
        shutil.rmtree(run)
