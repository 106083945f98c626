"""One browser that opens pages from disk, offline, with the network refused; `conftest` has its fixtures for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from arena.report.html import render_comparison

BROWSERS = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first of these on PATH is used. The shell without a window needs a fifth less CPU time for the same pages."""


FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--no-zygote", "--num-raster-threads=1", "--disable-threaded-animation", "--disable-threaded-scrolling",
    "--disable-smooth-scrolling", "--js-flags=--single-threaded",
)  # fmt: skip
"""Threads and processes that wait for each other cost a quarter of the CPU time of a page."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One headless browser for all tests; they are skipped, with the reason, where none is installed."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium or Chrome found on PATH: the page is tested in a real browser")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


START = """(wait) => {
    window.untouched = true;
    addEventListener("mousemove", () => (window.untouched = false), { capture: true, once: true });
    const box = document.getElementById("tags-box");
    const drawn = () => document.body.dataset.drawn !== undefined && box.querySelector("tbody tr:not(.pad)");
    if (!wait || !box || drawn()) return null;
    return new Promise((resolve, reject) => {
        const look = () => {
            if (drawn()) resolve(null);
            else if (performance.now() > 15_000) reject(new Error("the table of tags was not drawn"));
            else setTimeout(look, 5);
        };
        look();
    });
}"""
"""Waits until the table of tags is there, if any. It asks for no size, which would lay out the page before its time."""

LEAVE = """() => {
    window.localStorage.clear();
    const [print, dark, less, forced] = [
        "print", "(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)", "(forced-colors: active)",
    ].map((query) => matchMedia(query).matches);
    const media = {
        media: print ? "print" : "screen", color_scheme: dark ? "dark" : "light",
        reduced_motion: less ? "reduce" : "no-preference", forced_colors: forced ? "active" : "none",
    };
    return { media, moved: window.untouched !== true };
}"""
"""Clears the storage, which all files on a disk share, and returns what else the test may have changed."""


class Tab(NamedTuple):
    """A page, and the options of its context; None if it is closed after its test."""

    key: frozenset[tuple[str, Any]] | None
    page: Any


class Tabs:
    """Pages that tests use one after the other: a new context takes longer than most pages need to be drawn.

    A page returns to its pool with nothing of its test: it listens to nobody, and its storage is empty. Contexts with a script
    that runs before every page are closed, because such a script cannot be taken away.
    """

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.idle: dict[frozenset[tuple[str, Any]], list[Any]] = {}
        self.media: dict[Any, dict[str, str]] = {}

    def take(self, init: str, **options: Any) -> Tab:
        """Return a tab of a context with these options, blank or with what another test left in its window."""
        key = frozenset(options.items())
        if not init and (idle := self.idle.get(key)):
            page = idle.pop()
        else:
            page = self._open(init, options)
        return Tab(None if init else key, page)

    def _open(self, init: str, options: dict[str, Any]) -> Any:
        page = self.browser.new_context(offline=True, **options).new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective))"
        )
        if init:
            page.add_init_script(init)
        return page

    def release(self, tab: Tab) -> None:
        """Take back a tab that was in use."""
        key, page = tab
        if key is None or page.is_closed():
            page.context.close()
            return
        if dict(key).get("java_script_enabled", True) and page.url.startswith("file:"):
            self.settle(page, page.evaluate(LEAVE))
        else:
            self.settle(page, {"media": {}, "moved": True})
        self.idle.setdefault(key, []).append(page)

    def settle(self, page: Any, left: dict[str, Any]) -> None:
        """Note the media that a test left, and take the pointer off the page if the test moved it."""
        self.media[page] = left["media"]
        if left["moved"]:
            page.mouse.move(0, 0)

    def prepare(self, page: Any, viewport: dict[str, int], media: dict[str, str]) -> None:
        """Set the size of a page's window and its media where they differ: a change lays out what another test left there."""
        if page.viewport_size != viewport:
            page.set_viewport_size(viewport)
        if self.media.get(page) != media:
            page.emulate_media(**media)
        self.media[page] = media


@pytest.fixture(scope="session")
def tabs(chromium: Any) -> Tabs:
    return Tabs(chromium)


MEDIA = {"media": "screen", "color_scheme": "light", "reduced_motion": "no-preference", "forced_colors": "none"}
"""What a page is emulated with where a test does not choose otherwise."""


class Opened:
    """A page opened from disk, offline; everything it reports is collected in `reports`."""

    def __init__(self, tabs: Tabs, folder: Path) -> None:
        self.tabs, self.folder = tabs, folder
        self.reports: list[str] = []
        self.used: list[Tab] = []
        self.listening: list[tuple[Any, str, Callable[[Any], None]]] = []

    def __call__(self, payload: dict[str, Any], *, address: str = "", **options: Any) -> Any:
        return self.show(render_comparison(payload), address=address, **options)

    def show(self, html: str, *, address: str = "", wait: bool = True, init: str = "", **options: Any) -> Any:
        """Open a page that is rendered already, after a script `init`; `wait` until its table of tags is there, if any."""
        (self.folder / "index.html").write_text(html, encoding="utf-8")
        viewport = options.pop("viewport", {"width": 1280, "height": 900})
        media = {kind: options.pop(kind, usual) for kind, usual in MEDIA.items()}
        tab = self.tabs.take(init, **options)
        self.used.append(tab)
        page = tab.page
        self.tabs.prepare(page, viewport, media)
        self._listen(page)
        url = (self.folder / "index.html").as_uri()
        if page.url.partition("#")[0] == url:
            page.goto("about:blank")  # else only the address would change
        page.goto(f"{url}{address}")
        if options.get("java_script_enabled", True):
            page.evaluate(START, wait)
        return page

    def _listen(self, page: Any) -> None:
        listeners: dict[str, Callable[[Any], None]] = {
            "console": lambda message: self.reports.append(message.text),
            "pageerror": lambda error: self.reports.append(str(error)),
            "dialog": self._on_dialog,
            "request": self._on_request,
        }
        for event, listener in listeners.items():
            page.on(event, listener)
            self.listening.append((page, event, listener))

    def _on_dialog(self, dialog: Any) -> None:
        self.reports.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.reports.append(request.url)

    def close(self) -> None:
        """Return the pages; a page that was closed with its context reports nothing any more."""
        while self.used:
            self.tabs.release(self.used.pop())
        for page, event, listener in self.listening:
            page.remove_listener(event, listener)


FIRST_VIEW = """async () => {
    const details = [...document.querySelectorAll("details")];
    window.opened ??= details.map((one) => one.open);
    details.forEach((one, place) => (one.open = window.opened[place] ?? false));
    const taken = new Promise((resolve) => addEventListener("popstate", resolve, { once: true }));
    location.hash = `first=${performance.now()}`;
    await taken;
    for (const input of document.querySelectorAll("input[type=radio]")) {
        if (input.checked || !input.defaultChecked) continue;
        input.checked = true;
        input.dispatchEvent(new Event("change", { bubbles: true }));
    }
    document.activeElement.blur();
    window.getSelection().removeAllRanges();
    document.getElementById("tags-box").scrollTo(0, 0);
    window.scrollTo(0, 0);
    history.replaceState(null, "", location.pathname);
}"""
"""Takes a comparison page back to its first view; the page itself takes back what its address can hold."""


def near(page: Any, selector: str) -> Any:
    """Scroll to an element, wait until what is near it is laid out and painted, and return its box {x, y, width, height}."""
    return page.locator(selector).evaluate(NEAR)


NEAR = """async (element) => {
    const frames = async () => {
        for (let n = 0; n < 2; n += 1) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    };
    element.scrollIntoView({ block: "center" });
    await frames();
    element.scrollIntoView({ block: "center" });
    await new Promise((done) => setTimeout(done, 40));
    await frames();
    const { x, y, width, height } = element.getBoundingClientRect();
    return { x, y, width, height };
}"""
"""Sections that come near the screen are laid out in the next frame, and dots are drawn 30 ms after that."""


class SharedPage:
    """A comparison page for tests that leave nothing but a view behind; each finds the first view."""

    def __init__(self, opener: Opened, html: str, **options: Any) -> None:
        self.opener, self.page = opener, opener.show(html, **options)
        self.viewport = self.page.viewport_size
        self.fresh()

    def fresh(self) -> Any:
        """Return the page in its first view, with the window and the media that it was opened with."""
        tabs = self.opener.tabs
        tabs.settle(self.page, self.page.evaluate(LEAVE))
        tabs.prepare(self.page, self.viewport, MEDIA)
        self.page.evaluate(FIRST_VIEW)
        self.page.evaluate(START, True)
        return self.page

    def silent(self) -> None:
        """Raise AssertionError if the page reported anything since the last test."""
        reports, self.opener.reports[:] = list(self.opener.reports), []
        assert reports == []


@pytest.fixture
def opened(tabs: Tabs, tmp_path: Path) -> Iterator[Opened]:
    """Opens payloads as pages; a console message, an error, a dialog or a request fails the test."""
    opener = Opened(tabs, tmp_path)
    yield opener
    opener.close()
    assert opener.reports == []
