from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.base.errors import ArenaError, ScoresError
from arena.scores.npz import read_scores

VALUES = np.float32([[0.1, 0.9], [0.5, 0.2]])


def write(path: Path, **more: Any) -> Path:
    arrays = {"scores": VALUES, "tags": np.array(["long hair", "hat"]), "image_ids": np.array(["a", "b"])} | more
    np.savez(path, **arrays)
    return path


def test_tags_are_respelled_and_the_note_says_so(tmp_path: Path) -> None:
    scores = read_scores(write(tmp_path / "s.npz"))
    assert scores.tags.names == ("long_hair", "hat")
    assert scores.respelled.endswith("s.npz: 1 tag name respelled: 'long hair' as 'long_hair'")
    with pytest.raises(ArenaError, match="are one tag, long_hair; keep one"):
        read_scores(write(tmp_path / "s.npz", tags=np.array(["long hair", "long_hair"])))


@pytest.mark.parametrize("ids", [np.array([1, 2]), np.array([1.0, 2.0]), np.array([b"1", b"2"]), np.uint16([1, 2])])
def test_post_ids_may_be_numbers(tmp_path: Path, ids: np.ndarray) -> None:
    assert read_scores(write(tmp_path / "s.npz", image_ids=ids)).image_ids == ("1", "2")


def test_other_ids_are_refused(tmp_path: Path) -> None:
    for ids in (np.array([1.5, 2]), np.array([np.nan, 2]), np.array([True, False])):
        with pytest.raises(ScoresError, match=r"image_ids is .*; it must be a one-dimensional array of str"):
            read_scores(write(tmp_path / "s.npz", image_ids=ids))


def test_skipped_images_without_reasons(tmp_path: Path) -> None:
    assert read_scores(write(tmp_path / "s.npz", skipped_ids=np.array(["c"]))).skipped == {"c": "unknown"}
    assert (
        read_scores(write(tmp_path / "s.npz", skipped_reasons=np.array([], str), skipped_ids=np.array([], str))).skipped
        == {}
    )
    with pytest.raises(ScoresError, match="1 skipped_ids, but 2 skipped_reasons; give one reason"):
        read_scores(write(tmp_path / "s.npz", skipped_ids=np.array(["c"]), skipped_reasons=np.array(["x", "y"])))
