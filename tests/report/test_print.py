"""The page on paper, by Chromium's own printing: few pages, nothing cut, pictures there, the threshold policy named."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ..browser import Opened
from .page.test_pictures import with_pictures
from .payloads import Payload

A4_WIDTH, MARGIN = 794, 34
"""CSS pixels, of the paper and of the margin of 9 mm."""


def printed(page: Any) -> tuple[int, int]:
    """Return how many pages and how many pictures a PDF of the page has."""
    page.emulate_media(media="null")  # as a browser prints; the tests emulate a screen
    pdf = page.pdf(prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b", pdf)), len(re.findall(rb"/Subtype\s*/Image", pdf))


def test_a_hundred_tags_are_at_most_six_pages_with_pictures(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(tags=100)
    without = printed(opened(payload))
    assert without[0] <= 6
    page = opened(with_pictures(payload_of(tags=100)))
    page.wait_for_selector("#suspects img", state="attached")
    pages, pictures = printed(page)
    assert pages <= 6
    assert pictures > without[1], "pictures that were never near the screen"


@pytest.mark.parametrize("names", [("a", "b"), tuple("abcdefghij")])
def test_nothing_is_wider_than_the_paper(
    opened: Opened, payload_of: Callable[..., Payload], names: tuple[str, ...]
) -> None:
    page = opened(payload_of(names, tags=30), viewport={"width": A4_WIDTH - 2 * MARGIN, "height": 1055})
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    wide = page.evaluate(TOO_WIDE)
    if len(names) == 2:
        assert wide == []
    shown = [board.is_visible() for board in page.locator(".board").all()]
    assert shown.count(True) == 1, "the chosen leaderboard"
    named = [one for one in page.locator(".board-what").all() if one.is_visible()]
    assert len(named) == min(1, page.locator(".board-what").count()), "its threshold policy is named"


TOO_WIDE = """() => [...document.querySelectorAll("main *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !one.closest(".sr, svg");
}).map((one) => `${one.localName}.${one.className} ${one.textContent.slice(0, 30)}`).slice(0, 5)"""
