"""Access to the files below one folder.

Links to regular files are followed, also out of the folder, because hub caches, DVC and git-annex store datasets as such links.
A name that leads out of the folder is refused, and so is a link to a folder outside.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.text_files import decode_text
from arena.dataset.records import RowRefusedError
from arena.dataset.sources.labels import MAX_TAG_CHARACTERS
from arena.dataset.walk import FolderLevel, walk_folder
from arena.images.formats import has_image_suffix

_MAX_SHOWN = 1_000
"""Maximum number of characters of a name in a message."""

_DATASET_MARKERS = ("dataset.toml", ".parts")
"""Files and folders that mark a folder as the output of an import."""


@dataclass(frozen=True)
class Tree:
    """A folder whose files may be read.

    Attributes:
        root: path of the folder, with every link resolved.
    """

    root: Path

    @classmethod
    def at(cls, folder: Path) -> "Tree":
        """Return the tree below a folder.

        Raises:
            ArenaError: the folder does not exist.
        """
        if not folder.is_dir():
            raise ArenaError(f"{folder}: no such folder")
        return cls(folder.resolve())

    def find(self, name: str) -> Path:
        """Return the path of a regular file, with every link resolved; the name is absolute or relative to the root.

        Raises:
            RowRefusedError: `outside the folder` if the file's folder is not below the root; `missing` if there is no regular
                file.
        """
        try:
            place = self.root / name
            inside = place.name not in ("", "..") and place.parent.resolve().is_relative_to(self.root)
            path = place.resolve()
            regular = path.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # name too long, a loop of links, a NUL character
            why = "a loop of links" if isinstance(error, RuntimeError) else error.__class__.__name__
            raise RowRefusedError("missing", f"{escape_name(name)}: {why}") from None
        if not inside:
            raise RowRefusedError("outside the folder", escape_name(name))
        if not regular:
            why = ": not a regular file" if path.exists() else ""
            raise RowRefusedError("missing", escape_name(name) + why)
        return path

    def portable(self, name: str) -> str:
        r"""Return a name with `/` instead of Windows' backslash, unless a file has the name with a backslash.

        >>> Tree(Path("/")).portable("img\\0.png")
        'img/0.png'
        """
        return name.replace("\\", "/") if "\\" in name and not (self.root / name).exists() else name

    def text(self, name: str) -> str:
        """Return the text of a file of tags.

        Raises:
            RowRefusedError: as `find`; `tags too long` for more than `MAX_TAG_CHARACTERS` bytes; `not text` if it is neither
                UTF-8 nor UTF-16 with a byte order mark.
        """
        with self.find(name).open("rb") as file:
            content = file.read(MAX_TAG_CHARACTERS + 1)
        if len(content) > MAX_TAG_CHARACTERS:
            raise RowRefusedError("tags too long", f"{escape_name(name)}: more than {MAX_TAG_CHARACTERS:,} bytes")
        try:
            return decode_text(content)
        except UnicodeDecodeError as error:
            raise RowRefusedError("not text", f"{escape_name(name)}: byte {error.start} is not UTF-8") from None

    def walk(self) -> Iterator[FolderLevel]:
        """Yield every folder as `walk_folder` does, without finished and unfinished datasets.

        Raises:
            ArenaError: a folder cannot be read.
        """
        return walk_folder(self.root, _is_dataset)

    def by_stem(self) -> dict[str, str]:
        """Return image files by key: the lower-case stem, and its last part after `_`, as in `site_123_<md5>.jpg`.

        A file without a suffix counts as an image file. If two files have the same key, the first in sorted order is kept.
        """
        found: dict[str, str] = {}
        for level in self.walk():
            for name in level.files:
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 - one Path per file takes four times as long
                if not suffix or has_image_suffix(name):
                    for key in {stem.lower(), stem.lower().rpartition("_")[2]}:
                        found.setdefault(key, level.path(name))
        return found


def _is_dataset(folder: Path) -> bool:
    """Return whether a folder is the output of an import."""
    return any((folder / mark).exists() for mark in _DATASET_MARKERS)


def escape_name(name: str) -> str:
    r"""Return a name as printable text: bytes that are not UTF-8 are escaped, a long name is cut at `_MAX_SHOWN`.

    >>> escape_name("caf\udce9"), escape_name("\ud800")
    ('caf\\xe9', '\\ud800')
    """
    cut = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..."
    try:
        return os.fsencode(cut).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that `os.fsdecode` never makes
        return cut.encode("utf-8", "backslashreplace").decode()
