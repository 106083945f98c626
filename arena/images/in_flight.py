"""The picture that a thread is decoding: its pixels count towards a common budget, and it owns what libraries print.

A decoded picture and what is computed from it take up to 20 bytes of memory a pixel. Without a budget, every thread may hold a
picture of the largest accepted size at once: 24 GB on 16 cores.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

MAX_PIXELS_IN_FLIGHT = 90_000_000
"""Pixels of large pictures that all threads may hold at once: one picture of the largest accepted size, or several smaller."""

UNCOUNTED_PIXELS = 4_000_000
"""Pictures up to this size count as nothing, so that ordinary pictures never wait for each other."""


class PixelBudget:
    """A number of pixels that threads, or processes, hold at once; a picture that is larger than the budget is held alone.

    Args:
        limit: number of pixels.
        context: `multiprocessing` context for a budget that processes share; None for threads of this process.
    """

    def __init__(self, limit: int, context: Any = None) -> None:
        self.limit = limit
        self._used = SimpleNamespace(value=0) if context is None else context.Value("q", 0, lock=False)
        self._next = threading.Lock() if context is None else context.Lock()
        self._changed = threading.Condition() if context is None else context.Condition()

    def take(self, pixels: int) -> None:
        """Wait until these pixels fit, in order of arrival, so that a large picture is not overtaken for ever."""
        with self._next, self._changed:
            self._changed.wait_for(lambda: not self._used.value or self._used.value + pixels <= self.limit)
            self._used.value += pixels

    def give_back(self, pixels: int) -> None:
        """Release pixels that were taken."""
        with self._changed:
            self._used.value -= pixels
            self._changed.notify_all()


class _Current(threading.local):
    """The picture of a thread: its name, None without a picture, and the pixels that it holds."""

    name: str | None = None
    pixels: int = 0


_current = _Current()
_budget = PixelBudget(MAX_PIXELS_IN_FLIGHT)


def share_budget(budget: PixelBudget) -> None:
    """Use a budget that several processes share instead of this process's own."""
    global _budget  # noqa: PLW0603  # one budget for all threads is its purpose
    _budget = budget


@contextmanager
def picture_in_flight(name: str) -> Iterator[None]:
    """Hold the pixels that this thread decodes in the block until the block ends; inside another such block, do nothing.

    Put all work on the decoded pixels into the block. A thread that waits holds nothing, so that blocks never wait for each
    other in a circle.

    Args:
        name: name of the picture, for messages of libraries.
    """
    if _current.name is not None:
        yield
        return
    _current.name = name
    try:
        yield
    finally:
        _release()
        _current.name = None


def hold_pixels(pixels: int) -> None:
    """Hold the pixels of this thread's picture, and wait until they fit; call it before they are decoded.

    A picture that is decoded twice holds the pixels of the larger one.
    """
    if pixels > max(_current.pixels, UNCOUNTED_PIXELS):
        _release()
        _budget.take(pixels)
        _current.pixels = pixels


def _release() -> None:
    if _current.pixels:
        _budget.give_back(_current.pixels)
        _current.pixels = 0


def current_picture() -> str | None:
    """Return the name of the picture that this thread is decoding; None without one."""
    return _current.name
