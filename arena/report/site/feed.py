"""Files for programs: an Atom feed of the runs and, if the URL of the site is known, a sitemap and robots.txt.

Ids in the feed are `urn:uuid`, derived from values that never change, so an entry keeps its id if the site moves. Without a
URL of the site the links in the feed are relative, which Atom allows.

Source: RFC 4287; sitemaps.org, protocol 0.9.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from arena.base.version import __version__
from arena.report.site.folder import Site
from arena.report.site.runs import PublishedRun

ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"

MOST_ENTRIES = 50
"""Largest number of runs in the feed; older ones are left out."""

MOST_ADDRESSES = 50_000
"""Largest number of URLs in one sitemap, by the protocol."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MADE = "made by arena"


def feed(site: Site, runs: Sequence[PublishedRun]) -> str:
    """Return the runs as an Atom feed; runs without a date are left out.

    Args:
        runs: the newest first.
    """
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    dated = [(moment, run) for run in runs if (moment := _moment(run.created))]
    _text(root, "title", "arena: comparisons of image taggers")
    _text(root, "id", site.feed)
    _text(root, "updated", dated[0][0] if dated else "1970-01-01T00:00:00Z")
    _text(ET.SubElement(root, f"{{{ATOM}}}author"), "name", "arena")
    _text(root, "generator", "arena").set("version", __version__)
    _link(root, "alternate", site.address("index.html") or "index.html")
    if own := site.address("feed.xml"):
        _link(root, "self", own)
    for moment, run in dated[:MOST_ENTRIES]:
        entry = ET.SubElement(root, f"{{{ATOM}}}entry")
        _text(entry, "title", run.title)
        _text(entry, "id", uuid.uuid5(uuid.NAMESPACE_OID, f"arena run {run.id}").urn)
        _text(entry, "published", moment)
        _text(entry, "updated", moment)
        path = f"runs/{run.id}/index.html"
        _link(entry, "alternate", site.address(path) or path)
        _text(entry, "summary", run.verdict)
    return _xml(root)


def _moment(created: str) -> str:
    """Return an ISO 8601 time in RFC 3339; empty if it cannot be parsed. Without a time zone it is UTC."""
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return ""
    return when.replace(tzinfo=when.tzinfo or UTC).isoformat(timespec="seconds")


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    """Add a child element with text; U+FFFD replaces characters that XML forbids."""
    element = ET.SubElement(parent, f"{{{parent.tag[1:].partition('}')[0]}}}{name}")
    element.text = _NO_XML.sub("\ufffd", text)
    return element


def _link(parent: ET.Element, rel: str, href: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}link", rel=rel, href=href)


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n<!-- {_MADE} -->\n{ET.tostring(root, encoding='unicode')}\n"


def sitemaps(site: Site, paths: Sequence[str], most: int = MOST_ADDRESSES) -> dict[str, str]:
    """Return `robots.txt` and the sitemap by path, in several parts if needed; empty without a URL of the site."""
    if site.url is None:
        return {}
    parts = [paths[start : start + most] for start in range(0, len(paths), most)]
    found = {"robots.txt": f"# {_MADE}\nUser-agent: *\nAllow: /\nSitemap: {site.url}/sitemap.xml\n"}
    if len(parts) <= 1:
        return found | {"sitemap.xml": _sitemap(site, "urlset", "url", paths)}
    names = [f"sitemap-{number}.xml" for number in range(1, len(parts) + 1)]
    found |= {name: _sitemap(site, "urlset", "url", part) for name, part in zip(names, parts, strict=True)}
    return found | {"sitemap.xml": _sitemap(site, "sitemapindex", "sitemap", names)}


def _sitemap(site: Site, top: str, each: str, paths: Sequence[str]) -> str:
    ET.register_namespace("", SITEMAP)
    root = ET.Element(f"{{{SITEMAP}}}{top}")
    for path in paths:
        _text(ET.SubElement(root, f"{{{SITEMAP}}}{each}"), "loc", site.address(path) or path)
    return _xml(root)
