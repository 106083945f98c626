"""Measured costs of a tagger, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COSTS_SCHEMA = 1
"""Version of the JSON that `arena bench` writes."""

LEAST_FOR_P95 = 20
"""Smallest number of timings for a 95th percentile; with fewer it would be the maximum."""


@dataclass(frozen=True)
class NetworkRate:
    """Speed of the network at one batch size.

    Attributes:
        images_per_second: None if the batch did not fit into memory.
        batches: number of timed batches, after one untimed.
        peak_bytes: peak memory so far; batch sizes are measured in ascending order.
    """

    batch_size: int
    images_per_second: float | None
    batches: int
    peak_bytes: int | None


@dataclass(frozen=True)
class Latency:
    """Time of the network for a batch of one image, milliseconds.

    Attributes:
        p95_ms: None for fewer than `LEAST_FOR_P95` timings.
        batches: number of timings.
    """

    median_ms: float
    p95_ms: float | None
    batches: int


@dataclass(frozen=True)
class InputCost:
    """Speed of decoding and preprocessing, in images per second.

    Attributes:
        decode: from the bytes of a file to RGB, one thread.
        square: from RGB to the network's input, one thread.
        together: both, including reading the files, with one thread per core.
        threads: number of threads of `together`.
        images: number of different images.
        median_pixels: median number of pixels of an image after decoding.
    """

    decode: float
    square: float
    together: float
    threads: int
    images: int
    median_pixels: int


@dataclass(frozen=True)
class Cost:
    """Cost of one tagger.

    Attributes:
        size: side of the network's input, pixels.
        parameters: None if they cannot be counted.
        operations: floating-point operations for one image; a multiplication and an addition are two. Only matrix products,
            convolutions and attention are counted. None if they cannot be counted.
        not_counted: operators of the graph that `operations` leaves out.
        import_s: seconds to import its adapter and library; load_s: seconds from the files to a ready tagger.
        peak_bytes: peak memory with the largest batch, of the `process` or the `device` (see `memory`).
        verified: as in its card; None in files of earlier versions.
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
    rates: Sequence[NetworkRate]
    peak_bytes: int | None
    memory: str
    input: InputCost
    verified: bool | None = None


def cost_to_json(cost: Cost) -> dict[str, Any]:
    """Return plain values for JSON."""
    return asdict(cost)


def cost_from_json(content: Mapping[str, Any]) -> Cost:
    """Return the cost from the output of `cost_to_json`.

    Raises:
        TypeError, KeyError: `content` has the format of another version.
    """
    parts = {
        "latency": Latency(**content["latency"]),
        "rates": tuple(NetworkRate(**rate) for rate in content["rates"]),
        "input": InputCost(**content["input"]),
        "not_counted": tuple(content["not_counted"]),
    }
    return Cost(**{**content, **parts})
