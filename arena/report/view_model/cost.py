"""Cost of each model of a run: speed while scoring, parameters, size of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena.base.format import UNDEFINED, count, rate
from arena.results.run_folder import Result


def megabytes(size: int | None) -> str:
    """Return a size in megabytes with three digits; `–` for 0 or None.

    >>> megabytes(365_900_000), megabytes(0)
    ('366 MB', '–')
    """
    return f"{rate(size / 1e6)} MB" if size else UNDEFINED


def millions(number: int | None) -> str:
    """Return a number of parameters in millions.

    >>> millions(91_523_456), millions(1_960_000), millions(None)
    ('91.5 M', '1.96 M', '–')
    """
    return UNDEFINED if number is None else f"{rate(number / 1e6)} M"


def cost_notes(result: Result) -> list[str]:
    """Return one note per timed model: on how many images and on which machine its images/s were measured.

    Cached scores are not computed again: the speed is that of the run that computed them.
    """
    notes = []
    for name in result.models:
        facts = result.run["models"].get(name, {})
        if facts.get("images_per_second") is None:
            continue
        timed = facts.get("images_timed")
        images = "its images" if timed is None else f"{count(timed)} images"
        where = f" on {facts['timed_on']}" if facts.get("timed_on") else ""
        notes.append(
            f"{name}: images/s of the network alone, measured on {images}{where} while other work shared the machine."
        )
    return notes


def cost_line(name: str, summary: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return one model's cost as a line; empty if nothing is known.

    >>> cost_line("a", {"parameters": 1_960_000, "weight_bytes": 7_850_000}, {"images_per_second": 163.7})
    'a: 164 images/s, 1.96 M parameters, weights of 7.85 MB'
    """
    parts = []
    if facts.get("images_per_second") is not None:
        where = f" ({facts['timed_on']})" if facts.get("timed_on") else ""
        parts.append(f"{rate(facts['images_per_second'])} images/s{where}")
    if summary.get("parameters") is not None:
        parts.append(f"{millions(summary['parameters'])} parameters")
    if summary.get("weight_bytes"):
        parts.append(f"weights of {megabytes(summary['weight_bytes'])}")
    return f"{name}: {', '.join(parts)}" if parts else ""
