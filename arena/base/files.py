"""Files: digests, writable folders, and the only writer of files, which writes a file whole or not at all."""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from arena.base.errors import ArenaError

OWN_PREFIX = ".arena"
"""Start of the names of marks, locks and temporary files; they never count as the content of a folder."""

_TEMPORARY = re.compile(r"\.arena-\d+(-([0-9a-f]{8})[0-9a-f]{8}\.part)?")
"""Name of a temporary file or folder: process, digest of its final name, random digits. Earlier versions also wrote empty
files with the process alone."""

_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Error numbers of writing to an open file; others without a file name come from memory, pipes or the network."""

_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""Message of numpy for a full disk; it has no error number."""

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


def digest_bytes(content: bytes | memoryview) -> str:
    """SHA-256 of bytes, in hexadecimal.

    SHA-256 has instructions on most processors: 0.9 GB/s on one core, as fast as CRC-32 and twice as fast as BLAKE2b.
    """
    return hashlib.sha256(content).hexdigest()


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
        probe = temporary_path(folder / "probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArenaError(f"{folder}: cannot be written ({error.strerror}); name another with --output") from None


def own_name(name: str) -> bool:
    """Return whether a name is that of a mark, a lock or a temporary file.

    >>> own_name(".arena"), own_name(".arena-s.npz.lock"), own_name("arena.txt")
    (True, True, False)
    """
    return name.startswith(OWN_PREFIX)


def is_vacant(folder: Path) -> bool:
    """Return whether a path does not exist, or is a folder without content; marks, locks and temporary files do not count."""
    return not folder.exists() or (folder.is_dir() and all(own_name(path.name) for path in folder.iterdir()))


def is_write_failure(error: OSError) -> bool:
    """Return whether an error names no file and comes from writing: by its number, or by numpy's text for a full disk."""
    return error.filename is None and (error.errno in _WRITE_ERRORS or bool(_SHORT_WRITE.fullmatch(str(error))))


def write_error(path: Path, error: OSError) -> ArenaError:
    """Return the error of a file or folder that cannot be written: its path, the reason, and what the user can do."""
    reason = error.strerror or " ".join(str(error).split())
    fix = _FIXES.get(error.errno or errno.ENOSPC, "name another place")
    return ArenaError(f"{path}: cannot be written ({reason}); {fix}")


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
    temporary = temporary_path(path)
    try:
        with temporary.open("xb") as file:
            yield cast(BinaryIO, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename != str(temporary) and not is_write_failure(error):
            raise  # the error concerns another file, which the block reads
        raise write_error(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes | memoryview, *, durable: bool = False) -> None:
    """Write a file whole or not at all; text as UTF-8 with unchanged line ends. See `open_whole`."""
    with open_whole(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def temporary_path(path: Path) -> Path:
    """Return a unique name next to a file; half of its digits say which file it is for."""
    digits = f"{_name_digits(path)}{secrets.token_hex(4)}"
    return path.with_name(f"{OWN_PREFIX}-{os.getpid()}-{digits}.part")


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file, whole or not at all."""
    with source.open("rb") as content, open_whole(target) as file:
        shutil.copyfileobj(content, file)


def _name_digits(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]


def is_temporary(name: str) -> bool:
    """Return whether a name is that of a temporary file or folder of this module.

    >>> is_temporary(".arena-812-00c0ffee00c0ffee.part"), is_temporary("scores.npz.part")
    (True, False)
    """
    return bool(_TEMPORARY.fullmatch(name))


def remove_temporary(folder: Path, *, recursive: bool = False) -> None:
    """Remove the temporary files and folders that a killed process left in a folder.

    Call it only if no other process writes to the folder.

    Args:
        recursive: also clear the folders inside it.
    """
    for path in folder.rglob(".*") if recursive else folder.iterdir():
        if is_temporary(path.name):
            remove_path(path)


def remove_temporary_of(path: Path) -> None:
    """Remove what a killed process left of one file or scratch folder, next to it.

    Call it only if no other process writes to `path`.
    """
    for one in path.parent.glob(f"{OWN_PREFIX}-*-{_name_digits(path)}*.part"):
        if is_temporary(one.name):
            remove_path(one)


def remove_path(path: Path) -> None:
    """Remove a file or a link, or a folder with its content."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


MARK = ".arena"
"""File that marks a folder as made by arena. It is written before every other file."""

MARK_TEXT = "Output folder of arena.\n"


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8, whole or not at all; NaN becomes null."""
    write_whole(path, to_json(content))


def to_json(content: Any) -> str:
    """Return indented JSON with a line end; NaN becomes null."""
    return json.dumps(_null_for_nan(content), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _null_for_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _null_for_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_null_for_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
