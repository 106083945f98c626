"""How the command line ends: the exit code and the one line for each exception and each signal."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import click

from arena.base.errors import ArenaError, ExitCode, is_out_of_memory
from arena.base.extras import describe_missing, missing_extra

STOPPED = "stopped; the same command continues where it was"
"""What a user is told after Ctrl-C and other signals that stop a process."""

_SIGNALS = {"SIGINT": ExitCode.INTERRUPTED, "SIGTERM": ExitCode.TERMINATED, "SIGHUP": ExitCode.HUNG_UP}
"""Signals that stop a process as Ctrl-C does; Slurm and Docker send SIGTERM, a closed terminal sends SIGHUP."""


LEAST_ADDRESS_SPACE = 1 << 30
"""Least address space in bytes that a verb runs in. In less, OpenBLAS, which numpy loads, ends the process with code 1."""


class Ending(NamedTuple):
    """How the process ends.

    Attributes:
        message: one line for standard error; empty for none.
        error: an exception whose traceback is printed, because it is a bug.
    """

    code: int
    message: str = ""
    error: BaseException | None = None


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Raise `KeyboardInterrupt` for every signal of `_SIGNALS`; a signal that the parent process ignores stays ignored.

    Yields: the signals received so far.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, stop)
    try:
        with _no_stop_is_lost(received):
            yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _no_stop_is_lost(received: Sequence[int]) -> Iterator[None]:
    """Send a signal again if its exception came up where Python ignores exceptions, such as in a finalizer."""
    before = sys.unraisablehook

    def send_again(ignored: "sys.UnraisableHookArgs") -> None:
        if received and issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(_AGAIN_S, os.kill, (os.getpid(), received[-1])).start()
        else:
            before(ignored)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = before


_AGAIN_S = 0.05
"""A signal that was lost is sent again after this time, when the finalizer has ended."""


def refuse_small_address_space(command: click.Command, arguments: Sequence[str]) -> None:
    """Raise `ArenaError` if a verb is to run in less than `LEAST_ADDRESS_SPACE`; the help is always printed."""
    if sys.platform == "win32" or isinstance(command, click.Group) or {"-h", "--help"} & set(arguments):
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE:
        raise ArenaError(
            f"not enough memory: the address space is limited to {limit >> 20:,} MiB (ulimit -v); "
            f"arena needs {LEAST_ADDRESS_SPACE >> 20:,} MiB or more"
        )


def command_of(group: click.Group, arguments: Sequence[str]) -> click.Command:
    """Return the verb that a command line names; the group itself if it names none."""
    command: click.Command = group
    for word in arguments:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
    return command


def ending_of(error: BaseException, received: Sequence[int], command: click.Command) -> Ending:
    """Return how the process ends after an exception.

    Args:
        received: the signals that were received; after one, any exception is its consequence.
        command: the verb, for the options that reduce its memory.
    """
    if received:
        return Ending(_SIGNALS[signal.Signals(received[0]).name], STOPPED)
    if isinstance(error, ArenaError):
        return Ending(error.exit_code, str(error))
    if isinstance(error, click.ClickException):
        return Ending(ExitCode.BAD_INPUT, _usage_line(error))
    if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
        return Ending(ExitCode.BUG, error=error.__cause__)  # click takes the end of a file for the end of the input
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Ending(ExitCode.INTERRUPTED, STOPPED)
    if isinstance(error, SystemExit):
        return _ending_of_exit(error)
    if is_out_of_memory(error):
        return Ending(ExitCode.BAD_INPUT, _memory_line(error, command))
    if isinstance(error, ImportError) and (extra := missing_extra(error)) is not None:
        return Ending(ExitCode.BAD_INPUT, describe_missing(error, extra))
    if isinstance(error, ImportError) and not (error.name or "arena").startswith("arena"):
        fix = "install the packages of arena again in this environment"
        return Ending(ExitCode.BAD_INPUT, f"{error.name}: cannot be loaded ({_first_line(error)}); {fix}")
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return Ending(ExitCode.BAD_INPUT, f"{named}{error.strerror or error}")
    return Ending(ExitCode.BUG, error=error)


def _memory_line(error: BaseException, command: click.Command) -> str:
    """Return one line: what could not be done, and the options of the verb that reduce its memory."""
    has = {parameter.name for parameter in command.params}
    options = {"batch_size": "a smaller --batch-size", "limit": "fewer images (--limit)", "workers": "fewer --workers"}
    fixes = [text for name, text in options.items() if name in has]
    detail = f" ({_first_line(error)})" if str(error) else ""
    reduce = ", ".join([*fixes, "fewer threads (OMP_NUM_THREADS=1)"])
    return f"not enough memory{detail}; use {reduce}, or raise the memory limit of this process (ulimit -v, container, job)"


def _ending_of_exit(error: SystemExit) -> Ending:
    """Return the ending after `sys.exit`: of click and rich, of shell completion, or of a library."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.name == "_main_shell_completion":
        return Ending(int(error.code or 0))
    if {"click", "rich"} & set(Path(frame.filename).parts):  # nobody reads the output: they exit with 1, shells use 141
        return Ending(ExitCode.UNREAD)
    where = f"{Path(frame.filename).name} line {frame.lineno}"
    return Ending(ExitCode.BUG, f"a library ended the process by sys.exit({error.code!r}), {where}", error)


def _usage_line(error: click.ClickException) -> str:
    if not isinstance(error, click.UsageError):
        return error.format_message()
    where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
    return " ".join(error.format_message().split()) + where


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
