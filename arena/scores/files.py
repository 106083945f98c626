"""Scores in one file, whole or cut."""

from pathlib import Path

from arena.scores.npz import read_scores
from arena.scores.sparse import SUFFIX, read_sparse
from arena.scores.store import Scores


def read_score_file(path: Path) -> Scores:
    """Read scores from a `.parquet` file, which holds the high ones, or else from an `.npz` file, which holds all.

    Raises:
        ScoresError: the file is missing or damaged, or a value is no score.
    """
    return read_sparse(path) if path.suffix == SUFFIX else read_scores(path)
