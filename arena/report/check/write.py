"""Write all report files of a check, each atomically."""

from __future__ import annotations

from pathlib import Path

from arena.base.files import write_whole
from arena.gate.verdict import Verdict
from arena.report.check.badge import badge_json, badge_svg
from arena.report.check.document import check_json
from arena.report.check.junit import junit_xml
from arena.report.check.markdown import check_markdown
from arena.report.check.page import render_check
from arena.report.page.pictures import RunThumbnails
from arena.results.run_folder import Result

CHECK_FILES = ("check.md", "junit.xml", "badge.svg", "badge.json", "check.html", "check.json")
"""File names in writing order. `check.json` is last: if it exists, the check is complete."""


def write_check(
    verdict: Verdict, folder: Path, result: Result | None = None, shelf: RunThumbnails | None = None
) -> Path:
    """Write `CHECK_FILES` to a folder. Return the path of the page.

    Args:
        result, shelf: result and thumbnails of the paired run in the same folder; None if the models are not paired.
    """
    contents = (
        check_markdown(verdict), junit_xml(verdict), badge_svg(verdict), badge_json(verdict),
        render_check(verdict, result, shelf), check_json(verdict),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(CHECK_FILES, contents, strict=True):
        write_whole(folder / name, content)
    return folder / "check.html"
