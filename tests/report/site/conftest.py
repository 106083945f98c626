"""Run folders that a site is made of, small and real, with any names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.report.html import render_comparison
from arena.report.site.publish import publish_site
from arena.report.summary import summary_markdown
from arena.report.text import detailed_metrics, full_metrics
from arena.report.view import page_view
from arena.results.run_folder import write_result
from arena.scores.store import Scores
from arena.tags import TagSpace
from tests.conftest import forget_digests

TAGS = ("cat", "dog", "hatsune_miku_(vocaloid)", "Cat", "1girl", "thin")


def write_run(
    folder: Path,
    *,
    models: Sequence[str] = ("good", "poor"),
    created: str = "2026-11-20T10:00:00Z",
    tags: Sequence[str] = TAGS,
    dataset: str = "d1" * 32,
    replicates: int = 40,
    seed: int = 3,
    images: int = 90,
) -> Path:
    """A finished run folder; the last tag is too thin to be compared, the first model knows more than the second."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"image_{i}" for i in range(images))
    dense = rng.random((images, len(tags))) < 0.35
    dense[:, -1] = np.arange(images) < 4
    entries = []
    for number, name in enumerate(models):
        know = 0.6 - 0.35 * (number > 0)
        scores = np.clip(0.2 + know * dense + rng.normal(0, 0.15, dense.shape), 0, 1).astype(np.float32)
        facts = {"key": f"{number}" * 64, "licence": "CC0-1.0", "verified": True}
        entries.append(Entry(name, name, Scores.of(ids, TagSpace(tuple(tags)), scores), Thresholds(0.5), "card", facts))
    run: dict[str, Any] = {"created": created, "signature": f"signature of {folder.name}", "command": "arena score"}
    run["dataset"] = {"name": "drawn", "title": "Drawn images", "digest": dataset}
    truth = Truth.of(ids, TagSpace(tuple(tags)), dense)
    result = evaluate(truth, entries, Settings(replicates=replicates), run=run)
    (folder / "full-metrics").mkdir(parents=True)
    for number, name in enumerate(models):
        (folder / "full-metrics" / f"model-{number}.txt").write_text(full_metrics(result, name))
    (folder / "detailed_metrics.txt").write_text(detailed_metrics(result))
    (folder / "summary.md").write_text(summary_markdown(result))
    (folder / "index.html").write_text(render_comparison(page_view(result)))
    write_result(result, folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    if path.name == "run.json":
        forget_digests(path.parent)


@pytest.fixture(scope="session")
def two(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of the first two runs, published one after the other; a test that changes it copies it."""
    folder = tmp_path_factory.mktemp("two")
    for run in runs[:2]:
        publish_site([run], folder)
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs: two that are comparable, and one of another dataset with a third model and no resamples."""
    top = tmp_path_factory.mktemp("runs")
    return [
        write_run(top / "first"),
        write_run(top / "second", created="2026-11-22T10:00:00Z"),
        write_run(
            top / "third",
            models=("good", "poor", "new"),
            created="2026-11-21T10:00:00Z",
            dataset="e2" * 32,
            replicates=0,
        ),
    ]
