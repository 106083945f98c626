"""The speed of a network, from the times that the shards of a store record."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class MachineTime(NamedTuple):
    """Number of images that one machine scored, and the time of its network."""

    images: int
    seconds: float


def sum_by_machine(shards: Iterable[tuple[str, int, float]]) -> dict[str, MachineTime]:
    """Sum images and seconds of shards (machine, images, seconds) by machine; shards without a time are left out.

    >>> sum_by_machine([("a", 8, 2.0), ("b", 4, 1.0), ("a", 8, 1.0), ("a", 8, 0.0)])
    {'a': MachineTime(images=16, seconds=3.0), 'b': MachineTime(images=4, seconds=1.0)}
    """
    found: dict[str, MachineTime] = {}
    for machine, images, seconds in shards:
        if images and seconds:
            before = found.get(machine, MachineTime(0, 0.0))
            found[machine] = MachineTime(before.images + images, before.seconds + seconds)
    return found


def describe_throughput(timed: Mapping[str, MachineTime]) -> dict[str, float | int | str]:
    """Return the images per second of the network alone, on the machine that scored the most images; empty if no time is known.

    Other machines of a shared run are left out, because a mean over machines is the speed of none of them.

    >>> describe_throughput({"a": MachineTime(16, 3.0), "b": MachineTime(4, 1.0)})
    {'images_per_second': 5.33, 'images_timed': 16, 'timed_on': 'a'}
    """
    if not timed:
        return {}
    machine = max(timed, key=lambda name: timed[name].images)
    images, seconds = timed[machine]
    facts: dict[str, float | int | str] = {"images_per_second": round(images / seconds, 2), "images_timed": images}
    return facts | ({"timed_on": machine} if machine else {})
