"""Tables that are made part by part."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from arena.results.parted import PartedTables, parts_of, write_parquet

NAMES = pd.Index(["a", "b"])


def part(model: str, first: int) -> pd.DataFrame:
    codes = [NAMES.get_loc(model)] * 3
    return pd.DataFrame({"model": pd.Categorical.from_codes(codes, NAMES), "tp": range(first, first + 3)})


def tables() -> PartedTables:
    parts = {"a": lambda: part("a", 0), "b": lambda: part("b", 10)}
    return PartedTables({"whole": pd.concat([part("b", 1), part("a", 5)], ignore_index=True)}, {"parted": parts})


def test_a_parted_table_is_read_as_a_whole_and_by_model() -> None:
    found = tables()
    assert list(found) == ["whole", "parted"]
    assert "parted" in found
    assert found["parted"]["tp"].tolist() == [0, 1, 2, 10, 11, 12]
    assert found["parted"]["model"].dtype == "category"
    for name, values in (("parted", [10, 11, 12]), ("whole", [1, 2, 3])):
        assert found.of_model(name, "b")["tp"].tolist() == values


def test_parts_of_a_table_in_memory_are_the_table() -> None:
    assert len(list(parts_of(tables(), "whole"))) == 1
    assert len(list(parts_of(dict(tables()), "parted"))) == 1
    assert len(list(parts_of(tables(), "parted"))) == 2


def test_parts_are_written_as_the_whole_table_is(tmp_path: Path) -> None:
    for name, content in (("parts", tables()), ("whole", dict(tables()))):
        with (tmp_path / name).open("wb") as file:
            write_parquet(parts_of(content, "parted"), file)
    one, other = (pq.read_table(tmp_path / name) for name in ("parts", "whole"))
    assert one.equals(other, check_metadata=True)
    assert pd.read_parquet(tmp_path / "parts").equals(tables()["parted"])
