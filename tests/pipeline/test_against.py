"""`--against` on the command line: a leak is found and reported, and every unusable index is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.pipeline import notebook as api
from arena.results.run_folder import CONTAMINATION, read_result
from tests.cli.test_cli import arena, npz_pair
from tests.conftest import Wd, write_dataset
from tests.dataset.indexes import make_index, write_index

pytestmark = pytest.mark.usefixtures("no_plots")


class World:
    """A drawn dataset, scores of two models, one trained on the first ten images, and the index of these images."""

    def __init__(self, folder: Path) -> None:
        self.dataset, self.run = write_dataset(folder / "drawn"), folder / "run"
        self.images = pd.read_parquet(self.dataset / "images.parquet")
        hashes = [int(value, 16) for value in self.images["phash"]]
        unlike = [value ^ 0x0FF0_0000_0FF0_0000 for value in hashes[30:]]
        index = make_index(
            20, phash=hashes[:10] + unlike, digests={"sha256": [*self.images["sha256"][:4], *["0" * 64] * 16]}
        )
        self.index = write_index(folder / "train.parquet", index)
        tags = [f"tag_{number}" for number in range(12)]
        carried = np.array([[tag in names for tag in tags] for names in self.images["tags"]])
        rng = np.random.default_rng(0)
        guess = np.clip(0.3 + 0.3 * carried + rng.normal(0, 0.25, carried.shape), 0, 1).astype(np.float32)
        seen = guess.copy()
        seen[:10] = np.where(carried[:10], 0.95, 0.05)
        for name, scores in (("guess", guess), ("seen", seen)):
            np.savez(folder / f"{name}.npz", scores=scores, tags=tags, image_ids=self.images["image_id"].tolist())
        self.scores = [
            argument for name in ("seen", "guess") for argument in ("--scores", f"{name}={folder / name}.npz")
        ]

    def arguments(self, *more: object) -> list[object]:
        return ["score", *self.scores, "-d", self.dataset, "-o", self.run, "--bootstrap", 50, *more]


@pytest.fixture
def leak(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_leak_is_told_everywhere(leak: World, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = arena(*leak.arguments("--against", leak.index), capsys=capsys)
    assert code == 0, err
    plain = " ".join(out.split())
    found = "4 identical and 6 at distance 0 (<0.001 pairs expected by chance)."
    assert f"memory: 40 images were compared with train.parquet: {found}" in plain
    assert "memory: The lead of seen over guess in macro F1 is +" in plain
    assert "train.parquet: looking for 40 images among 20" in err
    run = json.loads((leak.run / "run.json").read_text())
    [index] = run["against"]
    assert (index["name"], index["images"], index["hashes"]) == ("train.parquet", 20, {"phash": "imagehash.phash/8x8"})
    assert f"|against:train.parquet@{index['digest'][:8]}|result:" in run["signature"]
    assert "Training images in this set" in (leak.run / "index.html").read_text()
    assert "## Training images in this set" in (leak.run / "summary.md").read_text()
    result = read_result(leak.run)
    table = result.tables[CONTAMINATION].query("first == 'seen' and second == 'guess' and figure == 'micro_f1'")
    assert table["images"].tolist() == [40, 36, 30, 30]
    assert table["value"].iloc[-1] == pytest.approx(0, abs=1e-12), "nobody saw the others"
    assert table["value"].iloc[0] > 0.02
    assert arena("report", leak.run, capsys=capsys)[0] == 0
    assert "Training images in this set" in (leak.run / "index.html").read_text()


def test_the_same_run_without_an_index_forgets_it(leak: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert arena(*leak.arguments("--against", leak.index), capsys=capsys)[0] == 0
    with_index = json.loads((leak.run / "summary.json").read_text())
    code, out, _ = arena(*leak.arguments("--overwrite"), capsys=capsys)
    assert (code, "memory:" in out, (leak.run / "contamination.parquet").exists()) == (0, False, False)
    run = json.loads((leak.run / "run.json").read_text())
    assert "against" not in run
    assert "against" not in run["signature"]
    plain = json.loads((leak.run / "summary.json").read_text())
    assert plain == {key: value for key, value in with_index.items() if key != CONTAMINATION}


def test_two_indexes_are_one_training_set(leak: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    more = make_index(2, phash=[int(value, 16) for value in leak.images["phash"][8:12]][:2])
    second = write_index(tmp_path / "more.parquet", more)
    assert arena(*leak.arguments("--against", leak.index, "--against", second), capsys=capsys)[0] == 0
    told = read_result(leak.run).summary[CONTAMINATION]
    assert [one["name"] for one in told["indexes"]] == ["train.parquet", "more.parquet"]
    assert [one["images"] for one in told["classes"]] == [4, 6, 0, 0]


def test_an_index_of_another_algorithm_exits_with_4_before_anything_is_scored(
    leak: World, onnx_folder: Wd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = leak.dataset / "dataset.toml"
    card.write_text('phash = "pdq/16x16"\n' + card.read_text())
    code, _, err = arena(*leak.arguments("--against", leak.index), capsys=capsys)
    assert code == 4
    assert "train.parquet: its phash is imagehash.phash/8x8, that of dataset drawn is pdq/16x16" in err
    run = ["run", "-m", f"wd={onnx_folder.folder}", "-d", leak.dataset, "-o", tmp_path / "r", "--against", leak.index]
    assert arena(*run, capsys=capsys)[0] == 4
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"PAR1" + bytes(200) + b"PAR1"])
def test_a_damaged_index_exits_with_2(leak: World, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    leak.index.write_bytes(content)
    code, _, err = arena(*leak.arguments("--against", leak.index), capsys=capsys)
    assert code == 2
    assert "train.parquet" in err
    assert "Traceback" not in err
    assert not (leak.run / "run.json").exists()


def test_a_missing_index_and_a_folder_exit_with_2(leak: World, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (leak.dataset, leak.dataset / "none.parquet"):
        code, _, err = arena(*leak.arguments("--against", path), capsys=capsys)
        assert code == 2
        assert f"--against {path}: no such file; name an index that arena hash wrote" in err


def test_a_truth_file_has_no_hashes(leak: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = npz_pair(tmp_path)
    code, _, err = arena(
        "score", "--scores", f"m={scores}", "--truth", truth, "-o", leak.run, "--against", leak.index, capsys=capsys
    )
    assert code == 2
    assert "a truth file has no hashes; give --dataset" in err


def test_a_model_run_is_held_against_an_index(leak: World, onnx_folder: Wd, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", "-m", f"wd={onnx_folder.folder}", "-d", leak.dataset, "-o", leak.run, "--min-positives", 1]
    code, out, err = arena(*run, "--bootstrap", 20, "--against", leak.index, "--limit", 30, capsys=capsys)
    assert code == 0, err
    told = read_result(leak.run).summary[CONTAMINATION]
    assert told["levels"][-1]["images"] + told["levels"][-1]["dropped"] == 30
    assert "memory: 30 images were compared with train.parquet" in " ".join(out.split())


def test_a_notebook_holds_scores_against_an_index_too(leak: World) -> None:
    files = {name: leak.run.parent / f"{name}.npz" for name in ("seen", "guess")}
    found = api.compare(files, leak.dataset, against=[leak.index], replicates=50)
    assert set(found.contamination["level"]) >= {"all images", "without identical"}
    with pytest.raises(ArenaError, match="a truth file has no hashes"):
        api.compare(files, api.read_truth(leak.dataset).truth, against=[leak.index], replicates=50)
