"""Metrics over a model's own tags: worked by hand, and equal to the run of the model alone."""

import numpy as np
import pytest

from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.registry import LEADERBOARD
from arena.results.named import headlines
from arena.results.own_tags import own_tag_metrics
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

IDS = tuple(f"i{n}" for n in range(60))


def entry(name: str, tags: tuple[str, ...], seed: int) -> Entry:
    values = np.random.default_rng(seed).random((len(IDS), len(tags))).astype(np.float32)
    return Entry(name, name, Scores.of(IDS, TagSpace(tags), values), Thresholds(0.5), "option")


@pytest.fixture(scope="module")
def runs() -> tuple[Result, Result]:
    """A run of two models, and one of the first alone; the first has one tag twice, under two names."""
    labels = np.random.default_rng(0).random((len(IDS), 6)) < [0.5, 0.4, 0.3, 0.5, 0.02, 0.4]
    relations = TagRelations.of(aliases=[("kitty", "cat")])
    truth = Truth.of(IDS, TagSpace(("cat", "dog", "hat", "sun", "rare", "sky")), labels, relations=relations)
    first = entry("a", ("kitty", "cat", "dog", "hat", "sun", "rare"), 1)
    settings = Settings(min_positives=5, replicates=0, slices=())
    return evaluate(truth, [first, entry("b", ("cat", "dog", "sky"), 2)], settings), evaluate(truth, [first], settings)


def test_own_tags_do_not_depend_on_the_opponent(runs: tuple[Result, Result]) -> None:
    both, alone = runs
    own = own_tag_metrics(both, "a")
    expected = alone.summary["models"]["a"]["regimes"]["own"]
    for key in LEADERBOARD:
        assert own[key].value == pytest.approx(expected[key], abs=1e-12), key
        assert own[key].tags == expected.get(f"{key}_tags"), key
    assert own["macro_f1"].tags == 4, "cat, dog, hat and sun have enough positives"
    assert both.summary["models"]["a"]["regimes"]["own"]["macro_f1_tags"] == 2
    assert own == own_tag_metrics(alone, "a")


def test_headlines_name_the_others_that_limit_the_tags(runs: tuple[Result, Result]) -> None:
    both, alone = runs
    found = headlines(both, "a")["macro_f1"]
    assert (found["tags"], found["compared_with"], found["own"]["tags"]) == (2, ["b"], 4)
    assert "own" not in headlines(alone, "a")["macro_f1"]
