"""One page of a site: its template with what every page has."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from markupsafe import Markup

from arena.base.format import clipped, encodable
from arena.base.version import __version__
from arena.report.html import content_security_policy, environment, template_text
from arena.report.site.folder import Site

STYLES = ("page.css", "comparison/css/site.css", "site/site.css")
"""Of the site's pages, in order; the first is that of every page."""

SCRIPTS = ("comparison/js/dom.js", "comparison/js/packed.js", "site/search.js")
"""Of the index of tags, the only page with a script."""

COLOURS = ("page", "surface", "sunken", "ink", "muted", "line", "accent")
"""Colours of page.css that the small style of a tag's page needs."""

MOST_SAID = 300
"""Characters of a title or description that others show of a link."""


def render(
    site: Site, template: str, path: str, *, title: str, said: str, picture: str | None = None, **more: Any
) -> str:
    """A page of the site.

    Args:
        path: of the page below the site, from which links are made relative: a site works from disk and from any folder.
        title, said: its name, and what it says in a sentence.
        picture: path of a picture that others may show beside a link.
        more: what the template shows; `style` and `script` where they are not the site's own.
    """
    style, script = more.pop("style", None) or site_style(), more.pop("script", "")
    page = (
        environment()
        .get_template(f"site/{template}")
        .render(
            root="../" * path.count("/"),
            path=path,
            title=title,
            head=Markup(told_to_others(site, path, title, said, picture)),
            csp=content_security_policy(scripts=[script] if script else [], styles=[style]),
            style=Markup(style),
            script=Markup(script),
            arena_version=__version__,
            **more,
        )
    )
    return encodable(page)


def told_to_others(site: Site, path: str, title: str, said: str, picture: str | None) -> str:
    """What search engines and those who show a link take: canonical address, title, description."""
    shown = {"title": clipped(title, MOST_SAID), "said": clipped(said, MOST_SAID)}
    image = None if picture is None else site.address(picture)
    return environment().get_template("site/head.html.j2").render(**shown, url=site.address(path), image=image)


@cache
def site_style() -> str:
    """The style of the site's pages."""
    return "\n".join(map(template_text, STYLES))


@cache
def search_script() -> str:
    """The script of the index of tags, in a scope of its own."""
    body = "\n".join(map(template_text, SCRIPTS))
    return f'(async () => {{\n"use strict";\n{body}}})();\n'


@cache
def tag_style() -> str:
    """The style of a tag's page: a tenth of the others', because there are thousands; its colours are theirs."""
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in re.findall(r"--([a-z]+): ([^;]+);", block) if name in COLOURS)
        for block in re.findall(r":root \{(.*?)\}", template_text("page.css"), re.DOTALL)[:2]
    )
    text = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", template_text("site/tag.css"), flags=re.DOTALL))
    small = re.sub(r"\s*([{};:,])\s*", r"\1", text).strip()
    return (
        f":root{{color-scheme:light;{light}}}@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{color-scheme:dark;{dark}}}}}{small}"
    )
