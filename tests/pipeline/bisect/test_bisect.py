"""Bisection of real networks with a head broken for one tag, and of runs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from arena import taggers
from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Silent
from arena.cards import find_dataset
from arena.dataset import frozen as dataset
from arena.dataset.frozen import toml_text
from arena.evaluate import Settings
from arena.pipeline import run as pipeline
from arena.pipeline.bisect.bisect import bisect_checkpoints
from arena.pipeline.bisect.checkpoints import CheckpointScores, _of_tag, find_checkpoints
from arena.pipeline.bisect.search import State
from arena.pipeline.predict import predict_folder
from arena.pipeline.stages import Execution, Scoring
from arena.results.recipe import Sample
from arena.scores.matrix import Matrix
from arena.scores.npz import read_scores, write_scores
from arena.scores.store import Scores
from arena.tags import TagSpace
from tests.conftest import GOLDEN, forget_digests, write_dataset

pytestmark = pytest.mark.usefixtures("no_page")

TAG = "tag_5"
LOST_AT = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five checkpoints of one network; those from `LOST_AT` on lost `TAG`. The truth is the prediction of the first."""
    top = tmp_path_factory.mktemp("bisect")
    source = GOLDEN / "joytag-cnn-sine"
    weights = load_file(source / "model.safetensors")
    rng = np.random.default_rng(0)
    for number in range(5):
        folder = top / f"ckpt-{number}"
        folder.mkdir()
        for name in ("config.json", "top_tags.txt"):
            shutil.copy(source / name, folder / name)
        noised = {name: array.copy() for name, array in weights.items()}
        noised["head.weight"] += (1e-4 * rng.normal(size=noised["head.weight"].shape)).astype(np.float32)
        if number >= LOST_AT:
            noised["head.weight"][5] *= -1
        save_file(noised, folder / "model.safetensors")
    write_dataset(top / "drawn", images=60, tags=12)
    predict_folder(f"first={top / 'ckpt-0'}", top / "drawn/images", top / "first.npz")
    scores = read_scores(top / "first.npz")
    values = scores.values.read()
    columns = [scores.tags.index[f"tag_{n}"] for n in range(12)]
    middle = np.median(values, axis=0)
    images = pd.read_parquet(top / "drawn/images.parquet")
    rows = {image_id: row for row, image_id in enumerate(scores.image_ids)}
    images["tags"] = [
        [f"tag_{n}" for n, column in enumerate(columns) if values[rows[image_id], column] >= middle[column]]
        for image_id in images["image_id"]
    ]
    dataset.write_frozen(
        top / "drawn", card={"name": "drawn", "title": "Drawn", "licence": "CC0-1.0"}, images=images,
        tags=[(f"tag_{n}", "general") for n in range(12)],
    )  # fmt: skip
    for number in range(5):
        card = {
            "name": "x",
            "adapter": "joytag",
            "output": "logits",
            "files": ["model.safetensors", "config.json", "top_tags.txt"],
        }
        text = toml_text(card) + f"[preprocess]\nsize = 64\n[thresholds]\ndefault = {float(middle[columns[5]])}\n"
        (top / f"ckpt-{number}" / "card.toml").write_text(text)
    return top


def bench_of(specs: list[str], world: Path, output: Path, tag: str = TAG) -> CheckpointScores:
    return CheckpointScores(
        find_checkpoints(specs),
        tag,
        dataset=str(world / "drawn"),
        output=output,
        execution=Execution(progress=Silent()),
    )


def specs_of(world: Path) -> list[str]:
    return [f"c{number}={world / f'ckpt-{number}'}" for number in range(5)]


def test_the_checkpoint_that_lost_the_tag_is_found_and_only_few_are_run(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = taggers.load
    monkeypatch.setattr(taggers, "load", lambda card, **how: loaded.append(card.name) or load(card, **how))
    answer = bisect_checkpoints(bench_of(specs_of(world), world, tmp_path))
    assert (answer.kept, answer.lost, answer.is_found) == ("c2", "c3", True)
    assert answer.p is not None
    assert answer.p < 0.001
    assert loaded == ["c0", "c4", "c2", "c3"]
    assert json.loads((tmp_path / "bisect.json").read_text())["lost"] == "c3"
    loaded.clear()
    assert bisect_checkpoints(bench_of(specs_of(world), world, tmp_path)) == answer
    assert loaded == [], "scores are kept"


def test_a_tag_that_nobody_lost_stays_undetermined(world: Path, tmp_path: Path) -> None:
    answer = bisect_checkpoints(bench_of(specs_of(world)[:3], world, tmp_path))
    assert answer.lost is None
    assert not answer.is_found
    assert [look.name for look in answer.looks] == ["c0", "c2"]


@pytest.fixture
def npz_specs(world: Path, tmp_path: Path) -> "list[str]":
    """Scores of five checkpoints as files; the tag is lost in the second, back in the third, and lost for good in the last."""
    scores = read_scores(world / "first.npz")
    values, column = scores.values.read(), scores.tags.index[TAG]
    middle = float(np.median(values[:, column]))
    specs = []
    for number, lost in enumerate((False, True, False, False, True)):
        mine = values.copy()
        mine[:, column] = np.clip(0.5 + (middle - values[:, column] if lost else values[:, column] - middle) * 5, 0, 1)
        write_scores(tmp_path / f"s{number}.npz", Scores(scores.image_ids, scores.tags, Matrix.of(mine)))
        specs.append(f"s{number}={tmp_path / f's{number}.npz'}")
    return specs


def test_a_tag_that_came_back_is_told(npz_specs: list[str], world: Path, tmp_path: Path) -> None:
    short = bisect_checkpoints(bench_of(npz_specs, world, tmp_path / "out"))
    single = short.look_at("s4").p
    assert single is not None
    assert short.p == single * 3, "s4, s2 and s3 were tested"
    assert (short.lost, list(short.relapses)) == ("s4", []), "s1 was never looked at"
    every = bisect_checkpoints(bench_of(npz_specs, world, tmp_path / "out"), every=True)
    assert (every.lost, list(every.relapses)) == ("s1", [("s1", "s2")])


def test_runs_are_held_together_by_their_scores(npz_specs: list[str], world: Path, tmp_path: Path) -> None:
    scoring = Scoring(Settings(replicates=0, min_positives=1))
    runs = [
        pipeline.run_benchmark([spec], str(world / "drawn"), tmp_path / f"run-{spec[:2]}", scoring=scoring)
        for spec in npz_specs[2:]
    ]
    answer = bisect_checkpoints(bench_of(list(map(str, runs)), world, tmp_path / "out"))
    assert (answer.kept, answer.lost, answer.is_found) == ("s3", "s4", True)
    content = json.loads((runs[0] / "run.json").read_text())
    content["dataset"]["digest"] = "0" * 64
    (runs[0] / "run.json").write_text(json.dumps(content))
    forget_digests(runs[0])
    with pytest.raises(IncomparableError, match="scored on other images"):
        bisect_checkpoints(bench_of(list(map(str, runs)), world, tmp_path / "out"))


def test_a_tag_list_without_the_tag_has_lost_it(npz_specs: list[str], world: Path, tmp_path: Path) -> None:
    scores = read_scores(world / "first.npz")
    kept = [column for column, name in enumerate(scores.tags.names) if name != TAG]
    names = TagSpace(tuple(scores.tags.names[column] for column in kept))
    write_scores(tmp_path / "less.npz", Scores(scores.image_ids, names, Matrix.of(scores.values.read()[:, kept])))
    less = f"less={tmp_path / 'less.npz'}"
    answer = bisect_checkpoints(bench_of([npz_specs[0], npz_specs[2], less], world, tmp_path / "out"))
    assert (answer.kept, answer.lost, answer.is_found, answer.p) == ("s2", "less", True, None)
    with pytest.raises(ArenaError, match="the first checkpoint does not know tag_5"):
        bisect_checkpoints(bench_of([less, npz_specs[0]], world, tmp_path / "out"))


def test_too_few_images_are_undetermined_not_kept(npz_specs: list[str], world: Path, tmp_path: Path) -> None:
    bench = CheckpointScores(
        find_checkpoints(npz_specs[2:]),
        TAG,
        dataset=str(world / "drawn"),
        output=tmp_path / "out",
        sample=Sample(limit=5),
        execution=Execution(progress=Silent()),
    )
    answer = bisect_checkpoints(bench)
    assert not answer.is_found
    assert answer.looks[1].state is State.UNDETERMINED


def test_a_loss_within_the_margin_is_none(npz_specs: list[str], world: Path, tmp_path: Path) -> None:
    bench = bench_of([npz_specs[0], npz_specs[4]], world, tmp_path / "out")
    assert bisect_checkpoints(bench).lost == "s4"
    assert bisect_checkpoints(bench, margin=1.0).lost is None


def test_bad_input_is_refused(world: Path, tmp_path: Path) -> None:
    specs = specs_of(world)
    for given, message in [
        (specs[:1], "name two or more checkpoints"),
        ([specs[0], specs[0]], "c0 is named twice"),
        (["joytga", specs[0]], "Did you mean joytag"),
    ]:
        with pytest.raises(ArenaError, match=message):
            find_checkpoints(given)
    with pytest.raises(ArenaError, match=r"--tag tga_5: no tag of drawn\. Did you mean"):
        bench_of(specs, world, tmp_path, tag="tga_5")
    with pytest.raises(ArenaError, match="--figure recall: only f1 and ap have a paired test"):
        bisect_checkpoints(bench_of(specs, world, tmp_path), figure="recall")


def test_the_truth_of_one_tag_keeps_the_weights_of_the_images() -> None:
    demo = dataset.read_frozen(find_dataset("demo", None))
    weighted = replace(demo, images=demo.images.assign(weight=2.0))
    found = _of_tag(weighted, "animal")
    assert found.weights is not None
    assert (found.weights == weighted.truth.weights).all()
