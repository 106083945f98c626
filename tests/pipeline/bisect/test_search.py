"""The search alone, on lists with every pattern of states."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from arena.pipeline.bisect.search import SearchResult, State, binary_search, linear_search, relapses


@given(st.integers(2, 300), st.data())
def test_a_loss_is_found_between_neighbours_by_few_looks(number: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(1, number - 1))
    seen: list[int] = []

    def look(place: int) -> State:
        seen.append(place)
        return State.LOST if place >= lost else State.KEPT

    assert binary_search(number, look) == SearchResult(lost - 1, lost)
    assert len(seen) == len(set(seen)) <= 1 + math.ceil(math.log2(max(number - 1, 1)))


@given(st.lists(st.sampled_from(State), min_size=1, max_size=20))
def test_whatever_the_looks_say_the_answer_is_what_was_seen(states: list[State]) -> None:
    seen: dict[int, State] = {0: State.KEPT}

    def look(place: int) -> State:
        assert place not in seen
        seen[place] = states[place - 1]
        return seen[place]

    found = binary_search(len(states) + 1, look)
    if states[-1] is not State.LOST:
        assert found == SearchResult(0, None)
        return
    assert found.lost is not None
    assert seen[found.lost] is State.LOST
    assert seen[found.kept] is State.KEPT
    assert found.kept < found.lost
    assert found.open == tuple(range(found.kept + 1, found.lost))
    assert all(seen[place] is State.UNDETERMINED for place in found.open), "every one between was tried"


@given(st.lists(st.sampled_from(State), min_size=1, max_size=20))
def test_a_look_at_all_finds_the_first_loss_and_every_relapse(states: list[State]) -> None:
    places = dict(enumerate(states, 1))
    found = linear_search(len(states) + 1, places.__getitem__)
    assert found.lost == next((place for place, state in places.items() if state is State.LOST), None)
    told = relapses({0: State.KEPT} | places)
    known = [state for state in states if state is not State.UNDETERMINED]
    turns = sum(1 for one, after in pairwise(known) if (one, after) == (State.LOST, State.KEPT))
    assert len(told) == turns
    assert all(places[lost] is State.LOST and places[after] is State.KEPT and lost < after for lost, after in told)
