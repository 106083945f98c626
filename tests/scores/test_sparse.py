"""Files of high scores: what is stored, what a reader gets back, and files that are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError, ScoresError
from arena.scores.cut import Cut, Selection
from arena.scores.matrix import Matrix
from arena.scores.sparse import METADATA, read_sparse, write_sparse
from arena.scores.store import Scores
from arena.tags import TagSpace

TAGS = TagSpace(("hat", "long_hair", "1girl", "sky"), ("general", "general", "general", "general"), (3, 9, 12, 0))
VALUES = np.array(
    [[0.5, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 0.0], [0.125, 0.125, 0.125, 1.0], [0.5, 0.5, 0.5, 0.5]], np.float32
)
SCORES = Scores(("a", "b", "c", "d"), TAGS, Scores.of((), TAGS, VALUES).values, {"e": "not an image"})


def test_the_selected_scores_come_back_and_the_others_are_0(tmp_path: Path) -> None:
    cut = write_sparse(tmp_path / "s.parquet", SCORES, Selection(2, 0.125))
    found = read_sparse(tmp_path / "s.parquet")
    assert found.values.read().tolist() == [[0.5, 0, 0.75, 0], [0, 0, 0, 0], [0.125, 0, 0, 1], [0.5, 0.5, 0, 0]]
    assert (found.image_ids, found.tags, found.skipped) == (SCORES.image_ids, TAGS, SCORES.skipped)
    assert found.cut == cut == Cut(2, 0.125, 0.5), "image d has four scores of 0.5, of which two are stored"
    assert "the 2 highest scores of each image, if at least 0.125" in found.notes[0]
    assert "thresholds above 0.5 are exact" in found.notes[0]
    assert found.values.rows(np.array([2, 0]))[:, 3].tolist() == [1, 0]


def test_a_file_is_readable_by_other_tools_and_small(tmp_path: Path) -> None:
    write_sparse(tmp_path / "s.parquet", SCORES, Selection(2))
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert rows[0] == {"image_id": "a", "tags": ["hat", "1girl"], "scores": [0.5, 0.75]}
    assert len(rows[1]["tags"]) == 2, "without a lowest score zeros are stored too"


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.sampled_from([0.0, 0.25, 0.5]))
def test_every_decision_above_the_stated_value_is_that_of_all_scores(seed: int, k: int, lowest: float) -> None:
    block = np.random.default_rng(seed).integers(0, 9, (5, 6)).astype(np.float32) / 8  # many equal scores
    selection = Selection(k, lowest)
    kept = selection.of(block)
    assert (kept.sum(1) <= k).all()
    assert (block[kept] >= lowest).all()
    limit = selection.complete_above(block, kept)
    stored = np.where(kept, block, 0)
    for threshold in np.unique(block[block > limit]):
        assert np.array_equal(stored >= threshold, block >= threshold)
    for row, some in zip(block, kept, strict=True):
        left_out = row[~some & (row >= lowest)]
        assert not left_out.size or (left_out.max() <= row[some].min() and some.sum() == min(k, 6))


def test_small_blocks_are_one_row_group(tmp_path: Path) -> None:
    ids = tuple(map(str, range(40)))
    parts = [np.full((20, 4), value, np.float32) for value in (0.25, 0.5)]
    write_sparse(tmp_path / "s.parquet", Scores(ids, TAGS, Matrix(parts)), Selection(1))
    assert pq.ParquetFile(tmp_path / "s.parquet").num_row_groups == 1
    found = read_sparse(tmp_path / "s.parquet")
    assert (found.image_ids, found.values.read()[:, 0].tolist()) == (ids, [0.25] * 20 + [0.5] * 20)


def write(path: Path, ids: list[Any], tags: list[Any], scores: list[Any], facts: dict[str, Any] | None = None) -> Path:
    table = pa.table({"image_id": ids, "tags": pa.array(tags, pa.list_(pa.string())), "scores": scores})
    pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(facts)} if facts is not None else None), path)
    return path


def test_a_file_of_another_tool_has_the_tags_that_occur(tmp_path: Path) -> None:
    found = read_sparse(write(tmp_path / "s.parquet", ["x", "y"], [["long hair", "hat"], []], [[0.5, 0.75], []]))
    assert (found.tags.names, found.values.read().tolist()) == (("long_hair", "hat"), [[0.5, 0.75], [0, 0]])
    assert found.cut == Cut()
    assert "Which thresholds that affects is unknown" in found.notes[1]


@pytest.mark.parametrize(
    ("ids", "tags", "scores", "facts", "message"),
    [
        (["x", "x"], [["a"], []], [[0.5], []], None, "image 'x' is listed twice"),
        (["x"], [["a", "a"]], [[0.5, 0.25]], None, "names a tag twice"),
        (["x"], [["a"]], [[0.5, 0.25]], None, "different lengths"),
        (["x"], [["a", None]], [[0.5, 0.25]], None, "a tag is missing"),
        (["x"], [["a"]], [[1.5]], None, "scores must lie in"),
        (["x"], [["a"]], [[None]], None, "must hold lists of floating point numbers"),
        (["x", "y"], [["a"], ["a"]], [[None], [0.5]], None, "nan of image 'x', tag 'a'"),
        (["x"], [["b"]], [[0.5]], {"tags": ["a"], "complete_above": 0}, "'b' is not in the file's own list"),
        (["x"], [["a"]], [[0.5]], {"tags": ["a"]}, "metadata: no field complete_above"),
        (["x"], [["a"]], [[0.5]], {"tags": ["a", "a"], "complete_above": 0}, "tag 'a' is listed twice"),
        (["x", None], [["a"], []], [[0.5], []], None, "an image_id is missing"),
        (["x"], [["a"]], [[1]], None, "column scores holds list<"),
    ],
)  # fmt: skip
def test_wrong_content_is_one_line(
    tmp_path: Path, ids: list[Any], tags: list[Any], scores: list[Any], facts: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(ArenaError) as error:
        read_sparse(write(tmp_path / "s.parquet", ids, tags, scores, facts))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    with pytest.raises(ScoresError, match="no such file"):
        read_sparse(path)
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(ScoresError, match="not a readable Parquet file of scores"):
        read_sparse(path)
    pq.write_table(pa.table({"image_id": ["x"]}), path)
    with pytest.raises(ScoresError, match="0 columns tags"):
        read_sparse(path)
