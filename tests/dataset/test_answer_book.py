"""Answers added one at a time: on disk at once, whole, under the lock, together with those of other processes."""

import threading
from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.base.locks import lock_output
from arena.dataset import answer_book
from arena.dataset.answer_book import Answer, AnswerBook
from arena.dataset.definitions import DEFINITIONS_FILE, read_definitions
from arena.dataset.judgements import (
    COLUMNS,
    PlannedCells,
    add_judgements,
    load_judgements,
    read_judgements,
    register_plan,
)


def row(number: int, *, judge: str = "ann", plan: str = "p", inclusion: float | None = 0.5) -> Answer:
    return Answer(f"i{number}", "hat", "yes", judge, f"2026-01-01T00:00:{number:02}Z", inclusion, plan)


def test_every_answer_is_in_the_file_when_add_returns(tmp_path: Path) -> None:
    path = tmp_path / "more" / "j.parquet"
    book = AnswerBook(path)
    assert book.answers() == []
    for number in range(3):
        book.add(row(number, inclusion=None if number else 0.25))
        assert read_judgements(path)["image_id"].tolist() == [f"i{one}" for one in range(number + 1)]
    assert AnswerBook(path).answers() == book.answers()
    assert [one.inclusion_probability for one in book.answers()] == [0.25, None, None]
    assert read_judgements(path)["inclusion_probability"].isna().tolist() == [False, True, True]
    assert [one.name for one in path.parent.iterdir()] == ["j.parquet"]


def test_rows_of_another_process_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "j.parquet"
    book, other = AnswerBook(path), AnswerBook(tmp_path / "other.parquet")
    book.add(row(0))
    other.add(row(1, judge="ben"))
    version = book.version
    add_judgements(path, [read_judgements(other.path)])
    assert book.refresh() > version
    book.add(row(2))
    assert [one.image_id for one in book.answers()] == ["i0", "i1", "i2"]
    path.unlink()
    book.refresh()
    assert book.answers() == []


def test_what_plans_could_ask_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "j.parquet"
    nothing = pd.DataFrame(columns=["image_id", "tag", "inclusion_probability"])
    register_plan(path, "p1", PlannedCells(7, ("hat",), ("i0",)), nothing)
    AnswerBook(path).add(row(0))
    assert load_judgements([path]).plans == {"p1": PlannedCells(7, ("hat",), ("i0",))}


def test_the_last_answer_of_a_person_to_a_plan_is_taken_back(tmp_path: Path) -> None:
    book = AnswerBook(tmp_path / "j.parquet")
    for one in (row(0), row(3), row(1, judge="ben"), row(2), row(9, plan="")):
        book.add(one)
    assert book.take_back("ann", "p") == row(3)
    assert book.take_back("ann", "p") == row(2)
    assert book.take_back("eve", "p") is None
    assert [one.image_id for one in AnswerBook(book.path).answers()] == ["i0", "i1", "i9"]


def test_threads_lose_no_answer(tmp_path: Path) -> None:
    book = AnswerBook(tmp_path / "j.parquet")
    threads = [
        threading.Thread(target=lambda name=name: [book.add(row(n, judge=name)) for n in range(10)]) for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_judgements(book.path)) == 20


def test_a_lock_that_another_keeps_is_one_line_and_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_book, "_PATIENCE_S", 0.0)
    book = AnswerBook(tmp_path / "j.parquet")
    book.add(row(0))
    with lock_output(book.path, "judge add"), pytest.raises(ArenaError, match=r"arena judge add .* writes to it"):
        book.add(row(1))
    assert len(book.answers()) == len(read_judgements(book.path)) == 1


def test_answers_are_not_added_to_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "j.csv"
    for add in (lambda: AnswerBook(path), lambda: add_judgements(path, [pd.DataFrame(columns=list(COLUMNS))])):
        with pytest.raises(
            ArenaError, match=r"j\.csv: answers are added to a Parquet file; name one, such as j\.parquet"
        ):
            add()
    assert not path.exists()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.parquet").write_bytes(b"no table")
    with pytest.raises(ArenaError, match=r"j\.parquet"):
        AnswerBook(tmp_path / "j.parquet")


def test_definitions_of_tags_are_read(tmp_path: Path) -> None:
    assert read_definitions(tmp_path) == {}
    (tmp_path / DEFINITIONS_FILE).write_text('tag,definition\nlong hair,"Hair below\nthe shoulders."\nhat,\n')
    assert read_definitions(tmp_path) == {"long_hair": "Hair below the shoulders."}
    (tmp_path / DEFINITIONS_FILE).write_text("tag,text\nhat,x\n")
    with pytest.raises(ArenaError, match="no column definition"):
        read_definitions(tmp_path)
