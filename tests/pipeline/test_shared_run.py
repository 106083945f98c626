"""Several processes in one run folder: all score, one writes the reports."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arena.base.errors import ArenaError
from arena.base.locks import lock_output
from arena.evaluate import Settings
from arena.pipeline import run as pipeline
from arena.pipeline.shared_run import SharedRun, shared_run
from arena.pipeline.stages import Compute, Execution, Scoring, write_run
from arena.results.written import RUN_FILE
from arena.taggers import predict
from tests.conftest import Wd, arena_here
from tests.pipeline.test_run import Notes

pytestmark = pytest.mark.usefixtures("no_page")

QUICK = Scoring(Settings(replicates=0))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def joined(folder: Path, key: str = "k", notes: Notes | None = None) -> Iterator[SharedRun]:
    """Take part in a run; the folder is opened by the first."""

    def open_folder() -> None:
        (folder / "scores").mkdir(parents=True, exist_ok=True)
        (folder / "opened").write_text(f"{(folder / 'opened').exists()}")

    with shared_run(folder, key, open_folder, notes or Notes()) as shared:
        yield shared


def test_the_first_opens_the_folder_and_one_writes_the_reports(tmp_path: Path) -> None:
    folder, notes = tmp_path / "runs/run", Notes()
    with joined(folder) as first, joined(folder, notes=notes) as second, joined(folder) as third:
        assert (folder / "opened").read_text() == "False", "it was opened once"
        assert notes.lines[0].startswith(f"{folder}: shared with arena run (process ")
        assert [one.compute(Compute()).recheck for one in (first, second, third)] == [True, False, False]
        with second.reports() as missing:
            assert missing
            (folder / RUN_FILE).touch()
        for other in (first, third):
            with other.reports() as missing:
                assert not missing
        with joined(folder) as late:
            assert not late.served, "it came after the reports, and makes them again"
    assert sorted(path.name for path in folder.iterdir()) == ["opened", RUN_FILE, "scores"]
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    with joined(folder) as again:
        assert (folder / "opened").read_text() == "True"
        with again.reports() as missing:
            assert missing, "the same command makes the reports again, as it does alone"


def test_reports_that_fail_are_written_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with joined(folder) as second:
        with pytest.raises(KeyboardInterrupt), joined(folder) as first, first.reports():
            raise KeyboardInterrupt
        with second.reports() as missing:
            assert missing


def test_another_recipe_and_other_verbs_are_refused_as_long_as_a_process_takes_part(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with joined(folder) as first:
        for _ in range(2):
            words = r"run: arena run \(process .* scores in it by another recipe; wait"
            with pytest.raises(ArenaError, match=words), joined(folder, "other"):
                pass
        with pytest.raises(ArenaError, match=r"run: arena run \(process .* writes to it"), lock_output(folder, "score"):
            pass
        with first.reports() as missing:
            assert missing
    with joined(folder, "other"), lock_output(folder, "run", waiting=lambda holder: None):
        pass


def test_what_a_killed_process_left_is_removed_by_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "scores/m").mkdir(parents=True)
    with joined(folder):
        for name in ("shard-00001.lease", ".arena-shard-00001.lease.lock", "m.lock"):
            (folder / f"scores/.arena-{name}").write_text("{}")
        (folder / "scores/m/.arena-7-00c0ffee00c0ffee.part").touch()
        with joined(folder):
            pass
        assert (folder / "scores/.arena-shard-00001.lease").exists(), "the other process may be writing"
    assert not [path for path in folder.rglob(".*") if path.name != ".arena"]


def test_a_late_task_of_a_slurm_array_finds_the_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"

    def comes(key: str = "k") -> bool:
        with joined(folder, key) as shared:
            if not shared.served:
                with shared.reports():
                    (folder / RUN_FILE).touch()
            return shared.served

    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "17")
    assert [comes(), comes(), comes("other")] == [False, True, False]
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "18")
    assert [comes("other"), comes("other")] == [False, True]
    (folder / RUN_FILE).unlink()
    assert not comes("other")


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "SHARD_IMAGES", 8)


@pytest.mark.usefixtures("shards")
def test_two_runs_at_once_make_what_one_makes(
    onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, written, scored = [f"wd={onnx_folder.folder}"], list[Path](), list[int]()
    original, store = write_run, predict._Shard.store

    def write(folder: Path, *given: Any, **named: Any) -> Any:
        written.append(folder)
        return original(folder, *given, **named)

    def counted(shard: Any) -> None:
        scored.append(shard.planned.number)
        store(shard)

    def run(folder: str, **how: Any) -> Path:
        return pipeline.run_benchmark(
            models, str(drawn_dataset), tmp_path / folder, scoring=QUICK, execution=Execution(**how)
        )

    monkeypatch.setattr(pipeline, "write_run", write)
    monkeypatch.setattr(predict._Shard, "store", counted)
    run("alone")
    assert sorted(scored) == list(range(5))
    scored.clear()
    threads = [
        threading.Thread(target=run, args=("shared",), kwargs={"scores_only": only}) for only in (False, False, True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(scored), len(written)) == (list(range(5)), 2)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    for name in ("per_tag.parquet", "summary.json", *(f"scores/wd/{number:05d}.npy" for number in range(5))):
        assert (alone / name).read_bytes() == (shared / name).read_bytes(), name
    assert not [path.name for path in tmp_path.rglob(".arena-*")]


@pytest.mark.usefixtures("shards")
def test_scores_only_writes_no_report(onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ("run", "-m", f"wd={onnx_folder.folder}", "-d", drawn_dataset, "-o", out, "--bootstrap", 0)
    done = arena_here(*command, "--scores-only")
    assert (done.returncode, done.stdout) == (0, f"{out / 'scores'}: complete\n"), done.stderr
    assert sorted(path.name for path in out.iterdir()) == [".arena", "scores"]
    refused = arena_here(*command, "--device", "cuda:0,cpu")
    assert (refused.returncode, "'cpu' is not cuda:N" in refused.stderr) == (2, True), refused.stderr
