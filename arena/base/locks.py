"""One process at a time writes an output: a lock that the operating system releases when its process ends.

The lock of `runs/demo` is the file `runs/.arena-demo.lock`, that of `s.npz` is `.arena-s.npz.lock`. The file holds facts on the
process, for the message to a second one, and is removed at the end. A killed process leaves the file but not the lock, so the
next process takes the file over.

Processes that share the work on an output hold its lock only for a moment. Each of them keeps a lease
`runs/.arena-demo.TOKEN.worker` (`arena.base.leases`), and no other verb gets the lock as long as one of these is alive.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from arena.base.errors import ArenaError
from arena.base.files import OWN_PREFIX, is_write_failure, remove_temporary_of, write_error
from arena.base.owners import describe_owner, facts_of_this_process, has_ended, read_facts

_LONGEST_NAME_BYTES = 200
"""Longest name of an output that its lock repeats; a file system allows 255 bytes with the rest of the lock's name."""

_PATIENCE_S = 0.1
"""Time to try for; a file that its holder removed at this moment needs a second try."""

LEASE_S = 60.0
"""A lease that its process has not renewed for this time, in seconds, is given up. It is renewed six times in this time."""


class OutputLockedError(ArenaError):
    """Another process writes to the output."""


@contextmanager
def lock_output(output: Path, verb: str, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of an output file or folder for the block, and remove what a killed process left of the file.

    Folders above the output are created, and removed again at the end if the block left them empty. An `OSError` of the block
    that names no file, such as that of a full disk, becomes an error that names the output.

    Args:
        verb: what this process does, such as `predict`, for the message to another one.
        waiting: called once with the holder in words, if it does the same; the lock is then waited for, and the processes that
            share the work on the output are the caller's concern. None refuses every other process.

    Raises:
        OutputLockedError: another process holds the lock, or shares the work on the output; the message names it.
        ArenaError: no lock can be made there.
    """
    target = output.resolve()
    made = _make_folders(output, target.parent)
    try:
        path = _lock_path(target)
        with _held(path, output, verb, waiting):
            if waiting is None:
                _refuse_workers(output)
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
def _held(path: Path, output: Path, verb: str, waiting: Callable[[str], None] | None) -> Iterator[None]:
    lock = FileLock(path)
    try:
        _acquire(lock, path, output, verb, waiting)
    except OSError as error:
        raise write_error(output, error) from None
    try:
        if type(lock) is FileLock:  # without locks of the system, the package keeps facts of its own in the file
            path.write_text(json.dumps(facts_of_this_process(verb)), encoding="utf-8")
        yield
    finally:
        if type(lock) is FileLock:
            with suppress(OSError):  # still held: a process that waits for this file sees that it has no name any more
                path.unlink()
        lock.release()


def _acquire(lock: Any, path: Path, output: Path, verb: str, waiting: Callable[[str], None] | None) -> None:
    """Acquire a lock, or raise `OutputLockedError`; if `waiting` allows it, wait as long as the holder does the same."""
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)  # another process may have removed it when it was empty
        with suppress(Timeout):
            lock.acquire(timeout=_PATIENCE_S, poll_interval=_PATIENCE_S / 5)
            return
        holder = _holder(path)
        if waiting is None or holder.get("verb", verb) != verb:
            _refuse(output, holder)
        if not told:
            waiting(describe_owner(holder))
            told = True


def _refuse(output: Path, holder: dict[str, Any]) -> NoReturn:
    who = describe_owner(holder)
    raise OutputLockedError(f"{output}: {who} writes to it; wait until it has ended, or name another output")


def _holder(path: Path) -> dict[str, Any]:
    """Return the facts on the process that holds a lock; empty if they are unknown."""
    for _ in range(5):  # its process writes the facts just after it got the lock
        with suppress(OSError):
            if facts := read_facts(path.read_bytes()):
                return facts
        time.sleep(0.02)
    return {}


def worker_file(output: Path, token: str) -> Path:
    """Return the path of the lease by which a process shows that it shares the work on an output.

    Args:
        token: what names the process; hexadecimal digits.
    """
    path = _lock_path(output.resolve())
    return path.with_name(f"{path.name.removesuffix('.lock')}.{token}{_WORKER}")


_WORKER = ".worker"


def worker_files(output: Path) -> list[Path]:
    """Return the paths of the leases of all processes that share the work on an output, whether alive or not."""
    path = _lock_path(output.resolve())
    start = f"{path.name.removesuffix('.lock')}."
    if not path.parent.is_dir():
        return []
    return sorted(
        one
        for one in path.parent.iterdir()
        if one.name.startswith(start) and _TOKEN.fullmatch(one.name.removeprefix(start))
    )


_TOKEN = re.compile(rf"[0-9a-f]+{re.escape(_WORKER)}")


def live_workers(output: Path) -> list[dict[str, Any]]:
    """Return the facts on every process that shares the work on an output and has not ended; leases of others are removed.

    The caller holds the lock of the output, so its file was just written. Its time is compared with those of the leases,
    because all of them are times of one file system.
    """
    now, found = _lock_path(output.resolve()).stat().st_mtime, []
    for path in worker_files(output):
        with suppress(FileNotFoundError):
            facts, renewed = read_facts(path.read_bytes()), path.stat().st_mtime
            if has_ended(facts) or now - renewed > LEASE_S:
                path.unlink()
            else:
                found.append(facts)
    return found


def _refuse_workers(output: Path) -> None:
    """Raise `OutputLockedError` if a process shares the work on an output."""
    if workers := live_workers(output):
        _refuse(output, workers[0])
