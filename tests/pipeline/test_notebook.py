"""The notebook interface: frames, arrays and files in, frames out."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import arena
from arena.base.errors import ArenaError
from arena.results.run_folder import read_result

pytestmark = pytest.mark.usefixtures("no_plots")

RNG = np.random.default_rng(5)
IDS = [f"i{n}" for n in range(80)]
TAGS = ["cat", "dog", "sun", "nan"]
TRUTH = pd.DataFrame(RNG.random((80, 4)) < 0.4, index=IDS, columns=TAGS)
GOOD = pd.DataFrame(np.clip(TRUTH * 0.5 + RNG.random((80, 4)) * 0.5, 0, 1), index=IDS, columns=TAGS)
POOR = pd.DataFrame(RNG.random((80, 4)), index=IDS, columns=TAGS)


def test_a_better_model_is_called_higher() -> None:
    found = arena.compare({"good": GOOD, "poor": POOR}, TRUTH, replicates=200)
    row = found.differences.query("slice == 'all' and regime == 'own' and figure == 'map'").iloc[0]
    assert row["higher"] == "good"
    assert row["low"] > 0
    board = found.leaderboard
    assert board.loc[("good", "own"), "macro_f1"] > board.loc[("poor", "own"), "macro_f1"]
    assert {"own", "macro_f1", "tag"} <= set(board.index.get_level_values("regime"))
    assert repr(found) == "Comparison(good vs poor: 80 images, 4 tags)"
    for shown in (found._repr_html_(), found._repr_markdown_()):
        assert all(words in shown for words in ("good", "rank 1", "mAP", "higher", "p (Holm)", "Of 4 tags"))
        assert len(shown) < 6_000


def test_one_model_without_resamples_is_shown_without_differences() -> None:
    found = arena.score(GOOD, TRUTH, name="b.1", replicates=0)
    assert repr(found) == "Comparison(b.1: 80 images, 4 tags)"
    assert "higher" not in found._repr_markdown_()
    assert "Point estimates" in found._repr_markdown_()


def test_frames_in_any_order_and_arrays_give_the_same() -> None:
    plain = arena.score(GOOD, TRUTH, replicates=0)
    shuffled = arena.score(GOOD.sample(frac=1, random_state=1)[TAGS[::-1]], TRUTH, replicates=0)
    assert plain.summary["models"]["model"]["regimes"] == shuffled.summary["models"]["model"]["regimes"]
    arrays = arena.score(GOOD.to_numpy(), TRUTH.to_numpy(), replicates=0)
    assert arrays.summary["models"]["model"]["regimes"] == plain.summary["models"]["model"]["regimes"]
    assert arena.score(GOOD.to_numpy(), TRUTH, replicates=0).per_tag["tag"].tolist() == TAGS


def test_files_and_a_run_folder(tmp_path: Path) -> None:
    axes = {"tags": np.array(TAGS), "image_ids": np.array(IDS)}
    np.savez(tmp_path / "s.npz", scores=GOOD.to_numpy(np.float32), **axes)
    np.savez(tmp_path / "t.npz", truth=TRUTH.to_numpy(), **axes)
    found = arena.score(tmp_path / "s.npz", tmp_path / "t.npz", threshold=0.6, replicates=50)
    assert found.per_tag["threshold"].tolist() == [np.float32(0.6)] * 4
    folder = found.save(tmp_path / "run")
    assert (folder / "index.html").exists()
    assert read_result(folder).summary == found.summary


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: arena.compare({}, TRUTH), "no scores"),
        (lambda: arena.score(GOOD, TRUTH, min_positive=3), "Did you mean min_positives"),
        (lambda: arena.score(GOOD, TRUTH, threshold=1.5), "0 to 1"),
        (lambda: arena.compare({"a": GOOD}, TRUTH, thresholds={"b": 0.5}), "b has no scores"),
        (lambda: arena.score(GOOD * 3, TRUTH), "does this model need a sigmoid"),
        (lambda: arena.score(GOOD, TRUTH * 2), "other than 0 and 1"),
        (lambda: arena.score(GOOD.iloc[:70], TRUTH), "no scores for 10 of 80 images"),
        (lambda: arena.score(pd.concat([GOOD, GOOD]), TRUTH), "listed twice"),
        (lambda: arena.score(np.zeros(3), TRUTH), "must be a matrix"),
        (lambda: arena.score(GOOD.add_prefix("x"), TRUTH), "none of its 4 tags"),
        (lambda: arena.score(GOOD, TRUTH.astype("boolean").replace({True: pd.NA})), "labels are missing .NaN or NA"),
        (lambda: arena.score(GOOD, TRUTH.astype(float).replace({1.0: np.nan})), "labels are missing .NaN or NA"),
        (lambda: arena.score(GOOD.astype(object).replace({GOOD.iloc[0, 0]: pd.NA}), TRUTH), "score nan of image"),
        (lambda: arena.score(GOOD.astype(str) + "x", TRUTH), "scores must be numbers"),
        (lambda: arena.compare(GOOD, TRUTH), "scores is a DataFrame; give a mapping"),
        (lambda: arena.compare([], TRUTH), "no scores"),
        (lambda: arena.compare(["a/s.npz", "b/s.npz"], TRUTH), "model 's' is listed twice"),
        (lambda: arena.compare([GOOD], TRUTH, thresholds=4), "model1 = 4.0; a threshold lies in 0 to 1"),
    ],
)
def test_bad_input_is_one_clear_line(call: object, words: str) -> None:
    with pytest.raises(ArenaError, match=words) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_lists_of_models_one_threshold_and_other_spellings() -> None:
    found = arena.compare([GOOD, GOOD.to_numpy()], TRUTH, thresholds=0.4, replicates=0)
    assert found.result.models == ["model1", "model2"]
    assert set(found.per_tag["threshold"]) == {np.float32(0.4)}
    spaced = TRUTH.rename(columns=dict(zip(TAGS, ["a b", "c&amp;d", "Ef", "g"], strict=True)))
    scores = GOOD.rename(columns=dict(zip(TAGS, ["a_b", "c&d", "ef", "g"], strict=True)))
    assert arena.score(scores, spaced, replicates=0).per_tag["truth_tag"].tolist() == ["a_b", "c&d", "Ef", "g"]
    nullable = arena.score(GOOD, TRUTH.astype("boolean"), replicates=0)
    assert nullable.summary["models"] == arena.score(GOOD, TRUTH, replicates=0).summary["models"]


def test_a_mistyped_table_is_suggested() -> None:
    found = arena.score(GOOD, TRUTH, replicates=0)
    with pytest.raises(AttributeError, match="Did you mean per_tag"):
        _ = found.per_tags
    assert "confusions" in dir(found)
    with pytest.raises(AttributeError, match="no attribute 'scor'"):
        _ = arena.scor


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, arena; print([m for m in ('numpy', 'pandas', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_answers_of_people_give_metrics_by_judged_truth(tmp_path: Path) -> None:
    """Every cell is answered as it is labelled, so judged truth is that of the labels."""
    images = [f"j{n}" for n in range(80)]
    both = {"good": pd.concat([GOOD, GOOD.set_axis(images)]), "poor": pd.concat([POOR, POOR.set_axis(images)])}
    labels = pd.concat([TRUTH, TRUTH.set_axis(images)])
    cells = labels.melt(ignore_index=False, var_name="tag", value_name="yes").rename_axis("image_id").reset_index()
    rows = cells.assign(
        answer=np.where(cells["yes"], "yes", "no"), judge="ann", time="t", inclusion_probability=1.0, plan="p"
    )
    rows.drop(columns="yes").to_csv(tmp_path / "answers.csv", index=False)
    found = arena.compare(both, labels, replicates=0, judgements=tmp_path / "answers.csv")
    own = found.summary["judged"]["models"]["good"]["regimes"]["own"]
    assert found.summary["judged"]["answers"] == 640
    assert own["micro_f1"] == pytest.approx(found.leaderboard.loc[("good", "own"), "micro_f1"], abs=1e-9)
    run = found.save(tmp_path / "run")
    assert read_result(run).summary["judged"]["answers"] == 640
    assert "judged" not in arena.score(GOOD, TRUTH, replicates=0).summary
    with pytest.raises(ArenaError, match=r"none\.csv: no such file"):
        arena.score(GOOD, TRUTH, replicates=0, judgements=[tmp_path / "none.csv"])
