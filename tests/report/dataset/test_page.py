"""The page of a dataset, rendered and read off in a real browser, offline, with the network refused; and its text."""

from __future__ import annotations

import base64
import copy
import io
import re
from typing import Any

import pytest
from PIL import Image

from arena.report.dataset.chart import LEFT, RIGHT, WIDTH, support_chart
from arena.report.dataset.page import parse_blurred_ratings, render_dataset
from arena.report.dataset.text import DATASET_TEXT_WIDTH, dataset_text

from ...browser import Opened
from ..test_html import HOSTILE


def picture(image_id: str, rating: str = "g", colour: str = "red", tags: tuple[str, ...] = ("cat",)) -> dict[str, Any]:
    """One side of a pair; without a colour there is no picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), colour or "red").save(buffer, "WEBP")
    data = base64.b64encode(buffer.getvalue()).decode() if colour else ""
    return {
        "image_id": image_id, "rating": rating, "width": 60, "height": 40, "tags": list(tags), "thumbnail": data,
        "missing": "" if colour else "picture not at hand",
    }  # fmt: skip


def pair(kind: str, bits: int | None, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {
        "left": left["image_id"], "right": right["image_id"], "source": "", "kind": kind, "found_by": "phash",
        "phash_bits": bits, "dhash_bits": 3, "figures": {"difference": 0.125}, "pictures": [left, right],
    }  # fmt: skip


def group(kind: str, *pairs: dict[str, Any]) -> dict[str, Any]:
    slices = [{"bits": one["phash_bits"], "pairs": [one]} for one in pairs]
    return {"kind": kind, "pairs": 40, "shown": len(pairs), "slices": slices}


@pytest.fixture
def page() -> dict[str, Any]:
    """A dataset of two hundred tags, with pairs of every kind of rating."""
    near = group(
        "near",
        pair("near", 2, picture("safe-a"), picture("safe-b", colour="blue")),
        pair("near", 8, picture("left-e", "e"), picture("right-g", "g")),
        pair("near", 10, picture("unrated-a", "unrated"), picture("unrated-b", "")),
    )
    candidate = group("candidate", pair("candidate", None, picture("left-q", "questionable"), picture("gone", "", "")))
    tags = [{"name": f"tag_{i}", "category": "general", "images": 300 - i} for i in range(200)]
    return {
        "arena_version": "0.1.0",
        "blur": ("q", "e"),
        "pictures": [],
        "gallery": {
            "pairs": 80, "classes": [near, candidate],
            "distances": [{"bits": None, "pairs": {"candidate": 40}}, {"bits": 8, "pairs": {"near": 40}}],
        },
        "dataset": {
            "name": "mine", "title": "My pictures", "licence": "CC0-1.0", "digest": "ab" * 32, "images": 1000, "tags": tags,
            "categories": [{"category": "general", "tags": 200, "labels": 40_100}],
            "support": [{"from": 100, "to": 299, "tags": 199}, {"from": 10_000, "to": None, "tags": 1}],
            "tags_per_image": [0.0, 3.0, 5.0, 8.0, 20.0], "untagged_images": 7, "min_positives": 10,
            "pairs": [{"first": "tag_1", "second": "tag_2", "images": 90, "lift": 12.5, "phi": 0.75}],
            "ratings": [{"value": "g", "images": 900}, {"value": "", "images": 100}],
            "rating_meanings": {"g": "general"},
            "formats": [{"value": "png", "images": 1000}],
            "sizes": {"width": [1.0, 2.0, 3.0, 4.0, 5000.0], "height": [1.0] * 5, "megapixels": [0.01] * 5},
            "groups": {"groups": 990, "shared": 9, "images_in_shared": 19, "largest": 3},
            "included_for": {"for_a_tag": 1, "random": 999}, "weighted": True,
            "steps": [
                {"name": "import", "kept": 1200, "dropped": 3, "why": "truncated"},
                {"name": "by hand", "kept": None, "dropped": None, "why": ""},
            ],
            "facts": {"source": "a drawer", "phash_radius_bits": 8, "verified": True, "list": ["a", 1]},
        },
    }  # fmt: skip


def hostile(page: dict[str, Any]) -> dict[str, Any]:
    """Every name and text replaced by one that a page must not take for markup."""
    page = copy.deepcopy(page)
    data = page["dataset"]
    data.update(name=HOSTILE[0], title=HOSTILE[1], licence=HOSTILE[2])
    for row, text in zip(data["tags"], HOSTILE, strict=False):
        row.update(name=text, category=text)
    data["pairs"][0].update(first=HOSTILE[1], second=HOSTILE[6])
    data["ratings"][0]["value"] = data["formats"][0]["value"] = HOSTILE[0]
    data["categories"][0]["category"] = HOSTILE[1]
    data["steps"][0].update(name=HOSTILE[0], why=HOSTILE[1] * 20)
    data["facts"] = {"source": HOSTILE[1], HOSTILE[0]: HOSTILE[6], "surrogate": "caf\udce9"}
    for classes in page["gallery"]["classes"]:
        classes["kind"] = HOSTILE[3] + classes["kind"]
        for part in classes["slices"]:
            for one in part["pairs"]:
                one.update(left=HOSTILE[1], right='"><script>alert(2)</script>', found_by=HOSTILE[0], source=HOSTILE[1])
                one["figures"] = {HOSTILE[0]: 1.0}
                for side in one["pictures"]:
                    side.update(image_id=HOSTILE[1], tags=list(HOSTILE), missing=HOSTILE[0])
    return page


def blurred(shown: Any) -> list[bool]:
    """Of every picture in the document, whether it is blurred."""
    script = "(all) => all.map((image) => getComputedStyle(image).filter.includes('blur'))"
    return list(shown.locator(".frame img").evaluate_all(script))


def test_pictures_are_blurred_by_rating_until_asked(opened: Opened, page: dict[str, Any]) -> None:
    shown = opened.show(render_dataset(page))
    assert blurred(shown) == [False, False, True, True, False, False, True], "a copy of an explicit one is blurred too"
    boxes = shown.locator(".pair .reveal input")
    boxes.first.focus()
    shown.keyboard.press("Space")
    assert blurred(shown) == [False, False, False, False, False, False, True]
    shown.get_by_label("Show all 2 blurred pairs").check()
    assert not any(blurred(shown))
    shown.get_by_label("Show all 2 blurred pairs").uncheck()
    boxes.first.uncheck()
    assert sum(blurred(shown)) == 3
    assert blurred(opened.show(render_dataset({**page, "blur": ("unknown",)}))) == [False] * 4 + [True] * 2 + [False]
    assert not any(blurred(opened.show(render_dataset({**page, "blur": ()}))))


def test_pairs_are_side_by_side_and_the_page_tells_how_the_set_was_made(opened: Opened, page: dict[str, Any]) -> None:
    shown = opened.show(render_dataset(page))
    check_pairs(shown)
    check_making(shown)
    page["dataset"]["included_for"] = None
    assert "Not a random" not in render_dataset(page)


def check_pairs(shown: Any) -> None:
    """Check that pictures are beside each other, with their distances."""
    first = shown.locator(".pair").first
    assert first.locator(".told").inner_text() == "pHash 2 · dHash 3 · found by phash · difference 0.125"
    left, right = (first.locator("img").nth(i) for i in range(2))
    assert (left.get_attribute("alt"), right.get_attribute("alt")) == (
        "safe-a, 60 by 40 pixels, rated g", "safe-b, 60 by 40 pixels, rated g",
    )  # fmt: skip
    assert all(image.evaluate("(i) => i.complete && i.naturalWidth") == 60 for image in (left, right))
    one, two = left.bounding_box(), right.bounding_box()
    assert one["y"] == two["y"]
    assert one["x"] + one["width"] <= two["x"]
    assert shown.locator(".kind h3").all_inner_texts() == ["near 40 pairs, 3 shown", "candidate 40 pairs, 1 shown"]
    assert shown.locator(".slice h4").all_inner_texts() == [
        "2 bits",
        "8 bits: search radius",
        "10 bits",
        "No distance",
    ]
    assert "picture not at hand" in shown.locator(".pair").last.inner_text()
    assert shown.locator("#distances tr.inside th").inner_text().split() == ["8", "search", "radius"]


def check_making(shown: Any) -> None:
    """Check the steps, the warning and the tables."""
    rows = [row.split("\t") for row in shown.locator("#steps tbody tr").all_inner_texts()]
    assert rows == [["import", "1,200", "3", "truncated"], ["by hand", "–", "–", ""]]
    assert shown.locator(".warning").inner_text().startswith("Not a random sample. 1 image was chosen")
    assert shown.locator("#tags tbody tr").count() == 60
    assert shown.locator("#ratings tbody tr").all_inner_texts() == ["g (general)\t900\t90.0 %", "unknown\t100\t10.0 %"]
    shown.locator("#card summary").click()
    assert shown.locator("#card dd").all_inner_texts() == ["a drawer", "8", "true", "a, 1"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1280)])
def test_hostile_names_are_text_and_nothing_overflows(
    opened: Opened, page: dict[str, Any], scheme: str, width: int
) -> None:
    html = render_dataset(hostile(page))
    shown = opened.show(html, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert shown.locator("script, iframe, object").count() == 0
    assert shown.locator("img").count() == shown.locator(".frame img").count() == 7
    assert shown.locator("#tags tbody th").all_inner_texts()[:4] == list(HOSTILE[:4])
    assert shown.locator("h1").inner_text() == HOSTILE[1]
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    background = shown.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 200) == (scheme == "dark")


def test_the_page_holds_no_script_and_refers_to_nothing_outside(page: dict[str, Any]) -> None:
    html = render_dataset(page)
    assert "<script" not in html
    assert "default-src &#39;none&#39;" in html
    references = re.findall(r'\b(?:src|href|action|srcset)="([^"]*)"', html)
    assert [r for r in references if not r.startswith(("#", "data:image/"))] == []
    assert not re.search(r"url\(|@import|\sstyle=|\son\w+=", html)
    targets = {reference[1:] for reference in references if reference.startswith("#")}
    assert targets <= set(re.findall(r'\bid="([^"]+)"', html))
    assert len(re.findall(r'\bid="([^"]+)"', html)) == len(set(re.findall(r'\bid="([^"]+)"', html)))


def test_some_images_are_shown_and_blurred_by_rating(opened: Opened, page: dict[str, Any]) -> None:
    page["gallery"] = None
    page["pictures"] = [picture("safe"), picture("risky", "e"), picture(HOSTILE[1], "g", tags=tuple(HOSTILE))]
    shown = opened.show(render_dataset(page), viewport={"width": 320, "height": 800})
    assert blurred(shown) == [False, True, False]
    assert shown.locator("#pictures p").first.inner_text() == "3 of 1,000 images, drawn at random."
    shown.get_by_label("Show 1 blurred image").check()
    assert not any(blurred(shown))
    assert shown.locator("#pictures bdi").all_inner_texts()[:4] == ["safe", "cat", "risky", "cat"]
    assert shown.locator("script").count() == 0
    assert shown.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_chart_has_every_tag_in_its_place() -> None:
    chart = support_chart([1000, 10, 0, 100, 1], min_positives=10)
    assert chart
    points = [tuple(map(float, point.split())) for point in chart.path.removeprefix("M").split("L")]
    assert [y for _, y in points] == [tick.at for tick in reversed(chart.images)], "1000, 100, 10 and 1 image"
    assert [tick.text for tick in chart.images] == ["1", "10", "100", "1,000"]
    assert chart.threshold == points[2][1]
    assert (points[0][0], points[-1][0]) == (LEFT, WIDTH - RIGHT)
    assert support_chart([5, 0], min_positives=10) is None


def test_nothing_of_a_table_or_a_caption_is_cut(page: dict[str, Any]) -> None:
    html = render_dataset(page)
    assert html.count('<tr><th scope="row"><bdi>tag_') >= 60
    assert "max-height: 32rem" not in html


def test_a_set_without_pairs_or_steps_has_a_page(opened: Opened, page: dict[str, Any]) -> None:
    page["dataset"].update(steps=[], pairs=[], facts={}, included_for=None)
    html = render_dataset({**page, "gallery": None})
    assert [part for part in ("copies", "steps", "together") if f'id="{part}"' in html] == []
    empty = {"pairs": 0, "classes": [], "distances": []}
    assert "found no pair" in opened.show(render_dataset({**page, "gallery": empty})).locator("#copies").inner_text()


def test_what_is_blurred_is_checked() -> None:
    assert parse_blurred_ratings(["e", "unknown"]) == ("e", "unknown")
    assert parse_blurred_ratings(["none"]) == ()
    with pytest.raises(ValueError, match="x"):
        parse_blurred_ratings(["e", "x"])


def test_the_text_fits_a_terminal_whatever_the_names(page: dict[str, Any]) -> None:
    from rich.cells import cell_len

    for one in (page, hostile(page)):
        text = dataset_text(one["dataset"])
        assert max(map(cell_len, text.splitlines())) <= DATASET_TEXT_WIDTH
    text = dataset_text(page["dataset"])
    assert "tag_0   general      300  30.0 %" in text
    assert "by hand      –        –" in text
    assert "not a random sample: 1 images for a tag, 999 at random" in text
