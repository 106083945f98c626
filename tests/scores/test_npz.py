from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.base.errors import ArenaError, ScoresError
from arena.scores.npz import read_npz, read_scores

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


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_changed_bit_of_a_file_is_noticed_or_changes_nothing(tmp_path: Path, save: Any) -> None:
    path, random = write(tmp_path / "s.npz"), np.random.default_rng(0)
    save(path, scores=VALUES, tags=np.array(["long_hair", "hat"]), image_ids=np.array(["a", "b"]))
    whole, right = path.read_bytes(), read_scores(path)
    for place in random.integers(0, len(whole), 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        try:
            found = read_scores(path)
        except ScoresError:
            continue
        assert replace(found, values=right.values) == right, place
        assert np.array_equal(found.values.read(), right.values.read()), place


@pytest.mark.parametrize("member", ["scores", "truth"])
def test_a_changed_bit_of_a_mapped_array_is_named(tmp_path: Path, member: str) -> None:
    path = tmp_path / "s.npz"
    values = np.full((300, 40), 0.5, np.float32)  # so large that zipfile reads only its begin
    np.savez(path, **{member: values > 0.3 if member == "truth" else values})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ScoresError, match=rf"s\.npz: .*the CRC-32 of {member} differs, so its bytes were changed"):
        read_npz(path, (member,), large=member)


@pytest.mark.parametrize(
    ("more", "named"),
    [({"mask": VALUES > 0.3}, "array mask"), ({"known": VALUES > 0.3, "weight": np.ones(2)}, "arrays known and weight"),
     ({"a\nb": VALUES}, r"array a\\nb"), ({"truth": VALUES > 0.3}, "array truth")],
)  # fmt: skip
def test_an_array_that_is_not_read_is_refused_by_its_name(tmp_path: Path, more: Any, named: str) -> None:
    with pytest.raises(
        ScoresError, match=rf"s.npz: {named}: not read from a file of scores, which may hold scores, tags,"
    ):
        read_scores(write(tmp_path / "s.npz", **more))


def test_the_optional_arrays_are_read(tmp_path: Path) -> None:
    scores = read_scores(write(tmp_path / "s.npz", tag_counts=np.array([3, 4]), tag_categories=np.array(["x", "y"])))
    assert (scores.tags.counts, scores.tags.categories) == ((3, 4), ("x", "y"))
