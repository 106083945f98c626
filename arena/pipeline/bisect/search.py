"""Find the first item of an ordered list that lost something, with as few tests as possible; the caller supplies the test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class State(StrEnum):
    """The state of a checkpoint, compared with the first one."""

    KEPT = "kept"
    LOST = "lost"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        kept: the last place before the loss that is known to have kept it.
        lost: the first place that is known to have lost it; None if no loss was found.
        open: undetermined places between the two.
    """

    kept: int
    lost: int | None
    open: tuple[int, ...] = ()


def binary_search(number: int, look: Callable[[int], State]) -> SearchResult:
    """Halve the list until the loss is between neighbours. Place 0 is taken as kept; the last place is tested first.

    After an undetermined test the nearest untested places are tried, in the worst case all in between. The search assumes that
    a loss is permanent; `relapses` lists the places that contradict this.

    Args:
        number: number of checkpoints, at least two.
        look: tests a place; called at most once per place.

    >>> binary_search(9, lambda place: State.LOST if place >= 3 else State.KEPT)
    SearchResult(kept=2, lost=3, open=())
    """
    last = number - 1
    if look(last) is not State.LOST:
        return SearchResult(0, None)
    kept, lost, unclear = 0, last, set[int]()
    while between := [place for place in range(kept + 1, lost) if place not in unclear]:
        middle = (kept + lost) // 2
        place = min(between, key=lambda place: (abs(place - middle), place))
        state = look(place)
        if state is State.UNDETERMINED:
            unclear.add(place)
        elif state is State.KEPT:
            kept = place
        else:
            lost = place
    return SearchResult(kept, lost, tuple(range(kept + 1, lost)))


def linear_search(number: int, look: Callable[[int], State]) -> SearchResult:
    """Test every place, the last one first; the first loss is the answer.

    >>> states = {1: State.KEPT, 2: State.LOST, 3: State.KEPT, 4: State.LOST}
    >>> linear_search(5, states.__getitem__)
    SearchResult(kept=1, lost=2, open=())
    """
    states = {place: look(place) for place in (number - 1, *range(1, number - 1))}
    lost = min((place for place, state in states.items() if state is State.LOST), default=None)
    if lost is None:
        return SearchResult(0, None)
    kept = max((place for place in range(1, lost) if states[place] is State.KEPT), default=0)
    return SearchResult(kept, lost, tuple(range(kept + 1, lost)))


def relapses(states: Mapping[int, State]) -> list[tuple[int, int]]:
    """Pairs of places that contradict a permanent loss: a place that lost it, and the next determined place, which has it.

    >>> relapses({1: State.KEPT, 2: State.LOST, 3: State.UNDETERMINED, 4: State.KEPT, 5: State.LOST})
    [(2, 4)]
    """
    known = [(place, state) for place, state in sorted(states.items()) if state is not State.UNDETERMINED]
    return [
        (place, after)
        for (place, state), (after, next_state) in pairwise(known)
        if state is State.LOST and next_state is State.KEPT
    ]
