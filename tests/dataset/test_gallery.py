"""The pairs that a page shows: chosen evenly over classes and distances, with pictures where any are at hand."""

import base64
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.dataset.gallery import DISPLAY_CLASSES, DuplicateRow, gallery, read_pairs, sample_duplicates, sample_pictures

from ..conftest import write_dataset


def write_pairs(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "duplicates.parquet"
    pd.DataFrame(rows).to_parquet(path)
    return path


def row(left: str, right: str, kind: str = "near", bits: int | None = 2, **more: Any) -> dict[str, Any]:
    found = {"source": "", "found_by": "phash", "phash_bits": bits, "dhash_bits": 1, "difference": 0.25}
    return {"left": left, "right": right, "class": kind, **found, **more}


def pair(place: int, kind: str, bits: int | None) -> DuplicateRow:
    return DuplicateRow(f"l{place}", f"r{place}", "", kind, "phash", bits, None, {})


ROWS = st.lists(
    st.tuples(st.sampled_from([*DISPLAY_CLASSES, "odd"]), st.one_of(st.none(), st.integers(0, 9))), max_size=60
)


@given(ROWS, st.integers(1, 40), st.randoms())
def test_every_class_and_distance_has_its_share_whatever_the_order(
    rows: list[tuple[str, int | None]], most: int, random: Any
) -> None:
    pairs = [pair(place, *one) for place, one in enumerate(rows)]
    chosen = sample_duplicates(pairs, most=most)
    assert len(chosen) == len({one.left for one in chosen}) <= most
    sizes, got = Counter(rows), Counter((one.kind, one.phash_bits) for one in chosen)
    if len(sizes) <= most:
        assert set(got) == set(sizes)
        assert len({got[key] for key in sizes if got[key] < sizes[key]}) <= 1, "what is cut is cut to one number"
        assert len(chosen) == len(pairs) or len(chosen) + len(sizes) > most, "no place is left empty without need"
    random.shuffle(pairs)
    assert sample_duplicates(pairs, most=most) == chosen


def test_nothing_is_shown_of_nothing(tmp_path: Path) -> None:
    assert sample_duplicates([], most=5) == []
    folder = write_dataset(tmp_path / "drawn", images=2)
    assert gallery(folder, [], most=9) is None
    write_pairs(folder, [row("0000", "0001")])
    assert gallery(folder, [], most=0)["classes"][0]["shown"] == 0


def test_some_images_of_a_dataset_are_always_the_same_ones(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "drawn", images=9)
    heldout = read_frozen(find_dataset(str(folder)))
    found = sample_pictures(heldout, most=4)
    assert found == sample_pictures(heldout, most=4)
    ids = [one["image_id"] for one in found]
    assert ids == sorted(ids)
    assert len(set(ids)) == 4
    assert all(Image.open(io.BytesIO(base64.b64decode(one["thumbnail"]))).format == "WEBP" for one in found)
    gone = heldout.paths[heldout.image_ids.index(ids[0])]
    gone.unlink()
    assert [one["image_id"] for one in sample_pictures(heldout, most=4)] == ids[1:]


def test_pictures_of_an_index_come_from_a_folder_of_images(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "set", images=2)
    more = {"kind": "candidate", "source": "train.parquet"}
    write_pairs(folder, [row("0000", "sub/one", bits=4, **more), row("0000", "gone", bits=6, **more)])
    (tmp_path / "train/sub").mkdir(parents=True)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "train/sub/one.png")
    found = gallery(folder, [("train.parquet", tmp_path / "train")], most=9)
    assert found is not None
    there, gone = (part["pairs"][0]["pictures"][1] for part in found["classes"][0]["slices"])
    assert there["thumbnail"]
    assert (there["rating"], there["tags"]) == ("", [])
    assert gone["missing"] == "picture not available"


def test_pictures_come_from_the_folder_that_has_them(tmp_path: Path) -> None:
    own, before, index = (
        write_dataset(tmp_path / name, images=count, seed=seed)
        for name, count, seed in (("own", 2, 0), ("before", 4, 0), ("index", 2, 7))
    )
    (before / "images/0003.png").write_bytes(b"no image")
    rows = [
        row("0000", "0002", bits=2), row("0000", "0001", bits=4), row("0001", "0003", bits=6),
        row("0001", "0001", "candidate", 8, source="training"), row("0000", "0009", "candidate", 10, source="other"),
    ]  # fmt: skip
    write_pairs(own, rows)
    found = gallery(own, [("", before), ("training", index)], most=9)
    assert found
    near, candidate = found["classes"]
    assert [(part["bits"], len(part["pairs"])) for part in near["slices"]] == [(2, 1), (4, 1), (6, 1)]
    two, four, six = (part["pairs"][0]["pictures"] for part in near["slices"])
    assert two[0]["thumbnail"] == four[0]["thumbnail"] != two[1]["thumbnail"]
    assert (two[1]["missing"], six[1]["missing"]) == ("", "not an image")
    eight, ten = (part["pairs"][0]["pictures"] for part in candidate["slices"])
    assert eight[0]["thumbnail"] != eight[1]["thumbnail"], "of the same name, yet of another source"
    assert (ten[1]["missing"], ten[1]["thumbnail"]) == ("picture not available", "")
    with Image.open(io.BytesIO(base64.b64decode(two[1]["thumbnail"]))) as image:
        assert (image.format, image.size) == ("WEBP", (90, 70))
    assert found["distances"][0] == {"bits": 2, "pairs": {"near": 1}}


def test_a_path_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "drawn", images=2)
    path = folder / "images.parquet"
    images = pd.read_parquet(path)
    images.loc[0, "path"] = "../other.png"
    images.to_parquet(path)
    Image.new("RGB", (9, 9)).save(tmp_path / "other.png")
    write_pairs(folder, [row("0000", "0001")])
    found = gallery(folder, [], most=9)
    assert found["classes"][0]["slices"][0]["pairs"][0]["pictures"][0]["missing"] == "outside the folder"


def test_a_table_with_other_columns_or_none_is_told(tmp_path: Path) -> None:
    path = write_pairs(tmp_path, [row("a", "b", colour=3.5), row("c", "d", bits=None, dhash_bits=None, source=None)])
    one, two = read_pairs(path)
    assert one.figures == {"difference": 0.25, "colour": 3.5}
    assert (two.phash_bits, two.dhash_bits, two.source, two.figures) == (None, None, "", {"difference": 0.25})
    pd.DataFrame({"left": ["a"], "right": ["b"], "class": ["near"]}).to_parquet(path)
    assert read_pairs(path) == [DuplicateRow("a", "b", "", "near", "", None, None, {})]
    pd.DataFrame({"left": ["a"]}).to_parquet(path)
    with pytest.raises(ArenaError, match="no column right, class; it has left"):
        read_pairs(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(ArenaError, match="not a readable Parquet file"):
        read_pairs(path)
