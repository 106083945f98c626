"""Leases: several processes divide the work on an output, on one machine or on several with a common file system.

A lease is a file that only one process can create (`O_EXCL`). It holds facts on its process, which renews it from a thread. A
lease counts as given up if its process is known to have ended, or if it has not changed for `LEASE_S` while this process was
watching, by the monotonic clock of this process: clocks of machines differ, and a file system may tell times late. A given up
lease is removed under a lock, and can then be created again.

A process that was suspended for longer than that may go on with work that another process has taken over. So what is done
under a lease must have the same result if it is done twice.
"""

import errno
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import write_error
from arena.base.locks import LEASE_S, lock_output
from arena.base.owners import facts_of_this_process, has_ended, read_facts

_RENEWALS = 6
"""Times that a lease is renewed in its term, so that a few late ones do no harm."""

_NO_EXCLUSIVE_CREATION = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Error numbers of a file system that cannot create a file only if it does not exist."""


class _State(NamedTuple):
    """What changes when a lease is renewed or taken over."""

    content: bytes
    mtime_ns: int
    inode: int


class _Watched(NamedTuple):
    """A lease of another process as it was at first, and the time of that by the clock of this process."""

    state: _State
    since: float


class Leases:
    """The leases of this process; as a context, a thread renews them, and the end gives them back.

    Args:
        verb: what the process does, such as `run`, for messages to other processes.
        term_s: time in seconds after which a lease that does not change is given up.
        clock: monotonic clock in seconds.

    Attributes:
        token: names this object among all processes; hexadecimal digits.
    """

    def __init__(self, verb: str, *, term_s: float = LEASE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = secrets.token_hex(8)
        self._verb, self._term_s, self._clock = verb, term_s, clock
        self._held: dict[Path, dict[str, Any]] = {}
        self._renewed: dict[Path, float] = {}
        self._watched: dict[Path, _Watched] = {}
        self._changes = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew_always, name="leases", daemon=True)

    def __enter__(self) -> "Leases":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for path in list(self._held):
            self.give_back(path)

    def claim(self, path: Path, **facts: Any) -> bool:
        """Create a lease, and return whether it was free; one that its process has given up is taken over.

        Args:
            facts: further facts that the file holds.

        Raises:
            ArenaError: the file cannot be created.
        """
        if self._create(path, facts):
            return True
        return self.is_given_up(path) and self._remove_given_up(path) and self._create(path, facts)

    def give_back(self, path: Path) -> None:
        """Remove a lease of this process; one that another process has taken over stays."""
        with self._changes:
            self._held.pop(path, None)
            late = self._clock() - self._renewed.pop(path, self._clock()) > self._term_s
            if not late and self._is_mine(path):  # a late one may be taken over at this moment
                path.unlink(missing_ok=True)

    def holds(self, path: Path) -> bool:
        """Return whether this process has the lease, as far as it knows."""
        return path in self._held

    def change(self, path: Path, **facts: Any) -> None:
        """Change facts of a lease of this process."""
        with self._changes:
            if path in self._held:
                self._held[path] |= facts
                self._write(path)

    def renew(self) -> None:
        """Renew every lease of this process; those that another process has taken over are forgotten."""
        for path in list(self._held):
            with self._changes, suppress(OSError):  # a full disk or a lost connection may end before the term
                if path in self._held:
                    self._held[path]["renewals"] += 1
                    if not self._write(path):
                        del self._held[path]

    def is_given_up(self, path: Path) -> bool:
        """Return whether the process of a lease has ended or has not renewed it for the term; also if the lease is gone.

        Call it again and again: the term starts with the first call after a change.
        """
        state = _read(path)
        if state is None:
            self._watched.pop(path, None)
            return True
        if has_ended(read_facts(state.content)):
            return True
        watched = self._watched.get(path)
        if watched is None or watched.state != state:
            self._watched[path] = _Watched(state, self._clock())
            return False
        return self._clock() - watched.since >= self._term_s

    def _remove_given_up(self, path: Path) -> bool:
        """Remove a lease that is still given up once this process has its lock."""
        with lock_output(path, self._verb, waiting=lambda holder: None):
            if not self.is_given_up(path):
                return False
            path.unlink(missing_ok=True)
            self._watched.pop(path, None)
            return True

    def _create(self, path: Path, facts: dict[str, Any]) -> bool:
        content = {**facts_of_this_process(self._verb), "token": self.token, "renewals": 0, **facts}
        try:
            with path.open("xb") as file:
                file.write(json.dumps(content).encode())
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in _NO_EXCLUSIVE_CREATION:
                raise ArenaError(
                    f"{path.parent}: its file system cannot create a file exclusively (O_EXCL), which processes need that "
                    "share a run; name a folder on another one with --output"
                ) from None
            raise write_error(path, error) from None
        with self._changes:
            self._held[path], self._renewed[path] = content, self._clock()
        return True

    def _is_mine(self, path: Path) -> bool:
        state = _read(path)
        return state is not None and read_facts(state.content).get("token") == self.token

    def _write(self, path: Path) -> bool:
        """Write a held lease again, and return whether it still is this process's."""
        try:
            with path.open("r+b") as file:  # one open file: if the lease is taken over now, the removed file is written
                if read_facts(file.read()).get("token") != self.token:
                    return False
                file.seek(0)
                file.write(json.dumps(self._held[path]).encode())
                file.truncate()
        except FileNotFoundError:
            return False
        self._renewed[path] = self._clock()
        return True

    def _renew_always(self) -> None:
        while not self._end.wait(self._term_s / _RENEWALS):
            self.renew()


def _read(path: Path) -> _State | None:
    """Return the state of a lease; None if there is none. It is opened, so that a network file system asks its server."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            return _State(file.read(), status.st_mtime_ns, status.st_ino)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ESTALE:  # another machine has removed it at this moment
            raise
        return None
