"""The page and the pictures of a history, and names that try to be something else."""

import csv
import re
from io import StringIO
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.format import figure, interval
from arena.cli.terminal.baseline import show_history
from arena.pipeline.entrants import find_run
from arena.report.history.drawing import history_charts
from arena.report.history.page import render_history
from arena.report.history.rows import history_csv, history_rows
from arena.report.history.series import History, build_history
from arena.report.history.write import check_history_outputs, write_history
from arena.results.baselines.releases import releases_of
from arena.results.baselines.store import set_baseline
from tests.browser import Opened
from tests.report.results import HOSTILE
from tests.results.baselines.conftest import MakeRun


def test_page_has_every_figure_and_no_line_between_series(releases: Path, opened: Opened) -> None:
    found = build_history(releases_of(releases))
    page = opened.show(render_history(found))
    text = page.locator("main").inner_text()
    for row in history_rows(found):
        assert figure(row.point.value) in text
        assert interval(row.point.low, row.point.high) in text
    assert page.locator("svg path.curve").count() == 4, "a line a drawing: the second series has one point only"
    (line, alone) = history_charts(found, found.tags)[0].lines
    assert (line.path.count("L"), len(alone.points)) == (2, 1)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def hostile_history(make_run: MakeRun, tmp_path: Path) -> History:
    run = make_run("x", models=("m",), tags=HOSTILE)
    set_baseline(find_run(str(run)), tmp_path / "b", reason=HOSTILE[0], name=HOSTILE[12])
    set_baseline(find_run(str(run)), tmp_path / "b", reason="=1+1", name="=cmd()")
    return build_history(releases_of(tmp_path / "b"), tags=HOSTILE)


def test_hostile_names_are_text_everywhere(
    make_run: MakeRun, tmp_path: Path, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    found = hostile_history(make_run, tmp_path)
    html = render_history(found)
    assert "<script" not in html
    assert opened.show(html).locator("script").count() == 0
    show_history(found)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x00" not in shown
    cells = [cell for row in csv.reader(StringIO(history_csv(found))) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=@\t\r]|[+-](?![\d.])", cell)]


def test_pictures_are_the_same_bytes_each_time(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("x", models=("m",), tags=("<b>$x_1^2$", HOSTILE[11]))
    found = build_history(releases_of(tmp_path / "none", [find_run(str(run))]), tags=[HOSTILE[11]])
    written = write_history(found, [tmp_path / "h.svg", tmp_path / "h.png"])
    assert [path.name for path in written] == ["h.svg", "h.png", "h-dark.svg", "h-dark.png"]
    before = written[0].read_bytes()
    assert write_history(found, [tmp_path / "h.svg"])[0].read_bytes() == before
    for name in ("h.pdf", "h"):
        with pytest.raises(ArenaError, match="not a file type of a history"):
            check_history_outputs([tmp_path / name])
