"""Costs of models as a table with one column per model."""

from collections.abc import Sequence
from typing import NamedTuple

from arena.base.format import UNDEFINED, escape_markdown, rate
from arena.diagnostics.bench.costs import Cost


class CostTable(NamedTuple):
    """A table of text with notes."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]


def cost_table(costs: Sequence[Cost]) -> CostTable:
    """Return the costs as a table; rates have three significant digits."""
    sizes = sorted({rate.batch_size for cost in costs for rate in cost.rates})
    rows = [
        ("input, px", *(str(cost.size) for cost in costs)),
        ("tags", *(f"{cost.tags:,}" for cost in costs)),
        ("parameters, M", *(_scaled(cost.parameters, 1e6) for cost in costs)),
        ("operations, GFLOP per image", *(_operations(cost) for cost in costs)),
        ("weights, MB", *(_scaled(cost.weight_bytes, 1e6) for cost in costs)),
        ("import, s", *(f"{cost.import_s:.2f}" for cost in costs)),
        ("load, s", *(f"{cost.load_s:.2f}" for cost in costs)),
        ("latency, ms: median", *(rate(cost.latency.median_ms) for cost in costs)),
        ("latency, ms: 95th percentile", *(rate(cost.latency.p95_ms) for cost in costs)),
        *((f"network, images/s, batch {size}", *(_rate_at(cost, size) for cost in costs)) for size in sizes),
        ("peak memory, MB", *(_scaled(cost.peak_bytes, 1e6) for cost in costs)),
        ("decode, images/s per thread", *(rate(cost.input.decode) for cost in costs)),
        ("preprocess, images/s per thread", *(rate(cost.input.square) for cost in costs)),
        ("both, images/s, all threads", *(rate(cost.input.together) for cost in costs)),
        ("precision, device", *(f"{cost.precision}, {cost.device}" for cost in costs)),
    ]
    return CostTable(("", *(cost.model for cost in costs)), rows, _notes(costs))


def costs_markdown(costs: Sequence[Cost]) -> str:
    """Return the costs as a Markdown table with notes below."""
    table = cost_table(costs)
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in (table.header, *table.rows)]
    lines.insert(1, "| --- |" + " ---: |" * len(costs))
    return "\n".join([*lines, "", *(f"- {escape_markdown(note)}" for note in table.notes)]) + "\n"


def _rate_at(cost: Cost, size: int) -> str:
    """Return the rate at a batch size; "no memory" if the batch did not fit."""
    for one in cost.rates:
        if one.batch_size == size:
            return "no memory" if one.images_per_second is None else rate(one.images_per_second)
    return UNDEFINED


def _scaled(value: float | None, unit: float) -> str:
    return rate(None if value is None else value / unit)


def _operations(cost: Cost) -> str:
    """Format operations in units of 10^9, with ">" in front if some operators were not counted."""
    return (">" if cost.not_counted and cost.operations is not None else "") + _scaled(cost.operations, 1e9)


def _notes(costs: Sequence[Cost]) -> list[str]:
    """Return notes on how the costs were measured and what is missing."""
    if not costs:
        return []
    one = costs[0].input
    names = sorted({cost.device_name for cost in costs})
    kinds = sorted({cost.memory for cost in costs})
    unverified = [cost.model for cost in costs if cost.verified is False]
    pictures = f"{one.images} images of {one.median_pixels / 1e6:.2g} megapixels (median), {one.threads} cores"
    return [
        f"{'; '.join(names)}; {pictures}; each model in its own process, peak memory of the {' or '.join(kinds)}",
        "operations: matrix products, convolutions and attention; a multiplication and an addition are two operations",
        *(
            f"{cost.model}: operations without those of {', '.join(cost.not_counted)}"
            for cost in costs
            if cost.not_counted
        ),
        *(
            [f"unverified, not checked against their authors' own output: {', '.join(unverified)}"]
            if unverified
            else []
        ),
        *(
            f"{cost.model}: too few batches for a 95th percentile of latency"
            for cost in costs
            if cost.latency.p95_ms is None
        ),
    ]
