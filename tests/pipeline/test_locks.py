"""Two processes at one output: the second gets one line and changes nothing."""

import errno
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.base.locks import lock_output
from arena.evaluate import Settings
from tests.conftest import arena_here, without_plots
from tests.pipeline.conftest import World

VERBS = {
    "run": "run -m wd14-demo -d {drawn} -o {out}",
    "run of another recipe": "run -m wd14-demo -d {drawn} -o {out} --overwrite",
    "score": "score --scores a={a} -d {drawn} -o {out}",
    "compare": "compare a={a} b={b} -d {drawn} -o {out}",
    "check": "check a={a} --baseline b={b} -d {drawn} -o {out}",
    "report": "report {out}",
    "predict": "predict -m wd14-demo -d {drawn} -o {out}",
    "parity": "parity a={a} b={b} -o {out}",
    "parity --keep": "parity wd14-demo a={a} -d {drawn} --keep {out}",
    "bench": "bench -m wd14-demo -d {drawn} -o {out}.json",
    "bisect": "baseline bisect {run}:first wd14-demo -d {drawn} --tag tag_1 -o {out}",
    "hash": "hash {drawn} -o {out}",
    "import": "dataset import {pictures} -o {out}",
    "freeze": "dataset freeze {drawn} -o {out} --name x",
    "dedup": "dataset dedup {drawn} -o {out}",
    "tags": "dataset tags {drawn} -o {out}",
    "card": "dataset card {drawn} -o {out}",
    "publish": "publish {run} --to {out}",
    "publish --forms": "publish {run} --forms {out}",
    "baseline set": "baseline set {run}:first --reason x --baselines {out}",
    "history": "baseline history {run}:first -o {out}.csv",
    "published": "published {run}/full-metrics/first.txt --to full-metrics {out}",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    with without_plots():
        world = World(tmp_path_factory.mktemp("locks"))
        places = {
            "drawn": world.dataset,
            "run": world.run("run", "first", settings=Settings(replicates=0)),
            "pictures": world.folder / "in",
        }
        (world.folder / "in").mkdir()
        for path in sorted((world.dataset / "images").rglob("*.png"))[:2]:
            (world.folder / "in" / path.name).write_bytes(path.read_bytes())
            (world.folder / "in" / path.name).with_suffix(".txt").write_text("a")
        yield {**places, "a": world.npz("a"), "b": world.npz("b", seed=1)}


@pytest.mark.parametrize("verb", VERBS)
def test_the_second_process_gets_one_line(verb: str, world: dict[str, Path], tmp_path: Path) -> None:
    command = [word.format(**world, out=tmp_path / "out") for word in VERBS[verb].split()]
    locked = next(Path(word) for word in reversed(command) if word.startswith(str(tmp_path)))
    with lock_output(locked, "other"):
        before = sorted(tmp_path.rglob("*"))
        done = arena_here(*command)
        assert sorted(tmp_path.rglob("*")) == before, "nothing is written"
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, last.startswith("arena: ")) == (2, True), done.stderr
    assert f"{locked}: arena other (process {os.getpid()} on " in last
    assert " writes to it; wait until it has ended, or name another output" in last


@pytest.mark.parametrize("content", [[], ["mine.txt"]])
def test_predict_leaves_a_folder_that_it_did_not_make(
    content: list[str], world: dict[str, Path], tmp_path: Path
) -> None:
    parts = tmp_path / "s.npz.parts"
    parts.mkdir()
    for name in content:
        (parts / name).write_text("mine")
    done = arena_here("predict", "-m", "wd14-demo", "-d", world["drawn"], "-L", 4, "-o", tmp_path / "s.npz")
    assert (done.returncode, "s.npz.parts: exists but was not made by arena" in done.stderr) == (2, True)
    assert [path.name for path in parts.iterdir()] == content
    parts.rename(tmp_path / "kept")
    done = arena_here("predict", "-m", "wd14-demo", "-d", world["drawn"], "-L", 4, "-o", tmp_path / "s.npz")
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "s.npz"]


def test_hash_removes_the_parts_that_a_killed_process_left(world: dict[str, Path], tmp_path: Path) -> None:
    index, parts = tmp_path / "i.parquet", tmp_path / "i.parquet.parts"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("arena.dataset.hashes.build.remove_scratch", lambda *given: None)  # killed after the index
        assert arena_here("hash", world["drawn"], "-o", index).returncode == 0
    assert parts.is_dir()
    (tmp_path / ".arena-7-00c0ffee00c0ffee.part").touch()
    before = index.read_bytes()
    assert arena_here("hash", world["drawn"], "-o", index).returncode == 0
    assert (index.read_bytes(), parts.exists()) == (before, False)


@pytest.mark.usefixtures("no_plots")
def test_a_run_removes_what_a_killed_one_left(world: dict[str, Path], tmp_path: Path) -> None:
    for name in ("plots/.arena-7-00c0ffee00c0ffee.part", ".arena-812"):
        (tmp_path / "o" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "o" / name).touch()
    (tmp_path / "o/plots/mine.txt").write_text("mine")
    (tmp_path / "o/.arena").write_text("")
    done = arena_here(
        "score", "--scores", f"a={world['a']}", "-d", world["drawn"], "-o", tmp_path / "o", "--bootstrap", 0
    )
    assert done.returncode == 0, done.stderr
    left = {path.name for path in (tmp_path / "o").rglob(".*")}
    assert left == {".arena"}
    assert (tmp_path / "o/plots/mine.txt").read_text() == "mine"


@pytest.mark.usefixtures("no_plots")
def test_the_recorded_command_has_the_options_of_the_environment(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [
        "score",
        "--scores",
        f"a={world['a']}",
        "-d",
        str(world["drawn"]),
        "-o",
        str(tmp_path / "o"),
        "--seed",
        "3",
    ]
    monkeypatch.setattr(sys, "argv", ["arena", *arguments])
    for name, value in {"MIN_POSITIVES": "2", "BOOTSTRAP": "0", "SEED": "9", "OUTPUT": "x", "THUMBNAILS": ""}.items():
        monkeypatch.setenv(f"ARENA_{name}", value)
    assert arena_here(*arguments).returncode == 0
    command = json.loads((tmp_path / "o/run.json").read_text())["command"]
    assert command.startswith("ARENA_BOOTSTRAP=0 ARENA_MIN_POSITIVES=2 arena score --scores "), command


def test_a_full_disk_is_said_with_its_place(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for number, (target, command) in enumerate(
        {
            "numpy.savez": "predict -m wd14-demo -d {drawn} -L 4 -o {out}.npz",
            "pandas.DataFrame.to_parquet": "score --scores a={a} -d {drawn} -o {out} --bootstrap 0",
            "pyarrow.parquet.ParquetWriter.write_table": "dataset import {pictures} -o {out}",
            "arena.dataset.frozen.write_tags": "dataset freeze {drawn} -o {out} --name x",
        }.items()
    ):
        output = tmp_path / f"out{number}"
        with monkeypatch.context() as patched:
            patched.setattr(target, full)
            done = arena_here(*(word.format(**world, out=output) for word in command.split()))
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 2, done.stderr
        assert str(output) in last, last
        assert "(No space left on device); make room on the disk" in last
