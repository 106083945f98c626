"""Render a page of the site: its template, and the parts that all pages share."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from markupsafe import Markup

from arena.base.format import clipped, encodable
from arena.base.version import __version__
from arena.report.html import content_security_policy, environment, template_text
from arena.report.site.folder import Site

_STYLES = ("page.css", "comparison/css/site.css", "site/site.css")
"""Style sheets of the site in order of inclusion; `page.css` is the one of every page."""

_SCRIPTS = ("comparison/js/dom.js", "comparison/js/packed.js", "site/search.js")
"""Scripts of the tag index, the only page with a script."""

_TAG_STYLE_COLOURS = ("page", "surface", "sunken", "ink", "muted", "line", "accent")
"""Colour variables of `page.css` that the small style of a tag page needs."""

_MAX_DESCRIPTION_LENGTH = 300
"""Largest length of the title and the description in the metadata of a link, in characters."""


def render_site_page(
    site: Site, template: str, path: str, *, title: str, said: str, picture: str | None = None, **more: Any
) -> str:
    """Return a page of the site.

    Args:
        template: file name in `templates/site`.
        path: path of the page in the site. Links are relative to it, so a site works from disk and from any folder.
        title: title of the page.
        said: description of the page in one sentence.
        picture: path of a preview picture in the site.
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
            csp=content_security_policy(scripts=[script] if script else [], styles=[style]),
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
    body = "\n".join(map(template_text, _SCRIPTS))
    return f'(async () => {{\n"use strict";\n{body}}})();\n'


@cache
def tag_style() -> str:
    """Return the style of a tag page. There are thousands of them, so it has a tenth of the size of `site_style`."""
    light, dark = (
        "".join(
            f"--{name}:{value};"
            for name, value in re.findall(r"--([a-z]+): ([^;]+);", block)
            if name in _TAG_STYLE_COLOURS
        )
        for block in re.findall(r":root \{(.*?)\}", template_text("page.css"), re.DOTALL)[:2]
    )
    text = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", template_text("site/tag.css"), flags=re.DOTALL))
    small = re.sub(r"\s*([{};:,])\s*", r"\1", text).strip()
    return (
        f":root{{color-scheme:light;{light}}}@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{color-scheme:dark;{dark}}}}}{small}"
    )
