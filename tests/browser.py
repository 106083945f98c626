"""One browser that opens pages from disk, offline, with the network refused; `conftest` has its fixtures for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


class Tabs:
    """Pages that tests use one after the other: a new context takes longer than most pages need to be drawn.

    A page returns to its pool with nothing of its test: it listens to nobody, and its storage is empty. Contexts with a script
    that runs before every page are closed, because such a script cannot be taken away.
    """

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.idle: dict[frozenset[tuple[str, Any]], list[Any]] = {}
        self.used: list[tuple[frozenset[tuple[str, Any]] | None, Any]] = []

    def take(self, init: str, **options: Any) -> Any:
        """Return a page of a context with these options, blank or with what another test left in its window."""
        key = frozenset(options.items())
        if not init and (idle := self.idle.get(key)):
            page = idle.pop()
        else:
            page = self._open(init, options)
        self.used.append((None if init else key, page))
        return page

    def _open(self, init: str, options: dict[str, Any]) -> Any:
        page = self.browser.new_context(offline=True, **options).new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective))"
        )
        if init:
            page.add_init_script(init)
        return page

    def release(self) -> None:
        """Take back all pages that are in use."""
        while self.used:
            key, page = self.used.pop()
            if key is None or page.is_closed():
                page.context.close()
                continue
            if dict(key).get("java_script_enabled", True) and page.url.startswith("file:"):
                page.evaluate("window.localStorage.clear()")  # all files on a disk share one
            page.mouse.move(0, 0)
            self.idle.setdefault(key, []).append(page)


@pytest.fixture(scope="session")
def tabs(chromium: Any) -> Tabs:
    return Tabs(chromium)


MEDIA = {"color_scheme": "light", "reduced_motion": "no-preference", "forced_colors": "none"}
"""What a page is emulated with where a test does not choose otherwise."""


class Opened:
    """A page opened from disk, offline; everything it reports is collected in `reports`."""

    def __init__(self, tabs: Tabs, folder: Path) -> None:
        self.tabs, self.folder = tabs, folder
        self.reports: list[str] = []
        self.listening: list[tuple[Any, str, Callable[[Any], None]]] = []

    def __call__(self, payload: dict[str, Any], *, address: str = "", **options: Any) -> Any:
        return self.show(render_comparison(payload), address=address, **options)

    def show(self, html: str, *, address: str = "", wait: bool = True, init: str = "", **options: Any) -> Any:
        """Open a page that is rendered already, after a script `init`; `wait` until its table of tags is there, if any."""
        (self.folder / "index.html").write_text(html, encoding="utf-8")
        viewport = options.pop("viewport", {"width": 1280, "height": 900})
        media = {kind: options.pop(kind, usual) for kind, usual in MEDIA.items()}
        page = self.tabs.take(init, **options)
        page.set_viewport_size(viewport)
        page.emulate_media(media="null", **media)
        self._listen(page)
        url = (self.folder / "index.html").as_uri()
        if page.url.partition("#")[0] == url:
            page.goto("about:blank")  # else only the address would change
        page.goto(f"{url}{address}")
        if wait and options.get("java_script_enabled", True) and page.locator("#tags-box").count():
            page.wait_for_selector("body[data-drawn] #tags-box tbody tr:not(.pad)", state="attached")
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
        self.tabs.release()
        for page, event, listener in self.listening:
            page.remove_listener(event, listener)


@pytest.fixture
def opened(tabs: Tabs, tmp_path: Path) -> Iterator[Opened]:
    """Opens payloads as pages; a console message, an error, a dialog or a request fails the test."""
    opener = Opened(tabs, tmp_path)
    yield opener
    opener.close()
    assert opener.reports == []
