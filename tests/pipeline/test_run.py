"""All stages together, as on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena import taggers
from arena.base.errors import ArenaError, ScoresError
from arena.base.progress import Silent
from arena.cards import InputSpec, Preprocess, find_model
from arena.cli.terminal.summary import show_summary
from arena.evaluate import Settings
from arena.pipeline import run as pipeline
from arena.pipeline.predict import predict_folder
from arena.pipeline.report import rewrite_reports
from arena.pipeline.score import score_files
from arena.pipeline.stages import Compute, Execution, Scoring
from arena.report import html
from arena.results.recipe import Sample
from arena.results.run_folder import read_result
from arena.scores.matrix import Matrix
from arena.scores.npz import read_scores, write_scores
from arena.scores.store import read_store
from arena.taggers import predict as predict_module
from arena.tags.groups import TagGroup
from tests.conftest import GOLDEN, Wd, draw, write_dataset, write_once

CONTRACT = {
    "run.json", "summary.json", "per_tag.parquet", "sweep.parquet", "tag_sweep.parquet", "summary.md",
    "detailed_metrics.txt", "index.html", "full-metrics/tiny.txt", "full-metrics/wd.txt", "plots/sweep.svg",
    "plots/scatter.png", "scores/tiny/store.json", "scores/wd/00000.npy",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("no_page")


PLAIN = Settings(replicates=0)
"""Without intervals a run takes half the time."""

QUICK = Scoring(PLAIN)


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def models(joytag_folder: Path, onnx_folder: Wd) -> list[str]:
    return [f"tiny={joytag_folder}", f"wd={onnx_folder.folder}"]


def quick_run(models: list[str], dataset: Path, folder: Path) -> Path:
    """Write a run of the models; the same run is made once."""
    key = ("quick run", tuple(one.partition("=")[0] for one in models), html.render_comparison)
    return write_once(folder, key, lambda run: pipeline.run_benchmark(models, str(dataset), run, scoring=QUICK))


def save_nothing(figure: object, path: Path, *, title: str) -> list[Path]:
    """Write empty pictures; `tests/report/test_plots.py` looks at the real ones."""
    files = [path.with_name(f"{path.name}{kind}") for kind in (".svg", ".png")]
    for file in files:
        file.touch()
    return files


@pytest.mark.usefixtures("with_page", "with_plots")
def test_a_run_writes_every_file_of_the_contract_and_keeps_nothing_of_other_models(
    models: list[str], drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.report.plots.canvas.save", save_nothing)
    folder = pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=Scoring(Settings(min_positives=5, replicates=20))
    )
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written >= CONTRACT
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["images"] == 40
    assert summary["compared_tags"] == 7, "tag_0 2 4 6 8 10, and tag_1 by its alias"
    per_tag = pd.read_parquet(folder / "per_tag.parquet")
    assert per_tag[per_tag["model"] == "wd"]["truth_tag"].isin(per_tag[per_tag["compared"]]["truth_tag"]).sum() == 7
    run = json.loads((folder / "run.json").read_text())
    assert run["signature"].startswith("data:drawn@")
    assert set(run["models"]) == {"tiny", "wd"}

    assert {path.name.partition(".")[0] for path in (folder / "plots").iterdir()} == {
        f"{name}{suffix}" for name in ("leaderboard", "sweep", "scatter", "slices") for suffix in ("", "-dark")
    }
    monkeypatch.setattr("arena.report.plots.write_plots", lambda *given: [])
    again = Execution(overwrite=True)
    pipeline.run_benchmark(models[:1], str(drawn_dataset), folder, scoring=QUICK, execution=again)
    assert [path.name for path in (folder / "full-metrics").iterdir()] == ["tiny.txt"]
    assert not list((folder / "plots").iterdir())


def test_what_can_be_checked_is_checked_before_the_first_image(
    models: list[str], drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_dataset(tmp_path / "other", prefix="other")
    monkeypatch.setattr("arena.engines.shared.predict_scores", lambda *a, **k: pytest.fail("an image was scored"))

    def refused(words: str, dataset: Path = drawn_dataset, **settings: Any) -> None:
        scoring = Scoring(Settings(**settings))
        with pytest.raises(ArenaError, match=words) as raised:
            pipeline.run_benchmark(models, str(dataset), tmp_path / "run", scoring=scoring)
        assert raised.value.exit_code == 2
        assert not list((tmp_path / "run").glob("scores/*/*"))

    refused(r"tiny: none of its .* tags \(.*\) is in the ground truth, which has 12 tags \(other_0, ", other)
    refused(
        r"no tag has 10,000 positives or more: of the 7 common tags, .* lower --min-positives", min_positives=10_000
    )
    refused("--slices ratnig: the images have no such column. Did you mean rating", slices=("ratnig",))
    refused("--imply: the ground truth has no implications", imply=True)


def test_the_default_folder_is_named_after_what_differs() -> None:
    name = pipeline.run_name(["a"], "d", Sample(5, 1), Scoring(Settings(3, "joytag", 0, 1), {"a": 0.2}))
    assert name == "a-on-d-5-seed-1-a-0.2-min-positives-3-convention-joytag-bootstrap-0"
    assert pipeline.run_name(["a"], "d", scoring=Scoring(Settings(seed=4))) == "a-on-d-seed-4"
    sliced = {pipeline.run_name(["a"], "d", scoring=Scoring(Settings(slices=one))) for one in ((), ("rating",))}
    assert len(sliced | {pipeline.run_name(["a"], "d")}) == 3


def test_a_finished_run_is_scored_again_without_loading_a_model(
    models: list[str], drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_run(models, drawn_dataset, tmp_path / "run")
    first = (tmp_path / "run/summary.json").read_bytes()
    monkeypatch.setattr(taggers, "load", lambda *a, **k: pytest.fail("a model was loaded"))
    notes = Notes()
    pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=QUICK, execution=Execution(progress=notes)
    )
    assert (tmp_path / "run/summary.json").read_bytes() == first
    assert "tiny: all scores exist already" in notes.lines


def test_scores_are_made_again_when_weights_tags_images_or_precision_change(
    models: list[str], joytag_folder: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    quick_run(models, drawn_dataset, tmp_path / "run")
    tags = joytag_folder / "top_tags.txt"
    tags.write_text(tags.read_text().replace("tag_36", "tag_last"))
    notes = Notes()
    pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=QUICK, execution=Execution(progress=notes)
    )
    assert "wd: all scores exist already" in notes.lines
    assert "tiny: the stored scores are damaged, or of other weights, images or settings; scoring again" in notes.lines
    notes = Notes()
    pipeline.run_benchmark(
        models,
        str(drawn_dataset),
        tmp_path / "run",
        scoring=QUICK,
        execution=Execution(progress=notes, compute=Compute(precision="bf16")),
    )
    assert "tiny: the stored scores are damaged, or of other weights, images or settings; scoring again" in notes.lines
    notes = Notes()
    pipeline.run_benchmark(
        models,
        str(drawn_dataset),
        tmp_path / "run",
        scoring=QUICK,
        execution=Execution(progress=notes, overwrite=True),
        sample=Sample(limit=30),
    )
    assert "wd: the stored scores are damaged, or of other weights, images or settings; scoring again" in notes.lines


@pytest.mark.parametrize(
    "change", [{"preprocess": Preprocess(64, resize="lanczos")}, {"input": InputSpec("bgr")}, {"output": "x"}]
)
def test_the_identity_of_scores_covers_preprocessing_and_input(joytag_folder: Path, change: dict) -> None:
    card = find_model(f"x={joytag_folder}")
    assert taggers.identify(card) != taggers.identify(replace(card, **change))


def test_the_identity_of_scores_covers_the_adapters_version(
    joytag_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = find_model(f"x={joytag_folder}")
    before = taggers.identify(card)
    monkeypatch.setattr(taggers, "ADAPTER_VERSION", taggers.ADAPTER_VERSION + 1)
    assert taggers.identify(card) != before


def test_a_mended_image_is_scored_at_last(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    path = drawn_dataset / "images/0005.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:80])
    pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    path.write_bytes(whole)
    folder = pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    assert json.loads((folder / "summary.json").read_text())["images"] == 40


@pytest.mark.usefixtures("with_page")
def test_a_run_stopped_while_it_writes_reports_keeps_its_figures_and_no_page_of_an_earlier_one(
    models: list[str], drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = quick_run(models, drawn_dataset, tmp_path / "run")
    with monkeypatch.context() as stopped:
        stopped.setattr("arena.report.html.render_comparison", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pipeline.run_benchmark(
                models,
                str(drawn_dataset),
                folder,
                scoring=Scoring(PLAIN, thresholds={"tiny": 0.9}),
                execution=Execution(overwrite=True),
            )
    assert not (folder / "index.html").exists()
    assert json.loads((folder / "summary.json").read_text())["models"]["tiny"]["threshold"] == "0.9"
    rewrite_reports(folder)
    assert "&gt;=0.9" in (folder / "index.html").read_text(encoding="utf-8")


def test_the_signature_pins_scores_and_thresholds(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    predict_folder(models[0], drawn_dataset / "images", tmp_path / "s.npz")
    scores = read_scores(tmp_path / "s.npz")
    write_scores(tmp_path / "t.npz", replace(scores, values=Matrix.of(scores.values.read() * np.float32(0.5))))

    def signature(name: str, threshold: float) -> str:
        how = Scoring(PLAIN, thresholds={"m": threshold})
        run = tmp_path / f"{name}-{threshold}"
        folder = score_files({"m": tmp_path / name}, run, dataset=str(drawn_dataset), scoring=how)
        return json.loads((folder / "run.json").read_text())["signature"]

    assert len({signature("s.npz", 0.4), signature("t.npz", 0.4), signature("s.npz", 0.6)}) == 3
    assert signature("s.npz", 0.4) == signature("s.npz", 0.4)


def test_predict_then_score_agree_on_an_unreadable_image(
    models: list[str], drawn_dataset: Path, tmp_path: Path
) -> None:
    (drawn_dataset / "images/0007.png").write_bytes(b"broken")
    predict_folder(models[0], drawn_dataset / "images", tmp_path / "s.npz")
    folder = score_files({"m": tmp_path / "s.npz"}, tmp_path / "run", dataset=str(drawn_dataset), scoring=QUICK)
    assert json.loads((folder / "summary.json").read_text())["images"] == 39


def test_stored_scores_can_be_scored_again_without_the_model_and_give_the_same(
    models: list[str], drawn_dataset: Path, tmp_path: Path
) -> None:
    run = pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=Scoring(PLAIN, thresholds={"tiny": 0.4, "wd": 0.4})
    )
    stored = {name: run / "scores" / name for name in ("tiny", "wd")}
    again = score_files(
        stored,
        tmp_path / "again",
        dataset=str(drawn_dataset),
        scoring=Scoring(PLAIN, thresholds={"tiny": 0.4, "wd": 0.4}),
    )
    first, second = (json.loads((folder / "summary.json").read_text()) for folder in (run, again))
    for summary in (first, second):
        for model in summary["models"].values():
            model.pop("title")
    assert first == second
    assert (run / "full-metrics/wd.txt").read_bytes() == (again / "full-metrics/wd.txt").read_bytes()


def test_predict_writes_scores_that_score_takes(joytag_folder: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    scores = predict_folder(f"tiny={joytag_folder}", drawn_dataset / "images", tmp_path / "out/s.npz")
    back = read_scores(tmp_path / "out/s.npz")
    assert back.image_ids == tuple(f"{i:04d}" for i in range(40))
    assert np.array_equal(back.values.read(), scores.values.read())
    assert not list((tmp_path / "out").glob("*.parts"))
    run = quick_run([f"tiny={joytag_folder}"], drawn_dataset, tmp_path / "run")
    again = score_files({"tiny": tmp_path / "out/s.npz"}, tmp_path / "again", dataset=str(drawn_dataset), scoring=QUICK)
    assert (run / "full-metrics/tiny.txt").exists()
    assert pd.read_parquet(run / "per_tag.parquet")["ap"].equals(pd.read_parquet(again / "per_tag.parquet")["ap"])


def test_predict_tells_whose_output_was_never_checked(joytag_folder: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    class Notes(Silent):
        def __init__(self) -> None:
            self.told: list[str] = []

        def note(self, text: str) -> None:
            self.told.append(text)

    folder = "mine: a folder without a card, read with the preprocessing and thresholds of joytag"
    for model, caution in ((f"mine={joytag_folder}", folder), ("joytag-demo", None)):
        notes = Notes()
        predict_folder(model, drawn_dataset / "images", tmp_path / "s.npz", limit=2, progress=notes)
        assert notes.told[0] == caution if caution else not any("without a card" in note for note in notes.told)
        assert not any("unverified" in note for note in notes.told)


def test_truncated_images_are_skipped_counted_and_named(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    images = tmp_path / "pictures"
    images.mkdir()
    for i in range(3):
        draw(i).save(images / f"{i}.png")
    (images / "1.png").write_bytes((images / "1.png").read_bytes()[:90])
    scores = predict_folder(models[0], images, tmp_path / "s.npz")
    assert scores.image_ids == ("0", "2")
    assert "truncated" in scores.skipped["1"]
    for path in images.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(ScoresError, match="none of 3 images could be read; the first, 0: not an image"):
        predict_folder(models[0], images, tmp_path / "t.npz")


@pytest.mark.usefixtures("with_page")
def test_a_broken_frozen_image_is_left_out_for_every_model(
    models: list[str], drawn_dataset: Path, tmp_path: Path
) -> None:
    (drawn_dataset / "images/0005.png").write_bytes(b"broken")
    folder = pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    assert json.loads((folder / "summary.json").read_text())["images"] == 39
    assert list(json.loads((folder / "run.json").read_text())["skipped"]) == ["0005"]
    assert "0005" in (folder / "index.html").read_text()


def test_thresholds_come_from_option_card_or_default(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    folder = pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=Scoring(PLAIN, thresholds={"wd": 0.2})
    )
    summary = json.loads((folder / "summary.json").read_text())["models"]
    assert (summary["tiny"]["threshold"], summary["tiny"]["threshold_source"]) == ("0.4", "family")
    assert (summary["wd"]["threshold"], summary["wd"]["threshold_source"]) == ("0.2", "option")
    stored = score_files({"own": folder / "scores/tiny"}, tmp_path / "s", dataset=str(drawn_dataset), scoring=QUICK)
    model = json.loads((stored / "summary.json").read_text())["models"]["own"]
    assert (model["threshold"], model["threshold_source"]) == ("0.5", "default")


def give_own_thresholds(wd: Wd, values: dict[str, str]) -> None:
    """Write thresholds as animetimm does: a column next to the tags, and a file of categories."""
    path = wd.folder / "selected_tags.csv"
    header, *rows = path.read_text().splitlines()
    lines = [f"{header},best_threshold", *(f"{row},{values.get(row.split(',')[1], '')}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.usefixtures("with_page")
def test_thresholds_of_single_tags_go_from_file_to_page(
    models: list[str], onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {f"tag_{i}": f"0.{i + 11}" for i in range(0, 37, 2)}
    give_own_thresholds(onnx_folder, own)
    folder = pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=Scoring(Settings(min_positives=5))
    )
    model = json.loads((folder / "summary.json").read_text())["models"]["wd"]
    told = "0.35, character 0.85, 19 set per tag"
    assert (model["threshold"], model["threshold_source"]) == (told, "file")
    rows = read_result(folder).tags_of("wd").set_index("tag")
    assert rows["threshold"].astype(str).to_dict() == {
        name: own.get(name, "0.85") for name in ("tag_0", "tag_2", "tag_4", "tag_6", "tag_8", "tag_10", "tag_one")
    }
    scores, kept = read_store(folder / "scores/wd"), json.loads((folder / "run.json").read_text())
    column = scores.values.read()[:, scores.tags.index["tag_4"]]
    assert rows.loc["tag_4", ["tp", "fp"]].sum() == (column >= np.float32(0.15)).sum()
    facts = kept["models"]["wd"]["thresholds"]
    assert (facts["source"], facts["default"], facts["categories"], facts["tags"]) == (
        "file",
        0.35,
        {"character": 0.85},
        19,
    )
    assert "tag_4" not in json.dumps(kept["models"]), "the thresholds themselves stand in per_tag.parquet"
    show_summary(folder)
    shown = {"page": (folder / "index.html").read_text(), "text": (folder / "summary.md").read_text()}
    assert "<small>19 set per tag</small><small>from its files</small>" in shown["page"]
    assert [place for place, text in shown.items() if told not in text] == []
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("labels: All metrics are by recorded labels") for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("wd"))
    assert lines[at].split()[1] == "0.35"
    assert lines[at + 1].split()[:2] == ["character", "0.85"]
    assert lines[at + 2].strip() == "19 set per tag"


def test_thresholds_of_single_tags_stand_in_a_card_too_and_what_is_unverified_is_told(
    models: list[str], onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = onnx_folder.folder / "card.toml"
    files = (
        'files = ["model.onnx", "selected_tags.csv"]\n[preprocess]\nsize = 64\n[input]\nchannels = "bgr"\nscale = 1\n'
    )
    card.write_text(f'name = "x"\nadapter = "onnx"\nverified = true\n{files}[thresholds.tags]\ntag_0 = 0.01\n')
    folder = pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    model = json.loads((folder / "summary.json").read_text())["models"]["wd"]
    assert (model["threshold"], model["threshold_source"]) == ("0.5, 1 set per tag", "card")
    found = read_result(folder).tags_of("wd").set_index("tag")["threshold"]
    assert (found["tag_0"], found["tag_2"]) == (np.float32(0.01), 0.5)
    show_summary(folder)
    for text in (capsys.readouterr().out, (folder / "summary.md").read_text()):
        assert "Folders without a card, read with the settings of their family: tiny (joytag)." in text
        assert "nverified" not in text, "the folder has no authors to compare with"
    facts = json.loads((folder / "run.json").read_text())["models"]["tiny"]
    assert (facts["verified"], facts["family"]) == (None, "joytag")
    assert json.loads((folder / "summary.json").read_text())["models"]["tiny"]["threshold_source"] == "family"
    card.write_text(card.read_text().replace("tag_0 =", "tag_1000 ="))
    with pytest.raises(ArenaError, match=r"model wd: its card has a threshold for 'tag_1000', which is not"):
        pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run2")


def test_an_option_replaces_the_thresholds_of_all_tags(
    models: list[str], onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path
) -> None:
    give_own_thresholds(onnx_folder, {"tag_0": "0.01", "tag_one": "0.02"})
    folder = pipeline.run_benchmark(
        models, str(drawn_dataset), tmp_path / "run", scoring=Scoring(PLAIN, thresholds={"wd": 0.2})
    )
    model = json.loads((folder / "summary.json").read_text())["models"]["wd"]
    assert (model["threshold"], model["threshold_source"]) == ("0.2", "option")
    assert set(read_result(folder).tags_of("wd")["threshold"]) == {np.float32(0.2)}


def test_a_wrong_threshold_in_a_models_file_is_told_before_any_image_is_scored(
    models: list[str], onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path
) -> None:
    give_own_thresholds(onnx_folder, {"tag_0": "1.01"})
    with pytest.raises(
        ArenaError, match=r"selected_tags.csv: the threshold of tag 'tag_0' is '1.01'; it must lie in 0 to 1"
    ):
        pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=QUICK)
    assert not (tmp_path / "run/scores").exists()


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        (Scoring(PLAIN, thresholds={"tiny": 1.2}), "a threshold lies in 0 to 1"),
        (Scoring(PLAIN, thresholds={"tyni": 0.5}), "no model of this run. Did you mean tiny"),
    ],
)
def test_wrong_thresholds_are_refused_before_any_work(
    models: list[str], drawn_dataset: Path, tmp_path: Path, scoring: Scoring, message: str
) -> None:
    with pytest.raises(ArenaError, match=message):
        pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=scoring)
    assert not (tmp_path / "run").exists()


def test_an_output_that_cannot_be_written_is_one_line(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArenaError, match=r"cannot be written .*; name another"):
        pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "file" / "run")


@pytest.mark.usefixtures("with_page")
def test_reports_can_be_rendered_again(models: list[str], drawn_dataset: Path, tmp_path: Path) -> None:
    folder = quick_run(models, drawn_dataset, tmp_path / "run")
    page = (folder / "index.html").read_text()
    (folder / "index.html").unlink()
    rewrite_reports(folder)
    assert (folder / "index.html").read_text() == page


def npz_pair(folder: Path) -> tuple[Path, Path]:
    """Scores and truth of forty images and three tags."""
    rng = np.random.default_rng(0)
    labels, ids, tags = (
        rng.random((40, 3)) < 0.5,
        np.array([str(i) for i in range(40)]),
        np.array(["cat", "dog", "sun"]),
    )
    np.savez(folder / "t.npz", truth=labels, tags=tags, image_ids=ids)
    scores = np.clip(labels * 0.5 + rng.random((40, 3)) * 0.6, 0, 1).astype(np.float32)
    np.savez(folder / "s.npz", scores=scores, tags=tags, image_ids=ids)
    return folder / "s.npz", folder / "t.npz"


def groups_of(folder: Path) -> dict[str, int]:
    table = read_result(folder).tables["slices"].query("slice == 'group'")
    return dict(zip(table["value"], table["tags"], strict=True))


def test_tag_groups_come_from_the_option_else_from_beside_the_truth_else_from_the_project(tmp_path: Path) -> None:
    data, other, root = tmp_path / "data", tmp_path / "other.toml", tmp_path / "root"
    data.mkdir()
    scores, truth = npz_pair(data)

    def found(scoring: Scoring) -> dict[str, int]:
        folder = score_files(
            {"m": scores},
            tmp_path / "run",
            truth=truth,
            scoring=scoring,
            execution=Execution(root=root, overwrite=True),
        )
        return groups_of(folder)

    (root / "datasets").mkdir(parents=True)
    (root / "datasets/tag_groups.toml").write_text('[everything]\ntags = ["*"]\n')
    assert found(Scoring(PLAIN)) == {"everything": 3}
    (data / "tag_groups.toml").write_text('[animals]\ntags = ["cat", "dog"]\n')
    assert found(Scoring(PLAIN)) == {"animals": 2}
    other.write_text('[sky]\ntitle = "The sky"\ntags = ["sun", "moon"]\n[none]\ntags = ["moon"]\n')
    assert found(Scoring(PLAIN, tag_groups=other)) == {"sky": 1}, "a group without a compared tag is no slice"
    with pytest.raises(ArenaError, match=r"nowhere\.toml: cannot be read"):
        found(Scoring(PLAIN, tag_groups=tmp_path / "nowhere.toml"))


def test_tag_groups_of_the_settings_come_on_top(tmp_path: Path) -> None:
    scores, truth = npz_pair(tmp_path)
    (tmp_path / "tag_groups.toml").write_text('[animals]\ntags = ["cat", "dog"]\n')
    own = Settings(replicates=0, tag_groups=[TagGroup("sky", "Sky", "", ("sun",))])
    folder = score_files({"m": scores}, tmp_path / "run", truth=truth, scoring=Scoring(own))
    assert groups_of(folder) == {"sky": 1, "animals": 2}


def test_what_the_settings_say_reaches_the_run_folder(drawn_dataset: Path, joytag_folder: Path, tmp_path: Path) -> None:
    settings = Settings(3, "animetimm", replicates=20, seed=5, slices=("rating", "width"))
    folder = pipeline.run_benchmark(
        [f"m={joytag_folder}"], str(drawn_dataset), tmp_path / "run", scoring=Scoring(settings)
    )
    result = read_result(folder)
    summary = result.summary
    assert (summary["min_positives"], summary["convention"], summary["replicates"]) == (3, "animetimm", 20)
    assert set(result.tables["slices"]["slice"]) == {"all", "category", "support"}, (
        "all images are rated and sized alike"
    )
    assert result.run["signature"].count("animetimm") == 1
    again = score_files(
        {"m": folder / "scores/m"}, tmp_path / "b", dataset=str(drawn_dataset),
        scoring=Scoring(replace(settings, seed=6), thresholds={"m": 0.4}),
    )  # fmt: skip
    own, other = (one["models"]["m"]["regimes"]["own"] for one in (summary, read_result(again).summary))
    assert own["macro_f1"] == other["macro_f1"]
    assert own["macro_f1_low"] != other["macro_f1_low"], "another seed"


def test_duplicates_of_a_dataset_are_one_cluster(drawn_dataset: Path, joytag_folder: Path, tmp_path: Path) -> None:
    path = drawn_dataset / "images.parquet"
    images = pd.read_parquet(path)
    images.assign(group=[str(n // 4) for n in range(40)]).to_parquet(path)
    folder = pipeline.run_benchmark(
        [f"m={joytag_folder}"], str(drawn_dataset), tmp_path / "run", scoring=Scoring(Settings(replicates=5))
    )
    assert read_result(folder).summary["clusters"] == 10


SLOW_RUN = """
import sys, time
from arena.taggers import predict
from arena import cli
predict.SHARD_IMAGES = 4
write = predict.ScoreStore.write
def slow(*arguments, **named):
    write(*arguments, **named)
    time.sleep(0.1)
predict.ScoreStore.write = slow
cli.main(sys.argv[1:])
"""


def test_a_killed_run_continues_and_equals_an_undisturbed_one(
    models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wd, dataset, folder = models[1:], write_dataset(tmp_path / "many"), tmp_path / "killed"
    command = ["run", "-m", *wd, "-d", str(dataset), "-o", str(folder), "--device", "cpu", "--bootstrap", "0"]
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, *command], stderr=subprocess.PIPE)
    finished = lambda: sorted((folder / "scores").glob("*/0*.json"))  # noqa: E731
    deadline = time.monotonic() + 120
    while len(finished()) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    times = {path: path.stat().st_mtime_ns for path in finished()}
    assert 3 <= len(times) < 10, "killed in the middle"
    assert not (folder / "run.json").exists()

    monkeypatch.setattr(predict_module, "SHARD_IMAGES", 4)
    here = Execution(compute=Compute(device="cpu"))
    pipeline.run_benchmark(wd, str(dataset), folder, scoring=QUICK, execution=here)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in times.items()), "finished shards are kept"
    whole = pipeline.run_benchmark(wd, str(dataset), tmp_path / "whole", scoring=QUICK, execution=here)
    for name in ("summary.json", "full-metrics/wd.txt", "detailed_metrics.txt"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    for name in ("per_tag", "sweep", "tag_sweep"):
        assert pd.read_parquet(folder / f"{name}.parquet").equals(pd.read_parquet(whole / f"{name}.parquet"))


@pytest.mark.gpu
def test_half_precision_on_cuda_is_near_the_cpu(drawn_dataset: Path, tmp_path: Path) -> None:
    spec = f"m={GOLDEN / 'joytag-cnn-sine'}"
    cpu, cuda = (
        predict_folder(spec, drawn_dataset / "images", tmp_path / f"{device}.npz", compute=Compute(device))
        for device in ("cpu", "cuda")
    )
    assert np.abs(cpu.values.read() - cuda.values.read()).max() < 5e-3
