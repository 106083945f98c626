"""Files of judgements: added whole, merged, and refused in one line."""

from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.judgements import (
    COLUMNS,
    PlannedCells,
    add_judgements,
    load_judgements,
    read_judgements,
    read_plans,
    refuse_unknown_cells,
    register_plan,
)

ROW = {"image_id": "i", "tag": "hat", "answer": "yes", "judge": "anna", "time": "2026-01-01T00:00:00Z",
       "inclusion_probability": 0.5, "plan": "p"}  # fmt: skip


def table(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([ROW | one for one in changes])[list(COLUMNS)]


def test_rows_are_added_once_and_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "judgements.parquet"
    add_judgements(path, [table({"time": "2026-01-02T00:00:00Z"})])
    found = add_judgements(path, [table({}, {"time": "2026-01-02T00:00:00Z"}), table({"judge": "ben"})])
    assert found["judge"].tolist() == ["anna", "ben", "anna"]
    pd.testing.assert_frame_equal(found, read_judgements(path))


def test_a_csv_file_is_read_like_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table({"tag": "nan"}, {"inclusion_probability": None}).to_csv(path, index=False)
    found = read_judgements(path)
    assert found["tag"].tolist() == ["nan", "hat"]
    assert found["inclusion_probability"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"answer": "maybe"}, "answer 'maybe'; wanted: yes, no, unclear"),
        ({"inclusion_probability": 1.5}, "inclusion_probability 1.5"),
        ({"inclusion_probability": 0.0}, "inclusion_probability 0"),
    ],
)
def test_a_wrong_value_is_one_line(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table({}, changed).to_csv(path, index=False)
    with pytest.raises(ArenaError, match=message) as raised:
        read_judgements(path)
    assert str(raised.value).startswith(f"{path}: row 1: ")


def test_files_that_are_no_judgements_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 damaged")
    (tmp_path / "b.csv").write_text("image_id,tag\ni,hat\n")
    for name, message in (
        ("a.parquet", "not a readable Parquet file"),
        ("b.csv", "no column answer"),
        ("c.csv", "no such file"),
    ):
        with pytest.raises(ArenaError, match=message):
            read_judgements(tmp_path / name)


def test_unknown_images_and_tags_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="tag not in the dataset: cap"):
        refuse_unknown_cells(table({"tag": "cap"}), ["i"], ["hat"], tmp_path)


def test_a_plan_is_registered_with_its_probabilities_and_stays_with_more_answers(tmp_path: Path) -> None:
    path, plan = tmp_path / "j.parquet", PlannedCells(2, ("hat", "cap"), ("i", "k"))
    register_plan(path, "p", plan, table({}))
    assert read_plans(path) == {"p": plan}
    assert read_judgements(path).empty
    add_judgements(path, [table({}, {"tag": "cap"}, {"plan": "other"})])
    register_plan(path, "p", plan._replace(cells=3), table({"inclusion_probability": 0.75}))
    rows = read_judgements(path)
    found = dict(zip(zip(rows["tag"], rows["plan"], strict=True), rows["inclusion_probability"], strict=True))
    assert found == {("hat", "p"): 0.75, ("cap", "p"): 0.5, ("hat", "other"): 0.5}
    assert load_judgements([path]).plans["p"].cells == 3
    copy = tmp_path / "a.csv"
    table({"judge": "ben"}).to_csv(copy, index=False)
    both = load_judgements([path, copy])
    assert (len(both.rows), list(both.plans)) == (4, ["p"])
