"""Hook of MkDocs: pages of docs/ may link to files of the repository outside docs/, such as reports/benchmarks/*.md.

Links stay relative to the file, so that they work in the repository too. A linked file becomes a part of the site under
`repository/`; a link to a missing file fails the build.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()((?:\.\./)[^)#\s]+)((?:#[^)\s]*)?\))")
"""A relative link of Markdown that goes up at least one folder."""

PREFIX = "repository"
"""Folder of the site with the files from outside docs/."""


def on_files(files: Files, config: Any) -> Files:
    """Add every file outside docs/ that a page links to, directly or through such a file."""
    waiting = [file.src_uri for file in files if file.is_documentation_page()]
    while waiting:
        page = waiting.pop()
        text = (ROOT / _source(page)).read_text(encoding="utf-8")
        for _, link, _ in LINK.findall(text):
            target = _target(page, link)
            if target.startswith("docs/") or files.get_file_from_path(f"{PREFIX}/{target}"):
                continue
            if not (ROOT / target).is_file():
                raise PluginError(f"{_source(page)}: links to {target}, which is not a file of the repository")
            added = File.generated(config, f"{PREFIX}/{target}", abs_src_path=str(ROOT / target))
            files.append(added)
            if added.is_documentation_page():
                waiting.append(added.src_uri)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point the links to the files below `repository/`."""
    here = page.file.src_uri

    def moved(found: re.Match[str]) -> str:
        target = _target(here, found[2])
        inside = target.removeprefix("docs/") if target.startswith("docs/") else f"{PREFIX}/{target}"
        return f"{found[1]}{posixpath.relpath(inside, posixpath.dirname(here) or '.')}{found[3]}"

    return LINK.sub(moved, markdown)


def _source(src_uri: str) -> str:
    """Return the path in the repository of a page of the site."""
    return src_uri.removeprefix(f"{PREFIX}/") if src_uri.startswith(f"{PREFIX}/") else f"docs/{src_uri}"


def _target(src_uri: str, link: str) -> str:
    """Return the path in the repository that a link of a page names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(_source(src_uri)), link))
