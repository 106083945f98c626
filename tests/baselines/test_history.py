"""Figures over releases: which stand on one line, which tags moved, and every way in which they are shown."""

import csv
import json
import re
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from arena.baselines.releases import read_aliases, releases_of
from arena.baselines.show import show_history
from arena.baselines.store import set_baseline
from arena.errors import ArenaError
from arena.report.figures import figure, interval
from arena.report.history.drawing import charts
from arena.report.history.page import render_history
from arena.report.history.rows import COLUMNS, as_csv, records, rows_of
from arena.report.history.series import History, history_of
from arena.report.history.write import check_outputs, write_history

from ..report.conftest import Opened, chromium, opened  # noqa: F401
from ..report.results import HOSTILE
from .conftest import MakeRun


@pytest.fixture
def home(make_run: MakeRun, tmp_path: Path) -> Path:
    """Three releases on the same images, of which the second lost `hat`, and one on others; their runs are gone."""
    folder = tmp_path / "baselines"
    for number, name in enumerate(("v-1", "v-2", "v-3", "v-4")):
        run = make_run(name, lost=["hat"] if number == 1 else [], seed=number, dataset="d2" if number == 3 else "d1")
        set_baseline(str(run), folder, reason=f"release {number}")
        shutil.rmtree(run)
    return folder


def test_figures_are_the_runs_own_and_other_images_are_another_series(home: Path, make_run: MakeRun) -> None:
    again = make_run("v-1", seed=0)
    table = pd.read_parquet(again / "per_tag.parquet").set_index("tag")
    found = history_of(releases_of(home), tags=["hat"], figure="recall")
    (track,) = found.tags
    assert [[point.place for point in one.points] for one in track.series] == [[0, 1, 2], [3]]
    first = track.series[0].points[0]
    assert (first.value, first.low, first.high) == tuple(table.loc["hat", ["recall", "recall_low", "recall_high"]])
    assert (first.support, first.threshold) == (table.loc["hat", "support"], 0.5)
    rows = [row for row in rows_of(found) if row.track is track]
    assert [row.change is None for row in rows] == [True, False, False, True], "no change across series"
    assert [row.apart for row in rows] == [False, True, True, False]
    for headline in found.headlines:
        assert [len(one.points) for one in headline.series] == [3, 1]


def test_without_a_tag_those_that_moved_beyond_their_intervals_are_shown(home: Path) -> None:
    found = history_of(releases_of(home))
    assert [track.title for track in found.tags] == ["hat"]
    assert (found.moved, found.of_tags) == (1, 4)


def test_other_compared_tags_part_the_means_but_not_the_tags(make_run: MakeRun, tmp_path: Path) -> None:
    whole, part = make_run("a"), make_run("b", seed=2)
    table = pd.read_parquet(part / "per_tag.parquet")
    table.loc[table["tag"] == "dog", "compared"] = False
    table.to_parquet(part / "per_tag.parquet")
    found = history_of(releases_of(tmp_path / "none", [str(whole), str(part)]), tags=["cat"])
    assert [len(track.series) for track in found.tracks] == [2, 2, 2, 1]


def test_a_renamed_tag_is_followed(make_run: MakeRun, tmp_path: Path) -> None:
    old = make_run("a", tags=("cat", "dog", "hat"))
    new = make_run("b", tags=("cat", "dog", "headwear"), dataset="d2")
    own = make_run("c", tags=("cat", "dog", "headwear"), dataset="d2", spelt={"headwear": "cap"})
    releases = releases_of(tmp_path / "none", [str(old), str(new), str(own)])
    (plain,) = history_of(releases, tags=["cap"]).tags
    assert (plain.title, list(plain.unknown)) == ("headwear", [0]), "by a release's own spelling"
    aliases = tmp_path / "aliases.csv"
    aliases.write_text("antecedent_name,consequent_name\nhat,headwear\n")
    for name in ("hat", "headwear", "cap"):
        (track,) = history_of(releases, tags=[name], canonical=read_aliases(aliases)).tags
        assert (track.title, list(track.unknown)) == ("headwear", [])
    with pytest.raises(ArenaError, match=r"--tag hta: no release knows it\. Did you mean hat"):
        history_of(releases, tags=["hta"])
    with pytest.raises(ArenaError, match=r"--aliases .*: no such file"):
        read_aliases(tmp_path / "no.csv")


def test_releases_of_one_name_are_told_apart(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(f"r{n}", models=("same",), seed=n) for n in range(3)]
    names = [one.name for one in releases_of(tmp_path / "none", list(map(str, runs)))]
    assert names == ["same r0", "same r1", "same r2"]
    with pytest.raises(ArenaError, match="no baseline is set, and no run is named"):
        releases_of(tmp_path / "none")


def test_terminal_fits_80_columns(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = history_of(releases_of(home))
    show_history(found)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    point = found.tags[0].series[0].points[1]
    (line,) = [line for line in out.splitlines() if interval(point.low, point.high) in line]
    assert figure(point.value) in line
    assert line.endswith("*")
    assert "no line joins two" in out


def test_csv_and_json_hold_every_row(home: Path) -> None:
    found = history_of(releases_of(home))
    rows = records(found)
    assert len(rows) == 4 * 4
    assert json.loads(json.dumps(rows)) == rows
    read = list(csv.DictReader(StringIO(as_csv(found))))
    assert list(read[0]) == list(COLUMNS)
    assert [float(row["value"]) for row in read] == [row["value"] for row in rows]


def test_page_has_every_figure_and_no_line_between_series(home: Path, opened: Opened) -> None:  # noqa: F811
    found = history_of(releases_of(home))
    page = opened.show(render_history(found))
    text = page.locator("main").inner_text()
    for row in rows_of(found):
        assert figure(row.point.value) in text
        assert interval(row.point.low, row.point.high) in text
    assert page.locator("svg path.curve").count() == 4, "a line a drawing: the second series has one point only"
    (line, alone) = charts(found, found.tags)[0].lines
    assert (line.path.count("L"), len(alone.points)) == (2, 1)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def hostile_history(make_run: MakeRun, tmp_path: Path) -> History:
    run = make_run("x", models=("m",), tags=HOSTILE)
    set_baseline(str(run), tmp_path / "b", reason=HOSTILE[0], name=HOSTILE[12])
    set_baseline(str(run), tmp_path / "b", reason="=1+1", name="=cmd()")
    return history_of(releases_of(tmp_path / "b"), tags=HOSTILE)


def test_hostile_names_are_text_everywhere(
    make_run: MakeRun, tmp_path: Path, opened: Opened, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    found = hostile_history(make_run, tmp_path)
    html = render_history(found)
    assert "<script" not in html
    assert opened.show(html).locator("script").count() == 0
    show_history(found)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x00" not in shown
    cells = [cell for row in csv.reader(StringIO(as_csv(found))) for cell in row]
    assert not [cell for cell in cells if re.match(r"[=@\t\r]|[+-](?![\d.])", cell)]


def test_pictures_are_the_same_bytes_each_time(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("x", models=("m",), tags=("<b>$x_1^2$", HOSTILE[11]))
    found = history_of(releases_of(tmp_path / "none", [str(run)]), tags=[HOSTILE[11]])
    written = write_history(found, [tmp_path / "h.svg", tmp_path / "h.png"])
    assert [path.name for path in written] == ["h.svg", "h.png", "h-dark.svg", "h-dark.png"]
    before = written[0].read_bytes()
    assert write_history(found, [tmp_path / "h.svg"])[0].read_bytes() == before
    for name in ("h.pdf", "h"):
        with pytest.raises(ArenaError, match="a history is written as a file of one of these kinds"):
            check_outputs([tmp_path / name])
