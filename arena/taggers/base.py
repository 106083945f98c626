"""The interface of every tagger, and the check that its output passes."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ScoresError
from arena.cards import ModelCard, Preprocess
from arena.tags import TagSpace

Pixels = NDArray[np.uint8]
"""A batch of squares, (n, size, size, 3), red green blue, 0 to 255."""

Scores = NDArray[np.float32]
"""Probabilities, (n, tags), 0 to 1."""


class Tagger(Protocol):
    """One image tagger, loaded and ready.

    Attributes:
        card: what is known of it.
        tags: what its columns mean.
        preprocess: which pixels it wants, `size` filled in.
        precision: `fp32`, `fp16` or `bf16`, as it really runs.
        device: `cpu` or `cuda:N`, as it really runs.
    """

    card: ModelCard
    tags: TagSpace
    preprocess: Preprocess
    precision: str
    device: str

    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch, in the order of `tags`."""
        ...


def notes_of(tagger: Tagger) -> tuple[str, ...]:
    """What a user should know of how a tagger runs, a line each: of its preprocessing, and its `notes`, which most have not."""
    return (*tagger.card.preprocess_notes, *getattr(tagger, "notes", ()))


def check_scores(name: str, scores: object, *, images: int, tags: int) -> None:
    """Refuse an adapter's output that is no matrix of probabilities; it is never repaired.

    Raises:
        ScoresError: no array of float32, another shape, NaN, or a value outside [0, 1].
    """
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        seen = f"an array of {scores.dtype}" if isinstance(scores, np.ndarray) else f"a {type(scores).__name__}"
        raise ScoresError(f"{name}: scores are {seen}; they must be a numpy array of float32")
    if scores.shape != (images, tags):
        raise ScoresError(f"{name}: scores of shape {scores.shape}, expected {(images, tags)}: images x tags")
    if scores.size == 0:
        return
    low, high = float(scores.min()), float(scores.max())
    if np.isnan(low):
        raise ScoresError(
            f"{name}: {int(np.isnan(scores).sum())} scores are NaN; are the weights damaged, or fp16 too narrow?"
        )
    if low < 0 or high > 1:
        extreme = f"min {low:.4g}" if low < 0 else f"max {high:.4g}"
        raise ScoresError(f"{name}: scores outside [0, 1] ({extreme}); does this model need a sigmoid?")
