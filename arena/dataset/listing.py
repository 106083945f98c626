"""List the image files of a folder, a file or a dataset, each with its identifier."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.dataset.hashes.files import ImageFile
from arena.dataset.readers import NO_IMAGE, identifiers
from arena.dataset.walk import walk_images


class ImageListing(NamedTuple):
    """A source of images.

    Attributes:
        prefix: put before each identifier when several sources are combined, so that identifiers stay unique.
        items: returns an iterator over the images; it can be called several times.
    """

    name: str
    prefix: str
    items: Callable[[], Iterator[ImageFile]]

    def prefixed(self) -> Iterator[ImageFile]:
        """Yield the images with prefixed identifiers."""
        return (item._replace(image_id=self.prefix + item.image_id) for item in self.items())


def list_source(source: str, root: Path | None) -> ImageListing:
    """List the images of a source: a dataset folder, a folder of images, an image file, or the name of a dataset card.

    Raises:
        ArenaError: no such source, or a folder without an image.
    """
    path = Path(source)
    if path.is_file():
        name = identifiers([path.name])[0]
        return ImageListing(name, "", lambda: iter([ImageFile(name, str(path))]))
    if path.is_dir() and not (path / "dataset.toml").exists():
        if next(_walk(path), None) is None:
            raise ArenaError(f"{path}: {NO_IMAGE}")
        name = os.fsencode(path.resolve().name).decode("utf-8", "backslashreplace")
        return ImageListing(name, f"{name}/", lambda: _walk(path))
    dataset = read_frozen(find_dataset(source, root))
    columns = (dataset.image_ids, dataset.paths, dataset.images["sha256"])
    items = [ImageFile.of(*row) for row in zip(*columns, strict=True)]
    return ImageListing(dataset.card.name, f"{dataset.card.name}/", lambda: iter(items))


def _walk(folder: Path) -> Iterator[ImageFile]:
    """Yield every image file below a folder as `walk_images` does, and the links to folders outside, which are reported."""
    for level in walk_images(folder):
        names = [level.path(name) for name in sorted((*level.files, *level.links))]
        yield from (ImageFile(one, str(folder / name)) for one, name in zip(identifiers(names), names, strict=True))
