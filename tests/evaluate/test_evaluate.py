"""From scores to a result: matching, thresholds, means, files."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from arena.base.errors import ArenaError, IncomparableError, ScoresError
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.evaluate.passes import FINE_STEPS
from arena.results.run_folder import read_result, write_result
from arena.scores.matrix import Matrix
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

PLAIN = Settings(replicates=0)
RNG = np.random.default_rng(7)
IDS = tuple(f"i{n}" for n in range(60))
TRUTH_TAGS = ("cat", "dog", "rare", "never", "sun")
VALUES = RNG.random((60, 5)) < [0.5, 0.4, 0.05, 0.0, 0.6]
TRUTH = Truth.of(IDS, TagSpace(TRUTH_TAGS), VALUES, relations=TagRelations.of(aliases=[("pup", "dog")]))


def entry(name: str, tags: tuple[str, ...], *, order=slice(None), threshold=Thresholds(0.5), **more) -> Entry:
    values = np.random.default_rng(len(name)).random((60, len(tags))).astype(np.float32)
    ids = tuple(np.array(IDS)[order])
    scores = Scores(ids, TagSpace(tags, more.get("categories")), Matrix.of(values[order]), more.get("skipped", {}))
    return Entry(name, name, scores, threshold, "card")


A = entry("a", ("sun", "pup", "cat", "unknown", "rare"))
BB = entry("bb", ("cat", "dog", "sun"))


def test_figures_are_those_of_the_common_tags() -> None:
    result = evaluate(TRUTH, [A, BB], PLAIN)
    assert result.summary["compared_tags"] == 3
    own = result.summary["models"]["a"]["regimes"]["own"]
    columns = {"cat": 2, "dog": 1, "sun": 0}
    truth = VALUES[:, [TRUTH_TAGS.index(name) for name in columns]]
    scores = A.scores.values.read()[:, list(columns.values())]
    predicted = scores >= 0.5
    assert own["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-12)
    assert own["micro_f1"] == pytest.approx(f1_score(truth, predicted, average="micro"), abs=1e-12)
    assert own["map"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert own["random_map"] == pytest.approx(truth.mean(), abs=1e-12)
    assert own["map_tags"] == own["tags"] == 3


def test_every_tag_that_the_truth_knows_has_a_row_and_an_alias_finds_its_column() -> None:
    rows = evaluate(TRUTH, [A, BB], PLAIN).tags_of("a")
    assert rows["tag"].tolist() == ["sun", "pup", "cat", "rare"]
    assert rows["truth_tag"].tolist() == ["sun", "dog", "cat", "rare"]
    assert rows["compared"].tolist() == [True, True, True, False]
    assert rows["index"].tolist() == [0, 1, 2, 4]
    assert (rows["tp"] + rows["fn"] == rows["support"]).all()
    assert (rows[["tp", "fp", "fn", "tn"]].sum(axis=1) == 60).all()


def test_coverage_counts_tags_that_some_image_carries() -> None:
    summary = evaluate(TRUTH, [A, BB], PLAIN).summary
    assert summary["dataset_tags"] == 4
    assert {name: model["known_tags"] for name, model in summary["models"].items()} == {"a": 4, "bb": 3}
    assert evaluate(TRUTH, [entry("n", ("cat", "never"))], PLAIN).summary["models"]["n"]["known_tags"] == 1


def test_rows_are_matched_by_id_whatever_their_order() -> None:
    plain = evaluate(TRUTH, [BB], PLAIN)
    shuffled = evaluate(TRUTH, [entry("bb", ("cat", "dog", "sun"), order=RNG.permutation(60))], PLAIN)
    assert plain.summary == shuffled.summary
    assert plain.per_tag.equals(shuffled.per_tag)


def test_a_category_has_its_own_threshold() -> None:
    one = entry(
        "c", ("cat", "dog"), categories=("general", "character"), threshold=Thresholds(0.3, {"character": 0.85})
    )
    rows = evaluate(TRUTH, [one], PLAIN).per_tag
    assert rows["threshold"].tolist() == [np.float32(0.3), np.float32(0.85)]
    assert rows["tp"][1] == (VALUES[:, 1] & (one.scores.values.read()[:, 1] >= np.float32(0.85))).sum()


def test_the_models_category_chooses_its_threshold_and_the_truths_is_shown() -> None:
    truth = Truth.of(IDS, TagSpace(("cat", "dog"), ("meta", "general")), VALUES[:, :2])
    thresholds = Thresholds(0.3, {"character": 0.85, "meta": 0.6})
    with_own = entry("c", ("cat", "dog"), categories=("general", "character"), threshold=thresholds)
    rows = evaluate(truth, [with_own], PLAIN).per_tag
    assert rows["threshold"].tolist() == [np.float32(0.3), np.float32(0.85)]
    assert rows["category"].tolist() == ["meta", "general"]
    without = evaluate(truth, [entry("n", ("cat", "dog"), threshold=thresholds)], PLAIN).per_tag
    assert without["threshold"].tolist() == [np.float32(0.6), np.float32(0.3)], "the truth's, where the model has none"


def test_a_models_two_spellings_of_a_tag_both_have_a_row_and_the_exact_one_is_compared() -> None:
    rows = evaluate(TRUTH, [entry("m", ("pup", "dog", "cat"))], PLAIN).per_tag
    assert rows["tag"].tolist() == ["pup", "dog", "cat"]
    assert rows["truth_tag"].tolist() == ["dog", "dog", "cat"]
    assert rows["compared"].tolist() == [False, True, True]


def test_the_sweep_holds_101_thresholds_the_fine_ones_near_its_ends_and_the_own_one() -> None:
    result = evaluate(TRUTH, [entry("m", ("cat", "dog"), threshold=Thresholds(0.3537))], PLAIN)
    thresholds = result.sweep["threshold"].to_numpy()
    assert len(thresholds) == 101 + len(FINE_STEPS) + 1
    assert np.isin(np.float32([*FINE_STEPS, 0.3537, *(np.arange(101) / 100)]), thresholds).all()
    at_own = result.sweep[thresholds == np.float32(0.3537)].iloc[0]
    own = result.summary["models"]["m"]["regimes"]["own"]
    assert at_own["macro_f1"] == own["macro_f1"]
    assert len(result.tag_sweep) == len(thresholds) * 2


def test_skipped_images_are_left_out_for_every_model() -> None:
    keep = np.array([name != "i3" for name in IDS])
    short = entry("s", ("cat",), order=keep, skipped={"i3": "truncated"})
    result = evaluate(TRUTH, [short, BB], PLAIN)
    assert (result.summary["images"], result.summary["skipped"]) == (59, 1)
    assert evaluate(TRUTH, [BB, short], PLAIN).summary["images"] == 59
    assert result.run["skipped"] == {"i3": "truncated"}
    assert result.per_tag["support"][0] == VALUES[keep, 0].sum()


def test_a_skipped_image_outside_the_truth_is_none_of_ours() -> None:
    result = evaluate(TRUTH, [entry("s", ("cat",), skipped={"elsewhere": "truncated"})], PLAIN)
    assert (result.summary["images"], result.summary["skipped"], result.run["skipped"]) == (60, 0, {})


def test_conventions_differ_only_in_what_undefined_counts() -> None:
    everything = {name: evaluate(TRUTH, [A], Settings(0, name, replicates=0)) for name in ("arena", "joytag")}
    never = entry("n", ("never", "cat"), threshold=Thresholds(1.0))
    arena = evaluate(TRUTH, [never], Settings(0, replicates=0)).summary["models"]["n"]["regimes"]["own"]
    joytag = evaluate(TRUTH, [never], Settings(0, "joytag", replicates=0)).summary["models"]["n"]["regimes"]["own"]
    assert (arena["macro_f1_tags"], joytag["macro_f1_tags"]) == (1, 2)
    assert np.isnan(arena["macro_precision"])
    assert joytag["macro_precision"] == 0
    swept = evaluate(TRUTH, [never], Settings(0, "joytag", replicates=0)).sweep
    assert swept["macro_precision"].iloc[-1] == 0, "the sweep follows the convention too"
    a = everything["arena"].per_tag["f1"].to_numpy()
    np.testing.assert_allclose(everything["joytag"].per_tag["f1"].to_numpy()[~np.isnan(a)], a[~np.isnan(a)], atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ("a/1", "a/1.png", "differ in their suffix only: 'a/1' in the ground truth, 'a/1.png' in the scores"),
        ("1", "a/1", "differ in their folder only: '1' in the ground truth, 'a/1' in the scores"),
        ("b/1.jpg", "a/1", "differ in folder and suffix only: 'b/1.jpg' in the ground truth, 'a/1' in the scores"),
        ("Cat", "cat", "differ in capitals only"),
        ("0012", "12", "differ in leading zeros only"),
        ("cat", "17eb", "other identifiers, such as '17eb'.*arena predict --dataset"),
    ],
)
def test_identifiers_of_both_are_named_if_they_differ(ours: str, theirs: str, words: str) -> None:
    truth = Truth.of((ours, "x"), TagSpace(("cat",)), np.array([[True], [False]]))
    scores = Scores.of((theirs, "x"), TagSpace(("cat",)), np.float32([[0.5], [0.1]]))
    with pytest.raises(ScoresError, match=words):
        evaluate(truth, [Entry("m", "m", scores, Thresholds(), "default")], PLAIN)


def test_smilingwolfs_convention_gives_the_means_of_his_report() -> None:
    truth = Truth.of(tuple("abcdefgh"), TagSpace(tuple("abcd")), np.zeros((8, 4), bool))
    labels, scores = np.zeros((8, 4), bool), np.zeros((8, 4), np.float32)
    labels[:4, :2] = labels[:2, 2] = True
    scores[:4, 0] = scores[2:6, 1] = scores[:2, 3] = 0.9
    truth = Truth.of(truth.image_ids, truth.tags, labels)
    one = Entry("m", "m", Scores.of(truth.image_ids, truth.tags, scores), Thresholds(0.5), "option")
    result = evaluate(truth, [one], Settings(0, "smilingwolf", replicates=20))
    own, last = result.summary["models"]["m"]["regimes"]["own"], result.per_tag.iloc[3]
    assert last[["f1", "f1_low", "f1_high", "recall"]].isna().all(), "no positives"
    assert (own["macro_precision"], own["macro_precision_tags"]) == (0.375, 4)
    assert (own["macro_recall"], own["macro_recall_tags"], own["macro_f1_tags"]) == (0.5, 3, 3)
    assert own["macro_precision_low"] <= 0.375 <= own["macro_precision_high"]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ScoresError, match="a: no scores for 59 of 60 images of the ground truth"):
        evaluate(TRUTH, [entry("a", ("cat",), order=slice(0, 1))], PLAIN)
    with pytest.raises(ArenaError, match=r"none of its 1 tags \(.*\) is in the ground truth"):
        evaluate(TRUTH, [entry("x", ("strange",))], PLAIN)
    with pytest.raises(ArenaError, match="no image is left"):
        evaluate(Truth.of((), TagSpace(("cat",)), np.zeros((0, 1), bool)), [BB], PLAIN)


def test_one_image_one_tag_and_constant_scores_give_defined_answers(tmp_path: Path) -> None:
    truth = Truth.of(("i0",), TagSpace(("cat",)), np.array([[True]]))
    one = Entry("m", "m", Scores.of(("i0",), TagSpace(("cat",)), np.float32([[0.5]])), Thresholds(), "default")
    result = evaluate(truth, [one], PLAIN)
    own = result.summary["models"]["m"]["regimes"]["own"]
    assert result.summary["compared_tags"] == own["macro_f1_tags"] == 0
    assert np.isnan(own["macro_f1"])
    write_result(result, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["models"]["m"]["regimes"]["own"]["macro_f1"] is None
    constant = evaluate(truth, [one], Settings(1, replicates=0)).summary["models"]["m"]["regimes"]["own"]
    assert constant["macro_f1"] == constant["map"] == 1.0


def test_a_result_reads_back(tmp_path: Path) -> None:
    result = evaluate(TRUTH, [A, BB], Settings(replicates=20), run={"created": "now"})
    write_result(result, tmp_path)
    back = read_result(tmp_path)
    assert back.summary == json.loads(json.dumps(result.summary).replace("NaN", "null"))
    assert back.models == ["a", "bb"]
    assert back.per_tag["f1"].equals(result.per_tag["f1"])
    assert back.tag_sweep["tp"].tolist() == result.tag_sweep["tp"].tolist()


def test_a_run_of_another_schema_is_incomparable(tmp_path: Path) -> None:
    write_result(evaluate(TRUTH, [A], PLAIN), tmp_path)
    path = tmp_path / "run.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 99'))
    with pytest.raises(IncomparableError, match="schema 99, this version reads 2"):
        read_result(tmp_path)
    for content in ("{", "[]", '{"schema": 2}'):
        path.write_text(content)
        with pytest.raises(ArenaError, match="damaged run"):
            read_result(tmp_path)
    path.unlink()
    with pytest.raises(ArenaError, match="no finished run in it"):
        read_result(tmp_path)


def test_a_tags_own_threshold_comes_before_its_categorys_and_the_default() -> None:
    told = Thresholds(0.3, {"character": 0.85}, tags={"pup": 0.123, "cat": 0.77, "unknown": 0.9})
    tags, kinds = ("sun", "pup", "cat", "unknown", "rare"), ("general", "general", "character", "general", "character")
    one = entry("a", tags, categories=kinds, threshold=told)
    result = evaluate(TRUTH, [one], Settings(min_positives=1, replicates=30))
    rows = result.per_tag.set_index("tag")
    expected = {"sun": 0.3, "pup": 0.123, "cat": 0.77, "rare": 0.85}
    assert rows["threshold"].to_dict() == {name: np.float32(value) for name, value in expected.items()}
    scores = one.scores.values.read()
    for name, truth_name in (("pup", "dog"), ("cat", "cat"), ("rare", "rare")):
        carried, predicted = (
            VALUES[:, TRUTH_TAGS.index(truth_name)],
            scores[:, tags.index(name)] >= np.float32(expected[name]),
        )
        assert rows.loc[name, ["tp", "fp", "fn"]].tolist() == [
            (carried & predicted).sum(), (~carried & predicted).sum(), (carried & ~predicted).sum(),
        ]  # fmt: skip
    model = result.summary["models"]["a"]
    assert model["threshold"] == "0.3, character 0.85, 3 set per tag"
    own = model["regimes"]["own"]
    assert (own["lowest_threshold"], own["highest_threshold"]) == (0.123, 0.85)
    assert own["macro_f1"] == pytest.approx(rows.loc[rows["compared"], "f1"].mean(), abs=1e-12)
    chosen = result.tables["thresholds"].query("regime == 'own'").set_index("tag")["threshold"]
    assert chosen.to_dict() == expected


def test_thousands_of_thresholds_make_no_sweep_longer() -> None:
    names = tuple(f"t{n}" for n in range(3000))
    scores = Scores.of(IDS, TagSpace(names), RNG.random((60, 3000), np.float32))
    truth = Truth.of(IDS, TagSpace(names), RNG.random((60, 3000)) < 0.3)
    told = Thresholds(0.4, tags={name: float(value) for name, value in zip(names[1:], RNG.random(2999), strict=True)})
    result = evaluate(truth, [Entry("m", "m", scores, told, "file")], PLAIN)
    assert len(result.sweep) == 101 + len(FINE_STEPS)
    assert result.summary["models"]["m"]["threshold"] == "0.4, 2,999 set per tag"
    every = Thresholds(0.4, tags=dict.fromkeys(names, 0.25))
    summary = evaluate(truth, [Entry("m", "m", scores, every, "file")], PLAIN).summary
    assert summary["models"]["m"]["threshold"] == "all 3,000 set per tag"
