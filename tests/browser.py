"""One browser that opens pages from disk, offline, with the network refused; `conftest` has its fixtures for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.report.html import render_comparison


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One headless browser for all tests; they are skipped, with the reason, where none is installed."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium or Chrome found on PATH: the page is tested in a real browser")
    api = pytest.importorskip("playwright.sync_api")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()


class Opened:
    """A page opened from disk, offline; everything it reports is collected in `reports`."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.reports: list[str] = []
        self.contexts: list[Any] = []

    def __call__(self, payload: dict[str, Any], *, address: str = "", **options: Any) -> Any:
        return self.show(render_comparison(payload), address=address, **options)

    def show(self, html: str, *, address: str = "", wait: bool = True, init: str = "", **options: Any) -> Any:
        """Open a page that is rendered already, after a script `init`; `wait` until its table of tags is there, if any."""
        (self.folder / "index.html").write_text(html, encoding="utf-8")
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "offline": True, **options})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.reports.append(message.text))
        page.on("pageerror", lambda error: self.reports.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective))"
        )
        page.add_init_script(init)
        page.goto(f"{(self.folder / 'index.html').as_uri()}{address}")
        if wait and options.get("java_script_enabled", True) and page.locator("#tags-box").count():
            page.wait_for_selector("body[data-drawn] #tags-box tbody tr:not(.pad)", state="attached")
        return page

    def _on_dialog(self, dialog: Any) -> None:
        self.reports.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.reports.append(request.url)


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens payloads as pages; a console message, an error, a dialog or a request fails the test."""
    opener = Opened(chromium, tmp_path)
    yield opener
    for context in opener.contexts:
        context.close()
    assert opener.reports == []
