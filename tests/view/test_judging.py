"""Questions by request: blind, each answer on disk, nobody's answer lost, undo, and both kinds of plans."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arena.dataset.answer_book import Answer, AnswerBook
from arena.dataset.judgements import read_judgements
from arena.evaluate.answers import LEAST_ANSWERS
from arena.pipeline.judge import PlanOptions, plan_questions, read_plan
from arena.view import estimates
from arena.view.estimates import Estimator
from arena.view.questions import Question, Questions
from arena.view.viewed_run import ViewedRun

from .conftest import Client


class Person:
    """A page in which a person answers."""

    def __init__(self, client: Client, name: str, api: str = "/judge") -> None:
        self.client, self.api = client, api
        self.who = {"page": f"page of {name}", "judge": name}
        self.questions: list[dict[str, Any]] = []
        self.plan = ""
        self.take(self.send("next"))

    def send(self, action: str, **more: Any) -> Any:
        shown = [one["number"] for one in self.questions]
        return self.client.post(f"{self.api}/{action}", json={**self.who, "plan": self.plan, "shown": shown, **more})

    def take(self, answer: Any) -> Any:
        assert answer.status_code == 200, answer.text
        self.plan = answer.json()["plan"]
        self.questions += answer.json()["questions"]
        return answer.json()

    def answer(self, word: str = "yes") -> Any:
        found = self.send("answer", number=self.questions[0]["number"], answer=word)
        self.questions.pop(0)
        return self.take(found)


def test_a_question_names_neither_label_nor_model_nor_image(client: Client, viewed: ViewedRun, plan: Path) -> None:
    person = Person(client, "ann")
    assert [one["number"] for one in person.questions] == [0, 1, 2]
    assert person.questions[0].keys() == {"number", "tag", "definition", "picture", "open", "examples"}
    for one, row in zip(person.questions, read_plan(plan).itertuples(), strict=False):
        assert one["tag"] == str(row.tag).replace("_", " ")
        assert one["picture"] == f"/picture/question/{viewed.row_of[row.image_id]}"
        assert one["definition"] == ("The first tag." if row.tag == "tag_0" else "")
        labels = viewed.labels(viewed.truth.tags.index[row.tag])
        examples = [int(example["picture"].rpartition("/")[2]) for example in one["examples"]]
        assert len(set(examples)) == 2
        assert labels[examples].all()
        assert viewed.row_of[row.image_id] not in examples
    page = client.get("/judge").text
    assert "recorded label and without" in page
    assert "0.5" not in page


def test_every_answer_is_on_disk_before_the_next_question(client: Client, book: AnswerBook, plan: Path) -> None:
    person, table = Person(client, "ann"), read_plan(plan)
    for number, word in enumerate(("yes", "no", "unclear")):
        found = person.answer(word)
        assert found["answered"] == number + 1
        rows = read_judgements(book.path)
        assert len(rows) == number + 1
        last, cell = rows.iloc[-1], table.iloc[number]
        assert (last["image_id"], last["tag"], last["answer"], last["judge"]) == (cell.image_id, cell.tag, word, "ann")
        assert last["inclusion_probability"] == cell.inclusion_probability
        assert last["plan"] == cell.plan
    assert [one["number"] for one in person.questions] == [3, 4, 5]


def test_undo_removes_the_answer_and_asks_again(client: Client, book: AnswerBook) -> None:
    person = Person(client, "ann")
    person.answer("yes")
    person.answer("no")
    undone = person.send("undo").json()
    assert [one["number"] for one in undone["questions"]] == [1]
    assert undone["answered"] == 1
    assert read_judgements(book.path)["answer"].tolist() == ["yes"]
    assert person.send("undo").json()["questions"][0]["number"] == 0
    assert person.send("undo").json()["questions"] == []
    assert len(read_judgements(book.path)) == 0


def test_two_people_share_the_cells_and_the_second_answers(visit: Callable[..., Client], book: AnswerBook) -> None:
    questions = Questions("p", [Question(0, "t", f"i{n}", 0.5, 2 if n == 1 else 1) for n in range(8)], book)
    shown = {"a": questions.take("a", "ann", 3), "b": questions.take("b", "ben", 3)}
    assert shown == {"a": [0, 1, 2], "b": [3, 4, 5]}
    questions.answer(1, "yes", "ann")
    assert questions.take("a", "ann", 1, [0, 2]) == [6]
    for number, judge in ((0, "ann"), (2, "ann"), (6, "ann"), (7, "ann"), (3, "ben")):
        questions.answer(number, "no", judge)
    assert questions.take("a", "ann", 9) == [1, 4, 5]  # her own second answer, then what Ben's page shows
    assert questions.take("c", "cid", 1) == [1]  # all are shown somewhere
    questions.leave("b")
    questions.leave("a")
    assert questions.take("b", "ben", 9) == [4, 5, 1]
    questions.answer(1, "no", "ben")
    assert questions.tally() == (7, 9)
    ann, ben = (Person(visit(), name) for name in ("ann", "ben"))
    assert {one["number"] for one in ann.questions}.isdisjoint(one["number"] for one in ben.questions)


def test_answers_of_another_process_count(client: Client, book: AnswerBook, plan: Path) -> None:
    person, row = Person(client, "ann"), read_plan(plan).iloc[3]
    AnswerBook(book.path).add(Answer(row.image_id, row.tag, "no", "ben", "2026-01-01T00:00:00Z", 0.5, row.plan))
    assert person.answer()["answered"] == 2
    assert [one["number"] for one in person.questions] == [1, 2, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "maybe"}, "answer 'maybe'; wanted: yes, no, unclear"),
        ({"judge": " \n"}, "write your name or initials"),
        ({"judge": "x" * 61}, "write your name or initials"),
        ({"number": 99_999}, "not in the plan any more"),
        ({"number": -1}, "not in the plan any more"),
        ({"number": "0"}, "request: number is '0'; it must be a whole number"),
        ({"plan": "another"}, "the plan has changed; load the page again"),
        ({"shown": list(range(2_000))}, "more than 4,000 bytes"),
    ],
)
def test_a_wrong_answer_is_one_line_and_stores_nothing(
    client: Client, book: AnswerBook, change: dict[str, Any], message: str
) -> None:
    person = Person(client, "ann")
    answer = person.send("answer", **{"number": 0, "answer": "yes", **change})
    assert answer.status_code == 409
    assert message in answer.json()["problem"]
    assert not book.path.exists()
    assert client.post("/judge/answer", content=b"{").json() == {"problem": "not JSON"}


def test_label_issues_are_judged_without_a_plan(client: Client, viewed: ViewedRun, book: AnswerBook) -> None:
    labels = viewed.stored.result.tables["labels"]
    missing = labels[labels["kind"] == "missing"]
    assert len(missing) > 3
    person = Person(client, "ann", "/issues")
    assert person.answer("yes")["wanted"] == len(missing)
    rows = read_judgements(book.path)
    assert rows[["image_id", "tag"]].iloc[0].tolist() == missing[["image_id", "tag"]].iloc[0].tolist()
    assert rows["inclusion_probability"].isna().all()
    assert rows["plan"].tolist() == [""]
    assert Person(client, "ann").answer()["answered"] == 1  # an answer that was not sampled is none of a plan
    assert person.send("undo").json()["questions"][0]["number"] == 0


def test_a_new_plan_is_asked_without_a_restart(
    viewed: ViewedRun, book: AnswerBook, run_folder: Path, tmp_path: Path
) -> None:
    from arena.view.judging import judge_mode

    path = tmp_path / "p.parquet"
    mode = judge_mode(viewed, path, book)
    with pytest.raises(Exception, match=r"p\.parquet: no such file. Write a plan with: arena judge plan .*run -o"):
        mode.load()
    plan_questions(run_folder, path, PlanOptions(answers=300))
    first = mode.load()
    assert mode.load() is first
    plan_questions(run_folder, path, PlanOptions(answers=600))
    assert mode.load().plan != first.plan
    other = read_plan(path).assign(image_id="none")
    other.to_parquet(path, index=False)
    with pytest.raises(Exception, match="image_id not in the dataset: none"):
        mode.load()


def test_differences_are_estimated_while_a_plan_is_answered(
    viewed: ViewedRun, book: AnswerBook, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "LEAST_ANSWERS", 100)
    monkeypatch.setattr("arena.evaluate.answers.LEAST_ANSWERS", 100)
    assert LEAST_ANSWERS == 600
    table, estimator = read_plan(plan), Estimator(viewed, book)
    columns = ["image_id", "tag", "inclusion_probability", "plan"]

    def answer(part: pd.DataFrame) -> dict[str, Any]:
        rows = part[columns].assign(answer="yes", judge="ann", time="2026-01-01T00:00:00Z")
        rows.to_parquet(book.path, index=False)
        book.refresh()
        return estimator._estimate(table)

    assert answer(table.iloc[:99]) == {"reason": "Differences are shown from 100 clear answers on; 99 so far."}
    few, more = answer(table.iloc[:110]), answer(table.iloc[:190])
    assert (few["answers"], more["answers"]) == (110, 190)
    names = [(one["pair"], one["metric"]) for one in more["differences"]]
    assert names == [("a − b", "Macro F1"), ("a − b", "Micro F1")]
    for one in more["differences"]:
        assert one["low"] <= one["high"]
    json.dumps(more, allow_nan=False)


def test_estimates_are_computed_beside_the_answers(client: Client) -> None:
    person = Person(client, "ann")
    person.answer()
    found = client.get("/judge/progress").json()
    assert found["answered"] == 1
    assert found["estimate"] in ({}, {"reason": "Differences are shown from 600 clear answers on; 1 so far."})
    assert client.get("/issues/progress").json()["estimate"] == {}


def test_only_the_owner_of_gold_answers_gives_them(viewed: ViewedRun, plan: Path, book: AnswerBook, visit: Any) -> None:
    """The name gold is refused; another name stands for it, which only the person who started the server knows."""
    from starlette.testclient import TestClient

    from arena.view.access import Access
    from arena.view.app import create_app

    from .conftest import ORIGIN, PORT

    plain = Person(visit(), "ann")
    for action in ("next", "answer", "undo"):
        refused = plain.client.post(
            f"/judge/{action}", json={"page": "p", "judge": " gold ", "plan": plain.plan, "number": 0, "answer": "yes"}
        )
        assert refused.status_code == 409
        assert "choose another name" in refused.json()["problem"]
    app = create_app(viewed, Access("127.0.0.1", PORT, "secret"), plan, book, gold="vault")
    client = TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN})
    client.get("/static/icon.svg?token=secret")
    for name in ("vault", "ann"):
        Person(client, name).answer("yes")
    assert read_judgements(book.path)["judge"].tolist() == ["gold", "ann"]
    assert "vault" not in client.get("/judge").text
