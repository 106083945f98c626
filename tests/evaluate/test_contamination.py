"""What goes with the images of the training data: a planted leak, no leak, nothing but a leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.contamination import BAND_CLASSES, CONTAMINATION_CLASSES, Contamination
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.aggregate import Aggregates, Target
from arena.evaluate.contamination import ALL_IMAGES_LEVEL, contamination_table
from arena.metrics.intervals import resampled_interval
from arena.metrics.registry import AGGREGATES
from arena.results.run_folder import CONTAMINATION, Result, read_result, write_result

from .test_slices import images_where
from .worlds import assert_same, assert_same_tables, entry, world

SETTINGS = Settings(0, replicates=200)
LEVELS = [ALL_IMAGES_LEVEL, "without identical", "without distance <= 4", "without distance <= 8"]


def contamination_of(truth: Truth, **counts: int) -> Contamination:
    """The first images identical, the next at distance 0, and so on."""
    place = np.full(len(truth.image_ids), len(CONTAMINATION_CLASSES))
    names = {"identical": "identical", "zero": BAND_CLASSES[0], "close": BAND_CLASSES[1], "far": BAND_CLASSES[2]}
    start = 0
    for name, count in counts.items():
        place[start : start + count] = CONTAMINATION_CLASSES.index(names[name])
        start += count
    facts = {"name": "train.parquet", "digest": "d" * 64, "images": 9, "hashes": {}, "digests": []}
    chance = dict.fromkeys(BAND_CLASSES, 0.5)
    untold = np.zeros(len(place), np.bool_)
    return Contamination(truth.image_ids, place, untold, ("identical", *BAND_CLASSES), chance, (facts,))


def leaked(truth: Truth, honest: Entry, known: Contamination) -> Entry:
    """The honest model's twin that has seen the images of the training data, and answers them from memory."""
    scores = honest.scores.values.read().copy()
    seen = known.place < len(CONTAMINATION_CLASSES)
    scores[seen] = np.where(truth.values.toarray()[seen], 0.99, 0.01)
    return entry("leaked", truth.image_ids, truth.tags.names, scores, honest.thresholds)


@pytest.fixture(scope="module")
def leak() -> Result:
    truth, [_, honest] = world()
    known = contamination_of(truth, identical=20, zero=10, close=20, far=10)
    return evaluate(truth, [leaked(truth, honest, known), honest], SETTINGS, against=known)


def test_values_without_bias_are_those_of_the_leaderboard_and_their_changes_add_up(leak: Result) -> None:
    own = leak.summary["models"]["leaked"]["regimes"]["own"]
    for figure in ("macro_f1", "micro_f1", "map"):
        rows = rows_of(leak, "leaked", figure=figure)
        assert rows["corrected"][ALL_IMAGES_LEVEL] == pytest.approx(own[f"{figure}_corrected"])
        assert ((rows["low"] <= rows["corrected"]) & (rows["corrected"] <= rows["high"])).all()
        moved = rows["corrected"][ALL_IMAGES_LEVEL] - rows["corrected"]
        inside = (rows["corrected"] > 0) & (rows["corrected"] < 1)
        assert moved[inside].to_numpy() == pytest.approx(rows["change_corrected"][inside].to_numpy())
    lead = rows_of(leak, "leaked", leak.models[1])
    assert (lead["corrected"] == lead["value"]).all(), "the biases of two models cancel"


def rows_of(result: Result, first: str, second: str = "", figure: str = "macro_f1") -> pd.DataFrame:
    table = result.tables[CONTAMINATION]
    rows = table[(table["first"] == first) & (table["second"] == second) & (table["figure"] == figure)]
    return rows.set_index("level")


@pytest.mark.parametrize("figure", AGGREGATES)
def test_a_model_that_remembers_loses_exactly_there(leak: Result, figure: str) -> None:
    own, other, lead = (rows_of(leak, *who, figure=figure) for who in (("leaked",), ("poor",), ("leaked", "poor")))
    assert list(lead.index) == LEVELS
    assert lead["images"].tolist() == [240, 220, 190, 180]
    assert lead["dropped"].tolist() == [0, 20, 50, 60]
    assert lead["value"].is_monotonic_decreasing
    clean = lead.loc[LEVELS[-1]]
    assert clean["value"] == clean["low"] == clean["high"] == 0, "on images that neither saw they are the same model"
    assert clean["change"] == lead["value"][ALL_IMAGES_LEVEL] > 0.02
    assert clean["change_low"] > 0
    assert own["change_low"][LEVELS[-1]] > 0
    assert other["change_low"][LEVELS[-1]] < 0 < other["change_high"][LEVELS[-1]]
    assert own["value"][LEVELS[-1]] == other["value"][LEVELS[-1]]
    np.testing.assert_allclose(own["change"] - other["change"], lead["change"], atol=1e-12)
    np.testing.assert_allclose(lead["value"] + lead["change"], lead["value"][ALL_IMAGES_LEVEL], atol=1e-12)


def test_the_clean_figures_are_those_of_the_clean_images_alone(leak: Result) -> None:
    truth, models = world()
    known = contamination_of(truth, identical=20, zero=10, close=20, far=10)
    models = [leaked(truth, models[1], known), models[1]]
    for level in known.levels:
        alone = evaluate(*images_where(truth, models, level.kept), replace(SETTINGS, replicates=0))
        for model in ("leaked", "poor"):
            own = alone.summary["models"][model]["regimes"]["own"]
            for figure in AGGREGATES:
                assert rows_of(leak, model, figure=figure)["value"][level.name] == pytest.approx(own[figure], abs=1e-12)


def test_levels_are_slices_with_tests_like_any_other(leak: Result) -> None:
    slices, tested = leak.tables["slices"], leak.tables["differences"]
    assert slices.query("slice == 'contamination'")["value"].unique().tolist() == LEVELS[1:]
    pairs = tested.query("slice == 'contamination' and figure == 'map'").set_index("value")
    np.testing.assert_allclose(pairs["difference"], rows_of(leak, "leaked", "poor", "map")["value"][1:], atol=1e-12)
    np.testing.assert_allclose(pairs["low"], rows_of(leak, "leaked", "poor", "map")["low"][1:], atol=1e-12)
    assert pairs["higher"].tolist() == ["leaked", "undetermined", "undetermined"]


def test_the_summary_counts_images_by_class_and_says_what_chance_gives(leak: Result) -> None:
    told = leak.summary[CONTAMINATION]
    assert told["classes"] == [
        {"class": "identical", "images": 20, "chance_pairs": None},
        {"class": "distance 0", "images": 10, "chance_pairs": 0.5},
        {"class": "distance 1-4", "images": 20, "chance_pairs": 0.5},
        {"class": "distance 5-8", "images": 10, "chance_pairs": 0.5},
    ]
    assert [(one["level"], one["images"], one["dropped"]) for one in told["levels"]] == [
        ("without identical", 220, 20), ("without distance <= 4", 190, 50), ("without distance <= 8", 180, 60),
    ]  # fmt: skip
    assert (told["radius"], told["untold"], told["indexes"][0]["name"]) == (8, 0, "train.parquet")


def test_without_a_training_image_every_level_is_all_images() -> None:
    truth, models = world()
    plain, held = evaluate(truth, models, SETTINGS), evaluate(truth, models, SETTINGS, against=contamination_of(truth))
    table = held.tables[CONTAMINATION]
    assert len(table) == 4 * 3 * len(AGGREGATES)
    assert (table[["change", "change_low", "change_high", "dropped"]] == 0).all(axis=None)
    assert table.groupby(["first", "second", "figure"])["value"].nunique().eq(1).all()
    assert set(plain.summary) == set(held.summary) - {CONTAMINATION}
    assert_same(plain.summary, {key: value for key, value in held.summary.items() if key != CONTAMINATION})
    rest = {name: one for name, one in held.tables.items() if name != CONTAMINATION}
    assert_same_tables(plain, replace(held, tables=rest))


def test_holding_against_an_index_moves_no_figure_of_the_whole(leak: Result) -> None:
    truth, [_, honest] = world()
    known = contamination_of(truth, identical=20, zero=10, close=20, far=10)
    plain = evaluate(truth, [leaked(truth, honest, known), honest], SETTINGS)
    assert_same(plain.summary, {key: value for key, value in leak.summary.items() if key != CONTAMINATION})


def test_where_no_image_is_clean_nothing_is_said_of_clean_ones() -> None:
    truth, models = world(60)
    held = evaluate(truth, models, SETTINGS, against=contamination_of(truth, identical=60))
    table = held.tables[CONTAMINATION]
    empty = table[table["level"] != ALL_IMAGES_LEVEL]
    assert empty[["value", "low", "high", "change", "change_low", "change_high"]].isna().all(axis=None)
    assert (empty["images"] == 0).all()
    assert table[table["level"] == ALL_IMAGES_LEVEL]["value"].notna().all()
    levels = held.summary[CONTAMINATION]["levels"]
    assert {one["tags_without_positives"] for one in levels} == {held.summary["compared_tags"]}


def test_tags_whose_last_image_is_left_out_are_counted() -> None:
    labels = np.array([[1, 1], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]], bool)
    truth = Truth.of([f"i{n}" for n in range(6)], world(6, 2)[0].tags, labels)
    model = entry("m", truth.image_ids, truth.tags.names, np.where(labels, np.float32(0.9), np.float32(0.1)))
    held = evaluate(truth, [model], SETTINGS, against=contamination_of(truth, identical=2, close=2))
    assert [one["tags_without_positives"] for one in held.summary[CONTAMINATION]["levels"]] == [1, 2, 2]
    assert rows_of(held, "m")["tags"].tolist() == [2, 1, 0, 0]


def test_without_resamples_only_what_needs_none_is_told(leak: Result) -> None:
    truth, models = world()
    known = contamination_of(truth, far=10)
    held = evaluate(truth, models, replace(SETTINGS, replicates=0), against=known)
    own = rows_of(held, "fine")
    assert own["value"].notna().tolist() == [True, True, True, False], "two levels drop nothing"
    assert own["change_low"].isna().all()
    assert held.summary[CONTAMINATION]["classes"][3]["images"] == 10


def test_the_interval_of_a_change_worked_by_hand() -> None:
    """It comes from the difference of the same resamples; a model's is moved by its bias, a lead's is not."""
    rng = np.random.default_rng(0)
    targets = [Target("all", "all", "", "own", 4, 1, 4), Target(CONTAMINATION, LEVELS[1], "", "own", 3, 1, 3)]
    common, own = rng.normal(0, 0.1, (2, 7, 1, 500)), rng.normal(0, 0.01, (2, 7, 2, 500))
    estimates = np.array([[[0.8, 0.7]] * 7, [[0.6, 0.55]] * 7])
    replicates, bias = estimates[..., None] + common + own, np.full((2, 7, 2), [0.03, 0.01])
    found = Aggregates(
        targets,
        estimates,
        np.ones((2, 7, 2), int),
        replicates,
        bias,
        np.full((2, 2), 1.5),
        np.zeros(2, bool),
        np.full(2, np.inf),
        np.zeros((2, 2)),
        {},
    )
    truth = world(4, 2)[0]
    table = contamination_table(contamination_of(truth, identical=1), found, ["a", "b"])
    for figure, name in enumerate(AGGREGATES):
        moved = replicates[:, figure, 0] - replicates[:, figure, 1]
        change = table[(table["level"] == LEVELS[1]) & (table["figure"] == name)].set_index(["first", "second"])
        low, high = resampled_interval(0.05, (moved[0] - moved[1]).std(ddof=1), 499)
        lead = change.loc[("a", "b")]
        assert (lead["value"], lead["change"]) == (pytest.approx(0.15), pytest.approx(0.05))
        assert (lead["change_low"], lead["change_high"]) == (pytest.approx(low), pytest.approx(high))
        wider = 1.5 if name == "map" else 1.0
        low, high = resampled_interval(0.1, wider * moved[0].std(ddof=1), 499, bias=0.02)
        one = change.loc[("a", "")]
        assert (one["change_low"], one["change_high"]) == (pytest.approx(low), pytest.approx(high))
        assert one["change_high"] - one["change_low"] < 0.1 * wider, "the noise that both levels share cancels"


def test_an_image_that_could_not_be_scored_is_in_no_class() -> None:
    truth, [fine, poor] = world()
    keep = np.arange(1, 240)
    short = entry("fine", truth.image_ids[1:], truth.tags.names, fine.scores.values.read()[keep])
    short = replace(short, scores=replace(short.scores, skipped={truth.image_ids[0]: "broken"}))
    held = evaluate(truth, [short, poor], SETTINGS, against=contamination_of(truth, identical=5))
    assert held.summary[CONTAMINATION]["classes"][0]["images"] == 4


def test_a_column_of_that_name_cannot_be_a_slice_too() -> None:
    truth, models = world()
    truth = replace(truth, images={**truth.images, "contamination": ["a", "b"] * 120})
    settings = replace(SETTINGS, slices=("contamination",))
    with pytest.raises(ArenaError, match="--slices contamination: --against creates slices of this name"):
        evaluate(truth, models, settings, against=contamination_of(truth, far=3))
    assert set(evaluate(truth, models, settings).tables["slices"]["slice"]) >= {"contamination"}


def test_the_table_is_written_read_and_forgotten(leak: Result, tmp_path) -> None:
    write_result(leak, tmp_path)
    back = read_result(tmp_path)
    pd.testing.assert_frame_equal(back.tables[CONTAMINATION], leak.tables[CONTAMINATION])
    assert back.summary[CONTAMINATION] == leak.summary[CONTAMINATION]
    truth, models = world(60)
    write_result(evaluate(truth, models, replace(SETTINGS, replicates=0)), tmp_path)
    assert CONTAMINATION not in read_result(tmp_path).tables
    assert not (tmp_path / "contamination.parquet").exists()
    write_result(leak, tmp_path)
    (tmp_path / "contamination.parquet").unlink()
    with pytest.raises(ArenaError, match="damaged run"):
        read_result(tmp_path)
