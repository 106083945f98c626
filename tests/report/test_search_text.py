"""Search compares names and query without accents, case and compatibility forms; names sort as people sort them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from arena.report.html import PAGE_STYLES, template_text

from ..browser import Opened, near
from .payloads import make_payload

FOUND = """(pairs) => {{
{script}
return pairs.map(([name, query]) => folded(name).includes(folded(query)));
}}"""

SAME = [
    ("café", "cafe"), ("cafe", "café"), ("cafe\u0301", "CAFÉ"), ("ＡＢＣ１２", "abc12"), ("abc", "ＡＢＣ"),
    ("straße", "STRASSE"),
    ("masse", "maße"), ("ΟΔΟΣ", "οδος"), ("οδοσ", "ΟΔΟΣ"), ("ｶﾞ", "ガ"), ("①", "1"), ("ﬁlm", "film"), ("ÅNGSTRÖM", "angstrom"),
    ("tree_icon", "E_I"), ("İstanbul", "istanbul"), ("한국", "한"), (">_<", ">_<"), ("´-`", "´"),
]  # fmt: skip
OTHER = [("カ", "ガ"), ("が", "か"), ("की", "का"), ("tree", "trea"), ("漢", "字")]


def test_query_and_name_go_through_the_same_function(page: Any) -> None:
    script = FOUND.format(script=template_text("comparison/js/fold.js"))
    for pair, found in zip(SAME, page.evaluate(script, SAME), strict=True):
        assert found, pair
    for pair, found in zip(OTHER, page.evaluate(script, OTHER), strict=True):
        assert not found, pair


def test_the_page_finds_and_sorts_by_them(opened: Opened) -> None:
    payload = make_payload(tags=12)
    named = [
        "tag_10",
        "tag_2",
        "Café",
        "cafe_b",
        "ＦＵＬＬ",
        "zebra",
        "Éclair",
        "eclair_2",
        "tag_1",
        "straße",
        "x",
        "y",
    ]
    payload["tags"]["name"][:] = named
    page = opened(payload)
    for query, wanted in {
        "cafe": {"Café", "cafe_b"}, "CAFÉ": {"Café", "cafe_b"}, "full": {"ＦＵＬＬ"}, "strasse": {"straße"},
        "name:CAFE": {"Café"}, "-name:cafe caf": {"cafe_b"},
    }.items():  # fmt: skip
        page.fill("#query", query)
        assert set(page.locator("#tags-box .tag bdi").all_text_contents()) == wanted, query
    page.fill("#query", "")
    page.click("thead button[data-key=name]")
    order = page.locator("#tags-box .tag bdi").all_text_contents()
    assert order == [
        "Café", "cafe_b", "Éclair", "eclair_2", "ＦＵＬＬ", "straße", "tag_1", "tag_2", "tag_10", "x", "y", "zebra",
    ]  # fmt: skip


OTHER_STYLES = (
    "site/site.css", "site/tag.css", "history/page.css", "check/check.css", "pick/pick.css", "dataset/page.css",
    "judge/judge.css",
)  # fmt: skip


@pytest.mark.parametrize("name", [*PAGE_STYLES, *OTHER_STYLES])
def test_no_text_size_is_in_pixels(name: str) -> None:
    """Sizes in points are of paper."""
    assert not re.findall(r"font(?:-size)?:[^;}]*\d(?:px)\b", template_text(name))


LARGER = """new MutationObserver(() => {
    if (document.documentElement) document.documentElement.style.fontSize = "24px";
}).observe(document, { childList: true });"""
"""The reader's browser shows text one and a half times as large."""


def test_text_follows_the_readers_setting(opened: Opened) -> None:
    page = opened(make_payload(), init=LARGER)
    near(page, "#sweep")
    sizes = page.evaluate(
        """() => Object.fromEntries(["body", "#tags-box tr.row td", "#tags-box .tag", "h2", ".hint", ".plot text"].map(
            (one) => [one, parseFloat(getComputedStyle(document.querySelector(one)).fontSize)]))"""
    )
    assert sizes == {
        "body": 22.5,
        "#tags-box tr.row td": 21,
        "#tags-box .tag": 21,
        "h2": 28.5,
        ".hint": 19.5,
        ".plot text": 18,
    }
    row = page.locator("#tags-box tr.row").first.bounding_box()
    assert row["height"] == pytest.approx(54, abs=1)
    tops = page.locator("#tags-box tr.row").evaluate_all("(rows) => rows.map((row) => row.offsetTop)")
    assert {b - a for a, b in pairwise(tops)} == {54}
