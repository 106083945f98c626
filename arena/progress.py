"""What long work reports to, whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """What long work reports to; a terminal shows it."""

    def note(self, text: str) -> None:
        """Say one line."""

    def count(self, what: str, total: int | None, done: int) -> AbstractContextManager[Callable[[int], None]]:
        """Count towards a total (None where it is not known), some of it done before; yields what to call with each number."""


class Silent:
    """Reports to nobody."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def count(self, what: str, total: int | None, done: int) -> AbstractContextManager[Callable[[int], None]]:
        """Count nothing."""
        return nullcontext(lambda number: None)
