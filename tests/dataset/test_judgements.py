"""Files of judgements: added whole, merged, and refused in one line."""

from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.judgements import (
    COLUMNS,
    PlannedCells,
    add_judgements,
    answers_of_other_plans,
    distinct_answers,
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


INCLUSION = pd.DataFrame({"image_id": ["i", "k"], "tag": "hat", "inclusion_probability": [0.25, 0.125]})


@pytest.mark.parametrize(
    ("rows", "taken"),
    [
        ([{}, {"tag": "cap"}], [("yes", 0.25)]),  # a cell that the plan did not draw stays out
        ([{}, {"judge": "ben", "answer": "no"}], [("yes", 0.25), ("no", 0.25)]),
        ([{}, {}], [("yes", 0.25), ("yes", 0.25)]),  # asked twice
        ([{}, {"plan": "other", "inclusion_probability": 0.1}], [("yes", 0.25)]),  # one answer, in two plans
        ([{}, {"plan": "new", "inclusion_probability": 0.25}], []),  # taken over before
        ([{"plan": "new"}, {"judge": "ben"}], [("yes", 0.25)]),
        ([{"plan": "", "inclusion_probability": None}], []),  # a label issue was not sampled
        ([{"image_id": "k", "answer": "unclear"}], [("unclear", 0.125)]),
    ],
)
def test_answers_to_other_plans_answer_a_new_one(rows: list[dict[str, object]], taken: list[tuple[str, float]]) -> None:
    found = answers_of_other_plans(table(*rows), "new", INCLUSION)
    assert set(found["plan"]) <= {"new"}
    assert list(zip(found["answer"], found["inclusion_probability"], strict=True)) == taken
    both = pd.concat([table(*rows), found])
    assert len(distinct_answers(both)) == len(distinct_answers(table(*rows)))
    assert not len(answers_of_other_plans(both, "new", INCLUSION))


def test_a_registered_plan_has_the_answers_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "j.parquet"
    add_judgements(path, [table({}, {"tag": "cap"})])
    register_plan(path, "new", PlannedCells(2, ("hat",), ("i", "k")), INCLUSION)
    rows = read_judgements(path)
    assert rows[rows["plan"] == "new"][["image_id", "tag", "inclusion_probability"]].to_numpy().tolist() == [
        ["i", "hat", 0.25]
    ]
    assert rows[rows["plan"] == "p"]["inclusion_probability"].tolist() == [0.5, 0.5]
