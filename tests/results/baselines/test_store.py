"""Setting a baseline, reading it again, and the errors for changed files."""

import json
import shutil
from pathlib import Path

import pytest

from arena.base.errors import ArenaError, IncomparableError
from arena.pipeline.entrants import find_run
from arena.results.baselines.log import LOG, read_log
from arena.results.baselines.store import (
    changed_file,
    current_baseline,
    find_baseline_scores,
    read_baseline_result,
    set_baseline,
)
from arena.scores.store import read_store

from .conftest import MakeRun


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "baselines"


def test_what_is_set_can_be_read_when_the_run_is_gone(make_run: MakeRun, home: Path) -> None:
    run = make_run("joytag-1")
    made = set_baseline(find_run(str(run)), home, reason=" release\n1 ")
    assert made.is_new
    assert (made.baseline.name, made.baseline.reason, made.baseline.run) == ("joytag-1", "release 1", "../joytag-1")
    own = json.loads((run / "summary.json").read_text())["models"]["joytag-1"]["regimes"]["own"]
    shutil.rmtree(run)
    found = current_baseline(home)
    assert found == made.baseline
    assert found.figures["macro_f1"]["value"] == own["macro_f1"]
    assert found.figures["macro_f1"]["low"] == own["macro_f1_low"]
    assert list(read_baseline_result(found).per_tag["tag"]) == ["cat", "dog", "hat", "old_hat"]
    assert find_baseline_scores(found) is None


def test_the_same_again_changes_nothing_and_another_is_added(make_run: MakeRun, home: Path) -> None:
    one, two = make_run("a"), make_run("b", seed=2)
    set_baseline(find_run(str(one)), home, reason="first")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert not set_baseline(find_run(str(one)), home, reason="first again").is_new
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    set_baseline(find_run(str(two)), home, reason="second")
    first_line = (home / LOG).read_text().splitlines()[0]
    assert set_baseline(find_run(str(one)), home, reason="back to the first").is_new
    assert [entry.name for entry in read_log(home)] == ["a", "b", "a"]
    assert (home / LOG).read_text().splitlines()[0] == first_line
    assert current_baseline(home).reason == "back to the first"
    assert current_baseline(home, "b").reason == "second"
    assert current_baseline(home, current_baseline(home, "b").digest[:8]).name == "b"


def test_a_run_that_was_evaluated_again_to_the_same_figures_is_the_same_baseline(make_run: MakeRun, home: Path) -> None:
    run = make_run("a")
    set_baseline(find_run(str(run)), home, reason="first")
    content = json.loads((run / "run.json").read_text()) | {"created": "2027-01-01T00:00:00Z"}
    (run / "run.json").write_text(json.dumps(content))
    assert not set_baseline(find_run(str(run)), home, reason="again").is_new
    set_baseline(find_run(str(make_run("b", seed=2))), home, reason="other")
    set_baseline(find_run(str(run)), home, reason="back")
    assert [changed_file(one) for one in read_log(home)] == ["", "", ""]


@pytest.mark.parametrize("name", ["per_tag.parquet", "summary.json", "run.json"])
def test_a_changed_file_is_told_and_setting_the_run_again_mends_it(name: str, make_run: MakeRun, home: Path) -> None:
    run = make_run("a")
    kept = set_baseline(find_run(str(run)), home, reason="first").baseline.copy / name
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    with pytest.raises(ArenaError, match=rf"{name}: was changed .* since baseline a was set on .*; restore it"):
        current_baseline(home)
    kept.unlink()
    with pytest.raises(ArenaError, match="is gone since"):
        read_baseline_result(read_log(home)[0])
    set_baseline(find_run(str(run)), home, reason="first")
    assert current_baseline(home).name == "a"


def test_scores_are_kept_only_where_asked_for(make_run: MakeRun, home: Path) -> None:
    run = make_run("two", models=("x", "y"))
    plain = set_baseline(find_run(f"{run}:y"), home, reason="r").baseline
    assert find_baseline_scores(plain) == plain.origin / "scores" / "y"
    assert not (plain.copy / "scores").exists()
    kept = set_baseline(find_run(f"{run}:y"), home, reason="r", with_scores=True)
    assert kept.is_new
    shutil.rmtree(run)
    folder = find_baseline_scores(current_baseline(home))
    assert folder is not None
    assert len(read_store(folder).image_ids) == 120
    assert find_baseline_scores(plain) is None
    (folder / "00000.npy").write_bytes(b"")
    with pytest.raises(ArenaError, match=r"00000\.npy: was changed"):
        find_baseline_scores(kept.baseline)


def test_a_folder_that_an_interruption_left_aside_is_put_back(make_run: MakeRun, home: Path) -> None:
    run = make_run("two", models=("x", "y"))
    kept = set_baseline(find_run(f"{run}:y"), home, reason="r", with_scores=True).baseline
    kept.copy.rename(kept.copy.with_name(f".{kept.copy.name}.old"))
    set_baseline(find_run(f"{run}:y"), home, reason="again")
    assert (kept.copy / "scores").is_dir(), "the scores that an earlier line of the log lists"
    assert not list(kept.copy.parent.glob(".*.old"))


def test_scores_of_a_run_that_was_made_anew_are_not_the_baselines(make_run: MakeRun, home: Path) -> None:
    plain = set_baseline(find_run(str(make_run("a"))), home, reason="r").baseline
    make_run("a", seed=9)
    assert find_baseline_scores(plain) is None


def test_what_cannot_be_a_baseline_is_refused(make_run: MakeRun, home: Path, tmp_path: Path) -> None:
    run, two = make_run("a"), make_run("two", models=("x", "y"))
    for given, reason, message in [
        (str(run), " \n", "--reason: empty"),
        (str(two), "r", "holds 2 models; name one of them"),
        (f"{two}:z", "r", r"no model is called 'z' in it\. "),
        (str(tmp_path / "none"), "r", "no finished run in it"),
    ]:
        with pytest.raises(ArenaError, match=message):
            set_baseline(find_run(given), home, reason=reason)
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**content, "schema": 1}))
    with pytest.raises(IncomparableError, match="schema 1, this version reads"):
        set_baseline(find_run(str(run)), home, reason="r")
    (run / "run.json").write_text(json.dumps(content))
    (run / "summary.json").write_text('{"models": {"a": {}}, "images": 1}')
    with pytest.raises(ArenaError, match="damaged run"):
        set_baseline(find_run(str(run)), home, reason="r")
    assert not home.exists()
    with pytest.raises(ArenaError, match="no baseline is set; set one: arena baseline set"):
        current_baseline(home)


@pytest.mark.parametrize("line", ["{", '{"schema": 1}', "[]", '{"schema": 1, "name": 3}', "null"])
def test_a_damaged_line_of_the_log_is_named(line: str, make_run: MakeRun, home: Path) -> None:
    set_baseline(find_run(str(make_run("a"))), home, reason="r")
    with (home / LOG).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ArenaError, match=r"line 2: .*; restore the file"):
        read_log(home)
