"""Single images: errors, disagreements, confusions and labels that are likely missing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csc_array

from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.evaluate.mistakes import MISTAKES_PER_TAG, Disagreements, find_confusions, find_disagreements
from arena.metrics.cells import Cells
from arena.metrics.labels import LABEL_ISSUES_PER_TAG
from arena.metrics.tally import WORST_PER_TAG
from arena.tags import TagSpace

from .worlds import entry, labels_of, see, world

SETTINGS = Settings(1, replicates=5)


def test_disagreements_are_the_widest_gaps_of_those_where_one_is_right() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(200) < 0.3
    scores = [see(rng, labels, power) for power in (1.0, 0.8, 0.5)]
    predicted = [one >= 0.5 for one in scores]
    everything = block_disagreements(
        [scores, scores[::-1]], [predicted, predicted[::-1]], [labels, labels], first_tag=7
    )
    assert set(everything.tag) == {7, 8}
    found = everything.take(np.flatnonzero(everything.tag == 7))
    pairs = list(dict.fromkeys(zip(found.right.tolist(), found.wrong.tolist(), strict=True)))
    assert pairs == [(0, 1), (0, 2), (1, 0), (2, 0)], "every pair that holds the first model"
    for right, wrong in pairs:
        one = found.take(np.flatnonzero((found.right == right) & (found.wrong == wrong)))
        here = (predicted[right] == labels) & (predicted[wrong] != labels)
        gaps = np.abs(scores[right] - scores[wrong])
        assert (
            np.abs(one.right_score - one.wrong_score).tolist()
            == sorted(gaps[here].tolist(), reverse=True)[:MISTAKES_PER_TAG]
        )
        assert here[one.image].all()
        assert one.carried.tolist() == labels[one.image].tolist()
        assert (one.right_score == scores[right][one.image]).all()


def test_models_that_agree_disagree_on_nothing() -> None:
    scores, labels = np.float32([0.9, 0.1]), np.array([True, True])
    assert len(block_disagreements([[scores, scores]], [[scores >= 0.5] * 2], [labels], first_tag=0).tag) == 0


def block_disagreements(scores: list, predicted: list, labels: list, *, first_tag: int) -> Disagreements:
    """`find_disagreements` of scores and predictions by tag, then by model."""
    by_model = [np.stack(of_model) for of_model in zip(*scores, strict=True)]
    cells = [Cells.of_mask(np.stack(of_model)) for of_model in zip(*predicted, strict=True)]
    return find_disagreements(by_model, cells, np.stack(labels), first_tag=first_tag)


def test_confusions_worked_by_hand() -> None:
    """Of ten images four carry a wolf, of which three are called a dog; a dog is given falsely five times in all."""
    truth, given = np.zeros((10, 3), bool), np.zeros((10, 3), bool)
    truth[:4, 0] = True
    given[[1, 2, 3, 8, 9], 1] = True
    given[0, 0] = True
    found = find_confusions(csc_array(truth), csc_array(given))
    assert (found.tag.tolist(), found.instead_of.tolist(), found.images.tolist()) == ([1], [0], [3])
    assert found.expected[0] == pytest.approx(5 * 3 / 10)


def test_confusions_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(3)
    truth, given = rng.random((80, 12)) < 0.3, rng.random((80, 12)) < 0.3
    found = find_confusions(csc_array(truth), csc_array(given))
    false, missed = (given & ~truth).astype(int), (truth & ~given).astype(int)
    together = false.T @ missed
    expected = np.outer(false.sum(0), missed.sum(0)) / 80
    residual = (together - expected) / np.sqrt(np.maximum(expected, 1e-9))
    for tag in range(12):
        wanted = [
            k for k in np.lexsort((np.arange(12), -residual[tag])) if together[tag, k] >= 2 and residual[tag, k] > 0
        ]
        rows = found.tag == tag
        assert found.instead_of[rows].tolist() == wanted[:MISTAKES_PER_TAG]
        assert found.images[rows].tolist() == together[tag, wanted[:MISTAKES_PER_TAG]].tolist()
        np.testing.assert_allclose(found.expected[rows], expected[tag, wanted[:MISTAKES_PER_TAG]])
    assert (np.diff(found.tag) >= 0).all()


def test_no_prediction_and_no_label_confuse_nothing() -> None:
    nothing, something = csc_array((20, 3), dtype=bool), csc_array(np.ones((20, 3), bool))
    for pair in ((nothing, nothing), (nothing, something), (something, nothing), (something, something)):
        assert len(find_confusions(*pair).tag) == 0
    assert len(find_confusions(csc_array((0, 3), dtype=bool), csc_array((0, 3), dtype=bool)).tag) == 0


def test_swapped_tags_are_found_as_confused() -> None:
    rng = np.random.default_rng(2)
    labels, ids, names = (
        labels_of(rng, 300, 6),
        [f"i{n}" for n in range(300)],
        ["ant", "bee", "cat", "dog", "elk", "fox"],
    )
    scores = see(rng, labels, 3.0)
    dogs = np.flatnonzero(labels[:, 3])[:20]
    scores[dogs, 3], scores[dogs, 5] = 0.1, 0.9
    result = evaluate(Truth.of(ids, TagSpace(tuple(names)), labels), [entry("m", ids, names, scores)], SETTINGS)
    first = result.tables["confusions"].query("tag == 'fox'").iloc[0]
    assert (first["model"], first["instead_of"]) == ("m", "dog")
    assert first["images"] >= 10 > 3 * first["expected"]


def test_errors_are_the_worst_images_on_the_wrong_side_of_the_threshold() -> None:
    truth, models = world()
    labels, names = truth.values.toarray(), np.array(truth.tags.names)
    table = evaluate(truth, models, SETTINGS).tables["errors"]
    for model in models:
        scores = model.scores.values.read()
        for tag, name in enumerate(names):
            for kind, chosen, sign in (("false alarm", ~labels[:, tag], -1), ("miss", labels[:, tag], 1)):
                rows = table[(table["model"] == model.name) & (table["tag"] == name) & (table["kind"] == kind)]
                wrong = chosen & ((scores[:, tag] >= 0.5) == (kind == "false alarm"))
                expected = np.sort(sign * scores[wrong, tag])[:WORST_PER_TAG] * sign
                assert rows["score"].tolist() == expected.tolist()
                assert rows["rank"].tolist() == list(range(1, len(expected) + 1))
                images = [truth.image_ids.index(one) for one in rows["image_id"]]
                assert scores[images, tag].tolist() == expected.tolist()


def test_disagreements_name_images_tags_and_models() -> None:
    truth, models = world()
    table = evaluate(truth, models, SETTINGS).tables["disagreements"]
    assert len(table) > 20
    scores = {one.name: one.scores.values.read() for one in models}
    labels = truth.values.toarray()
    for row in table.itertuples():
        cell = truth.image_ids.index(row.image_id), truth.tags.names.index(row.tag)
        assert labels[cell] == row.carried
        assert (scores[row.right][cell], scores[row.wrong][cell]) == (
            np.float32(row.right_score),
            np.float32(row.wrong_score),
        )
        assert (scores[row.right][cell] >= 0.5) == row.carried != (scores[row.wrong][cell] >= 0.5)


def planted() -> tuple[Truth, list, set[tuple[str, str]]]:
    """A world in which twelve labels were removed, and twelve added, after the models saw it; and the removed cells."""
    rng = np.random.default_rng(4)
    labels, ids, names = labels_of(rng, 400, 8), [f"i{n}" for n in range(400)], [f"t{n}" for n in range(8)]
    models = [entry(name, ids, names, see(rng, labels, 3.0)) for name in ("one", "two")]
    said = labels.copy()
    cells = []
    for carried in (True, False):
        rows, columns = np.nonzero(labels == carried)
        pick = rng.choice(np.flatnonzero(columns >= 4), 12, replace=False)
        said[rows[pick], columns[pick]] = not carried
        cells.append({(ids[r], names[c]) for r, c in zip(rows[pick], columns[pick], strict=True)})
    return Truth.of(ids, TagSpace(tuple(names)), said), models, cells[0]


def test_planted_missing_labels_come_out_on_top() -> None:
    truth, models, missing = planted()
    result = evaluate(truth, models, SETTINGS)
    table = result.tables["labels"]
    assert set(table["kind"]) == {"missing"}
    first = set(zip(table["image_id"][:12], table["tag"][:12], strict=True))
    assert len(first & missing) >= max(4, 0.75 * len(first))
    assert (np.diff(table["strength"]) <= 0).all()
    assert result.summary["labels"]["missing"] == len(table)


def test_every_suspect_has_the_score_that_each_model_gives_it() -> None:
    truth, models, _ = planted()
    table = evaluate(truth, models, SETTINGS).tables["labels"]
    rows, columns = table["image_id"].map(truth.image_ids.index), table["tag"].map(truth.tags.names.index)
    for model in models:
        shown = table[f"score_{model.name}"].to_numpy(np.float32)
        assert shown.tolist() == model.scores.values.read()[rows, columns].tolist()


@pytest.mark.parametrize("convention", ["arena", "smilingwolf"])
def test_false_positives_that_are_suspected_are_counted_for_each_model(convention: str) -> None:
    truth, models, missing = planted()
    scores = models[1].scores.values.read().copy()
    cells = np.isin(truth.image_ids, [image for image, _ in missing])  # at the threshold: `>` predicts none of them
    tops = scores[cells].clip(max=0.5)
    scores[cells] = tops
    result = evaluate(truth, models, replace(SETTINGS, convention=convention))
    table, labels = result.tables["labels"], truth.values.toarray()
    rows, columns = table["image_id"].map(truth.image_ids.index), table["tag"].map(truth.tags.names.index)
    suspected = np.zeros(labels.shape, bool)
    suspected[rows, columns] = True
    for model in models:
        read = model.scores.values.read()
        predicted = read >= 0.5 if convention == "arena" else read > 0.5
        expected = {"total": int((predicted & ~labels).sum()), "suspected": int((predicted & suspected).sum())}
        assert result.summary["labels"]["false_positives"][model.name] == expected
        assert 0 < expected["suspected"] < expected["total"]


def test_suspected_false_positives_beyond_the_list_are_counted_too() -> None:
    """One tag, 200 images with it; 120 others score as high, of which `labels.csv` lists 50."""
    labels, ids = (np.arange(1000) < 200)[:, None], [f"i{n}" for n in range(1000)]
    scores = np.where(np.arange(1000) < 320, np.float32(0.9), np.float32(0.1))[:, None].astype(np.float32)
    result = evaluate(Truth.of(ids, TagSpace(("cat",)), labels), [entry("m", ids, ("cat",), scores)], SETTINGS)
    assert len(result.tables["labels"]) == result.summary["labels"]["missing"] == LABEL_ISSUES_PER_TAG
    assert result.summary["labels"]["false_positives"] == {"m": {"total": 120, "suspected": 120}}


def test_without_label_issues_no_false_positive_is_suspected() -> None:
    truth, models = world(100)
    flat = [entry(one.name, truth.image_ids, truth.tags.names, np.full((100, 10), 0.7, np.float32)) for one in models]
    result = evaluate(truth, flat, SETTINGS)
    assert len(result.tables["labels"]) == 0
    wrong = int((~truth.values.toarray()).sum())
    expected = {"total": wrong, "suspected": 0}
    assert result.summary["labels"] == {"missing": 0, "false_positives": {"fine": expected, "poor": expected}}


def test_a_convention_that_asks_for_more_than_the_threshold_holds_for_single_images_too() -> None:
    """All scores are at the threshold or next to it."""
    rng = np.random.default_rng(0)
    labels, ids = rng.random((60, 1)) < 0.5, [f"i{n}" for n in range(60)]
    at = np.float32(0.5)
    scores = np.where(rng.random((60, 1)) < 0.5, at, np.nextafter(at, np.float32(1)))
    other = np.full((60, 1), at)
    models = [entry("m", ids, ("cat",), scores), entry("n", ids, ("cat",), other)]
    truth = Truth.of(ids, TagSpace(("cat",)), labels)
    result = evaluate(truth, models, replace(SETTINGS, convention="smilingwolf"))
    errors = result.tables["errors"]
    assert set(errors.query("kind == 'false alarm'")["model"]) == {"m"}
    assert (errors.query("kind == 'false alarm'")["score"] > 0.5).all()
    assert (errors.query("kind == 'miss' and model == 'n'")["score"] == 0.5).all()
    rows = result.per_tag.set_index("model")
    assert rows.loc["n", ["tp", "fp"]].tolist() == [0, 0]
    assert rows.loc["m", "tp"] == ((scores > at) & labels).sum()
    assert (rows["threshold"] == 0.5).all()
    swept = result.sweep.query("model == 'm'")
    assert 0.5 in swept["threshold"].tolist()
    assert swept[swept["threshold"] == 0.5]["micro_recall"].iloc[0] == pytest.approx(rows.loc["m", "recall"])
    thresholds = result.tables["thresholds"].query("regime == 'own'")["threshold"]
    assert thresholds.tolist() == [0.5, 0.5]
