"""What was measured of one tagger, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1
"""Version of the JSON that `arena bench` writes."""

LEAST_FOR_P95 = 20
"""Timings that a 95th percentile needs; of fewer it would be the largest."""


@dataclass(frozen=True)
class Rate:
    """The network's speed at one batch size.

    Attributes:
        images_per_second: None where the batch did not fit into the memory.
        batches: how many were timed, after one that was not.
        peak_bytes: the highest use of memory so far, batch sizes being measured from small to large.
    """

    batch_size: int
    images_per_second: float | None
    batches: int
    peak_bytes: int | None


@dataclass(frozen=True)
class Latency:
    """How long the network takes for one image alone, milliseconds.

    Attributes:
        p95_ms: None of fewer than `LEAST_FOR_P95` timings.
    """

    median_ms: float
    p95_ms: float | None
    batches: int


@dataclass(frozen=True)
class Input:
    """What images cost before the network sees them, in images a second.

    Attributes:
        decode: from the bytes of a file to RGB, one thread.
        square: from RGB to the pixels that the network wants, one thread.
        together: both, with reading the files, in as many threads as there are cores.
        images: of how many different images.
        median_pixels: of these, before they are made square.
    """

    decode: float
    square: float
    together: float
    threads: int
    images: int
    median_pixels: int


@dataclass(frozen=True)
class Cost:
    """What one tagger costs.

    Attributes:
        size: side of the square that it takes, pixels.
        parameters: None where the network cannot be looked into.
        operations: floating-point operations for one image, a multiplication and an addition being two; matrix products,
            convolutions and attention only. None where they cannot be counted.
        not_counted: operators of the graph whose work is not in `operations`.
        import_s: importing its adapter and the library behind it; load_s: from the files to a tagger that is ready.
        peak_bytes: the highest use of memory with the largest batch; `memory` says of what: `process` or `device`.
        verified: what its card says; None in what an earlier version measured.
    """

    model: str
    title: str
    adapter: str
    device: str
    device_name: str
    precision: str
    size: int
    tags: int
    parameters: int | None
    operations: int | None
    not_counted: Sequence[str]
    weight_bytes: int
    import_s: float
    load_s: float
    latency: Latency
    rates: Sequence[Rate]
    peak_bytes: int | None
    memory: str
    input: Input
    verified: bool | None = None


def to_json(cost: Cost) -> dict[str, Any]:
    """Plain values, for JSON."""
    return asdict(cost)


def from_json(content: Mapping[str, Any]) -> Cost:
    """What `to_json` gave.

    Raises:
        TypeError, KeyError: it is of another version.
    """
    parts = {
        "latency": Latency(**content["latency"]),
        "rates": tuple(Rate(**rate) for rate in content["rates"]),
        "input": Input(**content["input"]),
        "not_counted": tuple(content["not_counted"]),
    }
    return Cost(**{**content, **parts})
