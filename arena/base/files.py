"""Files: digests, folders that can be written to, and the one way to write a file whole or not at all."""

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
"""What a user can do where a file cannot be written."""


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_known(path: Path) -> str:
    """As `digest_file`, but a file of the same size and time of change is not read twice: for weights of gigabytes."""
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
    """SHA-1 of a file as git names its content: of `blob`, its size and its bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Create a folder that can be written to.

    Raises:
        ArenaError: it cannot.
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
    """A binary file to write into, which appears under its name when the block ends without an error, or not at all.

    The bytes go into a temporary file of a unique name in the same folder, which is then renamed. So an earlier file stays as
    it was until the new one is whole, and of two writers at once the last one wins with a whole file. A killed process leaves
    its temporary file; see `remove_temporary`.

    Args:
        durable: whether the bytes are on the disk before the file has its name. For files that later files rely on, such as
            the parts of a run that is continued after a power failure.

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
            raise  # of another file, which the block reads
        fix = _FIXES.get(error.errno, "name another place")
        raise ArenaError(f"{path}: cannot be written ({error.strerror}); {fix}") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file whole or not at all, text as UTF-8 with its line ends as they are; see `open_whole`."""
    with open_whole(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def is_temporary(name: str) -> bool:
    """Whether a file's name is that of a temporary file of `open_whole`.

    >>> is_temporary(".arena-812-00c0ffee00c0ffee.part"), is_temporary("scores.npz.part")
    (True, False)
    """
    return bool(_TEMPORARY.fullmatch(name))


def remove_temporary(folder: Path, *, recursive: bool = False) -> None:
    """Remove the temporary files that a killed process left in a folder.

    Only for a folder that no other process writes to.

    Args:
        recursive: whether folders inside it are cleared as well.
    """
    for path in folder.rglob(".*") if recursive else folder.iterdir():
        if is_temporary(path.name):
            path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8, whole or not at all; NaN becomes null."""
    text = json.dumps(_null_for_nan(content), ensure_ascii=False, indent=2, allow_nan=False)
    write_whole(path, text + "\n")


def _null_for_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _null_for_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_null_for_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
