"""The questions of a mode: which cell each open page gets next, what is answered, and undo.

A cell that a page shows is leased to it, so that two people at once do not get the same one. A lease ends when its page is
closed, or after some minutes without a request. An answer is accepted in any case: a second answer to a cell is no harm.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.dataset.answer_book import Answer, AnswerBook

LEASE_S = 300.0
"""Seconds after which a page that sends nothing loses its questions to others."""


class Question(NamedTuple):
    """A cell to ask.

    Attributes:
        row: row of the image.
        tag: name of the tag.
        image_id: of the image.
        inclusion: inclusion probability; None for a cell that was not sampled.
        wanted: number of answers: 1, or 2 for a cell that measures agreement.
    """

    row: int
    tag: str
    image_id: str
    inclusion: float | None
    wanted: int = 1

    @property
    def cell(self) -> tuple[str, str]:
        """Image and tag."""
        return self.image_id, self.tag


class Tally(NamedTuple):
    """How many answers are wanted, and how many of these are there."""

    answered: int
    wanted: int


class Lease(NamedTuple):
    """Page that shows a question, and until when it is kept for it."""

    page: str
    until: float


@dataclass
class Questions:
    """Questions with a common plan, in order.

    Attributes:
        plan: identifier of the plan; empty for cells that were not sampled.
        questions: in the order in which they are asked.
        book: where answers are kept.
    """

    plan: str
    questions: Sequence[Question]
    book: AnswerBook
    _mutex: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _judges: dict[tuple[str, str], list[str]] = field(default_factory=dict, repr=False)
    _leases: dict[int, Lease] = field(default_factory=dict, repr=False)
    _version: int = -1
    _answered: int = 0

    @cached_property
    def _wanted(self) -> int:
        return sum(one.wanted for one in self.questions)

    def tally(self) -> Tally:
        """Return how far the questions are answered."""
        with self._mutex:
            self._refresh()
            return Tally(self._answered, self._wanted)

    def take(self, page: str, judge: str, number: int, shown: Iterable[int] = ()) -> list[int]:
        """Lease the next questions to a page, and return their numbers; fewer if there are not as many.

        Cells without an answer come first, then second answers by another person, then second answers by the same person, at
        last cells that another page shows.

        Args:
            page: identifier of the page.
            number: of questions.
            shown: questions that the page has; they are kept for it and not returned.
        """
        with self._mutex:
            self._refresh()
            now, kept = time.monotonic(), {*shown}
            self._leases = {place: one for place, one in self._leases.items() if one.until > now and one.page != page}
            ranked = (
                (rank, place)
                for place, one in enumerate(self.questions)
                if place not in kept and (rank := self._rank(place, one, judge)) is not None
            )
            found = [place for _, place in _lowest(ranked, number)]
            self._leases |= {place: Lease(page, now + LEASE_S) for place in (*kept, *found)}
            return found

    def _rank(self, place: int, one: Question, judge: str) -> int | None:
        """Return the place of a question among all, see `take`; None if it has its answers."""
        judges = self._judges.get(one.cell, ())
        if len(judges) >= one.wanted:
            return None
        if place in self._leases:
            return 3
        return 0 if not judges else 2 if judge in judges else 1

    def leave(self, page: str) -> None:
        """End the leases of a page that was closed."""
        with self._mutex:
            self._leases = {place: one for place, one in self._leases.items() if one.page != page}

    def answer(self, number: int, word: str, judge: str) -> None:
        """Add an answer; it is on disk when this returns.

        Raises:
            ArenaError: there is no question of this number, or the answer cannot be written.
        """
        one = self._question(number)
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        with self._mutex:
            self._refresh()
            before = self._version
            self.book.add(Answer(one.image_id, one.tag, word, judge, moment, one.inclusion, self.plan))
            self._leases.pop(number, None)
            if self.book.version == before + 1:  # nobody else changed the file
                judges = self._judges.setdefault(one.cell, [])
                judges.append(judge)
                self._answered += len(judges) <= one.wanted
                self._version = self.book.version

    def undo(self, page: str, judge: str) -> int | None:
        """Remove a person's last answer, lease its question to the page, and return its number; None if there is none.

        Raises:
            ArenaError: the file cannot be written.
        """
        with self._mutex:
            taken = self.book.take_back(judge, self.plan)
            if taken is None:
                return None
            cell = (taken.image_id, taken.tag)
            found = next((place for place, one in enumerate(self.questions) if one.cell == cell), None)
            if found is not None:
                self._leases[found] = Lease(page, time.monotonic() + LEASE_S)
            return found

    def _question(self, number: int) -> Question:
        if not 0 <= number < len(self.questions):
            raise ArenaError("this question is not in the plan any more; load the page again")
        return self.questions[number]

    def _refresh(self) -> None:
        """Count the answers again if another process, or another mode, changed the file."""
        version = self.book.refresh()
        if version == self._version:
            return
        self._judges = {}
        for one in self.book.answers():
            if one.plan == self.plan or not self.plan:
                self._judges.setdefault((one.image_id, one.tag), []).append(one.judge)
        self._answered = sum(min(one.wanted, len(self._judges.get(one.cell, ()))) for one in self.questions)
        self._version = version


def _lowest(ranked: Iterable[tuple[int, int]], number: int) -> list[tuple[int, int]]:
    """Return the lowest pairs of rank and place, in order; stop once all of them have rank 0."""
    found: list[tuple[int, int]] = []
    first = 0
    for one in ranked:
        found.append(one)
        first += one[0] == 0
        if first == number:
            break
    return sorted(found)[:number]
