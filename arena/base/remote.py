"""Paths of files in an object store, such as `s3://bucket/key`, through fsspec. They can be read, not written.

The file of a URL is a `RemotePath`. It is a `Path`, so whatever reads a path by its methods reads it too. An error of the
network or of the access rights stops the command; only a file that the store does not have counts as missing.
"""

import errno
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PosixPath
from typing import Any, TypeVar

from arena.base.errors import ArenaError
from arena.base.extras import install_command

T = TypeVar("T")

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)

_OBSTORE = ("s3", "gs", "az")
"""Protocols that obstore reads, which the extra `s3` installs."""


def as_path(text: str | os.PathLike[str]) -> Path:
    """Return the path of a text; that of a URL is a `RemotePath`, also if pathlib has merged its two slashes.

    >>> as_path("images/1.png")
    PosixPath('images/1.png')
    >>> print(as_path("s3://bucket/images") / "1.png")
    s3://bucket/images/1.png
    """
    return RemotePath(text) if _URL.fullmatch(str(text)) else Path(text)


def readable(path: Path) -> Path | io.BytesIO:
    """Return what a library reads that opens a path by its name: the content of a remote file, else the path."""
    return io.BytesIO(path.read_bytes()) if isinstance(path, RemotePath) else path


class RemotePath(PosixPath):
    """The path of a file or folder in an object store; its text is the URL."""

    def __str__(self) -> str:
        found = _URL.fullmatch(super().__str__())
        return f"{found[1]}://{found[2]}" if found else super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def as_posix(self) -> str:
        return str(self)

    def is_absolute(self) -> bool:
        return True

    def absolute(self) -> "RemotePath":
        return self

    def resolve(self, strict: bool = False) -> "RemotePath":
        return self

    def expanduser(self) -> "RemotePath":
        return self

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size and kind of a file or a folder.

        Raises:
            FileNotFoundError: the store has neither.
            ArenaError: the store cannot be asked.
        """
        facts = _ask(self, lambda store: store.info(str(self)))
        mode = stat.S_IFDIR | 0o555 if facts["type"] == "directory" else stat.S_IFREG | 0o444
        return os.stat_result((mode, 0, 0, 1, 0, 0, facts["size"] or 0, 0, 0, 0))

    def read_bytes(self) -> bytes:
        """Return the content of a file, by one request.

        Raises:
            FileNotFoundError: the store has no such file.
            ArenaError: the store cannot be read.
        """
        return bytes(_ask(self, lambda store: store.cat_file(str(self))))

    def read_range(self, offset: int, length: int) -> bytes:
        """Return a part of a file, by one request; shorter if the file ends before it does. Errors as in `read_bytes`."""
        return bytes(_ask(self, lambda store: store.cat_file(str(self), start=offset, end=offset + length)))

    def open(
        self, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
        newline: str | None = None,
    ) -> Any:  # fmt: skip
        """Open a file for reading; it is read whole at once.

        Raises:
            ArenaError: another mode, or the store cannot be read.
        """
        if mode not in ("r", "rb", "rt"):
            raise ArenaError(f"{self}: cannot be written; name a folder of this machine, or a shared one")
        content = io.BufferedReader(io.BytesIO(self.read_bytes()))  # it has peek
        return content if mode == "rb" else io.TextIOWrapper(content, encoding or "utf-8", errors, newline)

    def iterdir(self) -> Iterator["RemotePath"]:  # type: ignore[override]
        """Yield what is in a folder."""
        for name in sorted(_ask(self, lambda store: store.ls(str(self), detail=False))):
            yield self / name.rstrip("/").rpartition("/")[2]

    def files_below(self) -> set[str]:
        """Return the paths of all files below a folder, relative to it, by a list request per 1,000 files."""
        start = str(self).partition("://")[2].strip("/") + "/"
        found = _ask(self, lambda store: store.find(str(self)))
        return {name.rpartition("://")[2].lstrip("/").removeprefix(start) for name in found}


def _ask(path: RemotePath, request: Callable[[Any], T]) -> T:
    """Return the answer of the store to a request about a path."""
    try:
        return request(_store_of(str(path).partition("://")[0]))
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    except ArenaError:
        raise
    except Exception as error:  # each library of a protocol has exceptions of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArenaError(
            f"{path}: cannot be read ({reason}); check the address, the network and the keys, and run again"
        ) from None


@cache
def _store_of(protocol: str) -> Any:
    """Return the file system of a protocol; settings and keys come from the environment, such as `AWS_ENDPOINT_URL`."""
    import fsspec

    if protocol in _OBSTORE:
        if find_spec("obstore") is None:
            raise ArenaError(f"{protocol}://…: obstore is not installed; run: {install_command('s3')}")
        from obstore.fsspec import register

        register(protocol)
    try:
        return fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise ArenaError(f"{protocol}://…: cannot be read ({error})") from None
