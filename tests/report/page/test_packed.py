"""Packed columns read in the browser as they were written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from arena.report.columns import NEARLY, rounded_number
from arena.report.html import render_comparison, template_text
from arena.report.page.packed import BASE85_DIGITS, compress, pack_columns, pack_integers, pack_ratios, pack_values
from arena.report.page.tag_block import tag_block
from arena.report.view import page_view

from ...browser import Opened
from ..payloads import Payload
from ..results import result_of
from ..unpacking import decompress

FIGURE = st.none() | st.floats(-1, 1)


def read(block: str) -> dict[str, list[Any]]:
    """The browser's side in Python, from the format's description."""
    head, _, body = decompress(block).partition(b"\n")
    found, start = {}, 0
    for one in json.loads(head):
        length, width = one["length"], one["bytes"]
        planes = [body[start + byte * length : start + (byte + 1) * length] for byte in range(width)]
        codes = [sum(plane[i] << (8 * byte) for byte, plane in enumerate(planes)) for i in range(length)]
        found[one["name"]] = [None if code == 0 else _value(one, code) for code in codes]
        start += length * width
    assert start == len(body)
    return found


def _value(told: dict[str, Any], code: int) -> Any:
    if told["type"] == "figure":
        return NEARLY[code - 1] if code <= len(NEARLY) else (code - 1 - len(NEARLY) - 10_000) / 10_000
    return code - 1 if told["type"] == "integer" else told["of"][code - 1]


@given(st.lists(FIGURE), st.lists(st.none() | st.integers(0, 2**24)), st.lists(st.none() | st.text(max_size=5)))
def test_columns_come_back_as_they_are_shown(
    shown: list[float | None], counts: list[int | None], texts: list[str | None]
) -> None:
    columns = read(pack_columns({"f": pack_ratios(shown), "i": pack_integers(counts), "t": pack_values(texts)}))
    assert columns == {"f": [rounded_number(value) for value in shown], "i": counts, "t": texts}


@given(st.binary(max_size=200))
def test_text_of_a_block_is_no_markup_and_comes_back(content: bytes) -> None:
    text = compress(content)
    assert set(text) <= set(BASE85_DIGITS)
    assert not set(BASE85_DIGITS) & set("<>&\"'/\\ ")
    assert decompress(text) == content


def test_the_same_columns_give_the_same_bytes() -> None:
    assert compress(b"abc" * 100) == compress(b"abc" * 100)


def test_what_follows_from_counts_is_not_packed(payload: Payload) -> None:
    images = payload["dataset"]["images"]
    names = read(tag_block(payload["tags"], images))
    assert not {"0.f1", "0.fn", "0.tn", "0.precision", "1.recall", "0.f2", "0.mcc", "1.informedness"} & set(names)
    assert "0.1.f1.difference" not in names
    assert {"0.f1_low", "0.ap", "0.roc_auc", "0.1.ap.difference"} <= set(names), "the intervals are drawn, not Wilson's"
    payload["tags"]["models"]["joytag-demo"]["f1"][0] = 0.5
    changed = read(tag_block(payload["tags"], images))
    assert changed["0.f1"][0] == 0.5
    assert "0.1.f1.difference" in changed, "the browser's F1 has four digits now"


def test_intervals_of_independent_images_are_not_packed() -> None:
    view = page_view(result_of(("a", "b")))
    names = read(tag_block(view["tags"], view["dataset"]["images"]))
    assert {"0.ap_low", "0.ap_high"} <= set(names)
    assert not {f"0.{key}_{end}" for key in ("precision", "recall", "f1") for end in ("low", "high")} & set(names)


def test_the_browser_reads_what_was_packed(opened: Opened) -> None:
    shown = [None, 0, 1, -1, 0.25, -0.1234, *NEARLY]
    names = ["</script>", "é", "🐈", None]
    block = pack_columns(
        {"f": pack_ratios(shown), "i": pack_integers([0, None, 70_000, 2**24]), "t": pack_values(names)}
    )
    scripts = "\n".join(template_text(f"comparison/js/{name}") for name in ("dom.js", "packed.js"))
    page = opened.show(f'<!doctype html><title>t</title><script type="text/plain" id="b">{block}</script>')
    found = page.evaluate(
        f"(async () => {{ {scripts}; const b = new Block(await inflated('b'));"
        " return [b.column('f'), b.column('i'), b.column('t'), b.column('x') === undefined]; })()"
    )
    assert found == [shown, [0, None, 70_000, 2**24], names, True]


def test_a_browser_that_cannot_unpack_shows_the_static_table(opened: Opened, payload: Payload) -> None:
    page = opened.show(render_comparison(payload), wait=False, init="delete window.DecompressionStream")
    page.wait_for_selector("#static-tags", state="visible")
    assert any("DecompressionStream" in report for report in opened.reports)
    opened.reports.clear()
