import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from arena.base.errors import ArenaError, ScoresError
from arena.scores.npz import read_scores, write_scores
from arena.scores.store import Scores, ScoreStore, read_store, read_store_facts
from arena.tags import TagSpace
from arena.tags.spelling import canonical_spelling

TAGS = TagSpace(("a", "b"), ("general", "meta"), (5, 6))
SHARDS = [("1", "2", "3"), ("4",)]


def filled(folder: Path, key: str = "k") -> ScoreStore:
    store = ScoreStore(folder, key=key, shards=SHARDS)
    store.prepare(TAGS, {"device": "cpu"})
    store.write(0, np.float32([[0.1, 0.2], [0.5, 0.6]]), {"2": "truncated"}, seconds=1.5)
    store.write(1, np.float32([[0.7, 0.8]]), {}, seconds=0.5)
    return store


def test_a_finished_store_reads_back(tmp_path: Path) -> None:
    assert filled(tmp_path).missing() == []
    scores = read_store(tmp_path)
    assert scores.image_ids == ("1", "3", "4")
    assert scores.tags == TAGS
    assert scores.skipped == {"2": "truncated"}
    assert scores.seconds == 2.0
    assert scores.values.read()[2].tolist() == [np.float32(0.7), np.float32(0.8)]


def test_a_shard_without_its_last_file_does_not_count(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "00001.json").unlink()
    assert store.missing() == [1]
    with pytest.raises(ScoresError, match="unfinished or damaged"):
        read_store(tmp_path)


def test_another_key_throws_the_old_scores_away_and_says_so(tmp_path: Path) -> None:
    filled(tmp_path)
    other = ScoreStore(tmp_path, key="other", shards=SHARDS)
    assert other.missing() == [0, 1]
    assert other.prepare(TAGS, {}) is True
    assert not list(tmp_path.glob("*.npy"))
    assert other.prepare(TAGS, {}) is False


def test_shards_without_a_header_are_not_adopted(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "store.json").unlink()
    other = ScoreStore(tmp_path, key="other", shards=SHARDS)
    assert other.prepare(TAGS, {}) is True
    assert other.missing() == [0, 1]


def test_a_folder_with_other_files_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ScoresError, match=r"holds thesis\.txt, which is not a file of a score store"):
        ScoreStore(tmp_path, key="k", shards=SHARDS).prepare(TAGS, {})
    assert (tmp_path / "thesis.txt").exists()


def test_skipped_images_of_finished_shards_are_known_and_a_shard_can_be_forgotten(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.skipped() == {0: ["2"]}
    store.forget(0)
    assert store.missing() == [0]


@pytest.mark.parametrize("value", [np.nan, 7.0, -3.0])
def test_stored_scores_are_checked_when_they_are_read(tmp_path: Path, value: float) -> None:
    filled(tmp_path).write(1, np.float32([[0.5, value]]), {})
    with pytest.raises(ScoresError, match="of image '4', tag 'b'"):
        read_store(tmp_path)


@pytest.mark.parametrize("damage", ["{}", "[]", '{"image_ids": ["4"]}'])
def test_a_damaged_shard_is_made_again(tmp_path: Path, damage: str) -> None:
    store = filled(tmp_path)
    (tmp_path / "00001.json").write_text(damage)
    assert store.missing() == [1]
    np.save(tmp_path / "00000.npy", np.zeros(3, np.float32))
    assert store.missing() == [0, 1]


def test_a_truncated_shard_is_told(tmp_path: Path) -> None:
    store = filled(tmp_path)
    path = tmp_path / "00000.npy"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ScoresError, match=r"00000\.npy: unfinished or damaged"):
        read_store(tmp_path)
    assert store.missing() == [0]


def test_a_damaged_header_counts_as_another_key(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "store.json").write_text('{"schema"')
    assert store.missing() == [0, 1]
    assert store.prepare(TAGS, {}) is True


def test_a_changed_bit_anywhere_in_a_store_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    store, random = filled(tmp_path), np.random.default_rng(0)
    right = read_store(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for place in random.integers(0, len(whole), 20):
            changed = bytearray(whole)
            changed[place] ^= 1 << int(random.integers(8))
            path.write_bytes(changed)
            try:
                found = read_store(tmp_path)
            except ScoresError:
                assert store.missing(), (path, place)
                continue
            assert replace(found, values=right.values) == right, (path, place)
            assert np.array_equal(found.values.read(), right.values.read()), (path, place)
        path.write_bytes(whole)


def swap(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Swap the first two items of a list in a JSON object."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]][:2] = content[keys[-1]][1::-1]

    return change


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("00000.json", swap("image_ids"), r"00000\.json differs from its digest"),
        ("00000.json", lambda shard: shard["skipped"].update({"2": "another reason"}), r"00000\.json differs"),
        ("00000.json", lambda shard: shard.pop("digest"), r"00000\.json differs"),
        ("store.json", swap("tags", "names"), r"store\.json: damaged \(it differs from its digest\)"),
        ("store.json", lambda store: store["facts"].update({"device": "cuda"}), r"store\.json: damaged"),
    ],
)
def test_swapped_images_tags_and_other_edits_are_noticed(
    tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    filled(tmp_path)
    content = json.loads((tmp_path / name).read_text())
    change(content)
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(ScoresError, match=words):
        read_store(tmp_path)


def test_a_damaged_shard_is_named_and_scored_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    np.save(tmp_path / "00001.npy", np.float32([[0.7, 0.9]]))
    (tmp_path / "00000.json").unlink()
    assert store.missing() == [0, 1]
    (line,) = store.damaged()
    assert "00001.npy: unfinished or damaged (its digest differs" in line


def test_a_store_of_another_key_is_neither_read_nor_written_to(tmp_path: Path) -> None:
    first = filled(tmp_path)
    second = ScoreStore(tmp_path, key="other", shards=SHARDS)
    second.prepare(TAGS, {})
    for use in (first.read, first.refuse_other_key, lambda: first.write(0, np.zeros((3, 2), np.float32), {})):
        with pytest.raises(ScoresError, match=r"it has the key other, expected k.*another command may have written"):
            use()
    with pytest.raises(ScoresError, match="it has the key other"):
        read_store_facts(tmp_path, key="k")


def test_a_shard_of_another_store_is_not_taken(tmp_path: Path) -> None:
    store = filled(tmp_path / "a")
    filled(tmp_path / "b", key="other")
    for suffix in ("npy", "json"):
        shutil.copy(tmp_path / f"b/00001.{suffix}", tmp_path / f"a/00001.{suffix}")
    assert store.missing() == [1]


def test_a_store_of_an_earlier_version_is_read_with_a_note(tmp_path: Path) -> None:
    store = filled(tmp_path)
    for name in ("store.json", "00000.json", "00001.json"):
        content = json.loads((tmp_path / name).read_text())
        del content["digest"]
        content.pop("values", None)
        (tmp_path / name).write_text(json.dumps(content))
    assert store.missing() == []
    scores = store.read()
    assert scores.image_ids == ("1", "3", "4")
    assert "without digests" in scores.notes[0]


def test_a_folder_without_scores_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScoresError, match="no scores in it"):
        read_store(tmp_path / "none")


@given(
    names=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, unique=True),
    images=st.integers(0, 4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_npz_keeps_every_name_and_score(tmp_path: Path, names: list[str], images: int) -> None:
    names = sorted({canonical_spelling(name) for name in names} - {""})
    assume(names)
    values = np.random.default_rng(0).random((images, len(names)), np.float32)
    tags = TagSpace(tuple(names), None, (3,) * len(names))
    scores = Scores.of([f"p{i}" for i in range(images)], tags, values)
    write_scores(tmp_path / "s.npz", scores)
    back = read_scores(tmp_path / "s.npz")
    assert (back.image_ids, back.tags) == (scores.image_ids, scores.tags)
    assert np.array_equal(back.values.read(), values)


def npz(path: Path, **arrays: object) -> Path:
    good = {"scores": np.full((2, 2), 0.5, np.float32), "tags": np.array(["a", "b"]), "image_ids": np.array(["1", "2"])}
    np.savez(path, **{name: array for name, array in (good | arrays).items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"scores": np.array([[0.1, np.nan], [0, 0]])}, "score nan of image '1', tag 'b'.*damaged"),
        ({"scores": np.array([[0.1, 0], [1.5, 0]])}, r"score 1\.5 of image '2', tag 'a'.*need a sigmoid"),
        ({"scores": np.array([[0.1, -0.1], [0, 0]])}, r"score -0\.1 of"),
        ({"scores": np.zeros((3, 2))}, r"scores \(3, 2\), but 2 image_ids and 2 tags"),
        ({"scores": np.zeros((2, 2), int)}, "must be floating point"),
        ({"image_ids": np.array(["1", "1"])}, "image '1' is listed twice"),
        ({"tags": np.array(["a", "a"])}, "'a' is listed twice"),
        ({"image_ids": np.array("abc")}, "image_ids is .* must be a one-dimensional array of str"),
        ({"tags": np.array([0.1, 0.2])}, "tags is float64"),
        ({"tags": np.array(["a", ""])}, "the name at index 1 is empty"),
        ({"tag_counts": np.array([1.0, np.nan])}, "tag_counts is float64"),
        ({"tags": None}, "no array tags; it has image_ids, scores"),
        ({"tags": np.array(["a", None], dtype=object)}, "strings as str"),
    ],
)
def test_scores_that_cannot_be_right_are_refused(tmp_path: Path, arrays: dict, message: str) -> None:
    path = npz(tmp_path / "s.npz", **arrays)
    with pytest.raises(ArenaError, match=message) as caught:
        read_scores(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_truncated_npz_is_one_line(tmp_path: Path) -> None:
    path = npz(tmp_path / "s.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ScoresError, match="not a readable npz file"):
        read_scores(path)
    with pytest.raises(ScoresError, match="no such file"):
        read_scores(tmp_path / "none.npz")


def test_the_header_is_json_that_other_tools_can_read(tmp_path: Path) -> None:
    filled(tmp_path)
    header = json.loads((tmp_path / "store.json").read_text())
    assert header["tags"]["names"] == ["a", "b"]
    assert header["facts"] == {"device": "cpu"}


@pytest.mark.parametrize("kind", ["npz", "compressed", "store"])
def test_scores_that_rounding_puts_outside_are_clipped_and_counted(tmp_path: Path, kind: str) -> None:
    values = np.float32([[1.0000001, -1e-9], [0.5, 1.0]])
    if kind == "store":
        store = ScoreStore(tmp_path, key="k", shards=[("1", "2")])
        store.prepare(TAGS, {})
        store.write(0, values, {})
        scores = read_store(tmp_path)
    else:
        write = np.savez if kind == "npz" else np.savez_compressed
        write(tmp_path / "s.npz", scores=values, tags=np.array(["a", "b"]), image_ids=np.array(["1", "2"]))
        scores = read_scores(tmp_path / "s.npz")
    assert scores.notes == ("2 scores were outside [0, 1] by at most 1e-06, which is rounding, and clipped",)
    assert scores.values.read().tolist() == [[1.0, 0.0], [0.5, 1.0]]
    assert scores.values.rows(np.array([0])).tolist() == [[1.0, 0.0]]
    assert [tile.max() for _, tile in scores.values.tiles()] == [1.0]


@pytest.mark.parametrize(
    ("value", "shown"), [(1.00001, "1.00001"), (1.5, "1.5"), (-0.00001, "-1e-05"), (np.nan, "nan")]
)
def test_a_score_further_outside_is_refused_with_enough_digits(tmp_path: Path, value: float, shown: str) -> None:
    np.savez(
        tmp_path / "s.npz", scores=np.float32([[0.1, value]]), tags=np.array(["a", "b"]), image_ids=np.array(["1"])
    )
    with pytest.raises(ScoresError, match=f"score {shown} of image '1', tag 'b'; scores must lie in"):
        read_scores(tmp_path / "s.npz")
