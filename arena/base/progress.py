"""What long work reports to, whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Unit = Literal["items", "bytes"]
"""What is counted; bytes are shown in megabytes."""


class Progress(Protocol):
    """What long work reports to; a terminal shows it."""

    def note(self, text: str) -> None:
        """Say one line."""

    def count(
        self, what: str, total: int | None, done: int, *, unit: Unit = "items"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Count towards a total (None where it is not known), some of it done before; yields what to call with each number."""


class Silent:
    """Reports to nobody."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def count(
        self, what: str, total: int | None, done: int, *, unit: Unit = "items"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Count nothing."""
        return nullcontext(lambda number: None)
