"""Figures over releases: which stand on one line, which tags moved, and as text and tables."""

import csv
import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.base.format import figure, interval
from arena.cli.terminal.baseline import show_history
from arena.pipeline.entrants import find_run
from arena.report.history.rows import HISTORY_COLUMNS, history_csv, history_notes, history_records, history_rows
from arena.report.history.series import build_history
from arena.results.baselines.releases import releases_of
from arena.results.baselines.store import current_baseline, set_baseline
from arena.tags.relations import TagRelations, read_aliases
from tests.conftest import forget_digests
from tests.results.baselines.conftest import MakeRun


def test_figures_are_the_runs_own_and_other_images_are_another_series(releases: Path, make_run: MakeRun) -> None:
    again = make_run("v-1", seed=0)
    table = pd.read_parquet(again / "per_tag.parquet").set_index("tag")
    found = build_history(releases_of(releases), tags=["hat"], figure="recall")
    (track,) = found.tags
    assert [[point.place for point in one.points] for one in track.series] == [[0, 1, 2], [3]]
    first = track.series[0].points[0]
    assert (first.value, first.low, first.high) == tuple(table.loc["hat", ["recall", "recall_low", "recall_high"]])
    assert (first.support, first.threshold) == (table.loc["hat", "support"], 0.5)
    rows = [row for row in history_rows(found) if row.track is track]
    assert [row.change is None for row in rows] == [True, False, False, True], "no change across series"
    assert [row.apart for row in rows] == [False, True, True, False]
    for headline in found.headlines:
        assert [len(one.points) for one in headline.series] == [3, 1]


def without_corrected(run: Path) -> None:
    """Make the summary of a run one of an older version."""
    summary = json.loads((run / "summary.json").read_text())
    for model in summary["models"].values():
        for figures in model["regimes"].values():
            for key in [key for key in figures if key.endswith(("_corrected", "_bias"))]:
                del figures[key]
    (run / "summary.json").write_text(json.dumps(summary))
    forget_digests(run)


@pytest.mark.parametrize("older", [False, True])
def test_means_are_without_bias_unless_a_run_of_the_series_has_them_only_with_it(
    older: bool, make_run: MakeRun, tmp_path: Path
) -> None:
    home = tmp_path / "baselines"
    for number, name in enumerate(("first", "second")):
        run = make_run(name, seed=number)
        if older and not number:
            without_corrected(run)
        set_baseline(find_run(str(run), baselines=home), home, reason=name)
    found = build_history(releases_of(home))
    owned = [one.result.summary["models"][one.model]["regimes"]["own"] for one in releases_of(home)]
    for track in found.headlines:
        expected = [own[track.name if older else f"{track.name}_corrected"] for own in owned]
        points = [point for one in track.series for point in one.points]
        if all(len(one.points) == 2 for one in track.series) or not older:
            assert [point.value for point in points] == expected
        plain = [own[track.name] for own in owned]
        assert [row["as_published"] for row in history_records(found) if row["figure"] == track.name] == plain
    assert any("without the bias of means over rare tags" in note for note in history_notes(found)) != older
    assert any("are plain means where they are compared with first" in note for note in history_notes(found)) == older


def test_any_metric_of_a_tag_can_be_followed(releases: Path) -> None:
    found = build_history(releases_of(releases), tags=["hat"], figure="mcc")
    (track,) = found.tags
    values = [point.value for point in track.series[0].points]
    assert values == [one.tags.loc["hat", "mcc"] for one in releases_of(releases)[:3]]
    assert min(value for value in values if value is not None) < 0.2, "v-2 lost it"
    with pytest.raises(
        ArenaError, match="--figure mcc: has no intervals, so the tags that moved are unknown; name tags with --tag"
    ):
        build_history(releases_of(releases), figure="mcc")


def test_a_baseline_that_lacks_a_newer_column_stays_readable(make_run: MakeRun, tmp_path: Path) -> None:
    home = tmp_path / "baselines"
    for number, name in enumerate(("older", "newer")):
        run = make_run(name, seed=number)
        if name == "older":  # as a version wrote it that did not know these metrics
            table = pd.read_parquet(run / "per_tag.parquet")
            table.drop(columns=["mcc", "roc_auc", "ece"]).to_parquet(run / "per_tag.parquet")
            forget_digests(run)
        set_baseline(find_run(str(run), baselines=home), home, reason=name)
    releases = releases_of(home)
    assert [point.value is None for one in build_history(releases).headlines[0].series for point in one.points] == [
        False
    ] * 2
    assert all(
        point.value is not None for one in build_history(releases, tags=["cat"]).tags[0].series for point in one.points
    )
    found = build_history(releases, tags=["cat"], figure="mcc")
    assert [point.value is None for point in found.tags[0].series[0].points] == [True, False]
    assert "MCC is missing in the run of older, which an older version of arena made." in history_notes(found)
    with pytest.raises(ArenaError, match="--figure mcc: no release has this metric; score the runs again"):
        build_history(releases[:1], tags=["cat"], figure="mcc")
    kept = current_baseline(home, "older").copy / "per_tag.parquet"
    table = pd.read_parquet(kept)
    table.drop(columns="support").to_parquet(tmp_path / "older" / "per_tag.parquet")
    with pytest.raises(
        ArenaError, match=r"per_tag.parquet: no column support; .*; this is a damaged run; score it again"
    ):
        releases_of(tmp_path / "none", [find_run(str(tmp_path / "older"))])


def test_without_a_tag_those_that_moved_beyond_their_intervals_are_shown(releases: Path) -> None:
    found = build_history(releases_of(releases))
    assert [track.title for track in found.tags] == ["hat"]
    assert (found.moved, found.of_tags) == (1, 4)


def test_other_compared_tags_part_the_means_but_not_the_tags(make_run: MakeRun, tmp_path: Path) -> None:
    whole, part = make_run("a"), make_run("b", seed=2)
    table = pd.read_parquet(part / "per_tag.parquet")
    table.loc[table["tag"] == "dog", "compared"] = False
    table.to_parquet(part / "per_tag.parquet")
    forget_digests(part)
    found = build_history(releases_of(tmp_path / "none", [find_run(str(whole)), find_run(str(part))]), tags=["cat"])
    assert [len(track.series) for track in found.tracks] == [2, 2, 2, 1]


def test_a_renamed_tag_is_followed(make_run: MakeRun, tmp_path: Path) -> None:
    old = make_run("a", tags=("cat", "dog", "hat"))
    new = make_run("b", tags=("cat", "dog", "headwear"), dataset="d2")
    own = make_run("c", tags=("cat", "dog", "headwear"), dataset="d2", spelt={"headwear": "cap"})
    found_releases = releases_of(tmp_path / "none", [find_run(str(run)) for run in (old, new, own)])
    (plain,) = build_history(found_releases, tags=["cap"]).tags
    assert (plain.title, list(plain.unknown)) == ("headwear", [0]), "by a release's own spelling"
    aliases = tmp_path / "aliases.csv"
    aliases.write_text("antecedent_name,consequent_name\nhat,headwear\n")
    for name in ("hat", "headwear", "cap"):
        (track,) = build_history(
            found_releases, tags=[name], canonical=TagRelations(read_aliases(aliases)).canonical
        ).tags
        assert (track.title, list(track.unknown)) == ("headwear", [])
    with pytest.raises(ArenaError, match=r"--tag hta: no release knows this tag\. Did you mean hat"):
        build_history(found_releases, tags=["hta"])


def test_releases_of_one_name_are_told_apart(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(f"r{n}", models=("same",), seed=n) for n in range(3)]
    names = [one.name for one in releases_of(tmp_path / "none", [find_run(str(run)) for run in runs])]
    assert names == ["same r0", "same r1", "same r2"]
    with pytest.raises(ArenaError, match="no baseline is set, and no run is named"):
        releases_of(tmp_path / "none")


def test_terminal_fits_80_columns(
    releases: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = build_history(releases_of(releases))
    show_history(found)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    point = found.tags[0].series[0].points[1]
    (line,) = [line for line in out.splitlines() if interval(point.low, point.high) in line]
    assert figure(point.value) in line
    assert line.endswith("*")
    assert "no line joins two" in out


def test_csv_and_json_hold_every_row(releases: Path) -> None:
    found = build_history(releases_of(releases))
    rows = history_records(found)
    assert len(rows) == 4 * 4
    assert json.loads(json.dumps(rows)) == rows
    read = list(csv.DictReader(StringIO(history_csv(found))))
    assert list(read[0]) == list(HISTORY_COLUMNS)
    assert [float(row["value"]) for row in read] == [row["value"] for row in rows]
