"""The folder of a site: its marker file, its lock, and atomic writes of changed files only."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import remove_temporary, write_whole
from arena.base.locks import lock_output
from arena.base.reading import read_json
from arena.base.schema import INTEGER, TEXT, Schema, optional, table_of

SITE = 1
"""Version of a site's layout."""

MARKER = "arena-site.json"
"""File that marks a folder as a site. It stores the id of the feed, which must not change, and the URL of the site."""

_OLD_LOCK = ".arena-publish.lock"
"""Lock that an earlier version may have left in the folder."""

_HOST_FILES = frozenset(["CNAME"])
"""Files for the host that may be in an empty site folder; dot files may be too."""

_MARKER = Schema(table_of({"arena_site": INTEGER}, {"feed": optional(TEXT), "url": optional(TEXT)}))

NO_URL = "none"
"""Value of `--url` that removes the stored URL."""

_ADDRESS = re.compile(r"https?://[\w.-]+(:\d{1,5})?(/[\w.~%()/-]*)?", re.ASCII)
"""URL of a folder: no query, no fragment, no character that needs an escape."""

_MADE_BY_ARENA = re.compile(rb'name="generator" content="arena |made by arena')


@dataclass
class Site:
    """A site folder that is open for writing.

    Attributes:
        feed: id of the feed; it never changes.
        url: public URL of the site without a slash at its end; None if unknown.
        written, unchanged, removed: number of files.
    """

    folder: Path
    feed: str
    url: str | None
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    _folders: set[Path] = field(default_factory=set)

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file atomically, unless it has these bytes already."""
        data = content.encode() if isinstance(content, str) else content
        target = self.folder / path
        if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
            self.unchanged += 1
            return
        if target.parent not in self._folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(target.parent)
        write_whole(target, data)
        self.written += 1

    def remove(self, path: Path) -> None:
        """Remove a file, and the folders that this leaves empty."""
        path.unlink()
        self.removed += 1
        for folder in path.parents:
            if folder == self.folder or any(folder.iterdir()):
                break
            folder.rmdir()

    def sweep(self, made: set[str]) -> None:
        """Remove pages of arena that are not in `made`, and temporary files of a killed process."""
        for pattern in ("tags/**/*.html", "tags/data/*.js", "models/*/index.html", "sitemap*.xml", "robots.txt"):
            for path in sorted(self.folder.glob(pattern)):
                if path.relative_to(self.folder).as_posix() not in made and _made_by_arena(path):
                    self.remove(path)

    def address(self, path: str) -> str | None:
        """Return the public URL of a page; None if the URL of the site is unknown."""
        return None if self.url is None else f"{self.url}/{quote(path.removesuffix('index.html'), safe='/~()')}"


def _made_by_arena(path: Path) -> bool:
    with path.open("rb") as file:
        return _MADE_BY_ARENA.search(file.read(4096)) is not None


@contextmanager
def open_site(folder: Path, ids: Sequence[str], url: str | None) -> Iterator[Site]:
    """Open a site for writing; create it if it does not exist.

    Args:
        ids: ids of the runs to publish; the id of the feed of a new site is derived from them.
        url: public URL; None keeps the stored one, `none` removes it.

    Raises:
        ArenaError: the folder holds other files, another process writes to it, or there is neither a site nor a run.
        IncomparableError: the site has another layout version.
    """
    refuse_foreign(folder)
    where = None if url is None else check_url(url)
    if not ids and not (folder / MARKER).exists():
        raise ArenaError(
            f"{folder}: not a site yet, and no run is named to start one; name a run folder, such as runs/demo"
        )
    with lock_output(folder, "publish"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _OLD_LOCK).unlink(missing_ok=True)
        remove_temporary(folder, recursive=True)  # first, because the pages of runs list the files of their folders
        yield _open_marked(folder, ids, where, keep_url=url is None)


def refuse_foreign(folder: Path) -> None:
    """Raise `ArenaError` if the path is a file, or a folder with files that is not a site."""
    if folder.exists() and not folder.is_dir():
        raise ArenaError(f"--to {folder}: is a file; name a folder")
    if not folder.is_dir() or (folder / MARKER).exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if path.name[0] != "." and path.name not in _HOST_FILES)
    if foreign:
        raise ArenaError(
            f"--to {folder}: contains {foreign[0]!r} but no {MARKER}, so it is not a site of arena; name an empty folder"
        )


def _open_marked(folder: Path, ids: Sequence[str], url: str | None, *, keep_url: bool) -> Site:
    """Return the site by its marker; write the marker if it is new or changed."""
    marker = _read_marker(folder / MARKER)
    feed = marker.get("feed") or uuid.uuid5(uuid.NAMESPACE_OID, "arena site " + " ".join(ids)).urn
    site = Site(folder, feed, marker.get("url") if keep_url else url)
    site.write(MARKER, json.dumps({"arena_site": SITE, "feed": site.feed, "url": site.url}, indent=2) + "\n")
    return site


def _read_marker(path: Path) -> dict[str, str | None]:
    if not path.exists():
        return {}
    marker = read_json(path, _MARKER, fix="restore it, or name an empty folder")
    if (version := marker["arena_site"]) != SITE:
        raise IncomparableError(
            f"{path}: site of version {version}, but this arena writes version {SITE}; name an empty folder"
        )
    return dict(marker)


def check_url(url: str) -> str | None:
    """Return a valid site URL without a slash at its end; None for `none`.

    >>> check_url("https://example.org/arena/"), check_url("none")
    ('https://example.org/arena', None)

    Raises:
        ArenaError: it is not the URL of a folder.
    """
    if url == NO_URL:
        return None
    if not _ADDRESS.fullmatch(url):
        raise ArenaError(f"--url {url!r}: not the URL of a folder; write one such as https://example.org/arena")
    return url.rstrip("/")
