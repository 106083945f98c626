"""The folder of a site: what marks it, one writer at a time, every file whole and only where it changed."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import remove_temporary, write_whole

SITE = 1
"""Version of a site's layout."""

MARKER = "arena-site.json"
"""By this file a folder is known to be a site; it holds what must not change, and what need not be said again."""

LOCK = ".arena-publish.lock"

NOT_OURS = frozenset(["CNAME"])
"""What a host wants beside the pages; dot files too."""

NO_URL = "none"
"""What `--url` takes to forget the address."""

_ADDRESS = re.compile(r"https?://[\w.-]+(:\d{1,5})?(/[\w.~%()/-]*)?", re.ASCII)
"""Of a folder: no query, no fragment, nothing that needs to be escaped."""

_MADE_BY_ARENA = re.compile(rb'name="generator" content="arena |made by arena')


@dataclass
class Site:
    """A folder that is written to.

    Attributes:
        feed: the feed's id, the same for ever.
        url: where the site will stand, without a slash at its end; None where that is not known.
        written, unchanged, removed: how many files.
    """

    folder: Path
    feed: str
    url: str | None
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    _folders: set[Path] = field(default_factory=set)

    def write(self, path: str, content: str | bytes) -> None:
        """A file, unless it is there already with the same bytes; whole or not at all."""
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
        """A file of an earlier state, with folders that it leaves empty."""
        path.unlink()
        self.removed += 1
        for folder in path.parents:
            if folder == self.folder or any(folder.iterdir()):
                break
            folder.rmdir()

    def sweep(self, made: set[str]) -> None:
        """Remove pages that an earlier state had and this one has not, and what a killed process left; only what arena made."""
        for pattern in ("tags/**/*.html", "models/*/index.html", "sitemap*.xml", "robots.txt"):
            for path in sorted(self.folder.glob(pattern)):
                if path.relative_to(self.folder).as_posix() not in made and _made_by_arena(path):
                    self.remove(path)
        remove_temporary(self.folder, recursive=True)

    def address(self, path: str) -> str | None:
        """Where a page will stand; None where the site's own address is not known."""
        return None if self.url is None else f"{self.url}/{quote(path.removesuffix('index.html'), safe='/~()')}"


def _made_by_arena(path: Path) -> bool:
    with path.open("rb") as file:
        return _MADE_BY_ARENA.search(file.read(4096)) is not None


@contextmanager
def open_site(folder: Path, ids: Sequence[str], url: str | None) -> Iterator[Site]:
    """A site to write to, made where there is none yet.

    Args:
        ids: of the runs that are published; the first ones give a new site its feed's id.
        url: where it will stand; None is what was said before, `none` forgets it.

    Raises:
        ArenaError: the folder holds something else, another process writes to it, or there is no site and no run.
        IncomparableError: a site of another version.
    """
    refuse_foreign(folder)
    where = None if url is None else check_url(url)
    if not ids and not (folder / MARKER).exists():
        raise ArenaError(f"{folder}: no site yet, and no run to begin one with; give a run folder, such as runs/demo")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        yield _marked(folder, ids, where, said=url is not None)


def refuse_foreign(folder: Path) -> None:
    """Raise where a folder holds files, but no site."""
    if folder.exists() and not folder.is_dir():
        raise ArenaError(f"--to {folder}: a file; name a folder")
    if not folder.is_dir() or (folder / MARKER).exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if path.name[0] != "." and path.name not in NOT_OURS)
    if foreign:
        raise ArenaError(
            f"--to {folder}: holds {foreign[0]!r} and no {MARKER}, so it is no site of arena; name an empty folder"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ArenaError(f"{folder}: another process publishes to it; wait for it") from None
    try:
        yield
    finally:
        lock.release()
        (folder / LOCK).unlink(missing_ok=True)


def _marked(folder: Path, ids: Sequence[str], url: str | None, *, said: bool) -> Site:
    """The site as its marker tells it, which is written anew where something new was said."""
    told = _read_marker(folder / MARKER)
    feed = told.get("feed") or uuid.uuid5(uuid.NAMESPACE_OID, "arena site " + " ".join(ids)).urn
    site = Site(folder, feed, url if said else told.get("url"))
    site.write(MARKER, json.dumps({"arena_site": SITE, "feed": site.feed, "url": site.url}, indent=2) + "\n")
    return site


def _read_marker(path: Path) -> dict[str, str | None]:
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = told["arena_site"]
    except (ValueError, TypeError, KeyError) as error:
        raise ArenaError(f"{path}: damaged ({error}); put it back, or name an empty folder") from None
    if version != SITE:
        raise IncomparableError(f"{path}: a site of version {version}, this arena writes {SITE}; name an empty folder")
    return dict(told)


def check_url(url: str) -> str | None:
    """An address that pages can stand at, without a slash at its end; None for `none`.

    >>> check_url("https://example.org/arena/"), check_url("none")
    ('https://example.org/arena', None)

    Raises:
        ArenaError: it is none.
    """
    if url == NO_URL:
        return None
    if not _ADDRESS.fullmatch(url):
        raise ArenaError(f"--url {url!r}: not an address of a folder, such as https://example.org/arena")
    return url.rstrip("/")
