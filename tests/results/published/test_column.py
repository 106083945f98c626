"""Published results next to measured ones: marked, never ranked, and without markup."""

import json
import re
from pathlib import Path

import pytest

from arena import cli
from arena.base.errors import ArenaError
from arena.pipeline.entrants import find_metrics
from arena.report.text import full_metrics
from arena.results.published.aggregates import aggregates_of
from arena.results.published.column import published_entries, published_entry
from arena.results.published.read import read_published
from arena.results.published.rows import published_of
from arena.results.run_folder import read_result
from tests.cli.test_cli import npz_pair
from tests.conftest import DATA

from .test_read import BLOCK, DETAILED, write

HOSTILE = "<script>alert(1)</script>|@x\u202e"


def test_a_file_goes_by_its_own_name_or_the_one_given(tmp_path: Path) -> None:
    path = write(tmp_path, BLOCK, "a=b.txt")
    assert [one.name for one in find_metrics([str(path), f"mine={path}"])] == ["a=b", "mine"]
    with pytest.raises(ArenaError, match="model 'x' is listed twice"):
        published_entries(find_metrics([f"x={path}", f"x={path}"]))


def test_a_column_tells_what_is_known_and_null_for_the_rest(tmp_path: Path) -> None:
    entry = published_entry(read_published(write(tmp_path, DETAILED), "JoyTag")["JoyTag"])
    assert (entry["source"], entry["images"], entry["threshold"], entry["made_of"]) == (
        "file.txt",
        None,
        "unknown",
        "figures",
    )
    assert entry["micro_f1"] is None
    assert entry["map"] == pytest.approx(0.3383)
    json.dumps(entry, allow_nan=False)


@pytest.mark.usefixtures("no_plots")
def test_a_run_shows_published_columns_and_a_model_of_it_is_one_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, truth = npz_pair(tmp_path)
    detailed = write(tmp_path, DETAILED.replace("JoyTag   ", f"{HOSTILE}   "), "detailed.txt")
    given = ["score", "--scores", f"m={scores}", "--truth", str(truth), "--min-positives", "1", "--bootstrap", "0"]
    columns = ["--published", f"joy={DATA / 'joytag/full-metrics.txt'}", "--published", str(detailed)]
    cli.main([*given, *columns, "-o", str(tmp_path / "r")])
    told = "joy (published, other images, unpaired; full-metrics.txt, 32,768 images, 5,813 tags): macro F1 0.5784"
    assert told in " ".join(capsys.readouterr().out.split())
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    assert [one["name"] for one in summary["published"]] == ["joy", "SmilingWolf", HOSTILE]
    assert list(summary["models"]) == ["m"]
    page = (tmp_path / "r/index.html").read_text()
    (board,) = re.findall(r'<tbody class="published">.*?</tbody>', page, re.DOTALL)
    assert board.count("<em>published, other images, unpaired</em>") == 3
    assert "0.5784" in board
    assert "rank" not in board
    assert "<script>alert" not in page
    markdown = (tmp_path / "r/summary.md").read_text()
    assert "| joy | 0.5784 | 0.6823 | – | unknown | 32,768 | 5,813 | full-metrics.txt |" in markdown
    assert "<script>" not in markdown
    result = read_result(tmp_path / "r")
    ours = published_of(result, "m")
    own = summary["models"]["m"]["regimes"]["own"]
    assert aggregates_of(ours)["macro_f1"] == own["macro_f1"]
    assert aggregates_of(ours, "arena")["micro_f1"] == pytest.approx(own["micro_f1"])
    written = read_published(write(tmp_path, full_metrics(result, "m"), "m.txt"))["m"]
    counts = ["tp", "fp", "fn", "tn"]
    assert written.tags.set_index("tag")[counts].to_dict() == ours.tags.set_index("tag")[counts].to_dict()


def test_a_run_without_published_columns_is_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], no_plots: None
) -> None:
    scores, truth = npz_pair(tmp_path)
    cli.main(["score", "--scores", f"m={scores}", "--truth", str(truth), "--bootstrap", "0", "-o", str(tmp_path / "r")])
    assert "published" not in json.loads((tmp_path / "r/summary.json").read_text())
    assert "unpaired" not in capsys.readouterr().out
    assert 'tbody class="published"' not in (tmp_path / "r/index.html").read_text()


def test_the_verb_tells_means_and_what_is_unknown_and_writes_the_file_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = DATA / "joytag/full-metrics.txt"
    cli.main(["published", f"joytag={source}"])
    told = capsys.readouterr().out
    assert "joytag: full-metrics (full-metrics.txt), 32,768 images, 5,813 tags" in told
    assert re.search(r"macro f1 +0.5784  over 5,813 tags", told)
    assert "unknown: category, threshold, ap" in told
    cli.main(["published", str(source), "--json", "--convention", "arena"])
    (facts,) = json.loads(capsys.readouterr().out)
    assert (facts["macro_precision_tags"], facts["unknown"]) == (5809, ["category", "threshold", "ap"])
    cli.main(["published", str(source), "--to", "full-metrics", str(tmp_path / "again.txt")])
    assert (tmp_path / "again.txt").read_bytes() == source.read_bytes()
    with pytest.raises(SystemExit) as stop:
        cli.main(["published", str(write(tmp_path, DETAILED)), "--to", "full-metrics", str(tmp_path / "x.txt")])
    assert stop.value.code == 2
