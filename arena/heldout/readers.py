"""Truth and images from places other than a frozen dataset."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from arena.errors import ArenaError, ScoresError, refuse_twice
from arena.heldout.dataset import Truth, sparse_rows
from arena.images import IMAGE_SUFFIXES
from arena.tags import TagSpace


def truth_from_rows(
    where: Path,
    shape: tuple[int, ...],
    tiles: Iterable[np.ndarray],
    tags: tuple[str, ...],
    image_ids: tuple[str, ...],
) -> Truth:
    """Truth from the rows of a truth file.

    Args:
        shape: of the whole, (images, tags).
        tiles: row blocks, one after the other; bool, or 0 and 1.

    Raises:
        ArenaError: shapes disagree, an image or a tag is listed twice, or a value is neither 0 nor 1.
    """
    refuse_twice(where, "image", image_ids)
    refuse_twice(where, "tag", tags)
    if shape != (len(image_ids), len(tags)):
        raise ScoresError(f"{where}: truth {shape}, but {len(image_ids)} image_ids and {len(tags)} tags")

    def checked() -> Iterator[np.ndarray]:
        for tile in tiles:
            if tile.dtype != np.bool_ and not np.isin(tile, (0, 1)).all():
                raise ScoresError(f"{where}: truth holds values other than 0 and 1; it must be bool")
            yield tile.astype(np.bool_, copy=False)

    return Truth.of(image_ids, TagSpace(tags), sparse_rows(shape, checked()))


def list_images(folder: Path) -> dict[str, Path]:
    """Every image file below a folder by identifier, in sorted order of file name.

    An identifier is the path below the folder without its suffix; where two files would share one, both keep theirs.

    Raises:
        ArenaError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise ArenaError(f"--images {folder}: no such folder")
    files = [path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    if not files:
        raise ArenaError(f"--images {folder}: no image in it (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    names = {
        path: os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "backslashreplace") for path in files
    }
    ids = short_ids(names.values())
    return {ids[name]: path for path, name in names.items()}


def short_ids(names: Iterable[str]) -> dict[str, str]:
    """An identifier for each file name: the name without its suffix; where two would share one, both keep theirs.

    >>> short_ids(["a.png", "b.png", "b.jpg"])
    {'a.png': 'a', 'b.png': 'b.png', 'b.jpg': 'b.jpg'}
    """
    ids = {name: name.removesuffix(Path(name).suffix) for name in names}
    while shared := {image_id for image_id, count in Counter(ids.values()).items() if count > 1}:
        ids = {name: name if image_id in shared else image_id for name, image_id in ids.items()}
    return ids
