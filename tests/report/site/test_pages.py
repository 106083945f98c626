"""What the pages of a site say and lead to, read by programs and in a real browser."""

from __future__ import annotations

import base64
import gzip
import re
import uuid
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from arena.base.format import estimate
from arena.report.columns import rounded_number
from arena.report.page.unpacked import PackedColumns
from arena.report.site import feed as feed_module
from arena.report.site import shards
from arena.report.site.folder import Site
from arena.report.site.names import run_id, slug
from arena.report.site.publish import publish_site
from arena.report.site.runs import PublishedRun
from arena.report.site.series import ComparableRuns, group_comparable_runs
from arena.report.site.tag_rows import FIGURES
from arena.report.site.tags import TAG_PAGE
from arena.results.run_folder import read_result

from ...browser import Opened
from ..test_access import PHONE, everything, structure
from .conftest import write_run

URL = "https://example.org/arena"
ROW = ("tag", "run", "model", "threshold", *FIGURES)
ATOM = {"a": feed_module.ATOM}
HOSTILE = [
    "../../x", "CON", "x" * 500, "\u202ertl\u202c \u05d0\u05d1\u05d2", "🐈‍⬛ emoji", "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>", "\"quoted\" 'twice'", "=cmd()", "{{ 7 * 7 }}", "a&b", "-->", "con", "thin",
]  # fmt: skip


class Links(HTMLParser):
    """Addresses and ids of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [value for key in ("href", "src") if tag != "use" and (value := found.get(key))]
        if name := found.get("id"):
            self.ids.add(name)


def shards_of(folder: Path) -> list[PackedColumns]:
    """The data of the tag page."""
    found = [path.read_text() for path in sorted((folder / "tags/data").iterdir())]
    blocks = [re.fullmatch(r'// made by arena\narenaTags\("([A-Za-z0-9+/=]*)"\);\n', text) for text in found]
    return [PackedColumns(gzip.decompress(base64.b64decode(block[1]))) for block in blocks if block]


def slugs_of(folder: Path) -> set[str]:
    return {name for shard in shards_of(folder) for name in shard.column("slug")}


@pytest.fixture(scope="module")
def site(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    publish_site(runs, folder, url=URL)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose tags, taggers and dataset have names that try to be something else."""
    top = tmp_path_factory.mktemp("hostile")
    run = write_run(top / "run", models=(HOSTILE[0], HOSTILE[5], HOSTILE[2]), tags=HOSTILE)
    (run / "full-metrics" / "<b>'\"&# %.txt").write_text("a name of a file")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "TAGS_PER_SHARD", 1)
        publish_site([run], top / "site")
    return top / "site"


@pytest.mark.parametrize("which", ["site", "hostile"])
def test_every_link_leads_to_a_file_and_every_page_can_be_reached(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    pages = {path: Links(path) for path in folder.rglob("*.html")}
    slugs = slugs_of(folder)
    reached = {folder / "index.html", folder / "404.html"}
    for page, links in pages.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme in ("data", "https"):
                continue
            assert not parts.path.startswith("/"), "a site works from any folder"
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.is_file(), (page, address)
            assert not parts.fragment or parts.fragment in pages[target].ids | (
                slugs if target.name == TAG_PAGE else set()
            )
            reached.add(target)
    assert set(pages) <= reached


def test_hostile_names_are_text_and_leave_no_folder(hostile: Path) -> None:
    assert {path.name for path in hostile.parent.iterdir()} == {"run", "site"}
    assert slugs_of(hostile) == {slug(name) for name in HOSTILE[:-1]}  # the last one is too thin to be compared
    for path in hostile.rglob("*.html"):
        markup = path.read_text().split("<script")[0]
        assert "<img src=x" not in markup
        assert "<script>alert" not in path.read_text()


def test_every_figure_of_a_tag_is_the_runs_own(site: Path, runs: list[Path]) -> None:
    (shard,) = shards_of(site)
    rows = [
        dict(zip(ROW, values, strict=True)) for values in zip(*(shard.column(f"row.{key}") for key in ROW), strict=True)
    ]
    for run in runs:
        result = read_result(run)
        table = result.per_tag[result.per_tag["truth_tag"] != "thin"]
        own = [row for row in rows if row["run"] == run_id(result)]
        assert len(own) == len(table)
        for row in table.to_dict("records"):
            place = shard.column("name").index(row["truth_tag"])
            (found,) = (one for one in own if (one["tag"], one["model"]) == (place, row["model"]))
            assert found["threshold"] == 0.5
            assert [found[key] for key in FIGURES] == [rounded_number(row[key]) for key in FIGURES]


def test_the_headline_metrics_of_a_tagger_are_the_runs_own(site: Path, runs: list[Path]) -> None:
    result = read_result(runs[1])
    own = result.summary["models"]["poor"]["regimes"]["own"]
    for page in (site / "index.html", site / "models" / "poor" / "index.html"):
        for key in ("map", "macro_f1", "micro_f1"):
            shown = estimate(own[f"{key}_corrected"] or own[key], own[f"{key}_low"], own[f"{key}_high"])
            assert all(text in page.read_text() for text in shown)


def test_the_newest_run_is_the_first_and_its_leaders_are_named(site: Path) -> None:
    front = (site / "index.html").read_text()
    dates = re.findall(r'<h3><a href="runs/(\d{4}-\d{2}-\d{2})-', front)
    assert dates == ["2026-11-22", "2026-11-21", "2026-11-20"]
    first = front.split('<li class="card run">')[1]
    assert (
        "At their own thresholds good has the higher macro F1, micro F1 and mAP. Under other threshold policies, "
        in first
    )
    assert first.count("<b><bdi>good</bdi></b>") == 3


def test_only_comparable_runs_stand_side_by_side(runs: list[Path]) -> None:
    found = group_comparable_runs([PublishedRun(run.name, run, read_result(run)) for run in runs])
    assert [[run.id for run in group.runs] for group in found] == [["first", "second"], ["third"]]
    for line in found[0].charts[0].lines:
        assert (len(line.points), line.path.count("M"), line.path.count("L")) == (2, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda run, summary: run["dataset"].update(digest="f3" * 32),
        lambda run, summary: run["dataset"].update(sample="9 of seed 1"),
        lambda run, summary: run.update(skipped={"image_9": "truncated"}),
        lambda run, summary: summary.update(convention="joytag"),
        lambda run, summary: summary.update(min_positives=5),
        lambda run, summary: summary.update(imply=True),
        lambda run, summary: run["dataset"].pop("digest"),
    ],
)
def test_other_images_tags_or_rules_are_not_comparable(runs: list[Path], change: Any) -> None:
    first, second = read_result(runs[0]), read_result(runs[1])
    assert len(group_comparable_runs([PublishedRun("a", runs[0], first), PublishedRun("b", runs[1], second)])) == 1
    change(second.run, second.summary)
    assert len(group_comparable_runs([PublishedRun("a", runs[0], first), PublishedRun("b", runs[1], second)])) == 2


def test_other_compared_tags_are_not_comparable(runs: list[Path]) -> None:
    first, second = read_result(runs[0]), read_result(runs[1])
    second.per_tag.loc[second.per_tag["truth_tag"] == "cat", "compared"] = False
    assert len(group_comparable_runs([PublishedRun("a", runs[0], first), PublishedRun("b", runs[1], second)])) == 2


def test_a_figure_that_is_undefined_leaves_a_gap(runs: list[Path]) -> None:
    three = [PublishedRun(f"{i}", runs[0], read_result(runs[0])) for i in range(3)]
    three[1].payload["models"][0]["map"] = None
    group = ComparableRuns(three, {"good": 0, "poor": 1})
    (chart,) = [chart for chart in group.charts if chart.name == "mAP"]
    assert [line.path.count("M") for line in chart.lines] == [2, 1]


@pytest.mark.parametrize("url", [None, URL])
def test_the_feed_is_atom(runs: list[Path], hostile: Path, tmp_path: Path, url: str | None) -> None:
    publish_site(runs, tmp_path, url=url)
    for path in (tmp_path / "feed.xml", hostile / "feed.xml"):
        root = ET.parse(path).getroot()
        assert root.tag == f"{{{feed_module.ATOM}}}feed"
        entries = root.findall("a:entry", ATOM)
        ids = [element.text or "" for element in root.iter(f"{{{feed_module.ATOM}}}id")]
        assert len(set(ids)) == len(entries) + 1
        assert all(uuid.UUID(one) for one in ids)
        assert all(one.startswith("urn:uuid:") for one in ids)
        assert root.findtext("a:author/a:name", None, ATOM)
        for element in (root, *entries):
            assert element.findtext("a:title", None, ATOM)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)", element.findtext("a:updated", "", ATOM))
            links = [link.get("href", "") for link in element.findall("a:link", ATOM) if link.get("rel") == "alternate"]
            assert len(links) == 1
    entries = ET.parse(tmp_path / "feed.xml").getroot().findall("a:entry", ATOM)
    updated = [entry.findtext("a:updated", "", ATOM) for entry in entries]
    assert updated == sorted(updated, reverse=True)
    hrefs = [link.get("href", "") for entry in entries for link in entry.findall("a:link", ATOM)]
    if url:
        assert all(href.startswith(f"{url}/runs/") for href in hrefs)
    else:
        assert all((tmp_path / href).is_file() for href in hrefs)


def test_ids_of_the_feed_stay_when_the_site_moves(runs: list[Path], tmp_path: Path) -> None:
    found = []
    for url in (None, URL, "http://localhost:8000"):
        publish_site(runs[:2], tmp_path, url=url)
        found.append([element.text for element in ET.parse(tmp_path / "feed.xml").iter(f"{{{feed_module.ATOM}}}id")])
    assert found[0] == found[1] == found[2]


def test_the_sitemap_lists_every_page(site: Path) -> None:
    addresses = [
        element.text or "" for element in ET.parse(site / "sitemap.xml").iter() if element.tag.endswith("}loc")
    ]
    files = [site / unquote(address.removeprefix(f"{URL}/")) for address in addresses]
    paths = {path / "index.html" if path.is_dir() else path for path in files}
    assert paths == set(site.rglob("*.html")) - {site / "404.html"}
    assert f"Sitemap: {URL}/sitemap.xml" in (site / "robots.txt").read_text()


def test_a_sitemap_that_is_too_long_is_parted(tmp_path: Path) -> None:
    site = Site(tmp_path, "urn:uuid:0", URL)
    found = feed_module.sitemaps(site, [f"tags/{i}.html" for i in range(5)], most=2)
    assert sorted(found) == ["robots.txt", "sitemap-1.xml", "sitemap-2.xml", "sitemap-3.xml", "sitemap.xml"]
    assert found["sitemap.xml"].count("<loc>") == 3
    assert f"<loc>{URL}/sitemap-3.xml</loc>" in found["sitemap.xml"]


def test_what_others_show_of_a_link(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text()
        where = path.relative_to(site).as_posix().removesuffix("index.html")
        assert page.count('rel="canonical"') == 1
        assert re.search(rf'<link rel="canonical" href="{re.escape(f"{URL}/{where}")}">', page)
        for name in ("og:title", "og:description", "og:url"):
            assert page.count(f'property="{name}"') == 1


def test_the_policy_of_every_page_is_strict(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text()
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
        assert policy
        assert policy[1].startswith("default-src &#39;none&#39;; script-src ")
        assert "unsafe" not in policy[1]
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page.split("<script")[0])


@pytest.mark.parametrize("which", ["site", "hostile"])
def test_pages_open_from_disk_in_silence_and_fit(opened: Opened, which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    opened.folder = folder
    page = opened.show((folder / "index.html").read_text(), viewport={"width": 360, "height": 800})
    models = sorted((folder / "models").rglob("index.html"))
    tags = [f"{(folder / TAG_PAGE).as_uri()}#{name}" for name in sorted(slugs_of(folder))[:4]]
    runs = sorted((folder / "runs").rglob("index.html"))
    others = (folder / "index.html", *models[:2], *runs[:1], folder / "tags/index.html", folder / "404.html")
    for number, path in enumerate((*(other.as_uri() for other in others), *tags)):
        if number:
            page.goto(path)
        if path in tags:
            page.wait_for_selector("#tag section")
        widths = (360, 1280) if number % 2 == 0 else (1280, 360)  # a page starts with the width that the last one had
        for width in widths:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)


def test_axe_finds_no_violation_on_any_kind_of_page(opened: Opened, site: Path) -> None:
    opened.folder = site
    page = opened.show((site / "index.html").read_text(), viewport=PHONE)
    model, tag = next((site / "models").rglob("index.html")), site / TAG_PAGE
    for path in (site / "index.html", model, tag, site / "tags/index.html", site / "404.html"):
        if path != site / "index.html":
            page.goto(f"{path.as_uri()}#cat" if path == tag else path.as_uri())
        if path == tag:
            page.wait_for_selector(".tag-curves path.curve", state="attached")
        assert (everything if path in (model, tag) else structure)(page) == [], path


def test_the_search_finds_tags_and_their_pages(opened: Opened, hostile: Path) -> None:
    opened.folder = hostile
    page = opened.show((hostile / "index.html").read_text())
    page.goto((hostile / "tags/index.html").as_uri())
    rows = page.locator("#found tbody tr")
    everything = rows.all_text_contents()
    for name in HOSTILE[:-1]:
        page.fill("#query", name.strip())
        page.wait_for_selector("#status:not(:empty)", state="attached")
        assert name in page.locator("#found bdi").all_text_contents()
    page.fill("#query", "alert(1)</script <SCRIPT")
    assert rows.count() == 1
    page.locator("#found a").first.click()
    page.wait_for_url(f"**/{TAG_PAGE}#{slug(HOSTILE[5])}")
    page.wait_for_selector("#tag section")
    assert page.locator("h1").text_content() == HOSTILE[5]
    assert page.locator("#tag img, #tag script").count() == 0
    page.goto((hostile / "tags/index.html").as_uri())
    page.fill("#query", "nothing is called so")
    assert page.locator("#status").text_content() == f"0 of {len(HOSTILE) - 1}"
    page.fill("#query", "")
    assert rows.all_text_contents() == everything


def test_a_tag_has_its_curves_its_history_and_leads_to_the_tag_in_the_run(opened: Opened, site: Path) -> None:
    opened.folder = site
    page = opened.show((site / "index.html").read_text())
    page.goto(f"{(site / TAG_PAGE).as_uri()}#cat")
    page.wait_for_selector(".tag-curves path.curve", state="attached")
    assert page.title() == "cat · tag · arena"
    assert page.locator(".tag-curves svg").count() == 2
    assert page.locator(".tag-curves path.curve").count() == 4, "two taggers in the newest run"
    assert page.locator("#tag section h2").all_text_contents() == [
        "good vs poor", "History", "good vs poor vs new", "good vs poor",
    ]  # fmt: skip
    lines = [
        line.get_attribute("d") or ""
        for line in page.locator(".over-time").get_by_role("img").first.locator("path").all()
    ]
    assert sorted(line.count("L") for line in lines) == [0, 0, 0, 1, 1], "a line joins the two comparable runs"
    page.evaluate("location.hash = '#dog'")
    page.wait_for_function("document.querySelector('h1').textContent === 'dog'")
    page.get_by_text("this tag in the run").first.click()
    page.wait_for_selector("#tags-box .detail-box")
    assert page.url.endswith("#tag=dog")


@pytest.mark.parametrize(
    ("address", "text"),
    [("", "The address names no tag."), ("#nothing", "No run of this site"), ("#%zz", "No run of this site")],
)
def test_an_address_without_a_tag_says_so(opened: Opened, site: Path, address: str, text: str) -> None:
    opened.folder = site
    page = opened.show((site / "index.html").read_text())
    page.goto(f"{(site / TAG_PAGE).as_uri()}{address}")
    page.wait_for_selector("#subject:not(:empty)")
    assert text in (page.locator("#subject").text_content() or "")


def test_an_address_of_an_earlier_version_leads_to_what_has_replaced_it(opened: Opened, site: Path) -> None:
    """A host answers with `404.html` at an address that does not exist."""
    host = "http://site.test/arena/"

    def answer(route: Any) -> None:
        path = site / unquote(urlsplit(route.request.url).path.removeprefix("/arena/"))
        route.fulfill(path=path if path.is_file() else site / "404.html")

    opened.folder = site
    page = opened.show((site / "index.html").read_text())
    page.route("http://site.test/**", answer)
    run = next((site / "runs").iterdir()).name
    for old, new in (
        ("tags/cat.html", "tag.html#cat"),
        ("tags/hatsune_miku_(vocaloid).html", "tag.html#hatsune_miku_(vocaloid)"),
        ("tags/cat%7E48735c4fae42d150.html", "tag.html#cat~48735c4fae42d150"),
        (f"runs/{run}/per_tag.csv", f"runs/{run}/index.html"),
        (f"runs/{run}/full-metrics/good.txt", f"runs/{run}/index.html"),
    ):
        page.goto(f"{host}{old}")
        page.wait_for_url(f"{host}{new}")
    page.goto(f"{host}tags/nothing/x.html")
    assert page.locator("h1").text_content() == "Not found"
    page.goto(f"{host}runs/nothing/per_tag.csv")
    page.wait_for_url(f"{host}runs/nothing/index.html")
    assert page.locator("h1").text_content() == "Not found", "and it is not sent on for ever"
    page.unroute("http://site.test/**")
    assert all(report.startswith(host) for report in opened.reports), "requests to the host, and nothing else"
    opened.reports.clear()


def test_without_a_script_everything_is_there(opened: Opened, site: Path) -> None:
    opened.folder = site
    page = opened.show((site / "index.html").read_text(), java_script_enabled=False)
    assert page.locator(".run").count() == 3
    assert page.locator(".over-time svg").first.is_visible()
    page.goto((site / "tags/index.html").as_uri())
    assert page.locator("#query").is_hidden()
    assert page.locator("#found tbody tr").count() == 5


def test_the_page_of_a_run_leads_back_and_to_its_files(opened: Opened, site: Path) -> None:
    opened.folder = site
    page = opened.show((site / "index.html").read_text())
    page.locator(".run a").first.click()
    page.wait_for_selector("#tags-box tbody tr.row")
    page.get_by_text("Files of this run").click()
    names = page.locator("nav.site li bdi").all_text_contents()
    assert {"thresholds.parquet", "per_tag.parquet", "summary.md", "summary.json", "full-metrics/model-0.txt"} <= set(
        names
    )
    page.get_by_text("All runs").click()
    page.wait_for_url("**/index.html")
    assert page.locator("h1").text_content() == "Comparisons of image taggers"
