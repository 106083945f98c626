"""Comparison of entrants that were scored in separate runs."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from arena import cli
from arena.base.errors import ArenaError, IncomparableError
from arena.pipeline.compare import compare_entrants
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.score import score_files
from arena.pipeline.stages import Scoring
from arena.results.run_folder import read_result

from .conftest import World

pytestmark = pytest.mark.usefixtures("no_page")

ASKED = ComparisonOptions(replicates=50, showing=DisplayOptions("none"))


def test_runs_compared_are_the_run_of_all_their_models(world: World) -> None:
    first, second = world.run("first", "a", threshold=0.3), world.run("second", "b", "c", seed=1, threshold=0.6)
    found, folder = compare_entrants([str(first), str(second)], world.folder / "both", asked=ASKED)
    files = {"a": world.folder / "first-a.npz", "b": world.folder / "second-b.npz", "c": world.folder / "second-c.npz"}
    how = Scoring(found.settings, thresholds={"a": 0.3, "b": 0.6, "c": 0.6})
    once = score_files(
        files, world.folder / "once", dataset=str(world.dataset), scoring=how, showing=DisplayOptions("none")
    )
    ours, theirs = read_result(folder), read_result(once)
    assert ours.models == ["a", "b", "c"]
    for name in ("per_tag", "differences", "tag_differences", "sweep"):
        pd.testing.assert_frame_equal(ours.tables[name], theirs.tables[name])


def test_models_of_one_name_are_told_apart_by_their_runs(world: World) -> None:
    old, new = world.run("old", "a", "b"), world.run("new", "a", seed=3)
    found, _ = compare_entrants([str(old), f"{new}:a"], world.folder / "both", asked=ASKED)
    assert found.result.models == ["a-old", "b", "a-new"]


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (["old", "old:a"], "named twice"),
        (["old", "both"], "no such file|no finished run|Known"),
        (["old:z"], "no model is called 'z'"),
    ],
)
def test_bad_sides_are_one_line(world: World, sides: list[str], said: str) -> None:
    world.run("old", "a")
    with pytest.raises(ArenaError, match=said):
        compare_entrants([str(world.folder / side) for side in sides], world.folder / "new", asked=ASKED)


def test_a_run_is_never_overwritten_and_other_images_are_refused(world: World, tmp_path: Path) -> None:
    old = world.run("old", "a")
    with pytest.raises(ArenaError, match="name another folder"):
        compare_entrants([str(old)], old, asked=ASKED)
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    images = pd.read_parquet(other.dataset / "images.parquet")
    images["tags"] = images["tags"].map(lambda tags: list(tags)[:1])
    images.to_parquet(other.dataset / "images.parquet", index=False)
    card = (other.dataset / "dataset.toml").read_text().splitlines()
    (other.dataset / "dataset.toml").write_text("\n".join(line for line in card if not line.startswith("digest")))
    run = World.run(other, "run", "b")
    with pytest.raises(IncomparableError, match="other images or labels"):
        compare_entrants([str(old), str(run)], tmp_path / "both", asked=ASKED)


@pytest.mark.usefixtures("with_page")
def test_the_verb_writes_a_run_and_says_who_leads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = world.run("old", "a"), world.run("new", "b", seed=1)
    monkeypatch.chdir(world.folder)
    done = CliRunner().invoke(
        cli.arena, ["compare", str(old), str(new), "--bootstrap", "0", "--thumbnails", "none"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "runs/old-vs-new/index.html" in done.output
    assert read_result(world.folder / "runs/old-vs-new").models == ["a", "b"]
