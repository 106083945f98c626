"""Paired evaluation: what is compared, and which entrants are refused as incomparable."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError, IncomparableError
from arena.gate.verdict import Outcome
from arena.pipeline import paired
from arena.pipeline.check.canary import canary_case
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_entrant, give_unique_names, require_scores
from arena.pipeline.paired import ComparisonOptions, PairedEvaluation, evaluate_pair
from arena.pipeline.stages import Execution
from arena.results.recipe import Sample
from arena.results.run_folder import read_result

from ..conftest import write_dataset
from .conftest import TAGS, World, scores_of

pytestmark = pytest.mark.usefixtures("no_page")


def together(world: World, candidate: object, baseline: object, **asked: object) -> PairedEvaluation:
    given = {"replicates": 50, "showing": DisplayOptions("none"), "overwrite": True} | asked
    found = [require_scores(find_entrant(str(spec)), "test") for spec in (candidate, baseline)]
    first, second = give_unique_names(found, ("candidate", "baseline"))
    return evaluate_pair(first, second, world.folder / "checked", ComparisonOptions(**given))  # type: ignore[arg-type]


def test_the_baseline_stands_first_and_each_side_keeps_its_thresholds(world: World) -> None:
    old, new = world.run("old", "a", threshold=0.3), world.run("new", "a", threshold=0.7, seed=1)
    joint = together(world, new, old)
    written = read_result(world.folder / "checked")
    assert written.models == ["a-baseline", "a-candidate"]
    assert [one["threshold"] for one in written.summary["models"].values()] == ["0.3", "0.7"]
    for run, name in ((old, "a-baseline"), (new, "a-candidate")):
        alone = read_result(run).summary["models"]["a"]["regimes"]["own"]["macro_f1"]
        assert written.summary["models"][name]["regimes"]["own"]["macro_f1"] == alone
    assert joint.pair.a.name == "a-baseline"


def test_half_of_the_images_missing_is_named(world: World) -> None:
    old = world.run("old", "a")
    half = world.npz("half", scores_of(0, images=30))
    with pytest.raises(
        IncomparableError, match=r"new: no scores of 30 of the 60 images \(0030, 0031, 0032 and 27 more\)"
    ):
        together(world, f"new={half}", old)


def test_a_run_on_half_of_the_set_is_named(world: World) -> None:
    old, new = world.run("old", "a"), world.run("new", "a")
    smaller = shutil.copytree(world.dataset, world.folder / "smaller" / "drawn")
    images = pd.read_parquet(smaller / "images.parquet").iloc[:30]
    images.to_parquet(smaller / "images.parquet", index=False)
    card = (smaller / "dataset.toml").read_text().splitlines()
    (smaller / "dataset.toml").write_text("\n".join(line for line in card if not line.startswith("digest")))
    from arena.pipeline.score import score_files

    half = world.npz("half", scores_of(0, images=30))
    score_files(
        {"a": half},
        new,
        dataset=str(smaller),
        showing=DisplayOptions("none"),
        execution=Execution(command=f"arena score --scores a={half}", overwrite=True),
    )
    with pytest.raises(IncomparableError, match=r"no scores of 30 of the 60 images .* scored on \(datasets drawn@"):
        together(world, new, old)


def test_another_set_is_refused_with_both_digests(world: World) -> None:
    old = world.run("old", "a")
    other = write_dataset(world.folder / "other", images=60, tags=TAGS, seed=3)
    with pytest.raises(
        IncomparableError, match=r"scored on drawn@[0-9a-f]{12}, but .*other here is other@[0-9a-f]{12}"
    ):
        together(world, f"new={world.npz('new')}", old, dataset=str(other))


def test_a_set_that_is_not_found_asks_for_its_folder(world: World) -> None:
    old = world.run("old", "a")
    shutil.move(world.dataset, world.folder / "moved")
    with pytest.raises(ArenaError, match="scored on drawn, which is not found here; name its folder"):
        together(world, f"new={world.npz('new')}", old)
    assert (
        together(world, f"new={world.npz('new')}", old, dataset=str(world.folder / "moved")).ground.dataset.images == 60
    )


def test_both_can_be_checked_on_a_part(world: World) -> None:
    joint = together(world, world.run("new", "a", seed=1), world.run("old", "a"), part=Sample(25, 3))
    assert joint.result.summary["images"] == 25
    assert joint.result.run["recipe"]["sample"] == {"limit": 25, "seed": 3}


@pytest.mark.parametrize("truth_has", ["old", "new"])
def test_renamed_tags_are_one_tag_by_aliases(world: World, truth_has: str) -> None:
    tags = [*world.tags[:-1], "renamed"]
    truth = world.folder / "t.npz"
    spelt = {"old": world.tags, "new": tags}
    np.savez(truth, truth=world.truth, image_ids=np.array(world.ids), tags=np.array(spelt[truth_has]))
    files = {}
    for name, names in (("older", world.tags), ("newer", tags)):
        path = world.npz(name)
        arrays = dict(np.load(path)) | {"tags": np.array(names)}
        np.savez(path, **arrays)
        files[name] = f"{name}={path}"
    renamed = {world.tags[-1]: "renamed"}
    without = together(world, files["newer"], files["older"], dataset=str(truth))
    joint = together(world, files["newer"], files["older"], dataset=str(truth), renamed=renamed)
    assert joint.result.summary["compared_tags"] == without.result.summary["compared_tags"] + 1 == TAGS
    assert len(joint.pair.tags) == TAGS
    assert joint.pair.only_a == ()


def test_without_a_tag_to_compare_nothing_is_scored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(words: str, *sides: object) -> None:
        with pytest.raises(IncomparableError, match=words):
            together(world, *sides)
        assert not (world.folder / "checked" / "run.json").exists()

    old, path = world.run("old", "a"), world.npz("new")
    monkeypatch.setattr(paired, "evaluate_run", lambda *a, **k: pytest.fail("scores were evaluated"))
    arrays = dict(np.load(path))
    np.savez(path, **(arrays | {"tags": np.array([f"other_{i}" for i in range(TAGS)])}))
    refused(
        r"new: none of its 12 tags \(other_0, .* is in the ground truth, .* pass it with --aliases", f"new={path}", old
    )
    few = world.truth.copy()
    few[5:] = False
    truth = world.folder / "few.npz"
    np.savez(truth, truth=few, image_ids=np.array(world.ids), tags=np.array(world.tags))
    np.savez(path, **arrays)
    with pytest.raises(
        IncomparableError, match=r"no tag has 10 positives or more: of the 12 common tags, .* --aliases"
    ):
        together(world, f"new={path}", f"old={world.npz('other')}", dataset=str(truth))


def test_scores_whose_thresholds_nobody_tells_take_those_of_the_other_side(world: World) -> None:
    joint = together(world, f"new={world.npz('new')}", world.run("old", "a", threshold=0.2))
    assert {one["threshold"] for one in joint.result.summary["models"].values()} == {"0.2"}


@pytest.mark.parametrize(("moved_by", "outcome"), [(0.0, "pass"), (2**-10, "pass"), (2**-9, "fail")])
def test_the_canary_names_what_moved_most(world: World, moved_by: float, outcome: str) -> None:
    values = np.full((60, TAGS), 0.5, np.float32)
    moved = values.copy()
    moved[7, 3] += moved_by
    joint = together(
        world, f"new={world.npz('new', moved)}", f"old={world.npz('old', values)}", dataset=str(world.dataset)
    )
    case = canary_case(joint, epsilon=2**-10, wanted=True)
    assert case.outcome == outcome
    if moved_by:
        assert f"{world.tags[3]} of image 0007" in case.message
        assert case.measure is not None
        assert case.measure.difference == moved_by
    assert canary_case(joint, epsilon=0.0, wanted=False).outcome is Outcome.SKIPPED


def test_images_that_one_side_alone_could_not_read_are_left_out_or_refused(world: World) -> None:
    def skipping(name: str, images: int) -> Path:
        path = world.npz(name, scores_of(0, truth=world.truth)[:-images])
        reasons = {"skipped_ids": world.ids[-images:], "skipped_reasons": ["truncated"] * images}
        np.savez(path, **(dict(np.load(path)) | {key: np.array(value) for key, value in reasons.items()}))
        return path

    with pytest.raises(IncomparableError, match=r"no scores of 3 of the 60 images .* could not read \(truncated\)"):
        together(world, f"new={skipping('new', 3)}", world.run("old", "a"))
