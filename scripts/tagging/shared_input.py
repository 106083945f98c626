"""Time of the input pipeline for several models that need the same pixels, or different ones.

There are no networks (all scores are zero), so only reading, decoding, padding to squares and storing are measured.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arena.cards import ModelCard, Preprocess
from arena.tags import TagSpace
from tagging.stored import prepared

CASES = {"one model": (448,), "two that share preprocessing": (448, 448), "two that do not": (448, 384)}
"""Sides of the squares that the models of each case need."""

LIMIT = 1.25
"""Limit of the time of two models that share preprocessing, relative to one model."""


class NoNetwork:
    """A tagger that takes pixels and scores nothing."""

    precision, device = "fp32", "cpu"
    tags = TagSpace(("none",))

    def __init__(self, name: str, size: int) -> None:
        self.card = ModelCard(name, name, "joytag", Path(), ())
        self.preprocess = Preprocess(size)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return zeros."""
        return np.zeros((len(batch), 1), np.float32)


def seconds_of(paths: Sequence[Path], sizes: Sequence[int]) -> float:
    """Return the seconds of one pass over all images, for models that need squares of these sides."""
    taggers = [NoNetwork(str(place), size) for place, size in enumerate(sizes)]
    with prepared(paths, taggers) as run:
        start = time.perf_counter()
        run.predict(batch_size=32)
        return time.perf_counter() - start


def measure(paths: Sequence[Path], rounds: int) -> dict[str, float]:
    """Return the median seconds of each case; the cases alternate, so that a busy moment does not affect only one."""
    seconds_of(paths[:32], (448,))
    seconds: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case, sizes in CASES.items():
            seconds[case].append(seconds_of(paths, sizes))
    return {case: statistics.median(each) for case, each in seconds.items()}
