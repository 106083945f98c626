"""Images of a measurement, and the speed of decoding and preprocessing them."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from arena.base.errors import ArenaError, UnreadableImageError
from arena.cards import Preprocess
from arena.diagnostics.bench.costs import InputCost
from arena.diagnostics.bench.timing import time_calls
from arena.images.decode import RGB, decode
from arena.images.places import ImagePlace, read_image_file
from arena.taggers.base import Pixels
from arena.taggers.preprocess import square


def read_decodable(places: Sequence[ImagePlace]) -> dict[ImagePlace, bytes]:
    """Return the content of the files that can be decoded.

    Raises:
        ArenaError: no file can be decoded.
    """
    contents, refused = {}, ""
    for place in places:
        try:
            content = read_image_file(place)
            decode(content)
            contents[place] = content
        except UnreadableImageError as error:
            refused = f"{place.name if isinstance(place, Path) else place}: {error}"
    if not contents:
        raise ArenaError(f"none of {len(places)} images can be read; the last one, {refused}")
    return contents


def make_batch(squares: Sequence[RGB], size: int) -> Pixels:
    """Return a batch of `size` images, uint8 (size, side, side, 3); images are repeated if there are too few."""
    return np.stack([squares[place % len(squares)] for place in range(size)])


def measure_input(images: Mapping[ImagePlace, bytes], preprocess: Preprocess, seconds: float) -> InputCost:
    """Measure the speed of decoding, of preprocessing, and of both together in all threads.

    Args:
        seconds: shortest duration of each of the three; a pass over all images is always completed.
    """
    decoded = [decode(content) for content in images.values()]
    threads = os.cpu_count() or 1

    def prepare(place: ImagePlace) -> RGB:
        return square(decode(read_image_file(place)), preprocess)

    decoding = time_calls(lambda: [decode(content) for content in images.values()], seconds=seconds)
    squaring = time_calls(lambda: [square(rgb, preprocess) for rgb in decoded], seconds=seconds)
    with ThreadPoolExecutor(threads) as pool:
        together = time_calls(lambda: list(pool.map(prepare, images)), seconds=seconds)
    return InputCost(
        decode=len(images) / decoding.mean,
        square=len(images) / squaring.mean,
        together=len(images) / together.mean,
        threads=threads,
        images=len(images),
        median_pixels=int(np.median([rgb.shape[0] * rgb.shape[1] for rgb in decoded])),
    )
