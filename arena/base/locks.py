"""One process at a time writes an output: a lock that the operating system releases when its process ends.

The lock of `runs/demo` is the file `runs/.arena-demo.lock`, that of `s.npz` is `.arena-s.npz.lock`. The file holds facts on the
process, for the message to a second one, and is removed at the end. A killed process leaves the file but not the lock, so the
next process takes the file over.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from arena.base.errors import ArenaError
from arena.base.files import OWN_PREFIX, is_write_failure, remove_temporary_of, write_error
from arena.base.provenance import now

_LONGEST_NAME_BYTES = 200
"""Longest name of an output that its lock repeats; a file system allows 255 bytes with the rest of the lock's name."""

_PATIENCE_S = 0.1
"""Time to try for; a file that its holder removed at this moment needs a second try."""


class OutputLockedError(ArenaError):
    """Another process writes to the output."""


@contextmanager
def lock_output(output: Path, verb: str) -> Iterator[None]:
    """Hold the lock of an output file or folder for the block, and remove what a killed process left of the file.

    Folders above the output are created, and removed again at the end if the block left them empty. An `OSError` of the block
    that names no file, such as that of a full disk, becomes an error that names the output.

    Args:
        verb: what this process does, such as `predict`, for the message to another one.

    Raises:
        OutputLockedError: another process holds the lock; the message names it.
        ArenaError: no lock can be made there.
    """
    target = output.resolve()
    made = _make_folders(output, target.parent)
    try:
        path = _lock_path(target)
        with _held(path, output, verb):
            remove_temporary_of(target)
            yield
    except OSError as error:
        if not is_write_failure(error):
            raise
        raise write_error(output, error) from None
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def _make_folders(output: Path, parent: Path) -> list[Path]:
    """Create the folders above an output. Return those that did not exist, the deepest first."""
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(output, error) from None
    return missing


def _lock_path(target: Path) -> Path:
    """Return the path of the lock file: next to the output, or inside an output folder whose parent cannot be written to."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    if name and (os.access(target.parent, os.W_OK) or not target.is_dir()):
        return target.with_name(f"{OWN_PREFIX}-{name}.lock")
    return target / f"{OWN_PREFIX}.lock"


@contextmanager
def _held(path: Path, output: Path, verb: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # another process may have removed it when it was empty
        lock.acquire(timeout=_PATIENCE_S, poll_interval=_PATIENCE_S / 5)
    except Timeout:
        raise OutputLockedError(
            f"{output}: {_holder(path)} writes to it; wait until it has ended, or name another output"
        ) from None
    except OSError as error:
        raise write_error(output, error) from None
    try:
        if type(lock) is FileLock:  # without locks of the system, the package keeps facts of its own in the file
            path.write_text(json.dumps(_facts(verb)), encoding="utf-8")
        yield
    finally:
        if type(lock) is FileLock:
            with suppress(OSError):  # still held: a process that waits for this file sees that it has no name any more
                path.unlink()
        lock.release()


def _facts(verb: str) -> dict[str, Any]:
    return {"verb": verb, "pid": os.getpid(), "host": socket.gethostname(), "since": now()}


def _holder(path: Path) -> str:
    """Describe the process that holds a lock, as far as it is known."""
    for _ in range(5):  # its process writes the facts just after it got the lock
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return f"arena {facts['verb']} (process {facts['pid']} on {facts['host']}, since {facts['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(0.02)
    return "another arena process"
