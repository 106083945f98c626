"""The files below one folder, and nothing outside it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.dataset.records import RefusedError
from arena.dataset.sources.labels import MAX_TAG_CHARACTERS
from arena.images.decode import IMAGE_SUFFIXES

MAX_SHOWN = 1_000
"""Characters of a name that are told."""

DATASET_MARKS = ("dataset.toml", ".parts")
"""What a folder has that an import wrote."""


class Level(NamedTuple):
    """One folder of a tree."""

    folder: str
    """Below the root, with `/`; empty for the root itself."""
    files: list[str]
    links: list[str]
    """Links to folders, which are not followed."""

    def path(self, name: str) -> str:
        """A name in it, below the root."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True)
class Tree:
    """A folder whose files may be read.

    Attributes:
        root: with every link resolved.
    """

    root: Path

    @classmethod
    def at(cls, folder: Path) -> "Tree":
        """The tree below a folder.

        Raises:
            ArenaError: there is none.
        """
        if not folder.is_dir():
            raise ArenaError(f"{folder}: no such folder")
        return cls(folder.resolve())

    def find(self, name: str) -> Path:
        """The regular file of this name, relative or absolute, with every link resolved.

        Raises:
            RefusedError: `outside the folder`, or `missing`.
        """
        try:
            path = (self.root / name).resolve()
            inside, regular = path.is_relative_to(self.root), path.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # too long, a circle of links, a NUL
            raise RefusedError("missing", f"{shown(name)}: {error.__class__.__name__}") from None
        if not inside:
            raise RefusedError("outside the folder", shown(name))
        if not regular:
            raise RefusedError("missing", shown(name))
        return path

    def text(self, name: str) -> str:
        """A file of tags.

        Raises:
            RefusedError: as `find`, `tags too long` or `not text`.
        """
        with self.find(name).open("rb") as file:
            content = file.read(MAX_TAG_CHARACTERS + 1)
        if len(content) > MAX_TAG_CHARACTERS:
            raise RefusedError("tags too long", f"{shown(name)}: more than {MAX_TAG_CHARACTERS:,} bytes")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RefusedError("not text", f"{shown(name)}: byte {error.start} is not UTF-8") from None

    def walk(self) -> Iterator[Level]:
        """Every folder, in sorted order; hidden ones and finished or unfinished datasets are left out.

        Raises:
            ArenaError: one cannot be read.
        """
        for folder, folders, files in os.walk(self.root, onerror=_refuse):
            links = sorted(name for name in folders if Path(folder, name).is_symlink())
            folders[:] = sorted(name for name in folders if name not in links and not _left_out(Path(folder, name)))
            yield Level(Path(folder).relative_to(self.root).as_posix().removeprefix("."), sorted(files), links)

    def by_stem(self) -> dict[str, str]:
        """Images by what their name says: `123` or an md5, whatever the folder, and the md5 of `site_123_<md5>.jpg`.

        A name without a suffix counts too. Of two files with one key, the first in sorted order holds.
        """
        found: dict[str, str] = {}
        for level in self.walk():
            for name in level.files:
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path a file takes four times as long
                if suffix.lower() in IMAGE_SUFFIXES or not suffix:
                    for key in {stem.lower(), stem.lower().rpartition("_")[2]}:
                        found.setdefault(key, level.path(name))
        return found


def _left_out(folder: Path) -> bool:
    """Whether a folder is hidden, or a dataset that was made of what lies around it."""
    return folder.name.startswith(".") or any((folder / mark).exists() for mark in DATASET_MARKS)


def _refuse(error: OSError) -> None:
    raise ArenaError(f"{error.filename}: cannot be read ({error.strerror}); make it readable, or move it away")


def shown(name: str) -> str:
    r"""A name as text, whatever its bytes, and not endless.

    >>> shown("caf\udce9"), shown("\ud800")
    ('caf\\xe9', '\\ud800')
    """
    cut = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..."
    try:
        return os.fsencode(cut).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that no file name has
        return cut.encode("utf-8", "backslashreplace").decode()
