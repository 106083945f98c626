"""Import of tables that say which tags were checked."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.tags import TagRelations
from tests.dataset.sources.kinds import lines, picture, put

from .imports import dataset, gather, rejected, table

ROWS: list[dict[str, Any]] = [
    {"file_name": "0.png", "tags": ["blue eyes", "dog"], "absent": ["hat"], "checked": ["pup"]},
    {"file_name": "1.png", "tags": ["hat"], "absent": ["blue_eyes", "nowhere"]},
    {"file_name": "2.png", "tags": ["hat", "dog"], "absent": None, "checked": []},
]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(3):
        put(tmp_path / f"{number}.png", number)
    return tmp_path


def lists(folder: Path, column: str) -> list[list[str]]:
    return [list(names) for names in dataset(folder).images[column]]


def test_checked_tags_are_taken_over(images: Path) -> None:
    relations = TagRelations.of(aliases=[("pup", "dog")], blacklist={"nothing": ""})
    gather(table(images / "t.jsonl", ROWS), images / "out", relations=relations)
    assert lists(images / "out", "absent") == [["hat"], ["blue_eyes", "nowhere"], []]
    assert lists(images / "out", "checked") == [["dog"], [], []]
    heldout = dataset(images / "out")
    assert heldout.card.digest == heldout.digest
    assert heldout.truth.known is not None
    assert heldout.tags.names == ("blue_eyes", "dog", "hat", "nowhere")
    assert heldout.truth.known.counts().tolist() == [2, 2, 3, 1]


def test_text_in_the_form_of_the_tags(images: Path) -> None:
    put(images / "t.csv", 'file_name,tags,absent\n0.png,"a, b","c, d e"\n1.png,"c, a",\n2.png,"c, b",a\n')
    gather(images / "t.csv", images / "out")
    assert lists(images / "out", "absent") == [["c", "d_e"], [], ["a"]]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"absent": ["dog"]}, "dog is in absent, but the tags include or imply it"),
        ({"absent": ["animal"]}, "animal is in absent, but the tags include or imply it"),
        ({"checked": True}, "a tag is bool, not a name or an integer"),
    ],
)
def test_a_wrong_row_is_rejected(images: Path, row: dict[str, Any], detail: str) -> None:
    put(images / "t.jsonl", lines([{"file_name": "0.png", "tags": ["dog"], **row}, ROWS[1]]))
    relations = TagRelations.of(implications=[("dog", "animal")])
    assert gather(images / "t.jsonl", images / "out", relations=relations).images == 1
    assert rejected(images / "out")[0][-1] == detail


def test_only_checked_tags_are_no_dataset(images: Path) -> None:
    put(images / "t.jsonl", lines([{"file_name": "0.png", "tags": [], "absent": ["dog"]}]))
    with pytest.raises(ArenaError, match="none of 1 images has a tag"):
        gather(images / "t.jsonl", images / "out")


def test_a_table_without_the_columns_has_none(images: Path) -> None:
    pd.DataFrame([{"file_name": "0.png", "tags": ["a"]}]).to_parquet(images / "t.parquet")
    gather(images / "t.parquet", images / "out")
    assert not {"absent", "checked"} & {*dataset(images / "out").images}


@pytest.mark.parametrize("kind", ["folder", "webdataset", "kohya"])
def test_objects_beside_images_say_what_was_checked(kind: str, tmp_path: Path) -> None:
    """The third image has no such keys, so nothing beyond its tags is known."""
    found = [{key: value for key, value in row.items() if key != "file_name" and value is not None} for row in ROWS]
    source = tmp_path / "source"
    if kind == "webdataset":
        source.mkdir()
        with tarfile.open(source / "0.tar", "w") as tar:
            for number, row in enumerate(found):
                for suffix, content in ((".png", picture(number)), (".json", json.dumps(row).encode())):
                    info = tarfile.TarInfo(f"{number}{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    else:
        for number, row in enumerate(found):
            put(source / f"{number}.png", number)
            if kind == "folder":
                put(source / f"{number}.json", json.dumps(row))
        if kind == "kohya":
            put(source / "meta.json", json.dumps({f"{number}.png": row for number, row in enumerate(found)}))
    gather(source / "meta.json" if kind == "kohya" else source, tmp_path / "out")
    assert lists(tmp_path / "out", "absent") == [["hat"], ["blue_eyes", "nowhere"], []]
    assert lists(tmp_path / "out", "checked") == [["pup"], [], []]
    assert dataset(tmp_path / "out").truth.known is not None
