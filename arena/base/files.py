"""Files: digests, writable folders, and the only writer of files, which writes a file whole or not at all."""

import errno
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from arena.base.errors import ArenaError

_TEMPORARY = re.compile(r"\.arena-\d+-[0-9a-f]{16}\.part")

_FIXES = {
    errno.ENOSPC: "make room on the disk, or name a place on another one",
    errno.EDQUOT: "make room in the quota, or name a place on another disk",
    errno.EACCES: "change its permissions, or name another place",
    errno.EPERM: "change its permissions, or name another place",
    errno.EROFS: "name a place on a disk that can be written to",
    errno.EISDIR: "a folder has this name; name another file",
    errno.ENOENT: "create the folder, or name another place",
    errno.ENOTDIR: "a file is where its folder should be; name another place",
}
"""Error number -> what a user can do if a file cannot be written."""


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_known(path: Path) -> str:
    """Return `digest_file`, cached by path, size and modification time, because weights have gigabytes."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    return digest_file(path)


def digest_files(files: Mapping[str, Path]) -> str:
    """One SHA-256 over the names and digests of several files, in order of name."""
    lines = (f"{name} {digest_known(path)}\n" for name, path in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def git_digest(path: Path) -> str:
    """SHA-1 by which git names a file's content: the digest of `blob`, its size and its bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Create a folder if needed, and check that it is writable.

    Raises:
        ArenaError: the folder cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".arena-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArenaError(f"{folder}: cannot be written ({error.strerror}); name another with --output") from None


@contextmanager
def open_whole(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a binary file for writing; it appears under its name only if the block ends without an error.

    The bytes go into a temporary file with a unique name in the same folder. That file is then renamed. An earlier file stays
    unchanged until the new one is complete. If two processes write at once, the last one wins with a complete file. A killed
    process leaves its temporary file; see `remove_temporary`.

    Args:
        durable: flush the bytes to the disk before the rename. For files that other files rely on, such as the parts of a
            run that continues after a power failure.

    Raises:
        ArenaError: the file cannot be written: no space, no permission, no folder.
    """
    temporary = path.with_name(f".arena-{os.getpid()}-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield cast(BinaryIO, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise  # the error concerns another file, which the block reads
        fix = _FIXES.get(error.errno, "name another place")
        raise ArenaError(f"{path}: cannot be written ({error.strerror}); {fix}") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file whole or not at all; text as UTF-8 with unchanged line ends. See `open_whole`."""
    with open_whole(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def is_temporary(name: str) -> bool:
    """Return whether a file name is that of a temporary file of `open_whole`.

    >>> is_temporary(".arena-812-00c0ffee00c0ffee.part"), is_temporary("scores.npz.part")
    (True, False)
    """
    return bool(_TEMPORARY.fullmatch(name))


def remove_temporary(folder: Path, *, recursive: bool = False) -> None:
    """Remove the temporary files that a killed process left in a folder.

    Call it only if no other process writes to the folder.

    Args:
        recursive: also clear the folders inside it.
    """
    for path in folder.rglob(".*") if recursive else folder.iterdir():
        if is_temporary(path.name):
            path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8, whole or not at all; NaN becomes null."""
    write_whole(path, json_text(content))


def json_text(content: Any) -> str:
    """Return indented JSON; NaN becomes null."""
    return json.dumps(_null_for_nan(content), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _null_for_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _null_for_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_null_for_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
