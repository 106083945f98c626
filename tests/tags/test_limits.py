"""Files of rows that are larger than any site's list."""

import gzip
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.tags import rows
from arena.tags.rows import RowTally, read_csv, read_tag_rows


def write_gzip(path: Path, text: str) -> Path:
    with gzip.open(path, "wt") as file:
        file.write(text)
    return path


@pytest.mark.parametrize("text", ["name\n" + "a\n" * 5_000, '{"name": "a"}\n' * 5_000, "name\n" + "a" * 50_000])
def test_a_small_file_that_unpacks_to_many_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(rows, "_MAX_BYTES", 1_000)
    monkeypatch.setattr(rows.io, "DEFAULT_BUFFER_SIZE", 100)
    path = write_gzip(tmp_path / "a.csv.gz", text * 60)
    with pytest.raises(ArenaError, match=r"a.csv.gz: more than 1,000 bytes of text, the most that is read"):
        list(read_tag_rows(path, RowTally(path)))


@pytest.mark.parametrize("text", ["name\n" + "a\n" * 20, '{"name": "a"}\n' * 20])
def test_more_rows_than_any_site_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 10)
    path = write_gzip(tmp_path / "a.gz", text)
    with pytest.raises(ArenaError, match="more than 10 rows, the most that are read"):
        list(read_tag_rows(path, RowTally(path)))


def test_a_missing_cell_and_a_large_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("name,category\na,general\nlonely\n")
    assert read_csv(tmp_path / "t.csv", ("name",))[1]["category"] is None
    with pytest.raises(ArenaError, match="row 3 has no category; write name,category in each row"):
        read_csv(tmp_path / "t.csv", ("name", "category"), complete=True)
    monkeypatch.setattr(rows, "MAX_CSV_BYTES", 5)
    with pytest.raises(ArenaError, match="more than 5 bytes"):
        read_csv(tmp_path / "t.csv", ("name",))
