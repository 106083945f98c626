"""Interface for progress reports of long work."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Unit = Literal["items", "bytes"]
"""Unit of a count; bytes are shown in megabytes."""


class Progress(Protocol):
    """Receiver of progress reports, such as a terminal."""

    def note(self, text: str) -> None:
        """Show one line of text."""

    def count(
        self, what: str, total: int | None, done: int, *, unit: Unit = "items"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Start a count and yield a function that advances it.

        Args:
            total: end of the count; None if unknown.
            done: part of the total that was finished before.
        """


class Silent:
    """A Progress that discards everything."""

    def note(self, text: str) -> None:
        """Discard the text."""

    def count(
        self, what: str, total: int | None, done: int, *, unit: Unit = "items"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Yield a function that does nothing."""
        return nullcontext(lambda number: None)
