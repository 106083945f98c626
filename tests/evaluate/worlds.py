"""Comparisons of known make: a truth, and models that see it through noise."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagSpace

RATINGS = ("g", "s", "q", "e")


def labels_of(rng: np.random.Generator, images: int, tags: int) -> np.ndarray:
    """From rare to frequent tags."""
    return rng.random((images, tags)) < np.linspace(0.03, 0.4, tags)


def see(rng: np.random.Generator, labels: np.ndarray, separation: float = 2.0) -> np.ndarray:
    """Scores of a model that tells images with a tag from those without so well."""
    logits = separation * (2 * labels - 1) + rng.normal(size=labels.shape) * 1.5 - 0.5
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def entry(
    name: str,
    image_ids: Sequence[str],
    tags: Sequence[str],
    scores: np.ndarray,
    thresholds: Thresholds = Thresholds(0.5),
    **columns: Any,
) -> Entry:
    return Entry(name, name, Scores.of(image_ids, TagSpace(tuple(tags), **columns), scores), thresholds, "card")


def world(images: int = 240, tags: int = 10, seed: int = 0, **more: Any) -> tuple[Truth, list[Entry]]:
    """Two models on the same tags, the first the better one; images with ratings and sizes, tags of two categories."""
    rng = np.random.default_rng(seed)
    labels, ids, names = labels_of(rng, images, tags), [f"i{n}" for n in range(images)], [f"t{n}" for n in range(tags)]
    categories = tuple("character" if n % 3 == 0 else "general" for n in range(tags))
    columns = {
        "rating": rng.choice(RATINGS, images, p=[0.5, 0.3, 0.15, 0.05]).tolist(),
        "width": rng.choice([300, 900, 2000], images).tolist(),
        "height": rng.choice([300, 900], images).tolist(),
    }
    truth = Truth.of(ids, TagSpace(tuple(names), categories), labels, **{"images": columns, **more})
    models = [entry(name, ids, names, see(rng, labels, power)) for name, power in (("fine", 2.0), ("poor", 1.2))]
    return truth, models


def assert_same(first: Any, second: Any, *, where: str = "", tolerance: float = 1e-9) -> None:
    """Equal but for the last digits of numbers; NaN equals NaN."""
    if isinstance(first, dict):
        assert list(first) == list(second), where
        for key in first:
            assert_same(first[key], second[key], where=f"{where}/{key}", tolerance=tolerance)
    elif isinstance(first, list):
        assert len(first) == len(second), where
        for place, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_same(one, other, where=f"{where}/{place}", tolerance=tolerance)
    elif isinstance(first, float):
        assert first == pytest.approx(second, abs=tolerance, nan_ok=True), where
    else:
        assert first == second, where


def assert_same_tables(first: Result, second: Result, *, tolerance: float = 1e-9) -> None:
    assert first.tables.keys() == second.tables.keys()
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name], obj=name, rtol=0, atol=tolerance)


def cells_without_a_number(table: pd.DataFrame) -> Iterator[tuple[str, int]]:
    """Column and row of each null."""
    for column in table.columns:
        for row in np.flatnonzero(table[column].isna()):
            yield column, int(row)
