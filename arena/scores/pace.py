"""How fast networks were while they scored, as the shards of a store tell it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Timed(NamedTuple):
    """Images that one machine scored, and how long its network took for them."""

    images: int
    seconds: float


def add_up(shards: Iterable[tuple[str, int, float]]) -> dict[str, Timed]:
    """Machine, images and seconds of each shard, summed by machine; shards without a time are left out.

    >>> add_up([("a", 8, 2.0), ("b", 4, 1.0), ("a", 8, 1.0), ("a", 8, 0.0)])
    {'a': Timed(images=16, seconds=3.0), 'b': Timed(images=4, seconds=1.0)}
    """
    found: dict[str, Timed] = {}
    for machine, images, seconds in shards:
        if images and seconds:
            before = found.get(machine, Timed(0, 0.0))
            found[machine] = Timed(before.images + images, before.seconds + seconds)
    return found


def describe_pace(timed: Mapping[str, Timed]) -> dict[str, float | int | str]:
    """Images a second through the network alone, on the machine that scored the most; empty where no time is known.

    Where several machines shared a run, those of the others do not enter: a mean over machines is the speed of none.

    >>> describe_pace({"a": Timed(16, 3.0), "b": Timed(4, 1.0)})
    {'images_per_second': 5.33, 'images_timed': 16, 'timed_on': 'a'}
    """
    if not timed:
        return {}
    machine = max(timed, key=lambda name: timed[name].images)
    images, seconds = timed[machine]
    told: dict[str, float | int | str] = {"images_per_second": round(images / seconds, 2), "images_timed": images}
    return told | ({"timed_on": machine} if machine else {})
