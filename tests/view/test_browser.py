"""The application in a real browser: answers by keyboard through a killed server, two browsers at once, keys, access."""

import multiprocessing
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.dataset.answer_book import AnswerBook
from arena.dataset.judgements import read_judgements
from arena.view.server import ServerOptions, listening
from arena.view.viewed_run import ViewedRun
from tests.report.test_access import DESK, PHONE, everything, structure

ANSWER = """
async ([keys, number]) => {
  const ask = document.querySelector("#ask");
  for (let turn = 0; turn < number; turn += 1) {
    await new Promise((done) => {
      const before = ask.dataset.number;
      const look = new MutationObserver(() => {
        if (ask.dataset.number === before) return;
        look.disconnect();
        done();
      });
      look.observe(ask, { attributes: true });
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: keys[turn % keys.length], bubbles: true }));
    });
  }
}
"""
"""Answer questions with a sequence of keys, each as soon as the next question is shown."""

SMALL = {"width": 360, "height": 240}
"""A window in which a question is painted in no time."""


class Server:
    """The application in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, run: ViewedRun, plan: Path, judgements: Path) -> None:
        from arena.view.access import Access

        self.run, self.plan, self.judgements = run, plan, judgements
        with listening(ServerOptions()) as bound:
            self.access = Access("127.0.0.1", bound.getsockname()[1])
            self._start(bound)
        self.base = self.access.address.partition("/?")[0]

    def start(self) -> None:
        with listening(ServerOptions(port=self.access.port)) as bound:
            self._start(bound)

    def _start(self, bound: socket.socket) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=self._serve, args=(bound,), daemon=True)
        with warnings.catch_warnings():  # a fork of a process with threads: the child uses none of them
            warnings.simplefilter("ignore")
            self.process.start()

    def _serve(self, bound: socket.socket) -> None:
        import uvicorn

        from arena.view.app import create_app

        app = create_app(self.run, self.access, self.plan, AnswerBook(self.judgements))
        uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).run(sockets=[bound])

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        assert self.process.exitcode == -signal.SIGKILL


@pytest.fixture
def server(chromium: Any, viewed: ViewedRun, plan: Path, tmp_path: Path) -> Iterator[Server]:
    made = Server(viewed, plan, tmp_path / "judgements.parquet")
    yield made
    made.kill()


Visit = Callable[..., Any]


@pytest.fixture
def browse(chromium: Any, server: Server) -> Iterator[Visit]:
    """Open an address as another browser; a message, an error or a request to another host fails the test."""
    reports: list[str] = []
    contexts = []

    def open_page(path: str, viewport: dict[str, int] = DESK) -> Any:
        context = chromium.new_context(viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: reports.append(message.text))
        page.on("pageerror", lambda error: reports.append(str(error)))
        page.on("request", lambda one: reports.append(one.url) if not one.url.startswith(server.base) else None)
        page.goto(server.access.address.replace("/?", f"{path}{'&' if '?' in path else '?'}"))
        return page

    open_page.reports = reports  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    assert [one for one in reports if not one.startswith("blob:")] == []


def begin(page: Any, name: str) -> Any:
    page.fill("#judge", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#ask[data-number]")
    return page


def test_no_answer_is_lost_when_the_server_is_killed_or_two_people_answer(server: Server, browse: Visit) -> None:
    ann = begin(browse("/judge", SMALL), "ann")
    ann.evaluate(ANSWER, ["ynu", 20])
    assert len(read_judgements(server.judgements)) == 20
    server.kill()
    ann.keyboard.press("y")
    ann.wait_for_selector("#problem:not([hidden])")
    assert "not stored" in ann.inner_text("#problem")
    browse.reports.clear()  # type: ignore[attr-defined]  # the browser reports the refused connection
    server.start()
    ann.evaluate(ANSWER, ["ynu", 9])
    ben = begin(browse("/judge", SMALL), "ben")
    ben.evaluate(f"() => {{ window.finished = ({ANSWER})(['n', 40]); }}")
    ann.evaluate(ANSWER, ["ynu", 31])
    ben.evaluate("() => window.finished")
    rows = read_judgements(server.judgements)
    assert len(rows) == len(rows[["image_id", "tag"]].drop_duplicates()) == 100
    words, turns = ["yes", "no", "unclear"], [*range(20), *range(9), *range(31)]
    assert rows[rows["judge"] == "ann"]["answer"].tolist() == [words[turn % 3] for turn in turns]
    assert rows[rows["judge"] == "ben"]["answer"].tolist() == ["no"] * 40
    assert any(page.inner_text("#count").startswith("100 of") for page in (ann, ben))
    assert ben.evaluate("document.querySelector('#image').naturalWidth") > 0
    ann.keyboard.press("z")
    ann.locator("#count", has_text="99 of").wait_for()
    ann.reload()  # the name is asked once
    ann.wait_for_selector("#ask[data-number]")
    assert ann.inner_text("#name") == "ann"


def test_keys_of_the_images_and_what_is_blurred(browse: Visit, viewed: ViewedRun) -> None:
    page = browse("/images?tag=tag_1&show=recorded")
    rows = viewed.labels(viewed.truth.tags.index["tag_1"])
    assert page.locator(".grid a").count() == rows.sum()
    blurred = "getComputedStyle(document.querySelector('[data-blurred]')).filter"
    assert "blur" in page.evaluate(blurred)
    page.keyboard.press("b")
    assert page.evaluate(blurred) == "none"
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/image?*")
    first = page.inner_text("h1")
    assert "2 of" in page.inner_text(".pager")
    page.keyboard.press("ArrowRight")
    page.locator(".pager", has_text="3 of").wait_for()
    page.wait_for_load_state()
    page.keyboard.press("ArrowLeft")
    page.locator("h1", has_text=first).wait_for()
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    page.wait_for_url("**/images?*")
    assert page.locator(".grid a").count() == rows.sum()


SLICES = """<table id="slices"><tbody><tr class="kind"><th><bdi>Rating</bdi></th></tr>
<tr><th><bdi>general</bdi></th></tr><tr><th><bdi>other</bdi></th></tr></tbody></table></main>"""
"""A table of slices as on the page; the drawn images have one rating."""


def with_slices(route: Any) -> None:
    answer = route.fetch()
    text = (
        answer.text().replace("</main>", SLICES, 1).replace('"slices":[]', '"slices":[["Rating","general","rating:g"]]')
    )
    route.fulfill(response=answer, body=text)


def test_figures_of_the_comparison_page_lead_to_their_images(server: Server, browse: Visit, viewed: ViewedRun) -> None:
    """From a tag's panel, a model, a slice and a suspected label; the icon of the page is a data address."""
    page = browse("/static/view.css")
    page.route("**/report/", with_slices)
    page.goto(f"{server.base}/report/")
    page.wait_for_selector("#tags-box button.tag")
    page.click("#tags-box button.tag")
    tag = page.inner_text(".detail-box h3.full bdi")
    links = {one.inner_text(): one.get_attribute("href") for one in page.locator(".detail-box .view-links a").all()}
    assert links["false positives of a"] == f"/images?tag={tag}&show=fp&model=a"
    assert set(links) == {"images with this tag", "models disagree"} | {
        f"false {kind} of {model}" for kind in ("positives", "negatives") for model in "ab"
    }
    of_model = page.locator("tr[data-model=b] .view-links a").first
    assert of_model.get_attribute("href") == "/images?show=fp&model=b"
    of_slices = page.locator("#slices .view-links a")
    assert [one.get_attribute("href") for one in of_slices.all()] == ["/images?slice=rating%3Ag"]
    assert page.locator("main h2 + p > .view-links").count() >= 4
    suspects = page.locator(".suspect .view-links a")
    for address in [suspects.first.get_attribute("href")] if suspects.count() else []:
        assert address.startswith("/image?id=")
    page.click(".detail-box .view-links a")
    page.wait_for_url("**/images?*")
    assert page.locator(".grid a").count() == min(60, viewed.labels(viewed.truth.tags.index[tag]).sum())
    browse.reports[:] = [one for one in browse.reports if not one.startswith("data:")]  # type: ignore[attr-defined]


MODES = ("/images?tag=tag_1&show=fp", "/image?id=0002&tag=tag_1", "/judge", "/issues", "/try")

COLOURED = MODES[1:3]
"""Modes with all colours that the others have too."""


def test_axe_finds_no_violation_and_nothing_is_too_wide(server: Server, browse: Visit) -> None:
    page = browse("/static/view.css", PHONE)
    for mode in MODES:
        page.goto(server.base + mode)
        if mode == "/judge":
            assert structure(page) == []
            begin(page, "a name")
        elif mode == "/issues":
            page.wait_for_selector("#ask[data-number]")
        elif mode == "/try":
            page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"no image"})
            page.wait_for_selector("#found .problem")
            browse.reports.clear()  # type: ignore[attr-defined]  # the status of the answer, and the image that is none
        assert (everything if mode in COLOURED else structure)(page) == [], mode
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], mode
