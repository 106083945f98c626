"""Fixtures of the page: payloads, and pages that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from arena.report.html import render_comparison

from ..browser import Opened, SharedPage, Tabs
from .payloads import Payload, make_payload
from .shared_pages import three_taggers, varied_payload


@pytest.fixture
def payload() -> Payload:
    """Two models, 150 tags, of which some are not compared."""
    return make_payload()


@pytest.fixture
def plain() -> Payload:
    """The same without intervals: point estimates."""
    return make_payload(replicates=0)


@pytest.fixture
def payload_of() -> Callable[..., Payload]:
    """The factory itself, for payloads of another size."""
    return make_payload


@pytest.fixture
def varied() -> Payload:
    """The payload of `page`; it is shared and never changed."""
    return varied_payload()


@pytest.fixture(scope="session")
def _varied_page(tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPage]:
    opener = Opened(tabs, tmp_path_factory.mktemp("varied"))
    yield SharedPage(opener, render_comparison(varied_payload()))
    opener.close()


@pytest.fixture
def page(_varied_page: SharedPage) -> Iterator[Any]:
    """The page of `varied` in its first view. Tests leave only what the view of a page holds."""
    yield _varied_page.fresh()
    _varied_page.silent()


@pytest.fixture(scope="session")
def _page_of_three(tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPage]:
    opener = Opened(tabs, tmp_path_factory.mktemp("three"))
    yield SharedPage(opener, render_comparison(three_taggers()))
    opener.close()


@pytest.fixture
def page_of_three(_page_of_three: SharedPage) -> Iterator[Any]:
    """The page of three models in its first view, in the same way."""
    yield _page_of_three.fresh()
    _page_of_three.silent()


@pytest.fixture(scope="session")
def _scriptless(tabs: Tabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    opener = Opened(tabs, tmp_path_factory.mktemp("scriptless"))
    opener.show(render_comparison(varied_payload()), java_script_enabled=False)
    yield opener
    opener.close()
    assert opener.reports == []


@pytest.fixture
def scriptless(_scriptless: Opened) -> Any:
    """The page of `varied` without JavaScript, on a wide screen."""
    [tab] = _scriptless.used
    return tab.page
