"""With 30 % of the labels missing the wrong model is called higher; this is what a reader is told then."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.report.html import render_comparison
from arena.report.summary import summary_markdown
from arena.report.view import headline_view, page_view
from arena.report.view_model.recorded_labels import recorded_labels
from arena.report.view_model.uncertainty import run_verdict
from arena.results.run_folder import Result
from arena.tags import TagSpace

from .worlds import entry

IMAGES, TAGS, MISSING = 4000, 30, 0.3
THRESHOLDS = {"A": 0.14, "B": 0.58}


class Case(NamedTuple):
    """The truth, the recorded labels, bool (images, tags), and the results by both."""

    truth: np.ndarray
    recorded: np.ndarray
    by_truth: Result
    by_recorded: Result


@cache
def case() -> Case:
    """Two models of nearly the same separation and correlated errors; A is truly higher in macro F1 and predicts far more."""
    rng = np.random.default_rng(4)
    prevalence, separation = np.geomspace(0.35, 0.03, TAGS), rng.uniform(1.7, 3.6, TAGS)
    truth = rng.random((IMAGES, TAGS)) < prevalence
    shared = rng.normal(size=truth.shape)
    scores = {
        name: scores_of(rng, truth, shared, separation * more, prevalence) for name, more in (("A", 1.06), ("B", 1.0))
    }
    recorded = truth & (rng.random(truth.shape) >= MISSING)
    ids, names = [f"i{n:04}" for n in range(IMAGES)], tuple(f"t{n:02}" for n in range(TAGS))
    models = [entry(name, ids, names, one, Thresholds(THRESHOLDS[name])) for name, one in scores.items()]
    results = [
        evaluate(Truth.of(ids, TagSpace(names), labels), models, Settings(replicates=100))
        for labels in (truth, recorded)
    ]
    return Case(truth, recorded, *results)


def scores_of(
    rng: np.random.Generator, truth: np.ndarray, shared: np.ndarray, separation: np.ndarray, prevalence: np.ndarray
) -> np.ndarray:
    seen = truth * separation + 0.9 * shared + 0.43 * rng.normal(size=truth.shape)
    logits = separation * seen - separation**2 / 2 + np.log(prevalence / (1 - prevalence))
    return (1 / (1 + np.exp(-1.1 * logits))).astype(np.float32)


def higher(result: Result) -> str:
    rows = result.tables["differences"].query("slice == 'all' and regime == 'own' and figure == 'macro_f1'")
    return str(rows["higher"].iloc[0])


def test_missing_labels_turn_the_decision_and_the_reader_is_warned() -> None:
    found = case()
    assert (higher(found.by_truth), higher(found.by_recorded)) == ("A", "B")
    payload = headline_view(found.by_recorded)
    assert run_verdict(payload).startswith("By recorded labels: ")
    effect, share, warning = recorded_labels(payload)
    assert effect.startswith("All metrics are by recorded labels")
    assert share.startswith("Label issues suspect that ")
    predicted = [(found.by_recorded.tags_of(name)[["tp", "fp"]]).to_numpy().sum() for name in "AB"]
    assert f"A makes {predicted[0] / predicted[1]:.2f} times as many predictions as B" in warning
    assert warning.endswith("Missing labels lower the precision and F1 of A more, which favours B.")


@pytest.mark.parametrize("document", ["page", "summary"])
def test_page_and_summary_have_the_sentences_and_no_figures_without_label_issues(document: str) -> None:
    result = case().by_recorded
    text = render_comparison(page_view(result)) if document == "page" else summary_markdown(result)
    for sentence in recorded_labels(headline_view(result)):
        assert sentence in text
    assert "without_suspects" not in text
    assert result.summary["labels"].keys() == {"missing", "false_positives"}


def test_listed_labels_are_truly_missing_and_none_is_called_wrong() -> None:
    found = case()
    table = found.by_recorded.tables["labels"]
    assert set(table["kind"]) == {"missing"}
    rows, columns = table["image_id"].str[1:].astype(int), table["tag"].str[1:].astype(int)
    right = found.truth[rows, columns]
    assert not found.recorded[rows, columns].any()
    assert right[:50].mean() >= 0.98
    assert right[:500].mean() >= 0.95


def test_false_positives_suspected_are_of_all_issues_not_only_of_those_listed() -> None:
    result = case().by_recorded
    for name, one in result.summary["labels"]["false_positives"].items():
        assert one["total"] == result.tags_of(name)["fp"].sum()
        assert 0 < one["suspected"] <= one["total"]
    assert result.summary["labels"]["false_positives"]["B"]["suspected"] > len(result.tables["labels"])
