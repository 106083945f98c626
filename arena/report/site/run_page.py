"""The comparison page of a run in a site: the page with navigation, a list of files and link metadata added.

The additions are between two comments, so that they can be replaced when the URL of the site changes. A page with another
layout, from another version for example, is not changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from arena.base.format import encodable
from arena.report.html import environment
from arena.report.site.folder import Site
from arena.report.site.render import link_metadata
from arena.report.site.runs import OtherRun, PublishedRun
from arena.report.view_model.cost import megabytes

_START = "<!--arena site-->"
_ADDED = re.compile(rf"{_START}.*?<!--/arena site-->\n", re.DOTALL)
_HEAD, _BODY = "</head>", '<header class="masthead wrap">'

_DOWNLOADS = (
    ("per_tag.parquet", "metrics of every tag"),
    ("per_tag.csv", "the same, for spreadsheets"),
    ("detailed_metrics.txt*", "every compared tag, as text"),
    ("full-metrics/*.txt*", "one tagger, in JoyTag's format"),
    ("thresholds.*", "thresholds to use, by threshold policy and tag"),
    ("summary.md", "for a README or a model card"),
    ("summary.json", "aggregate metrics"),
    ("run.json", "how the run was made"),
    ("plots/*", "plot"),
    ("plots.zip", "the other plots"),
)
"""Files for download: pattern and description."""


class Download(NamedTuple):
    """A file of a run."""

    href: str
    name: str
    what: str
    size: str


def read_page(folder: Path) -> str | None:
    """Read the page of a run; None if it is not UTF-8, so not written by arena."""
    try:
        return (folder / "index.html").read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def add_site_navigation(page: str, run: PublishedRun | OtherRun, site: Site) -> str:
    """Return the page with metadata and navigation of the site; earlier additions are replaced.

    A page that has them already is returned itself.
    """
    path = f"runs/{run.id}/index.html"
    description = run.verdict if isinstance(run, PublishedRun) else run.title
    head = link_metadata(site, path, run.title, description, preview_picture(run))
    body = environment().get_template("site/run_nav.html.j2").render(files=downloads(run.folder))
    head, body = encodable(f"{_wrapped(head)}{_HEAD}"), encodable(f"{_wrapped(body)}{_BODY}")
    if page.count(_START) == 2 and head in page and body in page:
        return page
    plain = _ADDED.sub("", page)
    if _HEAD not in plain or _BODY not in plain:
        return plain
    return encodable(plain.replace(_BODY, body, 1).replace(_HEAD, head, 1))


def _wrapped(markup: str) -> str:
    return f"{_START}{markup}<!--/arena site-->\n"


def downloads(folder: Path) -> list[Download]:
    """Return the files of a published run, in the order of `_DOWNLOADS`."""
    found = []
    for pattern, what in _DOWNLOADS:
        for path in sorted(folder.glob(pattern)):
            name = path.relative_to(folder).as_posix()
            found.append(Download(quote(name), name, what, megabytes(path.stat().st_size)))
    return found


def preview_picture(run: PublishedRun | OtherRun) -> str | None:
    """Return the path of the preview picture of a run in the site; None without one."""
    for name in ("leaderboard.png", "sweep.png"):
        if (run.folder / "plots" / name).is_file():
            return f"runs/{run.id}/plots/{name}"
    return None
