"""Pictures without labels: matching, agreement, calibration on a run, and the choice."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_array

from arena.base.errors import ArenaError
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry
from arena.evaluate.agreement import agreement, broken_rules, exclusive_by_labels, given_alone, rules_of
from arena.evaluate.choice import Reason, choose
from arena.evaluate.expected import Estimate, Estimates, ModelEstimate, calibrate, estimate_metrics, match_run
from arena.evaluate.unlabelled import Pictures, match_pictures
from arena.metrics.expected import BestThreshold
from arena.metrics.prevalence import Shift
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

RELATIONS = TagRelations.of(aliases=[("pup", "dog")], implications=[("dog", "animal")])


def entry(name: str, tags: tuple[str, ...], values: Any, categories: tuple[str, ...] | None = None) -> Entry:
    scores = np.float32(values)
    ids = [f"{row}" for row in range(len(scores))]
    return Entry(name, name, Scores.of(ids, TagSpace(tags, categories), scores), Thresholds(0.5), "card")


@pytest.fixture
def two() -> Pictures:
    first = entry("a", ("pup", "animal", "sun"), [[0.9, 0.1, 0.9], [0.9, 0.9, 0.1], [0.1, 0.1, 0.1]])
    kinds = ("general", "general", "meta")
    second = entry("b", ("animal", "dog", "moon"), [[0.9, 0.9, 0.9], [0.1, 0.9, 0.1], [0.1, 0.1, 0.1]], kinds)
    return match_pictures(["0", "1", "2"], [first, second], RELATIONS, categories={"sun": "weather"})


def test_tags_are_matched_by_aliases_and_compared_where_both_know_them(two: Pictures) -> None:
    assert two.truth.tags.names == ("dog", "animal", "sun", "moon")
    assert two.truth.tags.categories == ("general", "general", "weather", "meta")
    assert two.common.tolist() == [0, 1]
    (found,) = agreement(two)
    (part,) = found["parts"]
    assert part["tags"] == 2
    assert part["equal"]["value"] == pytest.approx(4 / 6)
    assert part["jaccard"]["value"] == pytest.approx(0.5)
    assert part["jaccard"]["images"] == 2


def test_tags_that_one_model_gives_alone_have_examples(two: Pictures) -> None:
    found = given_alone(two)
    assert found["a"]["unknown_to_others"] == 1
    (row,) = found["a"]["tags"]
    assert (row["tag"], row["images"], row["given"]) == ("animal", 1, 1)
    assert row["examples"] == [{"image_id": "1", "score": 0.9}]
    assert found["b"]["decisions"] == 1


def test_broken_rules_count_over_the_rules_that_a_model_knows(two: Pictures) -> None:
    rules = rules_of(two, [("sun", "dog"), ("moon", "none")])
    found = broken_rules(two, rules)
    assert found["a"]["implications"]["share"]["hits"] == 1
    assert found["a"]["implications"]["share"]["cases"] == 2
    assert found["a"]["exclusions"]["share"]["hits"] == 2  # both decisions of one image
    assert found["a"]["exclusions"]["worst"] == [{"first": "dog", "second": "sun", "broken": 1, "cases": 2}]
    assert found["b"]["exclusions"]["rules"] == 0
    assert found["a"]["exclusions"]["shared_rules"] == 0
    assert math.isnan(found["b"]["exclusions"]["share"]["value"])


def test_one_model_and_models_without_a_common_tag_have_no_agreement() -> None:
    one, other = entry("a", ("x",), [[0.9]]), entry("b", ("y",), [[0.9]])
    alone = match_pictures(["0"], [one], TagRelations(), categories={})
    assert agreement(alone) == []
    assert given_alone(alone)["a"]["tags"] == []
    apart = match_pictures(["0"], [one, other], TagRelations(), categories={})
    assert agreement(apart)[0]["parts"] == []
    assert len(apart.common) == 0


def test_pairs_that_labels_never_have_together_are_exclusive() -> None:
    labels = np.zeros((100, 4), bool)
    labels[:50, 0] = labels[50:, 1] = True
    labels[::10, 2] = True
    labels[:4, 3] = True  # too rare to say anything
    assert exclusive_by_labels(csc_array(labels)) == [(0, 1)]


def world(seed: int, images: int, shift: float = 0.0) -> tuple[list[Entry], np.ndarray]:
    """Two models of 12 tags with the same quality; `shift` makes the first half of the tags more frequent."""
    rng = np.random.default_rng(seed)
    prior = np.linspace(-2.5, -0.5, 12) + shift * (np.arange(12) < 6)
    labels = rng.random((images, 12)) < 1 / (1 + np.exp(-prior))
    found = []
    for name in ("a", "b"):
        logits = labels * 4 - 2.5 + rng.normal(0, 1.5, labels.shape)
        found.append(entry(name, tuple(f"t{tag:02d}" for tag in range(12)), 1 / (1 + np.exp(-logits))))
    return found, labels


def estimated(pictures: list[Entry], run: list[Entry], labels: np.ndarray, least: int = 10) -> Estimates:
    hidden = match_pictures(pictures[0].scores.image_ids, pictures, TagRelations(), categories={})
    truth = Truth.of(run[0].scores.image_ids, run[0].scores.tags, labels)
    matched = match_run(hidden, truth, {one.name: one for one in run}, least, "run")
    return estimate_metrics(hidden, matched, [calibrate(matched, number) for number in (0, 1)], "run")


def test_expected_metrics_are_near_those_by_labels_and_other_pictures_give_an_alarm() -> None:
    run, labels = world(1, 500)
    pictures, hidden = world(2, 500)
    found = estimated(pictures, run, labels)
    assert found.tags == 12
    assert found.differ == []
    for number, one in enumerate(pictures):
        predicted = one.scores.values.read() >= 0.5
        right = 2 * (predicted & hidden).sum() / (predicted.sum() + hidden.sum())
        assert found.models[one.name].own["micro_f1"].value == pytest.approx(right, abs=0.03), number
    assert found.models["a"].best["micro_f1"].value >= found.models["a"].own["micro_f1"].value
    assert found.pairs["a", "b"]["own"]["micro_f1"].value == pytest.approx(
        found.models["a"].own["micro_f1"].value - found.models["b"].own["micro_f1"].value
    )
    assert choose(found).reason is Reason.UNDECIDED

    others, _ = world(3, 500, shift=2.5)
    assert estimated(others, run, labels).differ == ["a", "b"]
    assert choose(estimated(others, run, labels)).reason is Reason.DIFFER


def test_a_run_that_calibrates_nothing_is_one_line() -> None:
    run, labels = world(1, 40)
    with pytest.raises(ArenaError, match="run: no tag that all models know has 1000 positives"):
        estimated(run, run, labels, least=1000)
    renamed = [entry(one.name, tuple(f"u{tag}" for tag in range(12)), one.scores.values.read()) for one in run]
    with pytest.raises(ArenaError, match="run: no tag"):
        estimated(renamed, run, labels)


def estimates(values: dict[str, float], error: float, excess: float = 0.0) -> Estimates:
    """Estimates of models whose differences have one standard error."""
    models = {
        name: ModelEstimate(
            {}, {"micro_f1": Estimate(value, 0, 1, error)}, BestThreshold(0.4, value), BestThreshold(0.3, 0)
        )
        for name, value in values.items()
    }
    names = list(values)
    pairs = {
        (one, other): {"best": {"micro_f1": Estimate(values[one] - values[other], -1, 1, error)}, "own": {}}
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    }
    return Estimates(9, models, pairs, dict.fromkeys(values, Shift(0.1 + excess, 0.1, 0.005)))


@pytest.mark.parametrize(
    ("found", "reason", "model"),
    [
        (None, Reason.UNCALIBRATED, None),
        (estimates({"a": 0.5}, 0.01), Reason.ONLY, "a"),
        (estimates({"a": 0.5, "b": 0.6}, 0.01), Reason.BETTER, "b"),
        (estimates({"a": 0.5, "b": 0.6}, 0.06), Reason.UNDECIDED, "b"),
        (estimates({"a": 0.5, "b": 0.6, "c": 0.5}, 0.045), Reason.UNDECIDED, "b"),  # by Holm's correction
        (estimates({"a": 0.5, "b": 0.6}, 0.01, excess=0.2), Reason.DIFFER, None),
    ],
)
def test_the_choice(found: Estimates | None, reason: Reason, model: str | None) -> None:
    choice = choose(found)
    assert (choice.reason, choice.model) == (reason, model)
    assert choice.threshold == (None if model is None else 0.4)
    assert all(one.value > 0 for one in choice.others.values())
