"""Every command that writes a run folder stores its recipe, and every reader of a run uses it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import arena
from arena.base.files import digest_file
from arena.cards import find_dataset
from arena.cli import main as command
from arena.dataset.frozen import read_frozen
from arena.evaluate import Settings
from arena.gate.verdict import Outcome
from arena.pipeline import run as pipeline
from arena.pipeline.check.check import check_candidate
from arena.pipeline.compare import compare_entrants
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_run
from arena.pipeline.inputs import find_model_of, find_scores, find_truth
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.stages import Execution, Scoring
from arena.pipeline.verify import verify_run
from arena.results.baselines.store import set_baseline
from arena.results.recipe import DatasetUsed, Recipe, Sample
from arena.results.run_folder import read_result
from arena.tags.relations import read_aliases
from tests.conftest import Wd
from tests.pipeline.conftest import TAGS, World

pytestmark = pytest.mark.usefixtures("no_page")

QUICK = ComparisonOptions(replicates=40, showing=DisplayOptions("none"))


def recipe_of(folder: Path) -> Recipe:
    return read_result(folder, ()).recipe


def group_file(world: World, name: str, *tags: str) -> Path:
    path = world.folder / f"{name}.toml"
    path.write_text(f"[{name}]\ntags = {list(tags)}\n")
    return path


def slices_of(folder: Path) -> set[tuple[str, str]]:
    """The slices of images and the tag groups that a run folder has metrics of."""
    table = read_result(folder, ("slices",)).tables["slices"]
    pairs = zip(table["slice"], table["value"], strict=True)
    return {pair for pair in pairs if pair[0] not in ("all", "category", "support")}


def with_studios(world: World) -> None:
    """Add a column with two studios of 30 images each; it does not change the dataset's digest."""
    path = world.dataset / "images.parquet"
    images = pd.read_parquet(path)
    images.assign(studio=["north" if row % 2 else "south" for row in range(len(images))]).to_parquet(path, index=False)


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(world.folder)
    return world.folder


@pytest.mark.parametrize("verb", ["run", "score", "compare", "check", "check unpaired", "notebook"])
def test_every_path_writes_the_whole_recipe(verb: str, world: World, home: Path, onnx_folder: Wd) -> None:
    files = {name: world.npz(name, seed=seed) for seed, name in enumerate("ab")}
    old, dataset = world.run("old", "a"), str(world.dataset)
    if verb == "run":
        pipeline.run_benchmark(
            [f"a={onnx_folder.folder}"],
            dataset,
            home / "made",
            sample=Sample(25, 3),
            execution=Execution(command="arena run"),
        )
    elif verb == "score":
        world.run("made", "a", "b")
    elif verb == "compare":
        compare_entrants([str(old), f"b={files['b']}"], home / "made", asked=QUICK)
    elif verb == "check":
        check_candidate(f"b={files['b']}", baseline=str(old), output=home / "made", asked=QUICK)
    elif verb == "check unpaired":
        text = next((old / "full-metrics").glob("*.txt"))
        check_candidate(
            f"b={files['b']}",
            baseline=f"old={text}",
            output=home / "made",
            asked=ComparisonOptions(dataset, replicates=40),
        )
    else:
        arena.compare(files, dataset, replicates=40).save(home / "made")
    result = read_result(home / "made")
    assert {"signature", "recipe", "dataset", "versions", "machine", "created", "arena_version"} <= result.run.keys()
    recipe, heldout = result.recipe, world.heldout
    sample = Sample(25, 3) if verb == "run" else Sample()
    part = heldout.sample(*sample)
    assert recipe.dataset == DatasetUsed("drawn", "Drawn", part.digest, len(part), "CC0-1.0", sample=sample)
    assert recipe.settings.replicates == result.summary["replicates"]
    assert recipe.thresholds.keys() == set(result.models)
    assert {name: one.source for name, one in recipe.thresholds.items()} == {
        name: one["threshold_source"] for name, one in result.summary["models"].items()
    }
    assert recipe.started <= recipe.created
    folders = [home / "made"]
    given = find_truth(result, folders, None)
    assert given is not None
    assert given.source is not None
    assert Path(given.source.path).samefile(world.dataset)
    assert all(find_scores(result, name, folders) for name in result.models)
    assert verify_run(home / "made").differences == []
    assert set_baseline(find_run(f"{home / 'made'}:{result.models[0]}"), home / "baselines", reason="r").is_new


def test_files_and_folders_are_kept_with_path_and_digest(world: World, home: Path, onnx_folder: Wd) -> None:
    np.savez(home / "t.npz", truth=world.truth, tags=np.array(world.tags), image_ids=np.array(world.ids))
    scores = world.npz("a")
    command(["score", "--scores", "a=a.npz", "--truth", "t.npz", "-o", "runs/made", "--bootstrap", "0"])
    assert [(one.kind, one.path, one.name, one.digest) for one in recipe_of(home / "runs/made").inputs] == [
        ("truth", "../../t.npz", "", digest_file(home / "t.npz")),
        ("scores", "../../a.npz", "a", digest_file(scores)),
    ]
    run = pipeline.run_benchmark(
        [f"wd={onnx_folder.folder}"],
        str(world.dataset),
        home / "run",
        sample=Sample(limit=20),
        scoring=Scoring(Settings(min_positives=1)),
    )
    result = read_result(run)
    dataset, model = result.recipe.inputs
    assert (dataset.kind, dataset.digest) == ("dataset", world.heldout.digest), "of the whole, as the folder holds it"
    assert (model.kind, model.name, model.digest) == ("model", "wd", result.run["models"]["wd"]["weights"])
    found = find_model_of(result, "wd", [run], None)
    assert found is not None
    assert found.folder.samefile(onnx_folder.folder)
    assert str(world.folder) not in (run / "run.json").read_text(), "paths are named from the run folder"


def test_a_dataset_that_is_scored_by_name_is_told_whole(home: Path) -> None:
    demo = read_frozen(find_dataset("demo"))
    axes = {"image_ids": np.array(demo.image_ids), "tags": np.array(demo.tags.names)}
    rng = np.random.default_rng(0)
    np.savez(home / "a.npz", scores=rng.random((len(demo), len(demo.tags)), np.float32), **axes)
    command(["score", "--scores", "a=a.npz", "-d", "demo", "-o", "made", "--bootstrap", "0", "--thumbnails", "none"])
    run = json.loads((home / "made/run.json").read_text())
    assert (run["dataset"]["licence"], run["dataset"]["images"]) == (demo.card.licence, len(demo))
    assert run["recipe"]["sample"] == {"limit": None, "seed": 0}
    assert [group["name"] for group in run["recipe"]["settings"]["tag_groups"]], "the project's groups, by content"


def test_a_sample_as_large_as_the_set_is_all_of_it(drawn_dataset: Path, onnx_folder: Wd, tmp_path: Path) -> None:
    folder = pipeline.run_benchmark(
        [f"wd={onnx_folder.folder}"], str(drawn_dataset), tmp_path / "run", sample=Sample(40, 5)
    )
    assert recipe_of(folder).dataset.sample == Sample()


def test_slices_and_tag_groups_of_runs_hold_for_what_compares_them(world: World, home: Path) -> None:
    with_studios(world)
    groups = group_file(world, "few", "tag_0", "tag_1")
    how = {"settings": Settings(slices=("studio",), replicates=40), "tag_groups": groups}
    old, new = world.run("old", "a", **how), world.run("new", "b", seed=1, **how)
    groups.unlink()
    both = {("studio", "north"), ("studio", "south"), ("group", "few")}
    assert slices_of(old) == both
    found, folder = compare_entrants([str(old), str(new)], home / "both", asked=QUICK)
    assert slices_of(folder) == both
    assert found.notes == ()
    (home / "gate.toml").write_text('[slices]\nkinds = ["studio"]\nmin_images = 10\n')
    checked = check_candidate(
        str(new), baseline=str(old), policy=home / "gate.toml", output=home / "checked", asked=QUICK
    )
    judged = {(case.gate, case.name): case.outcome for case in checked.verdict.cases}
    assert all(judged["slices", f"studio:{one}"] is not Outcome.SKIPPED for one in ("north", "south"))
    assert judged["tag_groups", "few"] is not Outcome.SKIPPED
    assert verify_run(folder).differences == verify_run(old).differences == []


def test_runs_of_other_slices_and_groups_are_compared_as_the_first_and_a_note_says_so(world: World, home: Path) -> None:
    with_studios(world)
    one, two = group_file(world, "few", "tag_0"), group_file(world, "many", "tag_1", "tag_2")
    old = world.run("old", "a", settings=Settings(slices=("studio",), replicates=0), tag_groups=one)
    new = world.run("new", "b", settings=Settings(replicates=0), tag_groups=two)
    verdict = check_candidate(str(new), baseline=str(old), output=home / "checked", asked=QUICK).verdict
    assert slices_of(home / "checked") == {("studio", "north"), ("studio", "south"), ("group", "few")}
    assert f"images are sliced by studio, as in {old.name}; {new.name} had rating, domain, size" in verdict.notes
    assert f"the tag groups are those of {old.name}; {new.name} was made with others" in verdict.notes


def test_a_threshold_taken_from_the_other_side_is_told_as_such(world: World, home: Path) -> None:
    old = world.run("old", "a", threshold=0.2)
    check_candidate(f"new={world.npz('new')}", baseline=str(old), output=home / "checked", asked=QUICK)
    used = recipe_of(home / "checked").thresholds["new"]
    assert (used.source, used.default) == ("option", 0.2)


def test_a_comparison_of_a_comparison_finds_its_scores(world: World, home: Path) -> None:
    old, new = world.run("old", "a"), world.run("new", "b", seed=1)
    _, folder = compare_entrants([str(old), str(new)], home / "runs/both", asked=QUICK)
    again, _ = compare_entrants([str(folder), f"c={world.npz('c', seed=2)}"], home / "three", asked=QUICK)
    assert again.result.models == ["a", "b", "c"]


def test_renamed_tags_of_a_check_hold_when_it_is_verified(world: World, home: Path) -> None:
    tags = [*world.tags[:-1], "renamed"]
    path = world.npz("newer")
    np.savez(path, **(dict(np.load(path)) | {"tags": np.array(tags)}))
    (home / "aliases.csv").write_text(f"old,new\n{world.tags[-1]},renamed\n")
    old = world.run("old", "a")
    asked = replace(QUICK, renamed=read_aliases(home / "aliases.csv"))
    check_candidate(f"newer={path}", baseline=str(old), output=home / "checked", asked=asked)
    assert read_result(home / "checked", ()).summary["compared_tags"] == TAGS
    assert recipe_of(home / "checked").renamed == {world.tags[-1]: "renamed"}
    assert verify_run(home / "checked").differences == []


def test_a_notebook_run_of_frames_is_a_whole_run(world: World, home: Path) -> None:
    truth = pd.DataFrame(world.truth, index=world.ids, columns=world.tags)
    scores = pd.DataFrame(np.load(world.npz("a"))["scores"], index=world.ids, columns=world.tags)
    found = arena.score(scores, truth, replicates=20, threshold=0.4)
    folder = found.save(home / "made")
    result = read_result(folder)
    assert result.run["signature"].startswith("data:truth@")
    assert (result.recipe.dataset.images, result.recipe.thresholds["model"].default) == (len(world.ids), 0.4)
    assert set_baseline(find_run(str(folder)), home / "baselines", reason="in a notebook").is_new
    moved = arena.score(scores * np.float32(0.5), truth, replicates=20, threshold=0.4)
    flipped = arena.score(scores, ~truth, replicates=20, threshold=0.4)
    signatures = [one.result.run["signature"].split("|models")[0] for one in (found, moved, flipped)]
    assert signatures[0] == signatures[1] != signatures[2]
    assert found.result.run["models"]["model"]["key"] != moved.result.run["models"]["model"]["key"]
    assert found.save(home / "twice").joinpath("summary.json").read_bytes() == (folder / "summary.json").read_bytes()


@pytest.mark.usefixtures("with_page")
def test_the_page_says_how_to_make_a_run_again(world: World, home: Path) -> None:
    with_studios(world)
    how = {"settings": Settings(slices=("studio",), replicates=0), "tag_groups": group_file(world, "few", "tag_0")}
    page = (world.run("old", "a", **how) / "index.html").read_text()
    digest = digest_file(home / "old-a.npz")[:12]
    for line in ("slices studio, tag groups Few", f"scores a old-a.npz {digest}", "dataset drawn"):
        assert line in page
