import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source

from .kinds import lines, picture, put, read, reasons, tags_of


def post(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "md5": hashlib.md5(b"%d" % number).hexdigest(),
        "tag_string": "1girl solo",
        "rating": "g",
        **more,
    }


def test_images_are_found_by_md5_and_by_id_in_any_folder(tmp_path: Path) -> None:
    posts = [post(number) for number in range(1, 6)]
    put(tmp_path / "posts.jsonl", lines(posts))
    put(tmp_path / f"images/ab/{posts[0]['md5']}.png", 1)
    put(tmp_path / "originals/2", 2)
    put(tmp_path / "0003/3.webp", 3)
    put(tmp_path / f"x/danbooru_4_{posts[3]['md5']}.jpg", 4)
    source = open_source(tmp_path)
    assert (source.kind, source.found) == ("posts", "posts in posts.jsonl")
    records, rejects = read(tmp_path)
    assert list(tags_of(records)) == ["1", "2", "3", "4"]
    assert records[0].facts == {"post_id": 1, "md5": posts[0]["md5"]}
    assert reasons(rejects) == [("posts.jsonl:5", "missing")]


def test_tags_by_category_and_the_family(tmp_path: Path) -> None:
    fields = {
        "tag_string_general": "solo",
        "tag_string_character": "miku x",
        "parent_id": 3,
        "created_at": "2024-05-01",
    }
    put(tmp_path / "dump.json", json.dumps([post(7, **fields)]))
    put(tmp_path / "7.png", 1)
    [record], _ = read(tmp_path / "dump.json")
    assert record.tags == ("1girl", "solo", "miku", "x")
    assert record.categories == {"solo": "general", "miku": "character", "x": "character"}
    assert (record.facts["parent_id"], record.facts["created_at"], record.rating) == (3, "2024-05-01", "g")


def test_deleted_banned_and_broken_posts_are_counted(tmp_path: Path) -> None:
    rows = [
        post(1, is_deleted=True),
        post(2, is_banned=True),
        {"tag_string": "x"},
        {"id": 4},
        post(5, id="five"),
        post(6),
    ]
    put(tmp_path / "posts.jsonl", lines(rows))
    for number in range(1, 7):
        put(tmp_path / f"{number}.png", number)
    records, rejects = read(tmp_path)
    assert list(tags_of(records)) == ["6"]
    assert [reject.reason for reject in rejects] == ["deleted", "banned", "unreadable row", "no tags", "unreadable row"]


def test_a_post_with_commas_in_its_tags_is_parted_by_spaces(tmp_path: Path) -> None:
    put(tmp_path / "posts.jsonl", lines([post(1, tag_string="solo >,<")]))
    put(tmp_path / "1.png", 1)
    assert read(tmp_path)[0][0].tags == ("solo", ">,<")


@pytest.fixture
def joytag(tmp_path: Path) -> Path:
    first = picture(1)
    digest = hashlib.sha256(first)
    put(tmp_path / f"{digest.hexdigest()[:2]}/{digest.hexdigest()}.webp", first)
    put(tmp_path / "12", 2)
    rows = {
        "post_id": pa.array([11, 12, 13, 14], pa.int64()),
        "tags": pa.array([[0, 2], [1], [0], [3]], pa.list_(pa.int16())),
        "hash": pa.array([digest.digest(), bytes(32), bytes(32), digest.digest()], pa.binary()),
    }
    pq.write_table(pa.table(rows), tmp_path / "metadata-1.parquet")
    put(tmp_path / "top_tags.txt", "1girl\nsolo\nblue_eyes\n")
    return tmp_path


def test_joytags_table_names_its_numbers(joytag: Path) -> None:
    source = open_source(joytag)
    assert (source.kind, source.rows) == ("joytag", 4)
    records, rejects = read(joytag)
    assert tags_of(records) == {"11": ("1girl", "blue_eyes"), "12": ("solo",)}
    assert reasons(rejects) == [("metadata-1.parquet:3", "missing"), ("metadata-1.parquet:4", "unreadable row")]


def test_joytags_table_without_names_is_one_line(joytag: Path) -> None:
    (joytag / "top_tags.txt").unlink()
    with pytest.raises(ArenaError, match=r"its tags are numbers, and .* has no top_tags.txt or tags.txt; give"):
        read(joytag)
    put(joytag / "elsewhere/names", "a\nb\nc")
    assert tags_of(read(joytag, tag_names=joytag / "elsewhere/names")[0])["12"] == ("b",)


def test_posts_may_be_parquet(tmp_path: Path) -> None:
    pd.DataFrame([post(1), post(2)]).to_parquet(tmp_path / "p.parquet")
    put(tmp_path / "2.png", 1)
    assert open_source(tmp_path / "p.parquet").kind == "posts"
    assert list(tags_of(read(tmp_path / "p.parquet")[0])) == ["2"]
