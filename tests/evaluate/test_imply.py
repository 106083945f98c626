import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.cli import arena
from arena.dataset.frozen import read_frozen
from arena.evaluate import Settings, evaluate
from arena.report.html import render_comparison
from arena.report.summary import summary_markdown
from arena.report.view import page_view
from arena.scores.npz import write_scores
from arena.scores.store import Scores
from arena.tags import TagRelations, TagSpace

from .worlds import assert_same, assert_same_tables, entry, world

RELATIONS = TagRelations.of(aliases=[("old", "t9")], implications=[("t1", "t8"), ("t8", "t9"), ("elsewhere", "t0")])
CHOSEN = Settings(min_positives=1, replicates=0)


def closed_by_hand(scores: np.ndarray) -> np.ndarray:
    closed = scores.copy()
    closed[:, 8] = np.maximum(scores[:, 8], scores[:, 1])
    closed[:, 9] = scores[:, [1, 8, 9]].max(1)
    return closed


def test_it_is_scoring_what_was_closed_beforehand() -> None:
    truth, models = world(relations=RELATIONS)
    ready = [
        entry(one.name, one.scores.image_ids, one.scores.tags.names, closed_by_hand(one.scores.values.read()))
        for one in models
    ]
    option = evaluate(truth, models, Settings(min_positives=1, replicates=50, imply=True))
    beforehand = evaluate(truth, ready, Settings(min_positives=1, replicates=50))
    assert_same_tables(option, beforehand)
    assert_same(option.summary, beforehand.summary | {"imply": True}, tolerance=0)


def test_recall_of_implied_tags_never_falls() -> None:
    truth, models = world(relations=RELATIONS)
    plain, closed = (
        evaluate(truth, models, Settings(min_positives=1, replicates=0, imply=imply)).per_tag.set_index(
            ["model", "tag"]
        )
        for imply in (False, True)
    )
    assert (closed["recall"] >= plain["recall"]).all()
    assert closed["recall"].loc["poor", "t9"] > plain["recall"].loc["poor", "t9"]


def test_what_was_done_is_told_everywhere_and_only_then() -> None:
    truth, models = world(relations=RELATIONS)
    told = "score of an implied tag was raised"
    for imply in (False, True):
        result = evaluate(truth, models, Settings(min_positives=1, replicates=0, imply=imply))
        assert result.summary["imply"] is imply
        assert ("implied_tags" in result.run["models"]["fine"]) is imply
        assert (told in summary_markdown(result)) is imply
        assert (told in render_comparison(page_view(result))) is imply
    assert result.run["models"]["fine"]["implied_tags"] == 2


def test_a_run_from_before_the_option_is_still_shown() -> None:
    truth, models = world()
    result = evaluate(truth, models, CHOSEN)
    del result.summary["imply"]
    assert "raised" not in summary_markdown(result)


def test_without_implications_the_option_is_refused() -> None:
    truth, models = world()
    with pytest.raises(ArenaError, match="the ground truth has no implications; use a dataset"):
        evaluate(truth, models, Settings(imply=True))


@pytest.mark.usefixtures("no_plots")
def test_the_option_reaches_summary_and_signature(drawn_dataset: Path, tmp_path: Path) -> None:
    (drawn_dataset / "tag_implications.csv").write_text("antecedent_name,consequent_name\ntag_1,tag_0\n")
    truth = read_frozen(find_dataset(str(drawn_dataset)))
    values = np.random.default_rng(0).random((len(truth), 2), np.float32)
    write_scores(tmp_path / "s.npz", Scores.of(truth.image_ids, TagSpace(("tag_0", "tag_one")), values))
    arguments = ["score", "--scores", f"s={tmp_path / 's.npz'}", "-d", str(drawn_dataset), "-o", str(tmp_path / "run")]
    signatures = []
    for more in ([], ["--imply", "--overwrite"]):
        found = CliRunner().invoke(arena, [*arguments, "--bootstrap", "0", *more], catch_exceptions=False)
        assert found.exit_code == 0
        assert ("score of an implied tag was raised" in found.output) is bool(more)
        signature = json.loads((tmp_path / "run/run.json").read_text())["signature"]
        signatures.append(re.sub(r"\|result:\w{8}\|", "|", signature))
        assert json.loads((tmp_path / "run/summary.json").read_text())["imply"] is bool(more)
    assert signatures[1] == signatures[0].replace("|models:", "|imply:max|models:") != signatures[0]
