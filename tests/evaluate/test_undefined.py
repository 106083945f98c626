"""Where a figure has nothing to stand on it is undefined, and nowhere else: every table and the summary, cell by cell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.per_tag import LEAST_UNITS
from arena.evaluate.tables import THRESHOLD_COLUMNS
from arena.metrics import intervals
from arena.results.run_folder import TABLES, Result, read_result, write_result
from arena.tags import TagSpace

from .worlds import cells_without_a_number, entry, see, world

Rows = pd.DataFrame
Rule = Callable[[Rows], Any]


def never(rows: Rows) -> Any:
    return np.zeros(len(rows), bool)


def without(column: str) -> Rule:
    """Null exactly where another column is 0."""
    return lambda rows: rows[column] == 0


def with_figure(column: str) -> Rule:
    """Null exactly where the figure itself is."""
    return lambda rows: rows[column].isna()


def nothing_found(rows: Rows) -> Any:
    return rows["tp"] + rows["fp"] + rows["fn"] == 0


def without_a_test(rows: Rows) -> Any:
    """AP of a single tag with too few positives has no test. The rows of a group of one tag are those of its tag."""
    return (rows["figure"] == "map") & (rows["tags"] == 1) & rows["p"].isna() & (rows["regime"] == "own")


PER_TAG: dict[str, Rule] = {
    "precision": lambda rows: rows["tp"] + rows["fp"] == 0,
    "recall": without("support"),
    "f1": nothing_found,
    "f2": nothing_found,
    "ap": without("support"),
    "mcc": lambda rows: (
        (rows["tp"] + rows["fp"]) * (rows["tp"] + rows["fn"]) * (rows["tn"] + rows["fp"]) * (rows["tn"] + rows["fn"])
        == 0
    ),
    "informedness": lambda rows: (rows["support"] == 0) | (rows["fp"] + rows["tn"] == 0),
    "roc_auc": lambda rows: (rows["support"] == 0) | (rows["fp"] + rows["tn"] == 0),
    **dict.fromkeys(("best_f1", "best_threshold", "break_even", "break_even_threshold"), without("support")),
}


def everywhere(rows: pd.DataFrame) -> np.ndarray:
    return np.ones(len(rows), bool)


def with_figure_or_few_positives(figure: str, min_positives: int) -> Rule:
    """Undefined with the figure, and in slices of images with fewer than twice `min_positives` positives a tag."""

    def rule(rows: pd.DataFrame) -> Any:
        of_images = ~rows["slice"].isin(["all", "category", "support", "group"])
        return rows[figure].isna() | (of_images & (rows["positives"] < 2 * min_positives * rows["tags"]))

    return rule


MACRO = ("macro_precision", "macro_recall", "macro_f1")
MICRO = ("micro_precision", "micro_recall", "micro_f1")
FIGURES = (*MACRO, *MICRO, "map")


def rules_of(table: str, replicates: int, min_positives: int) -> dict[str, Rule]:
    """Of each column that may hold nulls, exactly where."""
    if table == "per_tag":
        rules = dict(PER_TAG)
        for figure in ("precision", "recall", "f1", "ap"):
            for end in ("low", "high"):
                rules[f"{figure}_{end}"] = with_figure(figure) if replicates else everywhere
        return rules
    if table == "sweep":
        return {name: without(f"{name}_tags") for name in MACRO}
    if table == "slices":
        rules = {name: without(f"{name}_tags") for name in (*MACRO, "map")}
        for name in FIGURES:
            for end in ("low", "high"):
                rules[f"{name}_{end}"] = with_figure_or_few_positives(name, min_positives) if replicates else everywhere
            rules[f"{name}_corrected"] = with_figure(name)
        return rules
    if table == "tag_differences":
        rules = {name: with_figure("f1_difference") for name in ("f1_low", "f1_high", "f1_p", "f1_q")}
        rules |= {f"ap_{name}": lambda rows: rows["support"] < LEAST_UNITS for name in ("low", "high", "p", "q")}
        return rules | {"ap_difference": without("support")}
    if table == "differences":
        names = ("low", "high", "standard_error", "p", "minimum_detectable", "p_adjusted")
        return dict.fromkeys(names, without_a_test)
    if table == "calibration":
        return {name: without("cells") for name in ("mean_score", "share_positive")}
    return {}


OPEN = {
    "per_tag": {"training_count"},  # as the tagger gives them
    "sweep": set(MICRO),  # undefined where nothing is predicted, or nothing carried, of all compared tags: see below
    "slices": set(MICRO),
    "tag_differences": {"f1_difference"},  # where the F1 of either is
    "thresholds": set(THRESHOLD_COLUMNS[4:]),  # of counts that the table does not hold
}


def assert_every_null_has_its_reason(result: Result, replicates: int) -> None:
    assert set(result.tables) == set(TABLES)
    for name, table in result.tables.items():
        rules = rules_of(name, replicates, result.summary["min_positives"])
        for column, row in cells_without_a_number(table):
            assert column in rules or column in OPEN.get(name, ()), f"{name}.{column} in {table.iloc[row].to_dict()}"
        for column, rule in rules.items():
            expected = np.asarray(rule(table), bool)
            assert table[column].isna().tolist() == expected.tolist(), f"{name}.{column}"
        numbers = table.select_dtypes("number").drop(columns="degrees_of_freedom", errors="ignore")  # infinite: normal
        assert not np.isinf(numbers.to_numpy(np.float64, na_value=np.nan)).any(), name
        assert not (table == "nan").any(axis=None), name
    thresholds = result.tables["thresholds"]
    assert set(thresholds[thresholds["threshold"].isna()]["regime"]) <= {"precision_90"}
    swept, counts = result.sweep, micro_counts(result)
    for name, denominator in zip(MICRO, counts, strict=True):
        assert swept[name].isna().tolist() == (denominator == 0).tolist(), name


def micro_counts(result: Result) -> list[np.ndarray]:
    """What each micro figure of the sweep divides by."""
    per_tag = result.per_tag
    compared = per_tag[per_tag["compared"]][["model", "tag"]]
    cells = result.tag_sweep.astype({"model": str, "tag": str}).merge(compared, on=["model", "tag"])
    sums = cells.groupby(["model", "threshold"], sort=False)[["tp", "fp", "fn"]].sum()
    wanted = pd.MultiIndex.from_frame(result.sweep[["model", "threshold"]])
    tp, fp, fn = sums.reindex(wanted, fill_value=0).to_numpy().T
    return [tp + fp, tp + fn, tp + fp + fn]


def assert_summary_is_consistent(result: Result, replicates: int) -> None:
    for model in result.summary["models"].values():
        for regime, row in model["regimes"].items():
            for name in FIGURES:
                if name not in row:
                    assert (name, regime != "own") == ("map", True)
                    continue
                value = row[name]
                if not name.startswith("micro"):
                    assert np.isnan(value) == (row[f"{name}_tags"] == 0)
                ends = [row[f"{name}_{end}"] for end in ("low", "high")] if replicates else []
                assert [np.isnan(end) for end in ends] == [np.isnan(value)] * len(ends), (regime, name)
                assert all(0 <= end <= 1 for end in [value, *ends] if not np.isnan(end))
        compared = result.summary["compared_tags"] > 0
        assert np.isnan(model["ece"]) == np.isnan(model["brier"]) == (not compared)
    for figure, ranks in result.summary["ranks"].items():
        assert {row["rank"] for row in ranks.values()} <= set(range(1, len(result.models) + 1)), figure


def constant(value: float) -> Callable[[Truth, list[Entry]], tuple[Truth, list[Entry]]]:
    def make(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
        shape = truth.values.shape
        flat = [entry(one.name, truth.image_ids, truth.tags.names, np.full(shape, value, np.float32)) for one in models]
        return truth, flat

    return make


def part(rows: list[int], columns: list[int]) -> Callable[[Truth, list[Entry]], tuple[Truth, list[Entry]]]:
    """Only some images and some tags."""

    def make(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
        names = tuple(truth.tags.names[c] for c in columns)
        some = truth.take(np.array(rows))
        values = some.values.toarray()[:, columns]
        smaller = Truth.of(some.image_ids, TagSpace(names), values, images=some.images, groups=some.groups)
        return smaller, [
            entry(one.name, some.image_ids, names, one.scores.values.read()[np.ix_(rows, columns)]) for one in models
        ]

    return make


def labelled(value: bool) -> Callable[[Truth, list[Entry]], tuple[Truth, list[Entry]]]:
    """No image carries any tag, or every image every tag."""

    def make(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
        return Truth.of(truth.image_ids, truth.tags, np.full(truth.values.shape, value), images=truth.images), models

    return make


def one_lacks_a_tag(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
    scores = models[1].scores
    return truth, [models[0], entry("poor", scores.image_ids, scores.tags.names[1:], scores.values.read()[:, 1:])]


def nothing_in_common(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
    scores, names = models[1].scores, models[1].scores.tags.names
    half = [entry("fine", scores.image_ids, names[:5], scores.values.read()[:, :5])]
    return truth, [*half, entry("poor", scores.image_ids, names[5:], scores.values.read()[:, 5:])]


def nothing_predicted(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
    scores = models[1].scores
    return truth, [models[0], entry("poor", scores.image_ids, scores.tags.names, scores.values.read(), Thresholds(1.0))]


def alone(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
    return truth, models[:1]


def three(truth: Truth, models: list[Entry]) -> tuple[Truth, list[Entry]]:
    noise = np.random.default_rng(1).random(truth.values.shape, np.float32)
    return truth, [*models, entry("noise", truth.image_ids, truth.tags.names, noise)]


CASES: dict[str, Callable[[Truth, list[Entry]], tuple[Truth, list[Entry]]]] = {
    "plain": lambda truth, models: (truth, models),
    "alone": alone,
    "three": three,
    "one image": part([0], list(range(10))),
    "one image, one tag": part([3], [9]),
    "two images": part([0, 1], list(range(10))),
    "one tag": part(list(range(120)), [6]),
    "constant scores": constant(0.5),
    "all scores 0": constant(0.0),
    "all scores 1": constant(1.0),
    "no positives": labelled(False),
    "only positives": labelled(True),
    "a tag one model lacks": one_lacks_a_tag,
    "no tag in common": nothing_in_common,
    "nothing predicted": nothing_predicted,
}


FEW_POSITIVES = ("three", "one tag", "constant scores", "a tag one model lacks", "nothing predicted")
"""Cases where some tags have ten positives, and others fewer."""

WITHOUT_RESAMPLES = (
    "three",
    "one image, one tag",
    "constant scores",
    "no positives",
    "no tag in common",
    "nothing predicted",
)
"""Cases whose other nulls differ without resamples."""


@pytest.mark.parametrize(
    ("case", "min_positives", "replicates"),
    [
        *((case, 0, 25) for case in CASES),
        *((case, 0, 0) for case in WITHOUT_RESAMPLES),
        *((case, 10, 25) for case in FEW_POSITIVES),
    ],
)
def test_every_null_has_its_reason(case: str, min_positives: int, replicates: int) -> None:
    truth, models = CASES[case](*world(120))
    result = evaluate(truth, models, Settings(min_positives, replicates=replicates, slices=("rating",)))
    assert_every_null_has_its_reason(result, replicates)
    assert_summary_is_consistent(result, replicates)
    if replicates == 0:
        for name in ("differences", "tag_differences", "thresholds", "labels", "disagreements", "confusions"):
            assert len(result.tables[name]) == 0
        assert (result.summary["ranks"], result.summary["labels"]) == ({}, {})


@pytest.mark.parametrize(
    ("case", "replicates"),
    [("one image, one tag", 25), ("no positives", 0), ("no positives", 25), ("no tag in common", 25)],
)
def test_empty_tables_are_written_with_their_columns_and_read_again(case: str, replicates: int, tmp_path: Path) -> None:
    truth, models = CASES[case](*world(120))
    result = evaluate(truth, models, Settings(replicates=replicates))
    write_result(result, tmp_path)
    read = read_result(tmp_path)
    assert "NaN" not in (tmp_path / "summary.json").read_text()
    for name, table in result.tables.items():
        assert read.tables[name].columns.tolist() == table.columns.tolist()
        assert len(read.tables[name]) == len(table)
    if case == "no positives":
        own = json.loads((tmp_path / "summary.json").read_text())["models"]["fine"]["regimes"]["own"]
        assert [own[name] for name in ("macro_f1", "map", "random_map", "tags")] == [None, None, None, 0]


@pytest.mark.parametrize(
    ("case", "convention"),
    [
        *(("nothing predicted", convention) for convention in ("joytag", "smilingwolf", "animetimm")),
        ("no positives", "smilingwolf"),
        ("no positives", "animetimm"),
        ("all scores 0", "joytag"),
    ],
)
def test_other_conventions_define_what_they_say_they_define(case: str, convention: str) -> None:
    truth, models = CASES[case](*world(120))
    result = evaluate(truth, models, Settings(0, convention, replicates=25, slices=("rating",)))
    per_tag, own = result.per_tag, [model["regimes"]["own"] for model in result.summary["models"].values()]
    undefined = per_tag[["precision", "recall", "f1"]].isna()
    if convention == "smilingwolf":
        assert undefined["recall"].tolist() == (per_tag["support"] == 0).tolist()
    else:
        assert not undefined.any(axis=None)
        assert all(row["macro_f1_tags"] == result.summary["compared_tags"] for row in own)
    for row in own:
        for name in MACRO:
            ends = [row[f"{name}_low"], row[f"{name}_high"]]
            assert [np.isnan(end) for end in ends] == [np.isnan(row[name])] * 2


def test_one_image_and_one_tag_worked_by_hand() -> None:
    truth = Truth.of(("i",), TagSpace(("cat",)), np.array([[True]]))
    models = [entry("hit", ("i",), ("cat",), np.float32([[0.9]])), entry("miss", ("i",), ("cat",), np.float32([[0.1]]))]
    result = evaluate(truth, models, Settings(1, replicates=25))
    hit, miss = (result.summary["models"][name]["regimes"]["own"] for name in ("hit", "miss"))
    assert (hit["macro_f1"], miss["macro_f1"], hit["map"], miss["map"]) == (1, 0, 1, 1)
    assert np.isnan(miss["macro_precision"])
    expected = result.tags_of("hit").iloc[0]
    assert (hit["macro_f1_low"], hit["macro_f1_high"]) == (expected["f1_low"], 1), "the interval of the only tag"
    assert expected["f1_low"] == intervals.f1_interval(1, 0, 0).low
    rows = result.tables["tag_differences"].iloc[0]
    assert (rows["f1_difference"], rows["f1_p"], rows["f1_higher"]) == (1, 1, "undetermined")


def test_one_resample_says_nothing_of_errors_and_two_do() -> None:
    truth, models = world(120)
    for replicates in (1, 2):
        table = evaluate(truth, models, Settings(1, replicates=replicates)).tables["differences"]
        undefined = table[["standard_error", "p", "p_adjusted", "minimum_detectable"]].isna()
        assert undefined.all(axis=None) if replicates == 1 else not undefined["p"].any()
        assert replicates == 2 or set(table["higher"]) == {"undetermined"}


def test_no_image_of_a_slice_may_carry_a_tag() -> None:
    """Tags that no image of a slice carries are left out of its means; the slice says over how many tags they ran."""
    rng = np.random.default_rng(0)
    labels = rng.random((80, 6)) < 0.4
    labels[:30, :2] = False
    ids, names = [f"i{n}" for n in range(80)], tuple("abcdef")
    truth = Truth.of(ids, TagSpace(names), labels, images={"rating": ["g"] * 30 + ["e"] * 50})
    result = evaluate(truth, [entry("m", ids, names, see(rng, labels))], Settings(0, replicates=25))
    slices = result.tables["slices"].set_index(["slice", "value"])
    assert slices.loc[("rating", "g"), ["tags", "map_tags", "macro_recall_tags"]].tolist() == [6, 4, 4]
    assert slices.loc[("rating", "e"), "map_tags"] == 6
