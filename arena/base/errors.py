"""The error tree and the exit codes.

An expected failure is an `ArenaError`. Its message is one clear line with the problem, its place, the value found, and the
fix. Any other exception that reaches a user is a bug and keeps its traceback.
"""

import difflib
from collections.abc import Iterable, Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every verb; other tools rely on them."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    INCOMPARABLE = 4
    BUG = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143


class ArenaError(Exception):
    """Bad input, usage or configuration, described in one line."""

    exit_code = ExitCode.BAD_INPUT


class UnreadableImageError(ArenaError):
    """One image cannot be decoded; the run continues without it and counts it.

    Attributes:
        reason: one of a few fixed texts, to count by.
        detail: what was found in the file, or empty; the message appends it to the reason.

    >>> str(UnreadableImageError("truncated", "12 bytes are missing")), str(UnreadableImageError("empty"))
    ('truncated: 12 bytes are missing', 'empty')
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class WeightsError(ArenaError):
    """Files of a model are missing, damaged or inconsistent."""


class FailedError(ArenaError):
    """A check failed; the input itself is valid."""

    exit_code = ExitCode.FAILED


class InconclusiveError(ArenaError):
    """The data do not decide the question; the input itself is valid."""

    exit_code = ExitCode.INCONCLUSIVE


class IncomparableError(ArenaError):
    """Two results have different datasets, tag sets or schemas."""

    exit_code = ExitCode.INCOMPARABLE


class VerdictError(ArenaError):
    """A gate did not pass; its outcome sets the exit code.

    >>> VerdictError("undecided: ...", ExitCode.INCONCLUSIVE).exit_code
    <ExitCode.INCONCLUSIVE: 3>
    """

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ScoresError(ArenaError):
    """Scores are not probabilities, or do not match the named images or tags."""


_NO_MEMORY = (
    "out of memory", "not enough memory", "bad_alloc", "bad allocation", "allocate memory", "failed to map segment",
    "can't start new thread", "failed to allocate", "resource temporarily unavailable",
)  # fmt: skip
"""Parts of messages, in lower case, by which libraries report a shortage of memory or of threads without a `MemoryError`."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception reports that there is too little memory, or that no thread can be started.

    >>> is_out_of_memory(ImportError("libtorch_cpu.so: failed to map segment from shared object"))
    True
    >>> is_out_of_memory(ImportError("No module named 'torch'"))
    False
    """
    return isinstance(error, MemoryError) or any(part in str(error).lower() for part in _NO_MEMORY)


def refuse_twice(where: object, what: str, names: Sequence[str]) -> None:
    """Raise if a name occurs twice in a list of unique names.

    >>> refuse_twice("truth.npz", "image", ["a", "b", "a"])
    Traceback (most recent call last):
    arena.base.errors.ArenaError: truth.npz: image 'a' is listed twice; each needs a unique name
    """
    last = {name: place for place, name in enumerate(names)}
    if len(last) != len(names):
        twice = next(name for place, name in enumerate(names) if last[name] != place)
        raise ArenaError(f"{where}: {what} {twice!r} is listed twice; each needs a unique name")


MAX_LISTED = 30
"""Largest number of known names that an error lists."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the known names that are close to a mistyped one; if none is close, list all names, or the nearest of many.

    >>> nearest("joytga", ["joytag", "wd14"])
    'Did you mean joytag?'
    >>> nearest("x", ["joytag", "wd14"])
    'Known: joytag, wd14.'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if len(names) > MAX_LISTED:
        nearest_names = difflib.get_close_matches(name, names, n=3, cutoff=0)
        return f"The nearest of {len(names)}: {', '.join(nearest_names)}."
    return f"Known: {', '.join(names)}." if names else "None is known."
