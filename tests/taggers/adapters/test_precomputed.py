"""Scores from a file as a model of a run: found by image, checked before anything is computed."""

from pathlib import Path

import numpy as np
import pytest

from arena import taggers
from arena.base.errors import ArenaError, ScoresError
from arena.cards import find_model
from arena.pipeline import run as pipeline
from arena.pipeline.stages import Execution, Scoring
from arena.results.recipe import Sample, Settings
from arena.results.run_folder import read_result
from arena.scores.matrix import Matrix
from arena.scores.store import read_store
from arena.taggers.conformance import check

PLAIN = Scoring(Settings(replicates=0))

pytestmark = pytest.mark.usefixtures("no_page")

IDS = [f"{number:04d}" for number in range(40)]
TAGS = [f"tag_{number}" for number in range(12)]
VALUES = np.random.default_rng(3).random((40, 12), np.float32)


def write(path: Path, ids: list[str] = IDS, values: np.ndarray = VALUES, **more: np.ndarray) -> Path:
    np.savez(path, scores=values, tags=np.array(TAGS), image_ids=np.array(ids), **more)
    return path


def test_a_file_of_scores_runs_beside_a_network(joytag_folder: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(40)
    path = write(tmp_path / "s.npz", [IDS[row] for row in order], VALUES[order])
    models = [f"net={joytag_folder}", f"mine={path}"]
    folder = pipeline.run_benchmark(models, str(drawn_dataset), tmp_path / "run", scoring=PLAIN, sample=Sample(25, 4))
    seen = read_store(folder / "scores/mine")
    assert np.array_equal(seen.values.read(), VALUES[[IDS.index(name) for name in seen.image_ids]])
    facts = read_result(folder).run["models"]["mine"]
    assert (facts["adapter"], facts["precision"]) == ("precomputed", "of the file")


def test_another_file_is_scored_anew_and_the_same_one_is_not(drawn_dataset: Path, tmp_path: Path) -> None:
    for values in (VALUES, 1 - VALUES):
        path = write(tmp_path / "s.npz", values=values)
        folder = pipeline.run_benchmark([f"mine={path}"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN)
        assert np.array_equal(read_store(folder / "scores/mine").values.read(), values)


def test_an_earlier_runs_scores_enter_by_their_folder(drawn_dataset: Path, tmp_path: Path) -> None:
    first = pipeline.run_benchmark(
        [f"mine={write(tmp_path / 's.npz')}"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN
    )
    again = pipeline.run_benchmark(
        [f"old={first / 'scores/mine'}"], str(drawn_dataset), tmp_path / "again", scoring=PLAIN
    )
    assert np.array_equal(read_store(again / "scores/old").values.read(), VALUES)
    with pytest.raises(ArenaError, match="holds its scores and would be overwritten"):
        pipeline.run_benchmark(
            [f"mine={first / 'scores/mine'}"], str(drawn_dataset), first, execution=Execution(overwrite=True)
        )
    assert np.array_equal(read_store(first / "scores/mine").values.read(), VALUES), "nothing is lost"


def test_a_missing_image_is_one_line_before_anything_is_stored(drawn_dataset: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "s.npz", IDS[2:], VALUES[2:])
    with pytest.raises(ScoresError, match=r"mine: .*s\.npz has no scores for 2 of 40 images, the first is '0000'"):
        pipeline.run_benchmark([f"mine={path}"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN)
    assert not (tmp_path / "run/scores/mine").exists()


def test_an_image_that_cannot_be_read_needs_no_scores(drawn_dataset: Path, tmp_path: Path) -> None:
    (drawn_dataset / "images/0000.png").write_bytes(b"no image")
    path = write(tmp_path / "s.npz", IDS[1:], VALUES[1:])
    folder = pipeline.run_benchmark([f"mine={path}"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN)
    assert read_result(folder).summary["images"] == 39


def test_a_card_may_name_the_file_and_an_ensemble_may_take_it(
    joytag_folder: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    write(tmp_path / "models/mine/scores.npz")
    (tmp_path / "models/mine.toml").write_text(
        'name = "mine"\nadapter = "precomputed"\nfiles = ["scores.npz"]\n[thresholds]\ndefault = 0.7'
    )
    (tmp_path / "models/mix.toml").write_text('name = "mix"\nadapter = "ensemble"\nmembers = ["mine", "net"]')
    (tmp_path / "models/net.toml").write_text(
        f'name = "net"\nadapter = "joytag"\nfolder = "{joytag_folder}"\noutput = "logits"\n'
        'files = ["model.safetensors", "config.json", "top_tags.txt"]'
    )
    folder = pipeline.run_benchmark(
        ["mix", "mine", "net"], str(drawn_dataset), tmp_path / "run", execution=Execution(root=tmp_path)
    )
    mix, net = (read_store(folder / "scores" / name) for name in ("mix", "net"))
    mean = (VALUES + net.values.read()[:, [net.tags.index[name] for name in TAGS]]) / 2
    np.testing.assert_allclose(mix.values.read(), mean, atol=1e-6)
    assert read_result(folder).summary["models"]["mine"]["threshold"] == "0.7"


def test_there_is_no_adapter_to_check_and_no_pixel_to_score(tmp_path: Path) -> None:
    card = find_model(f"mine={write(tmp_path / 's.npz')}")
    with pytest.raises(ArenaError, match="there is no adapter to check"):
        list(check(card))
    with pytest.raises(ScoresError, match=r"looked up in s\.npz by image, not computed from pixels"):
        taggers.load(card).scores(np.zeros((1, 8, 8, 3), np.uint8))


def test_bad_files_are_one_line(drawn_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match=r"model mine: no file .*none\.npz; name an \.npz or \.parquet file of scores"):
        find_model(f"mine={tmp_path / 'none.npz'}")
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    with pytest.raises(ScoresError, match="not a readable npz file"):
        pipeline.run_benchmark([f"mine={tmp_path / 'bad.npz'}"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN)


def test_rows_are_taken_from_several_parts_in_any_order() -> None:
    matrix = Matrix((VALUES[:5], VALUES[5:6], VALUES[6:]))
    wanted = np.array([39, 0, 5, 6, 4, 5])
    assert np.array_equal(matrix.rows(wanted), VALUES[wanted])
