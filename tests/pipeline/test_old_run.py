"""Every reader of runs accepts a run folder of an older version, which has no recipe."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.pipeline.check.check import check_candidate
from arena.pipeline.compare import compare_entrants
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_run
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.report import rewrite_reports
from arena.pipeline.verify import verify_run
from arena.report.history.series import build_history
from arena.report.view import page_view
from arena.results.baselines.releases import releases_of
from arena.results.baselines.store import current_baseline, set_baseline
from arena.results.recipe import Sample
from arena.results.run_folder import read_result
from tests.conftest import DATA, forget_digests
from tests.pipeline.conftest import World

pytestmark = pytest.mark.usefixtures("no_plots")

QUICK = ComparisonOptions(replicates=20, showing=DisplayOptions("none"))


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run, next to the files that its command names, in the working directory of that command."""
    shutil.copytree(DATA / "old_run", tmp_path / "made")
    monkeypatch.chdir(tmp_path / "made")
    return Path("run")


def test_its_reports_are_written_again(old: Path) -> None:
    rewrite_reports(old)
    assert (old / "summary.md").is_file()
    page = (old / "index.html").read_text()
    assert "resamples 20" in page
    assert "tag groups not recorded" in page
    assert "By recorded labels: " in page


def test_label_issues_of_an_older_run_are_read_but_not_those_called_wrong(old: Path) -> None:
    result = read_result(old)
    assert {"wrong", "without_suspects"} <= result.summary["labels"].keys()
    images, tag = result.tables["errors"]["image_id"].unique(), result.per_tag["truth_tag"].iloc[0]
    rows = [("missing", tag, images[0], 0.9, 0.8, 0.7), ("wrong", tag, images[1], 0.9, 0.1, 0.2)]
    table = pd.DataFrame(rows, columns=result.tables["labels"].columns)
    payload = page_view(replace(result, tables=result.tables | {"labels": table}))
    assert [row["image"] for row in payload["suspects"]] == [images[0]]
    assert payload["labels"] == {"missing": 0, "false_positives": {}}


def test_it_is_compared_and_checked_with_its_own_settings(old: Path) -> None:
    found, folder = compare_entrants([str(old)], Path("both"), asked=QUICK)
    assert found.settings.min_positives == 3
    assert [group.name for group in found.settings.tag_groups] == ["animals"], "found beside the truth"
    assert found.notes == ()
    assert read_result(folder, ()).summary["models"]["first"]["threshold"] == "0.4"
    verdict = check_candidate(f"{old}:second", baseline=f"{old}:first", output=Path("checked"), asked=QUICK).verdict
    assert verdict.exit_code == 1
    assert verdict.images == 40


def test_it_is_verified_where_its_tag_groups_are_those_at_hand(old: Path) -> None:
    rewrite_reports(old)
    Path("other.toml").write_text('[other]\ntags = ["cat"]\n')
    with pytest.raises(ArenaError, match="found 1 tag groups, but the run was made with others; name their file"):
        verify_run(old, tag_groups=Path("other.toml"))
    found = verify_run(old)
    assert found.differences == []
    assert any("made by an older version" in line for line in found.left_out)
    assert not {"differences.parquet", "thresholds.csv"} & set(found.compared)


@pytest.mark.parametrize(
    ("table", "column", "told"), [("per_tag", "tp", "tp is"), ("per_tag", "f1", "f1 is"), ("slices", "map", "map is")]
)
def test_a_changed_metric_of_it_is_still_found(old: Path, table: str, column: str, told: str) -> None:
    rewrite_reports(old)
    stored = pd.read_parquet(old / f"{table}.parquet")
    stored.loc[1, column] += 1
    stored.to_parquet(old / f"{table}.parquet", index=False)
    assert any(line.startswith(f"{table}.parquet: row 2 ") and told in line for line in verify_run(old).differences)


def test_a_changed_mean_of_it_is_still_found(old: Path) -> None:
    rewrite_reports(old)
    content = json.loads((old / "summary.json").read_text())
    content["models"]["first"]["regimes"]["own"]["macro_f1"] += 1e-5
    (old / "summary.json").write_text(json.dumps(content))
    found = [line for line in verify_run(old).differences if line.startswith("summary.json")]
    assert len(found) == 1
    assert "models.first.regimes.own.macro_f1 is" in found[0]


def test_a_note_says_where_its_tag_groups_are_not_those_at_hand(old: Path) -> None:
    Path("tag_groups.toml").write_text('[other]\ntags = ["cat"]\n')
    found, _ = compare_entrants([str(old)], Path("both"), asked=QUICK)
    assert f"the tag groups are found with the dataset or the project; {old}:first was made with others" in found.notes


def test_it_is_a_baseline_with_a_history(old: Path) -> None:
    home = Path("baselines")
    set_baseline(find_run(f"{old}:first"), home, reason="released")
    assert current_baseline(home).dataset["name"] == "truth"
    history = build_history(releases_of(home, [find_run(f"{old}:second")]), figure="f1", tags=["cat"])
    assert len(history.releases) == 2
    verdict = check_candidate(f"{old}:second", baseline="@baseline", output=Path("checked"), asked=QUICK).verdict
    assert verdict.paired


def test_its_sample_in_words_is_taken_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewrite a new run as an older version wrote it: the sample in words, tag groups only as a digest."""
    monkeypatch.chdir(world.folder)
    run, part = world.run("old", "a"), world.heldout.sample(20, 3)
    content = json.loads((run / "run.json").read_text())
    del content["recipe"]
    content["dataset"] |= {"sample": "20 of seed 3", "digest": part.digest}
    (run / "run.json").write_text(json.dumps(content))
    forget_digests(run)
    found, folder = compare_entrants([str(run), f"b={world.npz('b')}"], world.folder / "both", asked=QUICK)
    assert found.result.summary["images"] == 20
    assert read_result(folder, ()).recipe.dataset.sample == Sample(20, 3)
