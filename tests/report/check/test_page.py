"""The regression page, rendered and read off in a real browser, offline, without a script."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from arena.gate.verdict import Case, JudgedModel, Measure, Outcome, TagLoss, Verdict
from arena.images.thumbnails import Thumbnail
from arena.report.check import losses as losses_module
from arena.report.check.drawing import CASE_PLOT_WIDTH, case_plot, common_scale
from arena.report.check.losses import loss_columns
from arena.report.check.page import render_check
from arena.report.check.write import CHECK_FILES, write_check
from arena.report.page.pictures import RunThumbnails
from arena.results.run_folder import Result

from ...browser import Opened
from ..results import HOSTILE, result_of
from ..test_access import DESK, PHONE, colours, structure
from .verdicts import ALL, FAILED, PASSED, UNDECIDED, case, failing, hostile, many, measure, unpaired, verdict

TAGS = ("hat", '"><script>alert(1)</script>', "a&b #1", "שלום", "tag_4", "tag_5")


@pytest.fixture(scope="module")
def joint() -> Result:
    """The candidate first, and worse."""
    result = result_of(("joytag-new", "joytag"), tags=TAGS, replicates=60)
    result.run["shows"] = {"thumbnails": "some", "image_ids": True}
    return result


@pytest.fixture
def shelf(tmp_path: Path, joint: Result) -> RunThumbnails:
    """A picture of every image; every second one is explicit."""
    (tmp_path / "thumbnails").mkdir()
    found = {}
    for number, image in enumerate(sorted(set(joint.tables["errors"]["image_id"]))):
        buffer = io.BytesIO()
        Image.new("RGB", (40, 30), (number, 90, 160)).save(buffer, "WEBP")
        name = f"{number:016x}.webp"
        (tmp_path / "thumbnails" / name).write_bytes(buffer.getvalue())
        found[image] = Thumbnail(name, "explicit" if number % 2 else "general", 40, 30)
    return RunThumbnails(tmp_path, found)


def judged(*tags: str, **more: Any) -> Verdict:
    """A verdict that names these tags."""
    named = [TagLoss(tag, "general", 30, Measure("f1", 0.4, 0.7, -0.3, -0.4, -0.2, -0.1, 0.001)) for tag in tags]
    return verdict([PASSED, UNDECIDED, replace(FAILED, tags=named, tags_in_all=len(named))], **more)


def test_the_named_tags_come_first_then_all_others_that_are_lower_beyond_doubt(joint: Result) -> None:
    found = loss_columns(judged("a&b #1"), joint, None)
    table = joint.tables["tag_differences"]
    worse = set(table[table["f1_higher"] == "joytag"]["tag"])
    assert len(worse) > 2, "the world has losses"
    names = [one.loss.tag for one in found.shown]
    assert names[0] == "a&b #1"
    assert set(names) == worse | {"a&b #1"}
    rest = [one.loss.measure.difference for one in found.shown[1:]]
    assert rest == sorted(rest, key=float)
    assert all(one < 0 for one in rest), "candidate less baseline"
    tested = f"{len(worse):,} significantly lower, 0 significantly higher, {6 - len(worse)} undetermined."
    assert tested in found.told
    more = len(worse - {"a&b #1"})
    assert found.told.endswith(f"A requirement lists 1 tag of this section; {more} more are significantly lower.")
    assert found.of == 1 + more


def test_a_difference_is_candidate_less_baseline_whichever_stands_first(joint: Result) -> None:
    turned = Verdict(JudgedModel("joytag", "a"), JudgedModel("joytag-new", "b"), [PASSED])
    assert loss_columns(turned, joint, None).of == 0
    assert " 0 significantly lower" in loss_columns(turned, joint, None).told
    one = (
        loss_columns(Verdict(JudgedModel("joytag-new", "a"), JudgedModel("joytag", "b"), [PASSED]), joint, None)
        .shown[0]
        .loss.measure
    )
    assert one.low is not None
    assert one.high is not None
    assert one.difference is not None
    assert one.low < one.difference < one.high < 0
    table = joint.tables["tag_differences"]
    swapped = table.rename(columns={"first": "second", "second": "first", "f1_low": "f1_high", "f1_high": "f1_low"})
    swapped = swapped.assign(**{name: -swapped[name] for name in ("f1_difference", "f1_low", "f1_high")})
    other = Result(joint.run, joint.summary, {**joint.tables, "tag_differences": swapped})
    same = Verdict(JudgedModel("joytag-new", "a"), JudgedModel("joytag", "b"), [PASSED])
    assert [one.loss for one in loss_columns(same, other, None).shown] == [
        one.loss for one in loss_columns(same, joint, None).shown
    ]


def test_the_figures_of_a_tag_are_those_of_the_result(joint: Result) -> None:
    (found,) = [one for one in loss_columns(judged("hat"), joint, None).shown if one.loss.tag == "hat"]
    rows = joint.per_tag.set_index(["model", "tag"])
    for side, model in zip(found.sides, ("joytag", "joytag-new"), strict=True):
        row = rows.loc[(model, "hat")]
        assert list(side[1:5]) == ["0.35", str(row["tp"]), str(row["fp"]), str(row["fn"])]
        assert side[7] == f"{row['f1']:.4f}"


def test_images_are_of_the_candidate_and_of_where_the_baseline_is_right(joint: Result) -> None:
    (found,) = [one for one in loss_columns(judged("hat"), joint, None).shown if one.loss.tag == "hat"]
    apart, *_ = found.images
    table = joint.tables["disagreements"]
    wanted = table[(table["tag"] == "hat") & (table["right"] == "joytag") & (table["wrong"] == "joytag-new")]
    assert [image.image_id for image in apart.images] == wanted["image_id"].tolist()
    errors = joint.tables["errors"]
    misses = errors[(errors["tag"] == "hat") & (errors["model"] == "joytag-new") & (errors["kind"] == "miss")]
    assert [image.image_id for image in found.images[-1].images] == misses["image_id"].tolist()[:5]


def test_a_tag_that_the_candidate_lost_is_told_so() -> None:
    lost = TagLoss("hat", "", 30, Measure("known", candidate=0.0, baseline=1.0))
    html = render_check(verdict([case(Outcome.FAIL, gate="coverage", name="tags", tags=[lost], tags_in_all=1)]))
    assert '<p class="about">30 images. known yes → no. Listed by <bdi>tags</bdi>.</p>' in html


def test_a_run_that_names_no_image_shows_none(joint: Result, shelf: RunThumbnails) -> None:
    private = Result(joint.run | {"shows": {"thumbnails": "none", "image_ids": False}}, joint.summary, joint.tables)
    html = render_check(judged("hat"), private, shelf)
    assert "<img" not in html
    assert "image_1" not in html


def test_print_is_light_and_pictures_are_blurred_until_asked_for(
    opened: Opened, joint: Result, shelf: RunThumbnails
) -> None:
    page = opened.show(render_check(judged("hat"), joint, shelf))
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".links").is_visible()
    assert page.locator(".loss").first.is_visible()
    page.emulate_media(media="screen", color_scheme="light")
    blurred = "(all) => all.map((e) => getComputedStyle(e).filter !== 'none')"
    images = page.locator(".frame img")
    assert images.count() > 20
    kinds = images.evaluate_all("(all) => all.map((e) => !e.parentElement.classList.contains('open'))")
    assert images.evaluate_all(blurred) == kinds
    assert {True, False} == set(kinds)
    page.locator(".veiled").first.click()
    assert images.evaluate_all(blurred).count(True) == kinds.count(True) - 1
    page.locator("#reveal").check()
    assert not any(images.evaluate_all(blurred))


def test_a_tag_leads_to_its_row_of_the_comparison(opened: Opened, joint: Result) -> None:
    page = opened.show(render_check(judged("a&b #1"), joint))
    assert page.locator(".loss a").first.get_attribute("href") == "index.html#tag=a%26b%20%231"
    assert page.locator("nav a[href='index.html']").count() == 1
    assert not re.search("href=[\"']?index\\.html", render_check(unpaired()))


def test_intervals_are_drawn_where_they_are() -> None:
    cases = [case(Outcome.PASS, name=str(i), measure=measure(one)) for i, one in enumerate((-0.02, 0.01))]
    span = common_scale(cases)
    assert span is not None
    first, second = (case_plot(one.measure, span) for one in cases)
    assert first is not None
    assert second is not None
    assert None not in (first.low, first.high, first.limit)
    assert first.low < first.at < first.high < first.limit < first.zero < second.at < second.high < CASE_PLOT_WIDTH  # type: ignore[operator]
    assert (first.zero, first.limit) == (second.zero, second.limit), "one scale"
    assert first.beyond == (0.0, first.limit)
    rise = case_plot(Measure("ece", 0.05, 0.02, 0.03, limit=0.02), common_scale(cases))
    assert rise is not None
    assert rise.beyond is not None
    assert rise.beyond[0] == rise.limit
    assert (
        case_plot(
            Measure("f1", 0.5, 0.5, 0.0), common_scale([case(Outcome.PASS, measure=Measure("f1", 0.5, 0.5, 0.0))])
        )
        is None
    )


class _Read(HTMLParser):
    """Which elements are open around what, and whether all of them are closed."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "circle", "path", "line", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_verdict_has_a_page(name: str) -> None:
    html = render_check(ALL[name]())
    reader = _Read()
    reader.feed(html)
    assert reader.open == []
    assert "<script" not in html
    assert "default-src &#39;none&#39;" in html
    assert not re.search(r"(src|href)=\"?https?:", html)
    html.encode()


def test_axe_finds_no_violation(
    opened: Opened, joint: Result, shelf: RunThumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses_module, "SHOWN_LOSSES", 1)
    one = judged(*TAGS[:2], causes=["the threshold is halved"], notes=["a note"], paired=False, unpaired_cost="much")
    page = opened.show(render_check(one, joint, shelf), viewport=PHONE)
    for viewport, found in ((PHONE, structure), (DESK, colours)):
        page.set_viewport_size(viewport)
        assert found(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_hostile_names_are_text_and_nothing_widens_a_phone(opened: Opened) -> None:
    page = opened.show(render_check(hostile()), viewport=PHONE)
    page.locator("details").evaluate_all("(all) => all.forEach((e) => (e.open = true))")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("script, main b:text-is('bold'), iframe").count() == 0
    assert HOSTILE[0] in page.locator(".cases h3").first.inner_text()


def test_500_cases_are_one_page_of_moderate_size() -> None:
    passed = [Case("slices", str(i), f"slice {i}", Outcome.PASS, "as before", measure(0.001)) for i in range(500)]
    html = render_check(verdict(passed))
    assert html.count('<li class="pass">') == 500
    assert "<details" in html
    assert len(html) < 1_000_000
    assert render_check(many()).count('class="card loss"') == 2


def test_a_check_is_written_whole(tmp_path: Path, joint: Result) -> None:
    page = write_check(failing(), tmp_path / "new" / "check", joint)
    assert page == tmp_path / "new" / "check" / "check.html"
    assert {path.name for path in page.parent.iterdir()} == set(CHECK_FILES)
    assert b"\r" not in page.read_bytes()
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    write_check(failing(), page.parent, joint)
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before, "the same again"
