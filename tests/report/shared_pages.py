"""The payloads of pages that tests share, and what they read there: opening a page takes ten times as long as a reading."""

from __future__ import annotations

from functools import cache
from typing import Any

from .payloads import Payload, make_payload

CORNER = 40
"""A tag that is a dot in a corner of the scatter which no other dot is in."""

TIES = {
    1: (1 / 32, 1 / 16, -1 / 32), 2: (3 / 32, 1 / 32, 1 / 16), 3: (0.00001, 0.00002, -0.00001),
    4: (0.99999, 0, 0.99999), 10: (1, 0, 1), 11: (0, 0, 0),
}  # fmt: skip
"""Tags with exact ties between two decimals, values next to 0 and 1, and a difference of each kind."""

BARRED = (8, 9)
"""Tags with intervals of F1 at round values, in a row that is visible at first."""


@cache
def varied_payload() -> Payload:
    """Return the page of two models and 150 tags with what single tests look for. Tests only read it."""
    payload = make_payload()
    tags, [pair] = payload["tags"], payload["tags"]["pairs"]
    a, b = (tags["models"][model["name"]] for model in payload["models"])
    tags["name"][3], tags["name"][4], tags["name"][7] = ">_<", "d>e", "-_-"
    differences = pair["f1"]["difference"]
    a["f1"][0], b["f1"][0], differences[0] = 0.9, 0.1, 0.8  # the most common tag is alone at the right of the funnel
    a["f1"][CORNER], b["f1"][CORNER], differences[CORNER] = 0.02, 0.98, -0.96
    for tag, (first, second, difference) in TIES.items():
        a["f1"][tag], b["f1"][tag], differences[tag] = first, second, difference
    _set_bars(a, pair["f1"])
    decided = [i for i, higher in enumerate(pair["f1"]["higher"]) if higher is not None]
    for i in decided[1::3]:
        pair["f1"]["higher"][i] = 1
    pair["f1"]["q"][0] = 0.0004
    pair["ap"]["q"][:2], pair["ap"]["higher"][0] = [0.0321, 0.0500001], 1
    return payload


def _set_bars(columns: Payload, pair: Payload) -> None:
    first, second = BARRED
    columns["f1_low"][first], columns["f1"][first], columns["f1_high"][first] = 0.25, 0.4, 0.75
    columns["f1_low"][second], columns["f1"][second], columns["f1_high"][second] = 0, 1, 1
    pair["low"][first], pair["difference"][first], pair["high"][first] = -0.1, -0.05, 0.15


@cache
def three_taggers() -> Payload:
    """Return the page of three models. Tests only read it."""
    payload = make_payload(("a", "ab", "ac"))
    payload["tags"]["pairs"][2]["f1"]["difference"][0] = 0.1234
    return payload


def view(page: Any, address: str) -> None:
    """Give the page another view by its address, and wait until it is taken."""
    page.evaluate(
        """(address) => new Promise((resolve) => {
          addEventListener("popstate", () => resolve(null), { once: true });
          location.hash = address;
        })""",
        address,
    )


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own waiting evaluates text within the page, which its policy forbids."""
    page.evaluate(f"async () => {{ while (!({condition})) await new Promise(requestAnimationFrame); }}")


def rendered(page: Any) -> None:
    """Until the rows and cells that are filled at a pause are there."""
    until(page, "[...document.querySelectorAll('#tags-box tr.row')].every((r) => r.filled === r.children.length)")
