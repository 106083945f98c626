"""Three-state truth as data: the columns of a dataset, and the array of a truth file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError, ScoresError
from arena.cards import find_dataset
from arena.dataset.canonical import canonicalise
from arena.dataset.describe import summarise_dataset
from arena.dataset.freeze import CardOverrides, freeze_dataset
from arena.dataset.frozen import HeldOut, Truth, digest_images, read_frozen, write_frozen
from arena.dataset.readers import truth_from_rows
from arena.dataset.selection import Selection
from arena.dataset.verify import verify_dataset
from arena.metrics.known import KnownCells
from arena.pipeline.truth import read_truth
from arena.tags import TagRelations, TagSpace


def read(folder: Path) -> HeldOut:
    return read_frozen(find_dataset(str(folder)))


def with_columns(folder: Path, **columns: Any) -> Path:
    """Write a dataset again with further columns, each a function of the tags of an image."""
    heldout = read(folder)
    images = heldout.images.assign(
        **{
            name: pd.Series([of(list(tags)) for tags in heldout.images["tags"]], dtype=object)
            for name, of in columns.items()
        }
    )
    tags = [(name, heldout.tags.category(place)) for place, name in enumerate(heldout.tags.names)]
    write_frozen(folder, card={"name": folder.name, "title": "Drawn", "licence": "CC0"}, images=images, tags=tags)
    return folder


def absent(tags: list[str]) -> list[str]:
    return sorted({"tag_0", "tag_1"} - {*tags})


def known_of(truth: Truth) -> np.ndarray:
    assert truth.known is not None
    return truth.known.block(slice(None)).T


def test_absent_and_checked_tags_are_known_like_present_ones(drawn_dataset: Path) -> None:
    before = read(drawn_dataset)
    found = read(with_columns(drawn_dataset, absent=absent, checked=lambda tags: ["tag_2", *tags[:1]])).truth
    present = before.truth.values.toarray()
    expected = present | np.isin(found.tags.names, ["tag_0", "tag_1", "tag_2"])
    np.testing.assert_array_equal(known_of(found), expected)
    np.testing.assert_array_equal(found.values.toarray(), present)
    assert not {"absent", "checked"} & set(found.images), "they slice no image"


def test_the_digest_pins_the_known_cells(drawn_dataset: Path) -> None:
    plain = read(drawn_dataset)
    first = read(with_columns(drawn_dataset, absent=absent))
    assert first.digest == digest_images(first.images) != plain.digest
    turned = first.images.assign(absent=[names[::-1] for names in first.images["absent"]])
    assert digest_images(turned) == first.digest
    assert digest_images(first.images.rename(columns={"absent": "checked"})) != first.digest
    assert digest_images(first.images.drop(columns="absent")) == plain.digest


def test_a_frozen_part_keeps_the_known_cells(drawn_dataset: Path, tmp_path: Path) -> None:
    source = find_dataset(str(with_columns(drawn_dataset, absent=absent)))
    least = sorted(np.diff(read(drawn_dataset).truth.values.indptr))[1]  # the rarest tag is dropped
    chosen = Selection(sample=30, seed=1, min_images=int(least))
    freeze_dataset(source, tmp_path / "part", about=CardOverrides("part"), selection=chosen)
    part, whole = read(tmp_path / "part"), read(drawn_dataset)
    assert len(part.tags) < len(whole.tags)
    rows = [whole.image_ids.index(name) for name in part.image_ids]
    columns = [whole.tags.index[name] for name in part.tags.names]
    np.testing.assert_array_equal(known_of(part.truth), known_of(whole.truth)[np.ix_(rows, columns)])
    assert not verify_dataset(find_dataset(str(tmp_path / "part"))).faults
    assert summarise_dataset(part)["known_cells"] == known_of(part.truth).sum()
    assert summarise_dataset(part)["pairs"] == []


def test_a_sample_keeps_the_known_cells(drawn_dataset: Path) -> None:
    heldout = read(with_columns(drawn_dataset, absent=absent))
    part = heldout.sample(10, 0)
    rows = [heldout.image_ids.index(name) for name in part.image_ids]
    np.testing.assert_array_equal(known_of(part.truth), known_of(heldout.truth)[rows])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"absent": lambda tags: tags[:1]},
            r"image 00\d\d has tag_\d in tags and in absent; a tag is either",
        ),
        (
            {"absent": lambda tags: ["nothing"]},
            r"images.parquet has in its column absent tags that tags.csv lacks: nothing",
        ),
        ({"checked": lambda tags: None}, r"images.parquet: 40 rows have no checked; list the tags, or an empty list"),
        ({"checked": lambda tags: "tag_0"}, r"images.parquet: .*checked.*lists of text"),
        ({"checked": lambda tags: True}, r"images.parquet: .*checked.*lists of text"),
    ],
)
def test_wrong_columns_are_one_line(drawn_dataset: Path, columns: Any, message: str) -> None:
    heldout = read(drawn_dataset)
    images = heldout.images.assign(**{name: heldout.images["tags"].map(list).map(of) for name, of in columns.items()})
    images.to_parquet(drawn_dataset / "images.parquet")
    (drawn_dataset / "dataset.toml").write_text('name = "drawn"\ntitle = "Drawn"\nlicence = "CC0"\n')
    with pytest.raises(ArenaError, match=message) as error:
        read(drawn_dataset)
    assert "\n" not in str(error.value)


def test_canonical_labels_keep_the_known_cells(drawn_dataset: Path) -> None:
    heldout = read(with_columns(drawn_dataset, absent=absent, checked=lambda tags: ["tag_2"]))
    relations = TagRelations(aliases={"tag_2": "renamed"}, blacklist={"tag_1": ""})
    made = canonicalise(heldout, relations)
    assert all("tag_1" not in names for names in made.images["absent"])
    assert {name for names in made.images["checked"] for name in names} == {"renamed"}
    implied = TagRelations(implications={"tag_2": frozenset({"tag_0"})})
    with pytest.raises(ArenaError, match=r"has tag_0 in absent, but its tags include or imply it"):
        canonicalise(heldout, implied)


AXES = {"tags": np.array(["hat", "long hair", "long_hair"]), "image_ids": np.array(["a", "b", "c", "d"])}
LABELS = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]], np.bool_)
KNOWN = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]], np.bool_)


def truth_file(path: Path, **more: Any) -> Path:
    np.savez(path, **{"truth": LABELS, "known": KNOWN, **AXES, **more})
    return path


def test_a_truth_file_may_hold_known(tmp_path: Path) -> None:
    """Of two columns of one tag, a present one makes it present, and only two absent ones make it absent."""
    truth = read_truth(truth_file(tmp_path / "t.npz")).truth
    assert truth.tags.names == ("hat", "long_hair")
    assert known_of(truth).tolist() == [[True, True], [True, False], [False, True], [True, True]]
    assert truth.values.toarray().tolist() == [[True, True], [False, False], [False, True], [False, False]]


@pytest.mark.parametrize("known", [KNOWN.astype(np.uint8), KNOWN.astype(np.float64), np.asfortranarray(KNOWN)])
def test_known_may_be_of_another_type(tmp_path: Path, known: np.ndarray) -> None:
    labels = np.where(KNOWN, LABELS, np.nan)
    truth = read_truth(truth_file(tmp_path / "t.npz", known=known, truth=labels)).truth
    expected = read_truth(truth_file(tmp_path / "t.npz")).truth
    np.testing.assert_array_equal(known_of(truth), known_of(expected))
    np.testing.assert_array_equal(truth.values.toarray(), expected.values.toarray())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"known": KNOWN[:, :2]}, r"known \(4, 2\), but truth \(4, 3\); give one value for each image and tag"),
        ({"known": KNOWN[:, 0]}, r"known \(4,\), but truth"),
        ({"known": np.full((4, 3), 0.5)}, "known is float64 and holds values other than 0 and 1; it must be bool"),
        ({"known": np.full((4, 3), "yes")}, "known is <U3 and holds"),
        (
            {"mask": KNOWN},
            r"array mask: not read from a file of truth, which may hold truth, tags, image_ids, weight, known",
        ),
        (
            {"known": KNOWN, "truth": np.where(LABELS, 1, np.nan)},
            "truth holds values other than 0 and 1; it must be bool, and",
        ),
    ],
)
def test_a_wrong_truth_file_is_one_line(tmp_path: Path, more: Any, message: str) -> None:
    with pytest.raises(ScoresError, match=message):
        read_truth(truth_file(tmp_path / "t.npz", **more))


def test_known_true_everywhere_is_no_known(tmp_path: Path) -> None:
    plain = truth_from_rows("t", LABELS.shape, [LABELS], tuple(AXES["tags"].tolist()), tuple("abcd"))
    truth = read_truth(truth_file(tmp_path / "t.npz", known=np.ones_like(KNOWN))).truth
    assert truth.known is None
    np.testing.assert_array_equal(truth.values.toarray(), plain.values.toarray())


@pytest.mark.parametrize("images", [1, 7, 8, 9, 600])
def test_bits_are_the_cells(images: int) -> None:
    """In rows that come in tiles of any size, in columns, cell by cell, and after some were taken."""
    rng = np.random.default_rng(images)
    cells, weights = rng.random((images, 300)) < 0.5, rng.random(images)
    cuts = np.sort(rng.integers(0, images + 1, 3))
    known = KnownCells.of_rows(np.split(cells, cuts), images, 300)
    assert known.bits.tolist() == KnownCells.of_cells(*np.nonzero(cells), images, 300).bits.tolist()
    some, tags = rng.permutation(images)[: images // 2 + 1], rng.permutation(300)[:9]
    np.testing.assert_array_equal(known.block(slice(3, 9)), cells.T[3:9])
    np.testing.assert_array_equal(known.rows(some), cells[some])
    np.testing.assert_array_equal(known.take(some).columns(tags).block(slice(None)), cells[np.ix_(some, tags)].T)
    np.testing.assert_array_equal(known.counts(), cells.sum(0))
    np.testing.assert_allclose(known.counts(weights), weights @ cells)
    np.testing.assert_array_equal(known.per_image(), cells.sum(1))
    np.testing.assert_array_equal(known.informative(tags[:2]), cells[:, tags[:2]].any(1))
    assert not known.informative(tags[:0]).any()
    assert not known.complete
    assert KnownCells.of_rows([np.ones((images, 300), np.bool_)], images, 300).complete


def test_a_truth_in_memory_is_masked() -> None:
    truth = Truth.of(["a", "b"], TagSpace(("x",)), np.array([[True], [True]]), known=KnownCells.of_rows(
        [np.array([[True], [False]])], 2, 1
    ))  # fmt: skip
    assert truth.values.toarray().tolist() == [[True], [False]]
