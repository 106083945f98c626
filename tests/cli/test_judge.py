"""`arena judge` from the plan to the metrics, on a small run of stored scores."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.cli.terminal.judge import show_plan
from arena.dataset.frozen import read_frozen
from arena.metrics.judged_design import Forecast
from arena.pipeline.judge import WrittenPlan
from tests.conftest import arena_here, without_plots, write_dataset


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two score files on drawn images."""
    from arena.cards import find_dataset

    folder = tmp_path_factory.mktemp("judge")
    dataset = write_dataset(folder / "drawn", images=60)
    truth = read_frozen(find_dataset(str(dataset))).truth
    labels, rng = truth.values.toarray(), np.random.default_rng(0)
    for name, spread in (("a", 0.2), ("b", 0.35)):
        scores = np.clip(0.25 + 0.5 * labels + rng.normal(0, spread, labels.shape), 0, 1).astype(np.float32)
        np.savez(
            folder / f"{name}.npz", scores=scores, tags=np.array(truth.tags.names), image_ids=np.array(truth.image_ids)
        )
    files = [part for name in "ab" for part in ("--scores", f"{name}={folder / name}.npz")]
    with without_plots():
        done = arena_here(
            "score", *files, "-d", dataset, "-o", folder / "run", "--bootstrap", "0", "--thumbnails", "none"
        )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def answer(plan: Path, path: Path, judge: str, labels: dict[tuple[str, str], bool]) -> Path:
    """Write the answers of a person who follows the labels."""
    table = pd.read_parquet(plan)
    words = ["yes" if labels[image, tag] else "no" for image, tag in zip(table["image_id"], table["tag"], strict=True)]
    kept = table[["image_id", "tag", "inclusion_probability", "plan"]]
    kept.assign(answer=words, judge=judge, time="2026-01-01T00:00:00Z").to_csv(path, index=False)
    return path


@pytest.mark.usefixtures("no_plots")
def test_a_plan_is_answered_in_two_waves_and_gives_metrics(run: Path, tmp_path: Path) -> None:
    from arena.cards import find_dataset

    truth = read_frozen(find_dataset(str(run.parent / "drawn"))).truth
    values = truth.values.toarray()
    labels = {
        (image, tag): bool(values[row, column])
        for row, image in enumerate(truth.image_ids)
        for column, tag in enumerate(truth.tags.names)
    }
    plan, judgements = tmp_path / "plan.parquet", tmp_path / "j.parquet"
    more = ("--answers", "2000", "-o", plan, "--judgements", judgements)
    first = arena_here("judge", "plan", run, *more)
    assert first.returncode == 0, first.stderr
    assert "the first wave" in first.stdout
    page = tmp_path / "judge.html"
    written = arena_here("judge", "page", run, plan, "-o", page, "--judgements", judgements)
    assert written.returncode == 0, written.stderr
    assert "recorded" not in page.read_text()[-2000:]
    for wave in ("both waves", "both waves"):
        added = arena_here("judge", "add", answer(plan, tmp_path / "x.csv", "x", labels), "--judgements", judgements)
        assert "1 person" in added.stdout, added.stderr
        again = arena_here("judge", "plan", run, *more)
        assert wave in again.stdout, again.stderr
    status = arena_here("judge", "status", run, plan, "--judgements", judgements)
    assert status.returncode == 0, status.stderr
    assert "a - b" in status.stdout
    complete = re.search(r"([\d.]+) % \[.*\] of the true tags are\s+recorded", status.stdout)
    assert complete is not None
    assert float(complete[1]) == pytest.approx(100, abs=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "{run}", "-m", "aa", "--answers", "700"), "--models aa: no such model in the run"),
        (("plan", "{run}", "--difference", "0.001"), "no number of answers decides a difference of 0.001"),
        (("status", "{run}", "none.parquet", "--judgements", "none.parquet"), "no such file; write a plan"),
        (("add", "none.csv", "--judgements", "{run}/j.parquet"), "none.csv: no such file"),
    ],
)
def test_wrong_input_is_one_line(
    run: Path, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = arena_here("judge", *(one.replace("{run}", str(run)) for one in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()[-1:]) == 1


@pytest.mark.parametrize(
    ("again", "shown"),
    [
        (None, ""),
        (Forecast(700.4, 2_000.0), "macro F1 700; micro F1 2,000; this sizes the second wave"),
        (Forecast(170.0, 60.0), "macro F1 170; micro F1 60; the second wave asks for the 600 that metrics need"),
        (Forecast(700.0, math.inf), "micro F1 not with any number; the second wave keeps the number of before"),
    ],
)
def test_what_the_first_wave_says_of_the_second(
    again: Forecast | None, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"image_id": ["i"]})
    show_plan(WrittenPlan(Path("plan.parquet"), table, Forecast(650.0, 640.0), again, 2, 1), 0.01)
    text = " ".join(capsys.readouterr().out.split())
    assert "clear answers that show a true difference of 0.01 with 80 % power: macro F1 650; micro F1 640" in text
    assert shown in text
    assert ("by the answers of the first wave" in text) == (again is not None) == ("a forecast" not in text)
