"""Pictures on the page: blurred until asked, in the file or beside it, silent where there are none."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from arena.images.thumbnails import Thumbnail
from arena.report.html import render_comparison
from arena.report.page import pictures as pictures_module
from arena.report.page.label_issues import shown_suspects
from arena.report.page.pictures import RunThumbnails, embed_pictures, picture_facts

from ...browser import Opened, SharedPage, Tabs, near
from ..payloads import Payload, add_pictures, make_payload
from ..test_access import RULES, violations

NAMES = ("0123456789abcdef.webp", "fedcba9876543210.webp", "00000000ffffffff.webp")
BLURRED = "(all) => all.map((e) => getComputedStyle(e).filter !== 'none')"


def webp(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, "WEBP")
    return buffer.getvalue()


PICTURE = base64.b64encode(webp()).decode()


@pytest.fixture
def payload() -> Payload:
    """Two models of 30 tags: fewer than the other pages have, because their number does not matter here."""
    return make_payload(tags=30)


@pytest.fixture
def pictured(payload: Payload) -> Payload:
    """One picture that is open, one that is not, one whose rating nobody knows; all in the file."""
    return with_pictures(payload)


def with_pictures(payload: Payload) -> Payload:
    add_pictures(payload, PICTURE, ratings=["general", "questionable", "?"])
    return payload


@pytest.fixture(scope="module")
def _pictured_page(tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPage]:
    opener = Opened(tabs, tmp_path_factory.mktemp("pictured"))
    yield SharedPage(opener, render_comparison(with_pictures(make_payload(tags=30))))
    opener.close()


@pytest.fixture
def pictured_page(_pictured_page: SharedPage) -> Iterator[Any]:
    """The page of `pictured` in its first view."""
    yield _pictured_page.fresh()
    _pictured_page.silent()


def open_first(page: Any) -> Any:
    """The evidence of the first tag."""
    page.locator("#tags-box .tag").first.press("Enter")
    page.wait_for_selector(".evidence")
    return page.locator(".evidence")


def blurred(page: Any, selector: str) -> list[bool]:
    return list(page.locator(selector).evaluate_all(BLURRED))


def test_only_what_is_known_to_be_general_or_safe_is_shown_at_once(pictured_page: Any, pictured: Payload) -> None:
    page = pictured_page
    found = open_first(page).first
    images = found.locator("img")
    assert images.count() == 6, "two false alarms and a miss of each tagger"
    assert blurred(page, ".evidence:first-of-type img") == [False, True, True] * 2
    assert images.nth(1).evaluate("(e) => e.decode().then(() => e.naturalWidth)") == 40
    name = pictured["tags"]["name"][0]
    alts = [image.get_attribute("alt") for image in images.all()[:3]]
    assert alts == [
        f"animals-bug_01, not tagged {name}, rated general",
        f"people-face_02, not tagged {name}, rated questionable",
        f"<b>x</b>, tagged {name}, rated ?",
    ]
    assert found.locator(".veil").all_inner_texts()[:2] == ["Show\nquestionable", "Show\n?"]


def test_a_picture_is_shown_and_hidden_by_keyboard_and_by_click(pictured_page: Any) -> None:
    page = pictured_page
    open_first(page)
    box = page.locator(".evidence .veiled input").first
    assert box.get_attribute("aria-label").startswith("Show people-face_02, not tagged")
    page.locator(".detail-box").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "animals-bug_01", "the name opens the image"
    page.keyboard.press("Tab")
    assert box.evaluate("(e) => e === document.activeElement"), "the second that Tab reaches"
    assert page.locator(".evidence .veiled").first.evaluate("(e) => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Space")
    assert blurred(page, ".evidence:first-of-type img")[:3] == [False, False, True], "this one alone"
    assert not page.locator(".evidence .veil").first.is_visible()
    page.keyboard.press("Space")
    assert blurred(page, ".evidence:first-of-type img")[1]
    page.locator(".evidence .veiled").first.click()
    assert not blurred(page, ".evidence:first-of-type img")[1]
    assert page.locator(".detail-box").count() == 1, "a click on a picture does not close the row"


def test_all_pictures_are_shown_by_one_box_that_this_browser_remembers(pictured_page: Any) -> None:
    page = pictured_page
    open_first(page)
    boxes = page.locator(".reveal-all input")
    assert boxes.count() == 2
    assert "2 not rated general or safe" in str(page.locator(".reveal-all").first.text_content())
    boxes.first.press("Space")
    assert [box.is_checked() for box in boxes.all()] == [True, True]
    assert not any(blurred(page, ".frame img"))
    assert "arena" not in page.url, "a link tells nobody"
    page.wait_for_url("**tag=**")
    page.reload()  # the row is open again, by its address
    page.wait_for_selector(".evidence")
    assert not any(blurred(page, ".frame img"))
    boxes.nth(1).press("Space")
    page.reload()
    page.wait_for_selector(".evidence")
    assert any(blurred(page, ".frame img"))


def test_where_nothing_can_be_kept_the_box_still_works(opened: Opened, pictured: Payload) -> None:
    refuse = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page = opened.show(render_comparison(pictured), init=refuse)
    page.locator(".reveal-all input").first.press("Space")
    open_first(page)
    assert not any(blurred(page, ".frame img"))


def test_without_javascript_labels_are_there_and_pictures_are_not(opened: Opened, pictured: Payload) -> None:
    page = opened(pictured, java_script_enabled=False)
    assert page.locator("#suspects .suspect .image").first.text_content() == "<b>x</b>"
    assert page.locator("#suspects .suspect:visible").count() == 8
    assert page.locator("img").count() == 0
    assert page.locator(".reveal-all").first.is_hidden()
    style = page.locator("style").text_content()
    shown = opened.show(f"<style>{style}</style><title>t</title><span class=frame><img alt=x></span>", wait=False)
    assert blurred(shown, "img") == [True], "the default of the style sheet"


def test_pictures_beside_the_page_are_loaded_when_they_are_needed(
    opened: Opened, payload: Payload, tmp_path: Path
) -> None:
    add_pictures(payload, PICTURE, ratings=["general", "general", "general"], beside=NAMES[:2])
    (tmp_path / "thumbnails").mkdir()
    for name in NAMES[:2]:
        (tmp_path / "thumbnails" / name).write_bytes(webp("blue"))
    page = opened(payload)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.rsplit("/", 1)[-1]))
    page.wait_for_timeout(100)
    assert loaded == [], "before a row is opened"
    images = open_first(page).first.locator("img")
    page.wait_for_selector(".evidence img[src]")
    widths = [image.evaluate("(e) => e.decode().then(() => e.naturalWidth)") for image in images.all()]
    assert widths == [40] * 6
    assert {name for name in loaded if name in NAMES} == set(NAMES[:2])
    sources = [image.get_attribute("src")[:12] for image in images.all()[:3]]
    assert sources == ["thumbnails/0", "thumbnails/f", "data:image/w"]
    policy = page.locator("meta[http-equiv]").get_attribute("content")
    assert "img-src data: 'self';" in policy
    assert "the folder thumbnails next to it" in page.locator("footer").inner_text()


def test_a_page_that_came_without_its_folder_shows_names_and_asks_once(opened: Opened, payload: Payload) -> None:
    add_pictures(payload, PICTURE, ratings=["general", "explicit", "general"], beside=NAMES)
    page = opened(payload)
    found = open_first(page).first
    page.locator(".evidence img").first.wait_for(state="detached")
    assert found.locator(".frame.none").all_inner_texts() == ["no picture"] * 6
    assert found.locator(".image").first.inner_text() == "animals-bug_01"
    assert opened.reports == ["Failed to load resource: net::ERR_FILE_NOT_FOUND"], "one line, not one a picture"
    opened.reports.clear()


def test_an_image_without_a_picture_has_a_plain_frame_and_no_request(opened: Opened, pictured: Payload) -> None:
    told = pictured["pictures"]
    told["inside"][0], told["open"][0], told["rating"][0] = None, None, None
    page = opened(pictured)
    found = open_first(page).first
    assert found.locator(".frame").first.inner_text() == "no picture"
    assert found.locator("li").first.inner_text().split("\n") == ["no picture", "animals-bug_01", "0.9100"]


def test_a_page_without_pictures_holds_no_image_at_all(page: Any, varied: Payload) -> None:
    html = render_comparison(varied)
    assert not re.search("<img|data:image/webp|UklGR|'self'|&#39;self", html)
    assert open_first(page).locator(".image").first.inner_text() == "animals-bug_01"
    assert page.locator("img, .frame, .reveal-all").count() == 0


def test_a_page_may_name_no_image(opened: Opened, payload: Payload) -> None:
    evidence = payload["evidence"]
    payload.update(image_ids=False, suspects=[])
    evidence["images"] = []
    for table in ("errors", "disagreements"):
        evidence[table] = {name: [] for name in evidence[table]}
    payload["pictures"] = {name: [] for name in payload["pictures"]}
    page = opened(payload)
    found = open_first(page)
    assert found.count() == 1
    assert found.locator("h4").all_inner_texts() == ["Predicted where these tags were missed"] * 2
    assert page.locator("#suspects").count() == 0


def test_missing_labels_lead_to_their_tags(pictured_page: Any) -> None:
    page = pictured_page
    section = page.locator("#suspects")
    near(page, "#suspects")
    assert section.locator("h2").inner_text() == "Likely missing labels 9 of 1,894"
    assert section.locator(".suspect").first.locator(".who").all_inner_texts() == ["joytag-demo", "wd14-demo"]
    assert section.locator("li li").first.inner_text().split() == ["joytag-demo", "0.8100", "at", "0.4"]
    page.wait_for_selector("#suspects img")
    assert section.locator(".suspect img").first.get_attribute("alt").startswith("<b>x</b>, not tagged ")
    assert section.locator(".suspect:visible").count() == 8, "one is folded away"
    link = section.locator(".suspect:visible a").first
    link.press("Enter")
    assert page.locator('.tag[aria-expanded="true"]').text_content() == link.inner_text()


def test_hostile_names_are_text_and_nothing_widens_a_phone(opened: Opened, payload_of: Callable[..., Payload]) -> None:
    payload = payload_of(("a", "</script><b>bold</b>" + "y" * 500), tags=24)
    payload["tags"]["name"][:2] = ['"><img src=x onerror=alert(1)>' + "t" * 400, "x" * 500]
    for row in payload["suspects"]:
        row.update(tag=payload["tags"]["name"][row["place"]], image="i" * 300 + "<i>")
    payload["evidence"]["images"] = ["i" * 400, "\u202e<script>alert(1)</script>", "</script>"]
    add_pictures(payload, PICTURE, ratings=["general", "<b>" * 60, "explicit"])
    page = opened(payload, viewport={"width": 360, "height": 800}, color_scheme="dark")
    found = open_first(page)
    assert found.first.locator(".image").all_inner_texts()[:3] == payload["evidence"]["images"]
    near(page, "#suspects")
    page.wait_for_selector("#suspects img")
    page.locator("#suspects summary").first.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("main i:not(.out), main script, b:text-is('bold')").count() == 0


def shelf_of(folder: Path, sizes: list[int]) -> RunThumbnails:
    """Thumbnails of so many bytes, of images 0, 1, ..."""
    (folder / "thumbnails").mkdir()
    found = {}
    for number, size in enumerate(sizes):
        name = f"{number:016x}.webp"
        (folder / "thumbnails" / name).write_bytes(bytes(size))
        found[str(number)] = Thumbnail(name, "general" if number % 2 else "unknown", 1, 1)
    return RunThumbnails(folder, found)


def test_the_first_pictures_are_in_the_file_as_far_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "PICTURE_BYTES", 3 * 401)
    shelf = shelf_of(tmp_path, [300] * 5)
    told = embed_pictures(["0", "lost", "1", "2", "3", "4"], shelf)
    assert told["inside"] == [0, None, 1, 2, None, None]
    assert told["file"] == [None, None, None, None, f"{3:016x}.webp", f"{4:016x}.webp"]
    assert told["open"] == [0, None, 1, 0, 1, 0]
    assert sum(len(one) + 1 for one in told["content"]) <= 3 * 401
    assert picture_facts(told) | {"folder": "", "type": ""} == {
        "inside": 3, "beside": 2, "blurred": 3, "folder": "", "type": "",
    }  # fmt: skip
    assert embed_pictures(["0"], None)["inside"] == [None]


def test_a_large_picture_goes_beside_and_ends_what_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "PICTURE_BYTES", 1_000)
    told = embed_pictures(["0", "1", "2"], shelf_of(tmp_path, [300, 600, 30]))
    assert told["inside"] == [0, None, None]


def test_scores_of_suspects_stand_with_the_threshold_of_their_tag(payload: Payload) -> None:
    payload["tags"]["models"]["wd14-demo"]["threshold"][payload["suspects"][0]["place"]] = 0.75
    shown = shown_suspects(payload)
    assert shown is not None
    assert shown["rows"][0]["scores"] == [(0.81, 0.4), (0.81, 0.75)]
    assert (shown["total"], len(shown["rows"]), len(shown["more"])) == (1894, 8, 1)
    assert shown_suspects(payload | {"suspects": []}) is None


def test_every_image_that_is_named_opens_by_keyboard_and_the_focus_returns(
    pictured_page: Any, pictured: Payload
) -> None:
    page = pictured_page
    open_first(page)
    names = page.locator(".evidence-box .open-image")
    assert names.count() == page.locator(".evidence-box .frame").count() > 6, "every image that is named"
    names.first.press("Enter")
    dialog = page.locator("dialog.viewer")
    assert dialog.evaluate("(e) => e.open && e.matches(':modal')")
    assert dialog.locator("h2").text_content() == "animals-bug_01"
    assert dialog.locator("[role=status]").text_content() == f"1 of {names.count()} images "
    assert dialog.locator(".frame img").evaluate("(e) => e.decode().then(() => e.naturalWidth)") == 40
    rows = dialog.locator("tbody tr").all_inner_texts()
    first = next(row for row in rows if row.startswith(pictured["tags"]["name"][0] + "\t"))
    assert [cell.strip() for cell in first.split("\t")[1:]] == [
        "not tagged",
        "0.9100\npredicted, wrong",
        "0.8100\npredicted, wrong",
    ]
    assert "arena view RUN" in dialog.inner_text(), "where all tags are"
    page.keyboard.press("ArrowRight")
    assert dialog.locator("h2").text_content() == "people-face_02"
    assert blurred(page, "dialog .frame img") == [True], "the veil holds here too"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("h2").text_content() == "animals-bug_01", "the first stays"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    # the event after which the focus moves comes a moment after the dialog is closed
    page.wait_for_function("document.activeElement.textContent === 'people-face_02'", timeout=5_000)
    assert page.locator(".detail-box").count() == 1, "Escape closed the image and not the row"


def test_likely_missing_labels_and_open_pictures_open_too(pictured_page: Any, pictured: Payload) -> None:
    page = pictured_page
    page.locator("#suspects .open-image").first.click()
    dialog = page.locator("dialog.viewer")
    assert dialog.locator("h2").text_content() == "<b>x</b>"
    assert dialog.locator("[role=status]").text_content() == "1 of 8 images ", "the folded ones are not shown"
    tag = pictured["suspects"][0]["tag"]
    row = next(text for text in dialog.locator("tbody tr").all_inner_texts() if text.startswith(f"{tag}\t"))
    assert row.split("\t")[1] in ("not tagged", "tagged")
    dialog.get_by_label("Close").click()
    found = open_first(page).first
    found.locator(".frame.open").first.click()
    assert dialog.locator("h2").text_content() == "animals-bug_01"
    dialog.get_by_label("Next image").click()
    assert dialog.locator("h2").text_content() == "people-face_02"
    page.keyboard.press("Escape")


def test_the_open_image_is_accessible_and_fits_a_phone(opened: Opened, pictured: Payload) -> None:
    page = opened(pictured, viewport={"width": 360, "height": 740})
    open_first(page)
    page.locator(".evidence-box .open-image").first.press("Enter")
    assert page.locator("dialog.viewer").evaluate("(e) => e.getBoundingClientRect().right <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(page, only={"type": "tag", "values": RULES}, part="dialog.viewer") == []
