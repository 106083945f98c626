import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.dataset.frozen import HeldOut, Truth, digest_images, read_frozen, read_image_table
from arena.dataset.readers import list_images, truth_from_rows
from arena.tags import TagSpace

from ..conftest import arena_here, draw


def read(folder: Path) -> HeldOut:
    return read_frozen(find_dataset(str(folder)))


def test_a_frozen_set_reads_back(drawn_dataset: Path) -> None:
    heldout = read(drawn_dataset)
    assert len(heldout) == 40
    assert heldout.card.digest == heldout.digest
    row = heldout.truth.values.toarray()[7]
    named = {name for name, carried in zip(heldout.tags.names, row, strict=True) if carried}
    assert named == set(heldout.images["tags"][7])


def test_digest_does_not_depend_on_order_but_on_tags(drawn_dataset: Path) -> None:
    images = read(drawn_dataset).images
    assert digest_images(images.sample(frac=1, random_state=1)) == digest_images(images)
    changed = images.copy()
    changed["tags"] = [["tag_0"], *images["tags"][1:]]
    assert digest_images(changed) != digest_images(images)


def test_a_sample_is_random_reproducible_and_nested(drawn_dataset: Path) -> None:
    heldout = read(drawn_dataset)
    ten, twenty = heldout.sample(10, 0), heldout.sample(20, 0)
    assert set(ten.image_ids) < set(twenty.image_ids)
    assert ten.image_ids == heldout.sample(10, 0).image_ids != heldout.sample(10, 1).image_ids
    assert heldout.sample(None, 0) is heldout


def test_missing_images_are_named(drawn_dataset: Path) -> None:
    (drawn_dataset / "images/0003.png").unlink()
    with pytest.raises(ArenaError, match=r"lists 40 images, 39 found; missing images/0003.png"):
        read(drawn_dataset)


@pytest.mark.parametrize(
    "path", ["../0003.png", "images/../../0003.png", "/etc/hostname", "C:\\0003.png", "..\\0003.png", "", "a\0b"]
)
def test_a_path_out_of_the_folder_is_refused(drawn_dataset: Path, path: str) -> None:
    (drawn_dataset.parent / "0003.png").write_bytes((drawn_dataset / "images/0003.png").read_bytes())
    table = pd.read_parquet(drawn_dataset / "images.parquet")
    table["path"] = [path] * len(table)
    table.to_parquet(drawn_dataset / "images.parquet")
    with pytest.raises(ArenaError, match=r"lists .*, which is not a path below the folder"):
        read(drawn_dataset)


@pytest.mark.parametrize(
    "command",
    ["run -m wd14-demo -d {} -o out", "predict -m wd14-demo -d {} -o out.npz", "hash {} -o out.parquet",
     "dataset dedup {} -o out", "dataset card {} -o out.html", "dataset describe {}", "dataset tags {} -o out",
     "dataset freeze {} -o out --name out", "score --scores a=a.npz -d {} -o out"],
)  # fmt: skip
def test_no_verb_reads_an_image_outside_the_folder(
    drawn_dataset: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(drawn_dataset.parent)
    table = pd.read_parquet(drawn_dataset / "images.parquet")
    (drawn_dataset / table["path"][7]).rename("private.png")
    table.loc[7, "path"] = "../private.png"
    table.to_parquet(drawn_dataset / "images.parquet")
    done = arena_here(*command.format(drawn_dataset.name).split())
    assert done.returncode == 2
    assert "images.parquet lists '../private.png', which is not a path below the folder" in done.stderr


def test_a_changed_table_is_refused(drawn_dataset: Path) -> None:
    path = drawn_dataset / "images.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path)
    with pytest.raises(ArenaError, match="the dataset was changed after it was frozen"):
        read(drawn_dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images.iloc[:0], "no image in it"),
        (lambda images: images.drop(columns="phash"), "no column phash"),
        (lambda images: images.assign(tags=None), "40 rows have no tags"),
        (lambda images: pd.concat([images, images.iloc[:1]]), "'0000' is listed twice"),
        (lambda images: images.assign(tags=[["strange"]] * len(images)), "tags that tags.csv lacks: strange"),
    ],
)
def test_damaged_tables_are_refused(drawn_dataset: Path, change, message: str) -> None:
    path = drawn_dataset / "images.parquet"
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(ArenaError, match=message):
        read(drawn_dataset)


def test_a_truncated_table_is_one_line(drawn_dataset: Path) -> None:
    path = drawn_dataset / "images.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArenaError, match="not a readable Parquet file"):
        read(drawn_dataset)


def test_image_ids_are_paths_without_suffix_unless_shared(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z.png", "a.png", "a.jpg", "b/c.png"):
        draw(1).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert list(list_images(tmp_path)) == ["a.jpg", "a.png", "b/c", "z"]
    draw(2).save(tmp_path / "a.png.webp")
    assert list(list_images(tmp_path)) == ["a.jpg", "a.png", "a.png.webp", "b/c", "z"], "no image is lost"
    assert [path.name for path in list_images(tmp_path).values()] == ["a.jpg", "a.png", "a.png.webp", "c.png", "z.png"]


def test_a_name_that_is_no_text_can_still_be_an_id(tmp_path: Path) -> None:
    draw(1).save(tmp_path / os.fsdecode(b"caf\xe9.png"))
    assert list(list_images(tmp_path)) == ["caf\\xe9"]


def truth_of(values: np.ndarray, tags: tuple[str, ...] = ("a", "b"), ids: tuple[str, ...] = ("1", "2"), step: int = 1):
    tiles = (values[start : start + step] for start in range(0, len(values), step))
    return truth_from_rows(Path("t.npz"), values.shape, tiles, tags, ids)


def test_truth_lists_each_image_and_tag_once() -> None:
    for tags, ids, what in ((("a", "b"), ("1", "1"), "image '1'"), (("a", "a"), ("1", "2"), "tag 'a'")):
        with pytest.raises(ArenaError, match=f"{what} is listed twice"):
            truth_of(np.zeros((2, 2), bool), tags, ids)
    with pytest.raises(ArenaError, match="values other than 0 and 1"):
        truth_of(np.full((2, 2), 2))
    with pytest.raises(ArenaError, match=r"truth \(2, 3\), but 2 image_ids and 2 tags"):
        truth_of(np.zeros((2, 3), bool))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
@pytest.mark.parametrize("step", [1, 3, 50])
def test_truth_is_the_same_whatever_its_type_and_its_tiles(kind: type, step: int) -> None:
    dense = np.random.default_rng(0).random((20, 7)) < 0.3
    dense[:, 3] = False
    ids, tags = tuple(map(str, range(20))), tuple("abcdefg")
    truth = truth_of(dense.astype(kind), tags, ids, step)
    assert truth.values.dtype == bool
    assert np.array_equal(truth.values.toarray(), dense)
    assert truth.values.nnz == dense.sum(), "nothing is stored twice, and no zero"
    assert truth.values.has_sorted_indices


def test_some_images_of_a_truth_keep_what_is_known_of_them() -> None:
    dense = np.random.default_rng(1).random((6, 4)) < 0.5
    truth = Truth.of(
        "uvwxyz", TagSpace(tuple("abcd")), dense, images={"rating": list("gsqegs")}, groups=tuple("112233")
    )
    some = truth.take(np.array([4, 0, 3]))
    assert np.array_equal(some.values.toarray(), dense[[4, 0, 3]])
    assert some.values.has_sorted_indices
    assert (some.image_ids, some.images["rating"], some.groups) == (("y", "u", "x"), ["g", "g", "e"], ("3", "1", "2"))


def test_a_truth_tag_that_is_an_alias_is_refused(drawn_dataset: Path) -> None:
    (drawn_dataset / "tag_aliases.csv").write_text("antecedent_name,consequent_name,status\ntag_2,tag_1,active\n")
    with pytest.raises(ArenaError, match="lists tag_2, an alias of tag_1; keep only tag_1"):
        read(drawn_dataset)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="no image in it"):
        list_images(tmp_path)
    with pytest.raises(ArenaError, match="no such folder"):
        list_images(tmp_path / "none")


@pytest.mark.parametrize("kind", ["int64", "float64", "Int64", "uint32"])
def test_identifiers_may_be_numbers(drawn_dataset: Path, kind: str) -> None:
    path = drawn_dataset / "images.parquet"
    images = pd.read_parquet(path)
    images["image_id"] = pd.array(range(len(images)), dtype=kind)
    images.to_parquet(path)
    assert read_image_table(path)["image_id"].tolist() == sorted(map(str, range(len(images))))
    images["image_id"] = [0.5, *range(1, len(images))]
    images.to_parquet(path)
    with pytest.raises(ArenaError, match=r"image_id is 0\.5 .float.; it must be text or a whole number"):
        read_image_table(path)


def test_a_byte_order_mark_and_tags_with_spaces(drawn_dataset: Path) -> None:
    before = read(drawn_dataset)
    images = pd.read_parquet(drawn_dataset / "images.parquet")
    images["tags"] = [[name.replace("_", " ") for name in names] for names in images["tags"]]
    images.to_parquet(drawn_dataset / "images.parquet")
    card = drawn_dataset / "dataset.toml"
    text = "".join(line for line in card.read_text().splitlines(keepends=True) if not line.startswith("digest"))
    card.write_bytes(b"\xef\xbb\xbf" + text.encode())
    after = read(drawn_dataset)
    assert after.truth.tags.names == before.truth.tags.names
    assert (after.truth.values != before.truth.values).nnz == 0


def test_columns_with_one_spelling_are_one_tag() -> None:
    tiles = [np.array([[True, False, False], [False, True, True], [False, False, False]])]
    truth = truth_from_rows("t", (3, 3), tiles, ("a b", "hat", "a_b"), ("x", "y", "z"))
    assert truth.tags.names == ("a_b", "hat")
    assert truth.values.toarray().tolist() == [[True, False], [True, True], [False, False]]
    assert truth.note
