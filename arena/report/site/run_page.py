"""The comparison page of a run within a site: the same page with a way back, its files, and what others show of a link.

What is added stands between two comments, so that it can be made anew when the site's address changes. A page that is laid out
otherwise, as one of another version may be, stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from arena.base.format import encodable
from arena.report.html import environment
from arena.report.site.folder import Site
from arena.report.site.render import told_to_others
from arena.report.site.runs import OtherRun, PublishedRun
from arena.report.view_model.cost import megabytes

_ADDED = re.compile(r"<!--arena site-->.*?<!--/arena site-->\n", re.DOTALL)
_HEAD, _BODY = "</head>", '<header class="masthead wrap">'

FILES = (
    ("per_tag.csv", "every tag's figures, for spreadsheets"),
    ("per_tag.parquet", "the same, exact"),
    ("detailed_metrics.txt", "every compared tag, as text"),
    ("full-metrics/*.txt", "one tagger, as JoyTag publishes it"),
    ("thresholds.csv", "the threshold to use of each regime and tag"),
    ("summary.md", "for a README or a model card"),
    ("summary.json", "the aggregates"),
    ("run.json", "where it comes from"),
    ("plots/*", "a picture"),
)
"""What a run offers to be downloaded, and what it is."""


class Download(NamedTuple):
    """A file of a run."""

    href: str
    name: str
    what: str
    size: str


def read_page(folder: Path) -> str | None:
    """The page of a run as it is; None where it is not UTF-8, so none of ours."""
    try:
        return (folder / "index.html").read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def within_site(page: str, run: PublishedRun | OtherRun, site: Site) -> str:
    """The page with the site's head and navigation, in place of those that it may have."""
    plain = _ADDED.sub("", page)
    if _HEAD not in plain or _BODY not in plain:
        return plain
    path = f"runs/{run.id}/index.html"
    said = run.verdict if isinstance(run, PublishedRun) else run.title
    head = told_to_others(site, path, run.title, said, picture_of(run))
    body = environment().get_template("site/run_nav.html.j2").render(files=downloads(run.folder))
    plain = plain.replace(_BODY, f"{_wrapped(body)}{_BODY}", 1)
    return encodable(plain.replace(_HEAD, f"{_wrapped(head)}{_HEAD}", 1))


def _wrapped(markup: str) -> str:
    return f"<!--arena site-->{markup}<!--/arena site-->\n"


def downloads(folder: Path) -> list[Download]:
    """The files of a published run, in the order of `FILES`."""
    found = []
    for pattern, what in FILES:
        for path in sorted(folder.glob(pattern)):
            name = path.relative_to(folder).as_posix()
            found.append(Download(quote(name), name, what, megabytes(path.stat().st_size)))
    return found


def picture_of(run: PublishedRun | OtherRun) -> str | None:
    """The picture that others may show beside a link to the run; its path in the site."""
    for name in ("leaderboard.png", "sweep.png"):
        if (run.folder / "plots" / name).is_file():
            return f"runs/{run.id}/plots/{name}"
    return None
