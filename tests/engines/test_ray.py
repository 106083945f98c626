"""Actors of a Ray cluster: what one does, what is refused, and a run on two nodes of which one is killed."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena import taggers
from arena.base.errors import ArenaError, ScoresError
from arena.base.leases import Leases
from arena.base.progress import Silent
from arena.cards import find_model
from arena.engines import ray as module
from arena.engines.loaded import Hardware, RemoteTagger
from arena.engines.ray import ray_cluster
from arena.engines.shard_worker import ShardWorker
from arena.engines.workers import WorkerTask
from arena.scores.store import ScoreStore
from arena.taggers.predict import ImageSource, ScoringJob, predict_scores, scores_key
from arena.tags import TagRelations

from ..conftest import REPOSITORY, Wd, arena_here, draw
from ..pipeline.test_run import Notes

HARDWARE = Hardware("cpu", "auto", TagRelations())


@pytest.fixture
def task(source: ImageSource, onnx_folder: Wd, tmp_path: Path) -> WorkerTask:
    return prepared(find_model(f"wd={onnx_folder.folder}"), source, tmp_path / "scores")


@pytest.fixture
def worker(task: WorkerTask) -> Iterator[ShardWorker]:
    actor = ShardWorker(HARDWARE, task.source, 1)
    yield actor
    actor.close()


def prepared(card: Any, source: ImageSource, folder: Path) -> WorkerTask:
    """The task of an actor, with a prepared store."""
    key = scores_key(taggers.identify(card, device="cpu"), source)
    store = ScoreStore(folder / card.name, key=key, shards=source.shards)
    store.prepare(taggers.load(card, device="cpu").tags, {})
    return WorkerTask([card], [key], source, folder, "cpu", "auto", 4, TagRelations(), 1)


def store_of(task: WorkerTask, folder: Path | None = None) -> ScoreStore:
    return ScoreStore((folder or task.folder) / "wd", key=task.keys[0], shards=task.source.shards)


def scores_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


def test_an_actor_scores_the_shards_that_it_is_given(task: WorkerTask, worker: ShardWorker, tmp_path: Path) -> None:
    """The class that Ray runs as an actor, here without Ray."""
    described = worker.load(task.cards[0]).tagger
    assert isinstance(described, RemoteTagger)
    assert (described.device, described.precision, len(described.tags)) == ("cpu", "fp32", 22)
    worker.open(task)
    for number in (2, 0, 1):
        assert not store_of(task).is_finished(number)
        worker.score(number, ["wd"])
        assert store_of(task).is_finished(number)
    alone = prepared(task.cards[0], task.source, tmp_path / "alone")
    predict_scores(task.source, [ScoringJob(taggers.load(task.cards[0], device="cpu"), store_of(alone))], batch_size=4)
    assert scores_of(task.folder) == scores_of(alone.folder)


def test_an_actor_says_why_a_shard_fails_and_goes_on(task: WorkerTask, worker: ShardWorker) -> None:
    worker.open(task)
    (task.folder / "wd" / "store.json").rename(task.folder / "aside")
    with pytest.raises(ScoresError, match=r"its store.json is missing or damaged"):
        worker.score(0, ["wd"])
    (task.folder / "aside").rename(task.folder / "wd" / "store.json")
    worker.score(1, ["wd"])
    assert store_of(task).present() == {1}


def test_other_weights_on_a_node_are_refused(task: WorkerTask, worker: ShardWorker) -> None:
    with pytest.raises(ScoresError, match=r"wd: its files on .* are not those of the driver"):
        worker.open(replace(task, keys=["other"]))


def test_the_driver_knows_the_precision_of_a_device_that_it_lacks(joytag_folder: Path) -> None:
    card = find_model(f"m={joytag_folder}")
    assert taggers.identify(card, device="cuda", remote=True)["precision"] == "fp16"
    assert taggers.identify(card, device="cpu", remote=True) == taggers.identify(card, device="cpu")


def test_what_is_missing_or_wrong_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = arena_here("run", "--engine", "ray")
    line = '--engine ray: ray is not installed; run: pip install "tagger-arena[ray]"'
    assert (done.returncode, line in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    with (
        pytest.raises(ArenaError, match="Ray gives each of its actors a device"),
        ray_cluster("auto", "cuda:0", 1, Silent()),
    ):
        pass
    with pytest.raises(ArenaError, match="the Ray cluster at auto has no such device"):
        module._kind_of_device("cuda", {"CPU": 2.0}, "auto")
    assert [module._kind_of_device("auto", {"CPU": 2.0, **gpu}, "auto") for gpu in ({}, {"GPU": 1.0})] == [
        "cpu",
        "cuda",
    ]


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes on this machine, each with one core."""
    pytest.importorskip("ray", reason="ray is not installed; it comes with the extra ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.second = cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.ray
@pytest.mark.filterwarnings("default")
def test_two_nodes_score_what_one_process_does_and_a_killed_one_is_replaced(
    two_nodes: Any, onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path
) -> None:
    """Twelve shards of 256; the node is killed after the first."""
    paths = [tmp_path / f"{number}.png" for number in range(16)]
    for number, path in enumerate(paths):
        draw(number).save(path)
    ids = tuple(f"{number:05d}" for number in range(3_000))
    source = ImageSource(ids, tuple(paths[number % 16] for number in range(3_000)), ("",) * 3_000, verified=False)
    card = find_model(f"wd={onnx_folder.folder}")
    alone, shared = (prepared(card, source, tmp_path / name) for name in ("alone", "shared"))
    predict_scores(source, [ScoringJob(taggers.load(card, device="cpu"), store_of(alone))], batch_size=4)
    notes, done = Notes(), list[int]()

    def advance(images: int) -> None:
        done.append(images)
        if len(done) == 1:
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)

    with ray_cluster(two_nodes.address, "auto", 1, notes) as cluster, Leases("run") as leases:
        loaded = cluster.load(card, HARDWARE, source)
        cluster.score(shared, [ScoringJob(loaded.tagger, store_of(shared), loaded.machine)], leases, advance)
    assert scores_of(shared.folder) == scores_of(alone.folder)
    assert (len(scores_of(shared.folder)), sum(done)) == (12, 3_000)
    assert any("its process or its node has ended" in line for line in notes.lines), notes.lines
    assert not list(shared.folder.glob(".arena-*")), "no lease is left"

    command = ("run", "-m", f"wd={onnx_folder.folder}", "-d", drawn_dataset, "--bootstrap", 0, "-o")
    here = arena_here(*command, tmp_path / "here")
    there = arena_here(*command, tmp_path / "there", "--engine", "ray", "--address", two_nodes.address)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    for name in ("per_tag.parquet", "summary.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
