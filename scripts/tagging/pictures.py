"""Images of a size that is typical of image boards: drawings of the demo set, enlarged and saved as JPEG."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from arena.base.cores import usable_cores
from arena.base.files import open_whole
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.images.decode import decode
from arena.images.places import ImagePlace

SIDE = 1024
"""Longer side in pixels."""


def make_pictures(folder: Path, number: int) -> list[Path]:
    """Return this number of files; write the missing ones. If the set has fewer drawings, they repeat at another quality."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [path for path in read_frozen(find_dataset("demo")).paths if isinstance(path, Path)]
    paths = [folder / f"{place:05d}.jpg" for place in range(number)]
    missing = [
        partial(_write, sources[place % len(sources)], path, quality=92 - place // len(sources))
        for place, path in enumerate(paths)
        if not path.exists()
    ]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for written in [pool.submit(write) for write in missing]:
            written.result()
    return paths


def _write(source: ImagePlace, path: Path, quality: int) -> None:
    image = Image.fromarray(decode(source))
    scale = SIDE / max(image.size)
    wide, high = (max(1, round(side * scale)) for side in image.size)
    with open_whole(path) as file:
        image.resize((wide, high), Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
