"""The interface of every tagger, and the check of its output."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ScoresError
from arena.cards import ModelCard, Preprocess
from arena.scores.store import ROUNDING
from arena.tags import TagSpace

Pixels = NDArray[np.uint8]
"""A batch of squares, (n, size, size, 3), RGB, 0 to 255."""

Probabilities = NDArray[np.float32]
"""Probabilities, (n, tags), 0 to 1."""


class Tagger(Protocol):
    """A loaded image tagger.

    It may have two further methods, which a run on CUDA uses: `begin`, see `begin_batch`, and `buffer`, see `batch_buffer`.

    Attributes:
        card: the model card.
        tags: the tags of the output columns, in order.
        preprocess: the preprocessing of its input; `size` is set.
        precision: the actual precision: `fp32`, `fp16` or `bf16`.
        device: the actual device: `cpu` or `cuda:N`.
    """

    card: ModelCard
    tags: TagSpace
    preprocess: Preprocess
    precision: str
    device: str

    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags), in the order of `tags`."""
        ...


class TimedScores(NamedTuple):
    """Scores of one batch, and the network's time for them in seconds."""

    values: Probabilities
    seconds: float


def begin_batch(tagger: Tagger, batch: Pixels) -> Callable[[], TimedScores]:
    """Start a tagger on a batch, and return the function that waits for the scores.

    A tagger with a method `begin(batch)`, which returns such a function, starts its device and returns at once. Any other
    tagger computes the scores before this function returns.
    """
    if (begin := getattr(tagger, "begin", None)) is not None:
        started: Callable[[], TimedScores] = begin(batch)
        return started
    start = time.perf_counter()
    values = tagger.scores(batch)
    found = TimedScores(values, time.perf_counter() - start)
    return lambda: found


def batch_buffer(tagger: Tagger, shape: tuple[int, ...]) -> Pixels:
    """Return an uninitialised array for a batch; from that of a tagger with a method `buffer` its device can copy."""
    if (buffer := getattr(tagger, "buffer", None)) is not None:
        room: Pixels = buffer(shape)
        return room
    return np.empty(shape, np.uint8)


def tagger_notes(tagger: Tagger) -> tuple[str, ...]:
    """Return a tagger's notes for the user, one line each: those on its preprocessing, then its optional attribute `notes`."""
    return (*tagger.card.preprocess_notes, *getattr(tagger, "notes", ()))


def check_scores(name: str, scores: object, *, images: int, tags: int) -> Probabilities:
    """Return an adapter's checked output, (images, tags); a score outside [0, 1] by at most `ROUNDING` is clipped.

    Nothing else is repaired.

    Args:
        name: start of the error message, such as the model's name.

    Raises:
        ScoresError: not a float32 array, a shape other than (images, tags), NaN, or a value outside [0, 1].
    """
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        found = f"an array of {scores.dtype}" if isinstance(scores, np.ndarray) else f"a {type(scores).__name__}"
        raise ScoresError(f"{name}: scores are {found}; they must be a numpy array of float32")
    if scores.shape != (images, tags):
        raise ScoresError(f"{name}: scores of shape {scores.shape}, expected {(images, tags)}: images x tags")
    if scores.size == 0:
        return scores
    low, high = float(scores.min()), float(scores.max())
    if np.isnan(low):
        raise ScoresError(
            f"{name}: {int(np.isnan(scores).sum())} scores are NaN; the weights may be damaged, or fp16 may overflow"
        )
    if low < -ROUNDING or high > 1 + ROUNDING:
        extreme = f"min {scores.min()!s}" if low < -ROUNDING else f"max {scores.max()!s}"
        raise ScoresError(f"{name}: scores outside [0, 1] ({extreme}); does this model need a sigmoid?")
    return scores.clip(0, 1) if low < 0 or high > 1 else scores
