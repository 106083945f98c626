"""Render the pages: templates of this package, with the filters, marks and styles of all reports."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader
from starlette.responses import HTMLResponse, Response

from arena.base.format import encodable
from arena.base.version import __version__
from arena.report.html import environment, template_text
from arena.view.viewed_run import ViewedRun

MODES = {
    "/images": "Images",
    "/judge": "Judge",
    "/issues": "Label issues",
    "/try": "Try an image",
    "/report/": "Comparison",
}
"""Address and title of each mode."""

_OF_REPORTS = {"page.css": "page.css"}
"""Static files that are templates of the reports."""

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _environment() -> Environment:
    reports = environment()
    loader = ChoiceLoader([PackageLoader("arena.view", "templates"), *filter(None, [reports.loader])])
    return reports.overlay(loader=loader)


def page(name: str, run: ViewedRun, path: str, *, status: int = 200, **variables: Any) -> Response:
    """Return a page.

    Args:
        name: file of the template.
        path: address of the mode that the page belongs to.
    """
    return HTMLResponse(fragment(name, run, path=path, **variables), status)


def fragment(name: str, run: ViewedRun, **variables: Any) -> str:
    """Return a rendered template."""
    given = {"run": run, "modes": MODES, "arena_version": __version__, **variables}
    return encodable(_environment().get_template(name).render(given))


@cache
def static_file(name: str) -> tuple[str, str] | None:
    """Return text and media type of a static file; None for any name that is not one of them."""
    folder = files("arena.view").joinpath("static")
    if name in _OF_REPORTS:
        return template_text(_OF_REPORTS[name]), _MEDIA_TYPES[".css"]
    names = {one.name for one in folder.iterdir() if one.is_file()}
    kind = _MEDIA_TYPES.get(f".{name.rpartition('.')[2]}")
    return (folder.joinpath(name).read_text(encoding="utf-8"), kind) if name in names and kind else None
