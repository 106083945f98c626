"""The number of cores that this process may use: those that the system gives it, divided among the workers of one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_workers = 1
"""Number of processes of this command among which the cores are divided."""


def usable_cores() -> int:
    """Return the number of threads that this process should run, at least 1."""
    return max(1, _allowed() // _workers)


def _allowed() -> int:
    """Return the number of cores that the system lets this process run on; a job of a cluster has a part of its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def divided_cores(workers: int) -> Iterator[None]:
    """Divide the cores among a number of processes in the block."""
    global _workers  # noqa: PLW0603  # one number for all threads is its purpose
    before, _workers = _workers, workers
    try:
        yield
    finally:
        _workers = before
