"""Files that downloaders, taggers and spreadsheets write."""

import json
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source

from .kinds import lines, put, read, reasons, tags_of


@pytest.mark.parametrize(
    ("name", "content", "tags"),
    [
        ("a.png.txt", "creator:some one\nblue eyes\nhttps://site.org/post/1\n", ("some_one", "blue_eyes")),  # hydrus
        ("a.png.tags.txt", "flowers\nblue sky\n", ("flowers", "blue_sky")),
        ("a.tags.txt", "flowers\nblue sky\n", ("flowers", "blue_sky")),
        ("a.png.json", '{"metadata": {"tags": ["blonde hair"], "urls": ["http://a"]}}', ("blonde_hair",)),
        ("a.json", '["blonde hair", "hat"]', ("blonde_hair", "hat")),
        ("a.txt", "1girl\nlong hair\n", ("1girl", "long_hair")),  # gallery-dl --write-tags
        ("a.png.json", '{"category": "danbooru", "tags": ["long_hair"], "tags_general": ["long_hair"]}', ("long_hair",)),
        ("a.png.json", '{"tags": [{"name": "miku", "type": "character"}, {"tag": "hat"}]}', ("miku", "hat")),
        ("a.png.json", '{"tags": "long_hair hat", "tags_character": "miku", "rating": "g"}', ("long_hair", "hat", "miku")),
        ("a-danbooru.json", '{"id": 5, "tag_string": "long_hair hat"}', ("long_hair", "hat")),  # DanbooruDownloader
        # Grabber: %all:includenamespace,unsafe% / rating:%rating% / %general%
        ("a.txt", "copyright:touhou character:cirno\nrating:safe\nhat blue\n", ("touhou", "cirno", "hat", "blue")),
        ("a.txt", "1girl long_hair blue_eyes\nrating:safe\n", ("1girl", "long_hair", "blue_eyes")),
        ("a.txt", "1girl\nlong_hair\nrating:safe\n", ("1girl", "long_hair")),
    ],
)  # fmt: skip
def test_sidecars(tmp_path: Path, name: str, content: str, tags: tuple[str, ...]) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / name, content)
    [record], rejects = read(tmp_path)
    assert record.tags == tags
    assert not rejects


def test_words_without_an_underscore_may_be_cut_names(tmp_path: Path) -> None:
    for number in range(2):  # Grabber's %all% with its setting for spaces
        put(tmp_path / f"{number}.png", number)
        put(tmp_path / f"{number}.txt", f"long hair hat{number} blue eyes")
    assert any("Grabber %all:separator=" in note for note in open_source(tmp_path).forms.notes())
    put(tmp_path / "1.txt", "long_hair hat blue_eyes")
    assert not any("Grabber" in note for note in open_source(tmp_path).forms.notes())


def test_posts_of_gallery_dl(tmp_path: Path) -> None:
    put(tmp_path / "gelbooru_7_0f1e.png", 1)
    put(tmp_path / "pixiv/original.png", 2)
    row = {
        "category": "gelbooru",
        "subcategory": "tag",
        "extension": "png",
        "tags": "long_hair hat",
        "rating": "general",
    }
    put(tmp_path / "data.jsonl", lines([
        {**row, "id": 7, "md5": "0f1e", "filename": "0f1e"}, {**row, "id": 8, "md5": "", "filename": "original"},
    ]))  # fmt: skip
    source = open_source(tmp_path)
    assert source.kind == "posts"
    assert tags_of(read(tmp_path)[0]) == {"7": ("long_hair", "hat"), "8": ("long_hair", "hat")}


@pytest.mark.parametrize(
    ("table", "layout"),
    [
        ("path,tags\n0.png,1girl,long hair\n1.png,hat\n", "tags in 'tags': separated by commas"),  # unquoted
        ("0.png,1girl,long hair\n1.png,hat\n", "tags in 'tags': separated by commas"),
        ("path;tags\n0.png;1girl;long hair\n1.png;hat\n", "tags in 'tags': separated by commas"),
        ("path,tag_1,tag_2\n0.png,1girl,long hair\n1.png,hat,\n", "tags: one tag per column (tag_1 and tag_2)"),
        ("file_name,1girl,long hair,hat\n0.png,1,1,0\n1.png,0,0,1\n", "tags: 3 columns with 0 or 1, one per tag"),
        (
            ",filename,width,1girl,long hair,hat\n0,0.png,9,True,1.0,False\n1,1.png,9,,0,True\n",
            "tags: 3 columns with 0 or 1",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_one_tag_per_cell_or_column(tmp_path: Path, table: str, layout: str, encoding: str) -> None:
    for number in range(2):
        put(tmp_path / f"{number}.png", number)
    put(tmp_path / "t.csv", table.encode(encoding))
    records, rejects = read(tmp_path)
    assert {name: set(tags) for name, tags in tags_of(records).items()} == {"0": {"1girl", "long_hair"}, "1": {"hat"}}
    assert not rejects
    assert any(line.startswith(layout) for line in open_source(tmp_path).forms.recognised())


def test_a_mark_that_is_neither_0_nor_1_is_a_reject(tmp_path: Path) -> None:
    put(tmp_path / "0.png", 1)
    put(tmp_path / "t.csv", "path,cat,dog\n0.png,0,1\n0.png,0.7,1\n")
    records, rejects = read(tmp_path)
    assert len(records) == 1
    assert reasons(rejects) == [("t.csv:3", "unreadable row")]
    assert rejects[0].detail == "column cat is '0.7'; it stands for one tag, so it must be 0 or 1"


def test_json_in_utf_16_names_the_fix(tmp_path: Path) -> None:
    put(tmp_path / "t.jsonl", '{"path": "a.png", "tags": "x"}'.encode("utf-16"))
    with pytest.raises(
        ArenaError, match=r"the table t.jsonl, which cannot be read \(JSON in UTF-16; save it as UTF-8\)"
    ):
        open_source(tmp_path / "t.jsonl")


def test_a_table_with_other_columns_has_no_marks(tmp_path: Path) -> None:
    put(tmp_path / "0.png", 1)
    put(tmp_path / "t.jsonl", json.dumps({"path": "0.png", "split": "train", "blurred": 0, "deleted": 1}) + "\n")
    with pytest.raises(ArenaError, match="no column of tags; it has path, split, blurred, deleted"):
        read(tmp_path)
