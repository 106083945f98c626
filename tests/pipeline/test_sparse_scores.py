"""Scores of which only the high ones are stored: predicted, evaluated, compared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.pipeline.predict import predict_folder
from arena.pipeline.score import score_files
from arena.pipeline.stages import Scoring
from arena.results.recipe import Settings
from arena.results.run_folder import read_result
from arena.scores.cut import Selection
from arena.scores.high_scores import pack_scores, stored_high_scores
from arena.scores.npz import read_scores
from arena.scores.sparse import read_sparse, write_sparse
from arena.scores.store import ScoreStore
from tests.conftest import Wd, arena_here
from tests.pipeline.conftest import World

pytestmark = pytest.mark.usefixtures("no_plots")


def test_metrics_at_thresholds_above_the_stated_value_are_those_of_all_scores(world: World, tmp_path: Path) -> None:
    whole, cut = world.npz("a"), tmp_path / "a.parquet"
    write_sparse(cut, read_scores(whole), Selection(min_score=0.3))
    scoring = Scoring(Settings(replicates=0), thresholds={"a": 0.4})
    runs = [
        score_files({"a": path}, tmp_path / name, dataset=str(world.dataset), scoring=scoring)
        for name, path in (("whole", whole), ("cut", cut))
    ]
    by_all, by_cut = (read_result(run) for run in runs)
    for key in ("macro_f1", "micro_f1", "macro_precision", "macro_recall"):
        assert (
            by_cut.summary["models"]["a"]["regimes"]["own"][key] == by_all.summary["models"]["a"]["regimes"]["own"][key]
        )
    assert "cut" not in by_all.summary["models"]["a"]
    assert by_cut.summary["models"]["a"]["cut"]["complete_above"] == 0.3
    for report in ("index.html", "summary.md"):
        assert "thresholds above 0.3 are exact" in (runs[1] / report).read_text()


def test_predict_writes_high_scores_that_run_refuses(onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path) -> None:
    model, file = f"wd={onnx_folder.folder}", tmp_path / "wd.parquet"
    whole = arena_here("predict", "-m", model, "-d", drawn_dataset, "-o", tmp_path / "wd.npz")
    done = arena_here("predict", "-m", model, "-d", drawn_dataset, "-o", file, "--top-k", 3, "--min-score", 0.2)
    assert (whole.returncode, done.returncode) == (0, 0)
    assert "only the 3 highest scores of each image, if at least 0.2, are stored" in done.stdout
    dense, stored = read_scores(tmp_path / "wd.npz").values.read(), read_sparse(file).values.read()
    assert np.array_equal(stored[stored > 0], dense[stored > 0])
    assert ((stored > 0).sum(1) <= 3).all()
    done = arena_here("run", "-m", f"wd={file}", "-d", drawn_dataset, "-o", tmp_path / "run", "--bootstrap", 0)
    assert done.returncode == 2
    assert "evaluate them with arena score --scores wd=wd.parquet" in done.stderr


@pytest.mark.parametrize(("name", "option"), [("s.npz", ["--top-k", 3]), ("s.parquet", [])])
def test_the_suffix_must_fit_the_options(
    onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, name: str, option: list[object]
) -> None:
    done = arena_here("predict", "-m", f"wd={onnx_folder.folder}", "-d", drawn_dataset, "-o", tmp_path / name, *option)
    assert done.returncode == 2
    assert "a file of some scores ends in .parquet" in done.stderr


def test_the_parts_hold_high_scores_and_continue_to_the_same_bytes(
    onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.taggers.predict.SHARD_IMAGES", 8)
    model, chosen = f"wd={onnx_folder.folder}", Selection(2, 0.1)

    def predict(name: str, selection: Selection | None = chosen) -> Path:
        predict_folder(model, drawn_dataset / "images", tmp_path / name, selection=selection)
        return tmp_path / name

    from_whole = tmp_path / "whole.parquet"
    write_sparse(from_whole, read_scores(predict("whole.npz", None)), chosen)
    assert predict("once.parquet").read_bytes() == from_whole.read_bytes()

    write, left = ScoreStore.write, [2]

    def stopping(store: ScoreStore, *given: Any, **more: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(store, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(ScoreStore, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            predict("again.parquet")
    parts = sorted((tmp_path / "again.parquet.parts/wd").glob("*.npy"))
    assert [part.name for part in parts] == ["00000.npy", "00001.npy"]
    assert len(np.load(parts[0])) <= 2 * 8
    stamps = [part.stat().st_mtime_ns for part in parts]
    with monkeypatch.context() as patch:
        patch.setattr("arena.pipeline.predict.remove_scratch", lambda *given: None)
        assert predict("again.parquet").read_bytes() == from_whole.read_bytes()
        assert [part.stat().st_mtime_ns for part in parts] == stamps
        key = json.loads((parts[0].parent / "store.json").read_text())["key"]
        predict_folder(
            model, drawn_dataset / "images", tmp_path / "again.parquet", selection=Selection(3, 0.1)
        )  # other scores are stored
        assert json.loads((parts[0].parent / "store.json").read_text())["key"] != key


def test_a_shard_of_high_scores(tmp_path: Path) -> None:
    values = np.array([[0.9, 0.2, 0.5], [0.0, 0.1, 1.0000002]], np.float32)
    packed = pack_scores(values, Selection(2, 0.15))
    np.save(tmp_path / "s.npy", packed)
    stored = stored_high_scores(tmp_path / "s.npy", (2, 3))
    assert stored is not None
    assert np.array_equal(stored[0:2], np.array([[0.9, 0, 0.5], [0, 0, 1.0000002]], np.float32))
    assert np.array_equal(stored[1:], stored[0:2][1:])
    assert stored[2:2].shape == (0, 3)
    with pytest.raises(ValueError, match="a score is outside the 1 images and 3 tags"):
        stored_high_scores(tmp_path / "s.npy", (1, 3))
    np.save(tmp_path / "o.npy", values[0])
    assert stored_high_scores(tmp_path / "o.npy", (2, 3)) is None
