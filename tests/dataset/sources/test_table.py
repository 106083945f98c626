import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source
from arena.dataset.sources.rows import JSON_CHUNK, read_table_rows

from .kinds import lines, put, read, reasons, tags_of


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number in range(3):
        put(tmp_path / f"images/{number}.png", number)
    return tmp_path


@pytest.mark.parametrize("separator", [",", "\t"])
def test_tables_of_text(images: Path, separator: str) -> None:
    rows = [
        ["file_name", "tags", "rating"],
        ["images/0.png", '"1girl, blue eyes"', "general"],
        ["images/1.png", '"a, b"', "e"],
    ]
    table = images / ("t.csv" if separator == "," else "t.tsv")
    put(table, "\ufeff" + "\r\n".join(separator.join(row) for row in rows))
    records, rejects = read(table)
    assert tags_of(records) == {"images/0": ("1girl", "blue_eyes"), "images/1": ("a", "b")}
    assert [record.rating for record in records] == ["general", "e"]
    assert not rejects


def test_parquet_with_lists_and_named_columns(images: Path) -> None:
    rows = {
        "where": ["0.png", "1.png"], "says": [["blue eyes", "x"], []], "key": [70, 71], "mature": ["safe", None],
        "source": ["one", None], "post_id": [7, 8],
    }  # fmt: skip
    pd.DataFrame(rows).to_parquet(images / "t.parquet")
    records, rejects = read(
        images / "t.parquet", "table", images=images / "images", path_column="where", tags_column="says", id_column="key",
        rating_column="mature", keep=("source",),
    )  # fmt: skip
    assert tags_of(records) == {"70": ("blue_eyes", "x"), "71": ()}
    assert [record.rating for record in records] == ["safe", ""]
    assert [record.facts for record in records] == [{"post_id": 7, "source": "one"}, {"post_id": 8}]
    assert not rejects


def test_an_imagefolder_is_known_by_its_metadata(images: Path) -> None:
    put(images / "metadata.jsonl", lines([{"file_name": "images/2.png", "tags": ["x"]}]))
    source = open_source(images)
    assert (source.kind, source.found) == ("table", "table in metadata.jsonl")
    assert tags_of(read(images)[0]) == {"images/2": ("x",)}


def test_numbers_are_named_by_a_list(images: Path) -> None:
    put(images / "names.txt", "cat\nblue dog\n")
    put(images / "t.jsonl", lines([{"path": "images/0.png", "label": 1}, {"path": "images/1.png", "label": [0, 2]}]))
    records, rejects = read(images / "t.jsonl", tag_names=images / "names.txt")
    assert tags_of(records) == {"images/0": ("blue_dog",)}
    assert reasons(rejects) == [("t.jsonl:2", "unreadable row")]
    assert "tag number 2, but the list has 2 names" in rejects[0].detail


def test_every_wrong_row_is_named(images: Path) -> None:
    rows = [
        "path,tags,post_id", "images/0.png,x,1", "images/1.png,1girl, solo,2", "/etc/passwd,x,3", "../../x.png,x,4",
        "images/none.png,x,5", ",x,6", "images/1.png,x,seven", "images/2.png,y,8", "images\x00.png,x,9", f"{'p' * 5000},x,10",
    ]  # fmt: skip
    put(images / "t.csv", "\n".join(rows))
    records, rejects = read(images / "t.csv")
    assert list(tags_of(records)) == ["images/0", "images/2"]
    assert reasons(rejects) == [
        ("t.csv:3", "unreadable row"), ("t.csv:4", "outside the folder"), ("t.csv:5", "outside the folder"),
        ("t.csv:6", "missing"), ("t.csv:7", "unreadable row"), ("t.csv:8", "unreadable row"), ("t.csv:10", "missing"),
        ("t.csv:11", "missing"),
    ]  # fmt: skip


def test_columns_that_are_not_there_are_one_line(images: Path) -> None:
    put(images / "t.csv", "path,words\nimages/0.png,x\n")
    for hints, message in (
        ({}, "no column of tags; it has path, words. Name it with --tags-column"),
        ({"tags_column": "word"}, "--tags-column word: no such column; it has path, words"),
        ({"tags_column": "words", "keep": ("width",)}, "--keep width"),
    ):
        with pytest.raises(ArenaError, match=message):
            read(images / "t.csv", "table", **hints)  # type: ignore[arg-type]
    put(images / "empty.csv", "")
    with pytest.raises(ArenaError, match=r"no column of paths"):
        read(images / "empty.csv", "table")


def test_json_lines_reject_the_line_and_go_on(tmp_path: Path) -> None:
    good = json.dumps({"n": 1})
    put(tmp_path / "t.jsonl", f'{good}\n{{"n": \n[1]\n\n{"[" * 100_000}\n{good}')
    rows = list(read_table_rows(tmp_path / "t.jsonl", "t"))
    assert [row.where for row in rows] == ["t:1", "t:2", "t:3", "t:5", "t:6"]
    assert [hasattr(row, "values") for row in rows] == [True, False, False, False, True]


def test_a_json_array_is_read_in_pieces(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [{"n": n, "text": "é]," * (n % 7) * 9_000} for n in range(60)]
    text = json.dumps(items, indent=1, ensure_ascii=False)
    assert len(text) > 3 * JSON_CHUNK
    put(tmp_path / "t.json", text)
    assert [row.values for row in read_table_rows(tmp_path / "t.json", "t")] == items  # type: ignore[union-attr]
    put(tmp_path / "cut.json", text[: len(text) // 2])
    *rows, last = read_table_rows(tmp_path / "cut.json", "cut")
    assert [row.values for row in rows] == items[: len(rows)]  # type: ignore[union-attr]
    assert (last.reason, last.where) == ("unreadable row", f"cut:{len(rows) + 1}")  # type: ignore[union-attr]


def test_damaged_files_end_in_a_reject(tmp_path: Path) -> None:
    packed = gzip.compress(lines({"n": n} for n in range(5_000)).encode())
    put(tmp_path / "t.jsonl.gz", packed[: len(packed) // 2])
    *rows, last = read_table_rows(tmp_path / "t.jsonl.gz", "t")
    assert len(rows) > 100
    assert last.reason == "unreadable row"  # type: ignore[union-attr]
    pd.DataFrame({"path": ["a"] * 9}).to_parquet(tmp_path / "t.parquet")
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    content[4:60] = bytes(56)
    put(tmp_path / "t.parquet", bytes(content))
    assert [row.reason for row in read_table_rows(tmp_path / "t.parquet", "t")] == ["unreadable row"]  # type: ignore[union-attr]
    put(tmp_path / "x.parquet", "no parquet")
    with pytest.raises(ArenaError, match="not a readable parquet file"):
        open_source(tmp_path / "x.parquet")


def test_text_that_is_none_rejects_its_own_row(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.Array.from_buffers(
        pa.utf8(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")]
    )
    pq.write_table(pa.table({"x": column}), tmp_path / "t.parquet")
    first, bad, last = read_table_rows(tmp_path / "t.parquet", "t")
    assert (first.values, last.values) == ({"x": "a"}, {"x": "c"})  # type: ignore[union-attr]
    assert (bad.where, bad.reason) == ("t:2", "unreadable row")  # type: ignore[union-attr]


SPREADSHEETS = {
    "semicolons": "path;tags\na.png;1girl solo\nb.png;hat\n",
    "named separator": "sep=;\npath;tags\na.png;1girl solo\nb.png;hat\n",
    "tabs in a csv": "path\ttags\na.png\t1girl solo\nb.png\that\n",
    "capitals": "Path,TAGS\na.png,1girl solo\nb.png,hat\n",
    "another name": "FilePath,Tags\na.png,1girl solo\nb.png,hat\n",
    "utf-16": "\ufeffpath,tags\na.png,1girl solo\nb.png,hat\n".encode("utf-16-le"),
    "utf-16 big": "\ufeffpath;tags\r\na.png;1girl solo\r\nb.png;hat\r\n".encode("utf-16-be"),
    "no header": "a.png,1girl solo\nb.png,hat\n",
    "no header, commas in tags": "a.png;1girl, solo\nb.png;hat\n",
    "no header, tags first": "1girl solo;a.png\nhat;b.png\n",
    "backslashes": "path,tags\n.\\a.png,1girl solo\n.\\b.png,hat\n",
}


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_tables_of_spreadsheets(tmp_path: Path, name: str) -> None:
    for image in "ab":
        put(tmp_path / f"{image}.png", 1)
    put(tmp_path / "t.csv", SPREADSHEETS[name])
    records, rejects = read(tmp_path / "t.csv")
    assert [(Path(record.image_id).name, record.tags) for record in records] == [
        ("a", ("1girl", "solo")),
        ("b", ("hat",)),
    ]
    assert not rejects


def test_a_table_without_a_known_column_lists_its_columns(tmp_path: Path) -> None:
    put(tmp_path / "t.csv", "picture,words\na.png,x\n")
    with pytest.raises(
        ArenaError, match=r"with the columns picture, words; it needs a column of paths .path, file_name"
    ):
        open_source(tmp_path / "t.csv")
    put(tmp_path / "a.png", 1)
    assert len(read(tmp_path / "t.csv", "table", path_column="picture", tags_column="words")[0]) == 1


def test_a_long_line_of_a_csv_is_one_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from arena.dataset.sources import text_lines

    monkeypatch.setattr(text_lines, "MAX_ROW_BYTES", 50)
    put(tmp_path / "t.csv", f"path,tags\na.png,x\nb.png,{'y ' * 80}\nc.png,z\n")
    first, long, last = read_table_rows(tmp_path / "t.csv", "t")
    assert (first.values["path"], last.values["path"]) == ("a.png", "c.png")  # type: ignore[union-attr]
    assert (long.reason, long.detail) == ("unreadable row", "a line of more than 50 characters")  # type: ignore[union-attr]
