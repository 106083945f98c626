"""Requests of `arena bench`: the models and the images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError
from arena.cards import find_dataset, find_models
from arena.dataset.frozen import read_frozen
from arena.dataset.readers import list_images
from arena.diagnostics.bench.worker import BenchRequest
from arena.images.places import ImagePlace, TarMember
from arena.taggers.files import weights

MAX_BENCH_IMAGES = 64
"""Largest number of images: enough for a mix of sizes and formats, few enough to keep them decoded in memory."""


def pick_images(*, folder: Path | None, dataset: str, root: Path | None) -> tuple[ImagePlace, ...]:
    """Return up to `MAX_BENCH_IMAGES` files, evenly spaced over a folder of images in the order of names, or over a dataset.

    Raises:
        ArenaError: the folder or dataset does not exist or has no image.
    """
    listed: list[ImagePlace]
    listed = [*list_images(folder).values()] if folder else list(read_frozen(find_dataset(dataset, root)).paths)
    chosen = np.unique(np.linspace(0, len(listed) - 1, MAX_BENCH_IMAGES).round().astype(int))
    return tuple(listed[place] for place in chosen)


def build_requests(
    models: Sequence[str],
    images: Sequence[ImagePlace],
    *,
    root: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    batch_sizes: tuple[int, ...] = (1, 8, 32),
    seconds: float = 5.0,
) -> list[BenchRequest]:
    """Return one request per model, after all models have been found and their files fetched.

    Raises:
        ArenaError: a model does not exist, has no network of its own, or its files are unavailable.
    """
    for card in find_models(models, root):
        if card.adapter in ("ensemble", "precomputed"):
            raise ArenaError(
                f"model {card.name}: adapter {card.adapter} has no network of its own; name the models it is made of"
            )
        weights.fetch_files(card)
    paths = tuple(
        (str(place.tar), place.offset, place.length) if isinstance(place, TarMember) else str(place) for place in images
    )
    own_root = None if root is None else str(root)
    return [BenchRequest(model, paths, batch_sizes, seconds, device, precision, own_root) for model in models]
