"""A command of the arena in a process of its own, disturbed by a signal, a limit or a broken system.

Used by `torture.py` and `bench_scaling.py`. The processes are forked from a server that has imported the arena and torch, so
that a command starts at once. Broken systems are mounts in a mount namespace of the process; where the machine does not allow
one, `IMPOSSIBLE` is the exit code.
"""

import ctypes
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

LONGEST_S = 60.0
"""A command that takes longer hangs."""

IMPOSSIBLE = 99
"""Exit code of a process that may not break its system as wanted."""


class Fault(NamedTuple):
    """How a command is disturbed: by a signal at a rename, by one after some seconds, or by a limit or broken system.

    `cores` are places in the list of the cores that this process may use; none is all of them.
    """

    rename: int = 0
    seconds: float = 0.0
    signal: int = 0
    handles: int = 0
    file_bytes: int = 0
    system: str = ""
    """A key of `SYSTEMS`."""
    cores: tuple[int, ...] = ()


class Done(NamedTuple):
    """How a command ended."""

    code: int
    """Exit code, or minus the number of the signal."""
    error: str
    """Standard error."""
    seconds: float


_context = multiprocessing.get_context("forkserver")
_PRELOADED = ["arena.cli", "arena.pipeline.score", "arena.dataset.freeze"]
_context.set_forkserver_preload(_PRELOADED)


def preload(*modules: str) -> None:
    """Let the server import further modules; call it before the first command."""
    _context.set_forkserver_preload([*_PRELOADED, *modules])


def start(folder: Path, arguments: Sequence[str], fault: Fault = Fault(), *, name: str = "error") -> BaseProcess:
    """Start a command in a process of its own; its output goes to files in the parent of the folder."""
    log = folder.parent / f"{folder.name}.{name}.log"
    process = _context.Process(target=_child, args=(str(folder), list(arguments), fault, str(log)))
    process.start()
    return process


def run(folder: Path, arguments: Sequence[str], fault: Fault = Fault()) -> Done:
    """Run a command to its end."""
    begun = time.monotonic()
    return finish(folder, start(folder, arguments, fault), begun)


def finish(folder: Path, process: BaseProcess, begun: float, *, name: str = "error") -> Done:
    """Wait for a command; one that takes longer than `LONGEST_S` is killed and has the code -9 and no error."""
    process.join(LONGEST_S)
    if process.is_alive():
        process.kill()
        process.join()
        return Done(-signal.SIGKILL, "", LONGEST_S)
    log = folder.parent / f"{folder.name}.{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return Done(process.exitcode or 0, text, time.monotonic() - begun)


def _child(folder: str, arguments: list[str], fault: Fault, log: str) -> None:
    """Run the command line in this process, with the fault."""
    from arena import cli
    from arena.base import provenance

    os.chdir(folder)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    _stop_clock(provenance.now)
    if fault.cores:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)] for place in fault.cores})
    if fault.handles:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fault.handles, fault.handles))
    if fault.file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_bytes, fault.file_bytes))
    if fault.system:
        try:
            SYSTEMS[fault.system]()
        except PermissionError:
            os._exit(IMPOSSIBLE)
    if fault.seconds:
        signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), fault.signal))
        signal.setitimer(signal.ITIMER_REAL, fault.seconds)
    if fault.rename:
        _signal_at_rename(fault.rename, fault.signal)
    cli.main(arguments)


def _stop_clock(now: Callable[[], str]) -> None:
    """Replace the clock and the stopwatch of all modules, so that the files of two commands are equal."""
    from arena.taggers import predict

    setattr(predict, "time", SimpleNamespace(perf_counter=itertools.count().__next__))  # noqa: B010
    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is now:
            setattr(module, "now", lambda: "2026-01-01T00:00:00Z")  # noqa: B010


def _signal_at_rename(number: int, which: int) -> None:
    """Send this process a signal just before it gives a file its name for the n-th time."""
    left = number

    def counted(work: Callable[..., Path]) -> Callable[..., Path]:
        def rename(path: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), which)
            return work(path, target)

        return rename

    setattr(Path, "replace", counted(Path.replace))  # noqa: B010
    setattr(Path, "rename", counted(Path.rename))  # noqa: B010


# Broken systems


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount below `target` for this process alone.

    Raises:
        PermissionError: the machine does not allow it.
    """
    system = ctypes.CDLL(None, use_errno=True)
    texts = (source.encode(), target.encode(), kind.encode())
    if system.unshare(_NEW_NAMESPACE) or system.mount(b"none", b"/", None, _PRIVATE, None):
        raise PermissionError(ctypes.get_errno(), "mount namespaces")
    if system.mount(*texts, flags, options.encode()):
        raise PermissionError(ctypes.get_errno(), "mount")


_NEW_NAMESPACE, _PRIVATE = 0x00020000, (1 << 18) | (1 << 14)
_READ_ONLY, _BIND, _REMOUNT = 1, 1 << 12, 1 << 5


def _without_shared_memory() -> None:
    _mount("none", "/dev/shm", "tmpfs", _READ_ONLY)


def _full_disk() -> None:
    """Give the output folder a file system of 64 KiB."""
    _mount("none", os.path.realpath("out"), "tmpfs", 0, "size=64k")


def _read_only_output() -> None:
    _mount("none", os.path.realpath("out"), "tmpfs", _READ_ONLY)


def _without_hard_links() -> None:
    def refuse(*given: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    setattr(os, "link", refuse)  # noqa: B010


def _clock_jumps_back() -> None:
    """Put the clock of the system back by an hour after every third reading."""
    real, readings = time.time, [0]

    def jumping() -> float:
        readings[0] += 1
        return real() - 3600 * (readings[0] // 3)

    setattr(time, "time", jumping)  # noqa: B010


SYSTEMS: dict[str, Callable[[], None]] = {
    "no /dev/shm": _without_shared_memory,
    "full disk": _full_disk,
    "read-only output": _read_only_output,
    "no hard links": _without_hard_links,
    "clock jumps back": _clock_jumps_back,
}
"""What breaks the system of this process."""

WORKS_ON = ("no /dev/shm", "no hard links", "clock jumps back")
"""Broken systems in which every verb must do its work."""
