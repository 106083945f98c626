"""Which models are measured, and on which images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError
from arena.cards import find_dataset, find_models
from arena.dataset.frozen import read_frozen
from arena.dataset.readers import list_images
from arena.diagnostics.bench.worker import Request
from arena.taggers.files import weights

IMAGES = 64
"""Images that are measured on: enough to mix sizes and formats, few enough to keep decoded."""


def pick_images(*, folder: Path | None, dataset: str, root: Path | None) -> tuple[Path, ...]:
    """Up to `IMAGES` files, evenly spaced over a folder of images in order of name, or else over a dataset.

    Raises:
        ArenaError: no such folder or dataset, or no image in it.
    """
    listed = list(list_images(folder).values()) if folder else list(read_frozen(find_dataset(dataset, root)).paths)
    chosen = np.unique(np.linspace(0, len(listed) - 1, IMAGES).round().astype(int))
    return tuple(listed[place] for place in chosen)


def requests_for(
    models: Sequence[str],
    images: Sequence[Path],
    *,
    root: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    batch_sizes: tuple[int, ...] = (1, 8, 32),
    seconds: float = 5.0,
) -> list[Request]:
    """A request a model; nothing is measured before every name is known and every file is there.

    Raises:
        ArenaError: no such model, or its files are not to be had.
    """
    for card in find_models(models, root):
        if card.adapter in ("ensemble", "precomputed"):
            raise ArenaError(f"model {card.name}: {card.adapter}, no network of its own; name those that it is made of")
        weights.fetch(card)
    paths = tuple(str(path) for path in images)
    own_root = None if root is None else str(root)
    return [Request(model, paths, batch_sizes, seconds, device, precision, own_root) for model in models]
