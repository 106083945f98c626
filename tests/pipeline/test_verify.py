"""Verification of a run detects any changed metric, score, export or dataset."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena import cli
from arena.base.errors import ArenaError
from arena.evaluate import Settings
from arena.pipeline import run as pipeline
from arena.pipeline.publish import image_ids_of, publish_exports
from arena.pipeline.stages import Scoring
from arena.pipeline.verify import verify_run
from arena.results.recipe import Sample
from arena.results.run_folder import read_result
from tests.cli.test_cli import npz_pair
from tests.conftest import forget_digests, without_plots

from ..conftest import Wd, write_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of a random network on a sample of a drawn dataset, and the dataset."""
    from ..conftest import GOLDEN

    place = tmp_path_factory.mktemp("made")
    folder = place / "tiny"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "top_tags.txt"):
        shutil.copy(GOLDEN / "joytag-ln-sine" / name, folder / name)
    dataset = write_dataset(place / "drawn")
    (dataset / "tag_groups.toml").write_text('[some]\ntags = ["tag_1*"]\n')
    scoring = Scoring(Settings(min_positives=3, replicates=20, seed=7), thresholds={"tiny": 0.47})
    with without_plots():
        run = pipeline.run_benchmark(
            [f"tiny={folder}"], str(dataset), place / "run", sample=Sample(30, 5), scoring=scoring
        )
    return run, dataset


@pytest.fixture
def run(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "run"))


def main(*arguments: object) -> int:
    try:
        cli.main([str(one) for one in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_a_run_and_its_forms_are_equal_to_what_its_scores_give(
    run: Path, made: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = tmp_path / "forms"
    assert main("publish", run, "--forms", forms) == 0
    assert len((forms / "validation_post_ids.txt").read_text().splitlines()) == 30
    assert main("publish", run, "--forms", forms, "--verify", "-d", made[1]) == 0
    assert f"{run}: equal;" in capsys.readouterr().out
    found = verify_run(run, forms=forms, dataset=str(made[1]))
    assert {"summary.json", "per_tag.parquet", "full-metrics/tiny.txt", "forms/tiny/results.json"} <= set(
        found.compared
    )


def change_summary(run: Path) -> None:
    content = json.loads((run / "summary.json").read_text())
    content["models"]["tiny"]["regimes"]["own"]["macro_f1"] += 1e-5
    (run / "summary.json").write_text(json.dumps(content))


def change_table(run: Path) -> None:
    table = pd.read_parquet(run / "per_tag.parquet")
    table.loc[4, "tp"] += 1
    table.to_parquet(run / "per_tag.parquet", index=False)


def change_scores(run: Path) -> None:
    path = run / "scores/tiny/00000.npy"
    scores = np.load(path)
    scores[3] = 1 - scores[3]
    np.save(path, scores)


def change_text(run: Path) -> None:
    path = run / "full-metrics/tiny.txt"
    path.write_text(path.read_text().replace("Precision: 0.", "Precision: 1.", 1))


def change_key(run: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    content["models"]["tiny"]["key"] = "f" * 64
    (run / "run.json").write_text(json.dumps(content))


def change_form(run: Path) -> None:
    path = run.parent / "forms/tiny/model-index.yaml"
    path.write_text(path.read_text().replace("value: 0.", "value: 0.9", 1))


def lose_form(run: Path) -> None:
    (run.parent / "forms/citation.bib").unlink()


FAULTS = {
    change_summary: "summary.json: models.tiny.regimes.own.macro_f1 is 0.",
    change_table: "per_tag.parquet: row 5 (tiny, tag_",
    change_text: "full-metrics/tiny.txt: line 2 is 'Precision: 1.",
    change_form: "forms/tiny/model-index.yaml: line",
    lose_form: "forms/citation.bib: missing",
}


@pytest.mark.parametrize(
    "faults",
    [FAULTS, {change_scores: "per_tag.parquet: row"}, {change_key: "but run.json has ffffffffffff"}],
    ids=["files", "scores", "key"],
)
def test_every_planted_fault_is_named_and_exits_with_1(
    faults: dict[Callable[[Path], None], str], run: Path, made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish_exports(run, run.parent / "forms")
    for change in faults:
        change(run)
    forget_digests(run)
    forms = () if change_key in faults else ("--forms", run.parent / "forms")  # forms need scores of the right key
    assert main("publish", run, *forms, "--verify", "-d", made[1]) == 1
    out = capsys.readouterr()
    assert [told for told in faults.values() if told not in out.out] == []
    assert "from its scores" in out.err


def test_another_dataset_exits_with_4(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_dataset(tmp_path / "other", seed=2)
    assert main("publish", run, "--verify", "-d", other) == 4
    assert "scored on drawn with digest" in capsys.readouterr().err


def test_other_tag_groups_are_asked_for(run: Path, made: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[other]\ntags = ["tag_2"]\n')
    with pytest.raises(ArenaError, match="found 1 tag groups, but the run was made with others"):
        verify_run(run, dataset=str(made[1]), tag_groups=tmp_path / "other.toml")
    assert verify_run(run, dataset=str(made[1]), tag_groups=made[1] / "tag_groups.toml").differences == []


def test_scores_of_files_are_verified_where_they_lie(
    tmp_path: Path, no_plots: None, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, truth = npz_pair(tmp_path)
    given = ["--scores", f"m={scores}"]
    assert main("score", *given, "--truth", truth, "--min-positives", 1, "--bootstrap", 10, "-o", tmp_path / "r") == 0
    assert main("publish", tmp_path / "r", "--verify") == 0, "the recipe names the files"
    moved = scores.rename(tmp_path / "moved.npz")
    assert main("publish", tmp_path / "r", "--verify") == 2
    assert "name them with --scores m=FILE" in capsys.readouterr().err
    assert main("publish", tmp_path / "r", "--verify", "--scores", f"m={moved}") == 0
    moved.rename(scores)
    assert image_ids_of(read_result(tmp_path / "r"), tmp_path / "r") is None
    with np.load(scores) as arrays:
        np.savez(tmp_path / "other.npz", **{**arrays, "scores": arrays["scores"] * np.float32(0.9)})
    assert main("publish", tmp_path / "r", "--verify", "-d", truth, "--scores", f"m={tmp_path / 'other.npz'}") == 1
    assert main("publish", tmp_path / "r", "--verify", "-d", scores, *given) in (2, 4)


def test_tags_with_thresholds_of_their_own_and_a_convention_are_computed_again_alike(
    onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, no_plots: None
) -> None:
    table = onnx_folder.folder / "selected_tags.csv"
    lines = table.read_text().splitlines()
    table.write_text(
        "\n".join([f"{lines[0]},best_threshold", *(f"{line},0.{30 + i}" for i, line in enumerate(lines[1:]))])
    )
    settings = Settings(min_positives=3, replicates=0, convention="smilingwolf")
    run = pipeline.run_benchmark(
        [f"wd={onnx_folder.folder}"], str(drawn_dataset), tmp_path / "run", scoring=Scoring(settings)
    )
    assert read_result(run).run["models"]["wd"]["thresholds"]["tags"]
    assert verify_run(run, dataset=str(drawn_dataset)).differences == []


def test_what_cannot_be_published_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("publish", run) == 2
    assert "give --to SITE, --forms FOLDER or --verify" in capsys.readouterr().err
    assert main("publish", run, run, "--verify") == 2
    assert main("publish", run, "--forms", tmp_path / "f", "-m", "tony") == 2
    assert "--model tony: no such model in the run. Did you mean tiny?" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()
