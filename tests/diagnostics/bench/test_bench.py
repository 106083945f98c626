"""What a model costs, measured on real small models.

A torch network is measured in this process, which has torch already; graphs in processes of their own, which start at once.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arena.base.errors import ArenaError, WeightsError
from arena.base.progress import Progress
from arena.diagnostics.bench import worker
from arena.diagnostics.bench.costs import LEAST_FOR_P95, Cost, cost_from_json, cost_to_json
from arena.diagnostics.bench.memory import ProcessMemory
from arena.diagnostics.bench.own_process import bench_in_process, bench_models
from arena.diagnostics.bench.requests import MAX_BENCH_IMAGES, build_requests, pick_images
from arena.diagnostics.bench.table import cost_table, costs_markdown
from arena.diagnostics.bench.timing import Timings, time_calls
from tests.cli.test_cli import arena
from tests.conftest import Wd, draw, write_onnx, write_selected_tags


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(4):
        draw(seed, (120, 80)).save(folder / f"{seed}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def request_for(model: str, pictures: Path, **how: object) -> worker.BenchRequest:
    paths = tuple(map(str, sorted(pictures.iterdir())))
    return worker.BenchRequest(model, paths, **{"batch_sizes": (1, 3), "seconds": 0.05, "device": "cpu", **how})  # type: ignore[arg-type]


@pytest.fixture
def cost(joytag_folder: Path, pictures: Path) -> Cost:
    return worker.measure_cost(request_for(f"tiny={joytag_folder}", pictures))


def test_every_figure_of_a_model_is_measured(cost: Cost) -> None:
    assert (cost.model, cost.device, cost.precision, cost.size, cost.tags) == ("tiny", "cpu", "fp32", 64, 37)
    assert [rate.batch_size for rate in cost.rates] == [1, 3]
    assert all(rate.images_per_second and rate.images_per_second > 0 and rate.batches for rate in cost.rates)
    assert cost.parameters
    assert cost.operations
    assert cost.input.images == 4, "the broken one is left out"
    assert cost.input.median_pixels == 120 * 80
    assert min(cost.input.decode, cost.input.square, cost.input.together) > 0
    assert cost.memory == "process"
    assert cost.peak_bytes is not None
    assert cost.peak_bytes > 50e6
    assert cost_from_json(json.loads(json.dumps(cost_to_json(cost)))) == cost


def test_a_model_that_needs_more_memory_shows_it_and_the_starting_process_does_not(
    onnx_folder: Wd, pictures: Path
) -> None:
    ballast = np.ones(5 * 10**8, np.uint8)  # the other process must not count it
    small, large = (
        bench_in_process(request_for(f"wd={onnx_folder.folder}", pictures, batch_sizes=(size,), seconds=0.001))
        for size in (1, 512)
    )
    assert small.peak_bytes is not None
    assert large.peak_bytes is not None
    own = ProcessMemory().peak_bytes()
    assert own is not None
    assert own > len(ballast)
    assert small.peak_bytes < own, "what started it is not counted"
    pixels = 512 * 64 * 64 * 3
    assert large.peak_bytes - small.peak_bytes > 5 * pixels, "the bytes and the float32 input of the batch, at least"


def test_a_model_that_cannot_be_loaded_says_why_in_its_own_words(onnx_folder: Wd, pictures: Path) -> None:
    (onnx_folder.folder / "model.onnx").write_bytes(b"short")
    with pytest.raises(ArenaError, match=r"model\.onnx: onnxruntime \S+ cannot open it"):
        bench_in_process(request_for(f"wd={onnx_folder.folder}", pictures))


def test_a_process_that_was_ended_is_told(joytag_folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    started: list[subprocess.Popen[str]] = []

    class Killed(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[call-overload]
            started.append(self)
            self.kill()

    monkeypatch.setattr(subprocess, "Popen", Killed)
    with pytest.raises(ArenaError, match=r"tiny: its process was ended by signal 9 .* smaller --batch-sizes"):
        bench_in_process(request_for(f"tiny={joytag_folder}", pictures))
    assert started[0].returncode == -9


def test_stopping_ends_the_other_process(joytag_folder: Path, pictures: Path) -> None:
    import subprocess

    class Stop:
        def note(self, text: str) -> None:
            raise KeyboardInterrupt

        def count(self, what: str, total: int | None, done: int) -> object:
            pytest.fail("nothing was counted before it stopped")

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench_in_process(request_for(f"tiny={joytag_folder}", pictures, seconds=600.0), Stop())  # type: ignore[arg-type]
    assert time.monotonic() - begin < 60
    assert not [one for one in subprocess._active if one.poll() is None]  # type: ignore[attr-defined]


def test_a_batch_that_does_not_fit_is_told_and_smaller_ones_are_kept(
    joytag_folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.taggers.torch_runtime import TorchTagger

    real = TorchTagger.scores

    def full(self: TorchTagger, batch: np.ndarray) -> np.ndarray:
        if len(batch) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        return real(self, batch)

    monkeypatch.setattr(TorchTagger, "scores", full)
    found = worker.measure_cost(request_for(f"tiny={joytag_folder}", pictures, batch_sizes=(1, 2, 4, 8)))
    assert [rate.images_per_second is None for rate in found.rates] == [False, False, True, True]
    rows = {row[0]: row[1] for row in cost_table([found]).rows}
    assert rows["network, images/s, batch 4"] == "no memory"


def test_another_error_of_the_network_is_not_taken_for_full_memory(
    joytag_folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.taggers.torch_runtime import TorchTagger

    def broken(self: TorchTagger, batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(TorchTagger, "scores", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        worker.measure_cost(request_for(f"tiny={joytag_folder}", pictures))


def test_timing_counts_calls_until_the_time_is_up_and_one_at_least() -> None:
    calls: list[int] = []
    assert len(time_calls(lambda: calls.append(1), seconds=1e-9).seconds) == 1
    assert len(calls) == 2, "one to warm up"
    timings = time_calls(lambda: time.sleep(0.01), seconds=0.1)
    assert 3 <= len(timings.seconds) <= 11
    assert timings.mean >= 0.01


def test_a_95th_percentile_needs_timings_enough() -> None:
    assert Timings([0.001] * (LEAST_FOR_P95 - 1)).latency().p95_ms is None
    many = Timings([0.001 * i for i in range(1, 101)]).latency()
    assert many.median_ms == pytest.approx(50.5)
    assert many.p95_ms == pytest.approx(95.05)


def test_images_are_picked_evenly(tmp_path: Path) -> None:
    for i in range(2 * MAX_BENCH_IMAGES + 1):
        (tmp_path / f"{i:04d}.png").touch()
    names = [path.stem for path in pick_images(folder=tmp_path, dataset="demo", root=None)]
    assert len(names) == MAX_BENCH_IMAGES
    assert (names[0], names[-1]) == ("0000", f"{2 * MAX_BENCH_IMAGES:04d}")
    assert len(pick_images(folder=None, dataset="demo", root=None)) == MAX_BENCH_IMAGES


def test_what_is_missing_is_told_before_anything_is_measured(joytag_folder: Path, pictures: Path) -> None:
    with pytest.raises(ArenaError, match="no model is called 'nobody'"):
        build_requests([f"tiny={joytag_folder}", "nobody"], [])
    (joytag_folder / "card.toml").write_text('name = "x"\nadapter = "joytag"\nfiles = ["gone.safetensors"]\n')
    with pytest.raises(WeightsError, match=r"no gone\.safetensors"):
        build_requests([f"tiny={joytag_folder}"], [])
    assert list(bench_models([])) == []


def test_the_table_has_a_column_a_model_and_undefined_is_no_zero(cost: Cost) -> None:
    other = replace(cost, model="o|x", parameters=None, operations=None, peak_bytes=None, rates=cost.rates[:1])
    table = cost_table([cost, other])
    assert table.header == ("", "tiny", "o|x")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["parameters, M"][1] == rows["operations, GFLOP per image"][1] == rows["peak memory, MB"][1] == "–"
    assert rows["network, images/s, batch 3"][1] == "–"
    assert "o\\|x" in costs_markdown([cost, other])
    partly = cost_table([replace(cost, not_counted=("Einsum",))])
    assert dict(partly.rows)["operations, GFLOP per image"].startswith(">")  # type: ignore[arg-type]
    assert "tiny: operations without those of Einsum" in partly.notes
    unverified = "unverified, not checked against their authors' own output: tiny"
    assert unverified not in partly.notes, "a folder without a card has no authors to compare with"
    for verified in (True, False, None):
        assert (unverified in cost_table([replace(cost, verified=verified)]).notes) == (verified is False)
    before = {key: value for key, value in cost_to_json(cost).items() if key != "verified"}
    assert cost_from_json(before).verified is None, "what an earlier version wrote"


def measure_here(request: worker.BenchRequest, progress: Progress) -> Cost:
    """In this process, with the notes of the other one."""
    name = request.model.partition("=")[0]
    return worker.measure_cost(request, lambda text: progress.note(f"{name}: {text}"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are measured in this process: for what the verb makes of the costs."""
    monkeypatch.setattr("arena.diagnostics.bench.own_process.bench_in_process", measure_here)


@pytest.fixture
def other_folder(tmp_path: Path) -> Path:
    """A second graph in SmilingWolf's layout, of 5 tags."""
    folder = tmp_path / "other"
    folder.mkdir()
    write_selected_tags(folder, [f"tag_{i}" for i in range(5)])
    write_onnx(folder / "model.onnx", 5, seed=1)
    return folder


def test_the_verb_prints_a_table_or_json_and_writes_files(
    onnx_folder: Wd, other_folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["bench", "-m", f"wd={onnx_folder.folder},other={other_folder}"]
    common = ["--images", pictures, "--batch-sizes", "2,1", "--seconds", "0.02", "--device", "cpu"]
    code, out, err = arena(*models, *common, "-o", tmp_path / "costs.md", capsys=capsys)
    assert code == 0, err
    assert "network, images/s, batch 2" in out
    assert "other: loading" in err
    assert (tmp_path / "costs.md").read_text().splitlines()[2] == "|  | wd | other |"
    one = ["bench", "-m", f"other={other_folder}", *common]
    code, out, _ = arena(*one, "--json", "-o", tmp_path / "c.json", capsys=capsys)
    assert code == 0
    printed, written = json.loads(out), json.loads((tmp_path / "c.json").read_text())
    assert printed["models"] == written["models"]
    found = cost_from_json(printed["models"][0])
    assert (found.model, found.tags, [rate.batch_size for rate in found.rates]) == ("other", 5, [1, 2])


@pytest.mark.usefixtures("here")
def test_a_model_that_fails_costs_no_finished_one(
    onnx_folder: Wd, other_folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (onnx_folder.folder / "model.onnx").write_bytes(b"not a graph")
    output = tmp_path / "costs.json"
    code, out, err = arena(
        "bench", "-m", f"other={other_folder},wd={onnx_folder.folder}", "--images", pictures, "--batch-sizes", "1",
        "--seconds", "0.02", "--device", "cpu", "-o", output, capsys=capsys,
    )  # fmt: skip
    assert code == 2
    assert "cannot open it" in err
    assert "latency, ms: median" in out
    assert [model["model"] for model in json.loads(output.read_text())["models"]] == ["other"]


def test_bad_options_are_one_line(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "x.png").write_bytes(b"")
    for arguments, message in [
        (["-m", "joytag-demo", "--batch-sizes", "1,x"], "is not a list of whole numbers from 1 to 65536"),
        (["-m", "joytag-demo", "--batch-sizes", "0"], "is not a list of whole numbers"),
        (["-m", "joytag-demo", "-o", tmp_path / "costs.txt"], "the file name must end in .json or .md"),
        (["-m", "joytag-demo", "-o", tmp_path / "nowhere/costs.md"], "cannot write a file there"),
        (["-m", "joytga"], "Did you mean joytag"),
        (["-m", "joytag-demo", "--images", tmp_path / "gone"], "no such folder"),
        (
            ["-m", "wd14-demo", "--images", empty, "--device", "cpu"],
            "none of 1 images can be read; the last one, x.png: empty",
        ),
    ]:
        code, _, err = arena("bench", *arguments, capsys=capsys)
        assert code == 2, (arguments, err)
        assert message in err, (arguments, err)
        assert "Traceback" not in err
