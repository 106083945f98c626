"""Walk the files below a folder: one rule for `dataset import`, `hash` and `predict`.

Hidden folders are skipped, hidden files are not. Links to files are followed. Links to folders are not: a target inside the
folder is read at its own path, and a link to a folder outside is reported. Folders and files come in sorted order, the files of
a folder before those of its subfolders.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.images.formats import is_image_file


class FolderLevel(NamedTuple):
    """One folder of a tree.

    Attributes:
        folder: path relative to the root, with `/`; empty for the root.
        files: names of its files, broken links included.
        links: names of the links to folders outside the root.
    """

    folder: str
    files: list[str]
    links: list[str]

    def path(self, name: str) -> str:
        """Return the path, relative to the root, of a file or link in this folder."""
        return f"{self.folder}/{name}" if self.folder else name


def walk_folder(root: Path, skipped: Callable[[Path], bool] = lambda folder: False) -> Iterator[FolderLevel]:
    """Yield every folder below a root, and the root; only the names of one folder and of its ancestors are in memory.

    Args:
        skipped: returns whether a folder is left out.

    Raises:
        ArenaError: a folder cannot be read.
    """
    resolved = root.resolve()
    for place, folders, files in os.walk(root, onerror=_refuse):
        here = Path(place)
        visible = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in visible if (here / name).is_symlink()]
        folders[:] = [name for name in visible if name not in links and not skipped(here / name)]
        outside = [name for name in links if not (here / name).resolve().is_relative_to(resolved)]
        yield FolderLevel(here.relative_to(root).as_posix().removeprefix("."), sorted(files), outside)


def walk_images(root: Path) -> Iterator[FolderLevel]:
    """Yield every folder with its image files only, recognised by suffix or content; folders without any are left out."""
    for level in walk_folder(root):
        images = [name for name in level.files if is_image_file(root / level.path(name))]
        if images or level.links:
            yield level._replace(files=images)


def _refuse(error: OSError) -> None:
    raise ArenaError(f"{error.filename}: cannot be read ({error.strerror}); make it readable, or move it away")
