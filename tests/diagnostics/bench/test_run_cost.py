"""What a run tells of its models' cost: on the page, in the summary, in the terminal; also when it was continued."""

import json
from pathlib import Path

import pytest

from arena.base import provenance
from arena.cli.terminal.summary import show_summary
from arena.evaluate import Settings
from arena.pipeline import run as pipeline
from arena.pipeline.stages import Scoring
from arena.report.view import headline_view
from arena.report.view_model.leaderboard import leaderboard
from arena.results.run_folder import read_result
from arena.taggers import predict as predict_module

pytestmark = pytest.mark.usefixtures("no_plots")

QUICK = Scoring(Settings(replicates=0))


def test_a_run_tells_parameters_weights_and_speed(
    joytag_folder: Path, drawn_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pipeline.run_benchmark([f"tiny={joytag_folder}"], str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    model = json.loads((folder / "summary.json").read_text())["models"]["tiny"]
    facts = json.loads((folder / "run.json").read_text())["models"]["tiny"]
    assert model["weight_bytes"] == (joytag_folder / "model.safetensors").stat().st_size
    assert model["parameters"] == facts["parameters"] > 1000
    assert (facts["images_timed"], facts["timed_on"]) == (40, provenance.device_name("cpu"))
    assert facts["images_per_second"] > 0
    header = next(line for line in (folder / "summary.md").read_text().splitlines() if line.startswith("| model"))
    assert header.endswith("| tags known | images/s | parameters | weights |")
    assert "images timed" in (folder / "index.html").read_text()
    show_summary(folder)
    assert "images/s" in capsys.readouterr().out


def test_a_run_continued_on_another_machine_tells_the_speed_of_the_one_that_scored_most(
    joytag_folder: Path, drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict_module, "SHARD_IMAGES", 16)
    monkeypatch.setattr(provenance, "device_name", lambda device: "first")
    models = [f"tiny={joytag_folder}"]
    folder = pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    (folder / "scores/tiny/00002.json").unlink()  # its last 8 images
    monkeypatch.setattr(provenance, "device_name", lambda device: "second")
    facts = read_result(pipeline.run_benchmark(models, str(drawn_dataset), folder, scoring=QUICK)).run["models"]["tiny"]
    assert (facts["timed_on"], facts["images_timed"]) == ("first", 32)


def test_no_speed_is_the_best_where_machines_differ(joytag_folder: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    models = [f"a={joytag_folder}", f"b={joytag_folder}"]
    payload = headline_view(
        read_result(pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK))
    )
    for rate, model in zip((10.0, 20.0), payload["models"], strict=True):
        model["images_per_second"] = rate
    assert [standing.cells["rate"].best for standing in leaderboard(payload)].count(True) == 1
    payload["models"][1]["timed_on"] = "another"
    assert not any(standing.cells["rate"].best for standing in leaderboard(payload))
