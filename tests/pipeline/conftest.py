"""Runs of small real scores: two models on twelve tags."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.base.files import digest_file
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.score import score_files
from arena.pipeline.stages import Execution, Scoring
from arena.report import html, plots

from ..conftest import write_dataset, write_once

IMAGES, TAGS = 60, 12


def scores_of(seed: int, *, skill: float = 2.0, images: int = IMAGES, truth: np.ndarray | None = None) -> np.ndarray:
    """Random scores, shifted by `skill` standard deviations if the tag is present."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0, 1, (images, TAGS)) - 1
    return (1 / (1 + np.exp(-(drawn + (0 if truth is None else skill * truth))))).astype(np.float32)


def write_npz(path: Path, values: np.ndarray, ids: Sequence[str], tags: Sequence[str]) -> Path:
    np.savez(path, scores=values, image_ids=np.array(ids), tags=np.array(tags))
    return path


@pytest.fixture
def world(tmp_path: Path) -> "World":
    return World(tmp_path)


class World:
    """A frozen dataset, and runs on it that `arena score` would make."""

    def __init__(self, folder: Path) -> None:
        from arena.cards import find_dataset
        from arena.dataset.frozen import read_frozen

        self.folder = folder
        self.dataset = write_dataset(folder / "drawn", images=IMAGES, tags=TAGS)
        self.heldout = read_frozen(find_dataset(str(self.dataset)))
        self.truth = self.heldout.truth.values.toarray()
        self.ids, self.tags = list(self.heldout.image_ids), list(self.heldout.tags.names)

    def npz(self, name: str, values: np.ndarray | None = None, *, seed: int = 0) -> Path:
        """Write a file of scores named after its path."""
        made = scores_of(seed, truth=self.truth) if values is None else values
        return write_npz(self.folder / f"{name}.npz", made, self.ids[: len(made)], self.tags)

    def run(self, folder: str, *names: str, threshold: float = 0.5, seed: int = 0, **scoring: Any) -> Path:
        """Write a run folder of models with these names; further arguments are those of `Scoring`."""
        files = {name: self.npz(f"{folder}-{name}", seed=seed + place) for place, name in enumerate(names)}
        how = Scoring(thresholds=dict.fromkeys(names, threshold), **scoring)

        def score(run: Path) -> None:
            command = "arena score " + " ".join(f"--scores {name}={path.name}" for name, path in files.items())
            score_files(
                files,
                run,
                dataset=str(self.dataset),
                scoring=how,
                showing=DisplayOptions("none"),
                execution=Execution(command=f"{command} -d drawn"),
            )

        if scoring:
            score(self.folder / folder)
            return self.folder / folder
        images = digest_file(self.dataset / "images.parquet")
        made_with = (plots.write_plots, html.render_comparison)
        return write_once(self.folder / folder, ("run", names, threshold, seed, images, made_with), score)


Make = Callable[..., Path]
