"""Render a page of the site: its template, and the parts that all pages share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from arena.base.format import clipped, encodable
from arena.base.version import __version__
from arena.report.html import content_security_policy, environment, template_text
from arena.report.site.folder import Site

_STYLES = ("page.css", "comparison/css/site.css", "site/site.css")
"""Style sheets of the site in order of inclusion; `page.css` is the one of every page."""

_SCRIPTS = ("comparison/js/dom.js", "comparison/js/packed.js", "comparison/js/fold.js", "site/search.js")
"""Scripts of the tag index."""

_TAG_STYLES = ("comparison/css/curves.css", "comparison/css/pictures.css", "site/tag.css")
"""Style sheets of the tag page, after those of the site."""

_TAG_SCRIPTS = (
    "comparison/js/dom.js", "comparison/js/format.js", "comparison/js/packed.js", "comparison/js/curve_plot.js",
    "comparison/js/veil.js", "site/shards.js", "site/tag_curves.js", "site/tag_history.js", "site/tag.js",
)  # fmt: skip
"""Scripts of the tag page."""

_MAX_DESCRIPTION_LENGTH = 300
"""Largest length of the title and the description in the metadata of a link, in characters."""


def render_site_page(
    site: Site,
    template: str,
    path: str,
    *,
    title: str,
    said: str,
    picture: str | None = None,
    beside: bool = False,
    **more: Any,
) -> str:
    """Return a page of the site.

    Args:
        template: file name in `templates/site`.
        path: path of the page in the site. Links are relative to it, so a site works from disk and from any folder.
        title: title of the page.
        said: description of the page in one sentence.
        picture: path of a preview picture in the site.
        beside: whether the page loads scripts and pictures of the site.
        more: variables of the template; `style` and `script` replace those of the site.
    """
    style, script = more.pop("style", None) or site_style(), more.pop("script", "")
    page = (
        environment()
        .get_template(f"site/{template}")
        .render(
            root="../" * path.count("/"),
            path=path,
            title=title,
            head=Markup(link_metadata(site, path, title, said, picture)),
            csp=content_security_policy(
                scripts=[script] if script else [], styles=[style], beside=beside, scripts_beside=beside
            ),
            style=Markup(style),
            script=Markup(script),
            arena_version=__version__,
            **more,
        )
    )
    return encodable(page)


def link_metadata(site: Site, path: str, title: str, said: str, picture: str | None) -> str:
    """Return the metadata for search engines and link previews: canonical URL, title, description, picture."""
    texts = {"title": clipped(title, _MAX_DESCRIPTION_LENGTH), "description": clipped(said, _MAX_DESCRIPTION_LENGTH)}
    image = None if picture is None else site.address(picture)
    return environment().get_template("site/head.html.j2").render(**texts, url=site.address(path), image=image)


@cache
def site_style() -> str:
    """Return the style of the pages of the site."""
    return "\n".join(map(template_text, _STYLES))


@cache
def search_script() -> str:
    """Return the script of the tag index, inside a function scope."""
    return _in_scope(_SCRIPTS)


@cache
def tag_script() -> str:
    """Return the script of the tag page, inside a function scope."""
    return _in_scope(_TAG_SCRIPTS)


def _in_scope(names: Sequence[str]) -> str:
    body = "\n".join(map(template_text, names))
    return f'(async () => {{\n"use strict";\n{body}}})();\n'


@cache
def tag_style() -> str:
    """Return the style of the tag page."""
    return "\n".join([site_style(), *map(template_text, _TAG_STYLES)])
