"""What a name stands for, and what is said where it stands for nothing."""

import json
import shutil

import pytest

from arena.base.errors import ArenaError, IncomparableError
from arena.cards import Thresholds
from arena.pipeline.entrants import ModelSide, PublishedSide, RunSide, ScoresSide, find_side, told_apart
from arena.pipeline.inputs import find_model_of
from arena.pipeline.paired import scores_of_run
from arena.scores.npz import read_scores

from ..conftest import Wd
from .conftest import World

pytestmark = pytest.mark.usefixtures("no_plots")


def side(spec: object) -> object:
    return find_side(str(spec), what="CANDIDATE")


def run_side(spec: object) -> RunSide:
    found = side(spec)
    assert isinstance(found, RunSide)
    return found


def test_each_kind_is_told_apart(world: World, onnx_folder: Wd) -> None:
    run = world.run("one", "a")
    text = next((run / "full-metrics").glob("*.txt"))
    assert isinstance(side(run), RunSide)
    assert isinstance(side(f"{run}:a"), RunSide)
    assert isinstance(side("joytag-demo"), ModelSide)
    assert isinstance(side(f"new={onnx_folder.folder}"), ModelSide)
    assert isinstance(side(f"new={world.folder / 'one-a.npz'}"), ScoresSide)
    assert isinstance(side(text), PublishedSide)
    named = side(f"ours={text}")
    assert isinstance(named, PublishedSide)
    assert named.name == "ours"


def test_of_several_models_one_must_be_told(world: World) -> None:
    run = world.run("two", "a", "b")
    with pytest.raises(ArenaError, match=rf"holds 2 models; say which: {run}:a or {run}:b$"):
        side(run)
    with pytest.raises(ArenaError, match=r"no model is called 'c' in it. Known: a, b."):
        side(f"{run}:c")
    assert run_side(f"{run}:b").model == "b"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("joytga-demo", "Did you mean joytag-demo"),
        ("runs/nothing", "no such file or folder"),
        ("{folder}/one/run.json", "neither a run nor published figures"),
        ("{folder}", "no finished run in it"),
        ("{folder}/one-a.npz", "scores and models enter as NAME="),
    ],
)
def test_what_is_nothing_is_refused_in_one_line(world: World, spec: str, says: str) -> None:
    world.run("one", "a")
    with pytest.raises(ArenaError, match=says) as caught:
        side(spec.format(folder=world.folder))
    assert "\n" not in str(caught.value)


def test_a_run_of_an_older_schema_cannot_be_compared(world: World) -> None:
    run = world.run("one", "a")
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"schema": 1}))
    with pytest.raises(IncomparableError, match="schema 1, this version reads 2; score it again"):
        side(run)


def test_two_of_one_name_get_names_of_their_own(world: World) -> None:
    a, b = told_apart(run_side(world.run("one", "a")), run_side(world.run("two", "a")))
    assert (a.name, b.name) == ("a-candidate", "a-baseline")


def test_a_run_remembers_its_threshold(world: World) -> None:
    assert run_side(world.run("one", "a", threshold=0.3)).result.thresholds_of("a") == Thresholds(0.3)


def test_scores_of_a_run_are_found_where_it_took_them_from_if_unchanged(world: World) -> None:
    run = run_side(world.run("one", "a"))
    assert read_scores(scores_of_run(run)).values.shape == world.truth.shape
    world.npz("one-a", seed=9)
    with pytest.raises(
        ArenaError, match=r"one-a.npz, which it was made of, is not where it was or has changed; give .* a=FILE.npz"
    ):
        scores_of_run(run)


def test_scores_beside_the_run_are_found_too(world: World) -> None:
    folder = world.run("one", "a")
    (world.folder / "elsewhere").mkdir()
    shutil.move(folder, world.folder / "elsewhere" / "one")
    shutil.move(world.folder / "one-a.npz", world.folder / "elsewhere")
    found = scores_of_run(run_side(world.folder / "elsewhere" / "one"))
    assert found.samefile(world.folder / "elsewhere" / "one-a.npz")


def test_no_model_is_at_hand_for_scores_of_a_file(world: World) -> None:
    one = run_side(world.run("one", "a"))
    assert find_model_of(one.result, "a", one.folders, None) is None
