"""A few varied generated images, on which a rewritten graph is compared with the original."""

import numpy as np

from arena.cards import ModelCard
from arena.taggers.base import Pixels

_PATCHES_PER_SIDE = 7
"""Patches along one side of the second image."""


def varied_test_images(card: ModelCard, size: int) -> Pixels:
    """Return three squares that differ in colour, detail and padding, uint8 (3, size, size, 3).

    They are waves in warm colours, dark patches between bands of padding, and bright noise; equal on every machine.

    Args:
        size: side of the squares, pixels.
    """
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:size, :size] / size
    waves = np.stack([np.sin(2 * np.pi * (3 * x + 5 * y + phase)) for phase in (0.0, 0.2, 0.5)], axis=-1)
    patch = np.arange(size) * _PATCHES_PER_SIDE // size
    patches = rng.uniform(0, 1, (_PATCHES_PER_SIDE, _PATCHES_PER_SIDE, 3))[patch][:, patch] * (90, 60, 140)
    patches[: size // 6] = patches[size - size // 6 :] = card.preprocess.pad_colour
    noise = rng.uniform(110, 255, (size, size, 3))
    warm = np.asarray((190, 110, 50)) + waves * 50
    return np.stack([warm, patches, noise]).astype(np.uint8)
