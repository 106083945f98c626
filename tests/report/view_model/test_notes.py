"""Notes on the metrics."""

from dataclasses import replace

import numpy as np

from arena.evaluate import Settings, evaluate
from arena.report.view_model.notes import half_precision_notes
from arena.scores.store import Scores
from tests.evaluate.worlds import world


def test_scores_in_half_precision_are_named() -> None:
    truth, models = world()
    first, *others = models
    coarse = Scores.of(first.scores.image_ids, first.scores.tags, first.scores.values.read().astype(np.float16))
    result = evaluate(truth, [replace(first, scores=coarse), *others], Settings(1, replicates=0))
    [note] = half_precision_notes(result.summary)
    assert note.endswith(f": {first.name}.")
    assert "float16" in note
    assert half_precision_notes(evaluate(truth, models, Settings(1, replicates=0)).summary) == []
