"""Decode once, score by all: how long the input of several models takes that want the same pixels, or other ones.

The networks are taken away (scores are all zero), so that what is left is reading, decoding, making square, and storing.
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
"""Sides of the squares that the models of each case want."""

LIMIT = 1.25
"""What two models that share preprocessing may take of the time of one."""


class NoNetwork:
    """A tagger that only wants its pixels."""

    precision, device = "fp32", "cpu"
    tags = TagSpace(("none",))

    def __init__(self, name: str, size: int) -> None:
        self.card = ModelCard(name, name, "joytag", Path(), ())
        self.preprocess = Preprocess(size)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Zeros."""
        return np.zeros((len(batch), 1), np.float32)


def seconds_of(paths: Sequence[Path], sizes: Sequence[int]) -> float:
    """One pass over all images, for models that want squares of these sides."""
    taggers = [NoNetwork(str(place), size) for place, size in enumerate(sizes)]
    with prepared(paths, taggers) as run:
        start = time.perf_counter()
        run.predict(batch_size=32)
        return time.perf_counter() - start


def measure(paths: Sequence[Path], rounds: int) -> dict[str, float]:
    """Median seconds of each case; the cases take turns, so that a busy moment does not fall on one alone."""
    seconds_of(paths[:32], (448,))
    taken: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case, sizes in CASES.items():
            taken[case].append(seconds_of(paths, sizes))
    return {case: statistics.median(each) for case, each in taken.items()}
