"""The modes Judge and Label issues: questions one at a time, and the requests by which a page gets and answers them."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from arena.base.errors import ArenaError
from arena.base.format import one_line
from arena.base.schema import INTEGER, TEXT, Schema, list_of, table_of
from arena.dataset.answer_book import AnswerBook
from arena.dataset.frozen import random_order
from arena.dataset.judgements import ANSWERS, refuse_unknown_cells
from arena.evaluate.answers import GOLD
from arena.pipeline.judge import read_plan
from arena.view.estimates import Estimator
from arena.view.pages import page
from arena.view.questions import Question, Questions
from arena.view.viewed_run import ViewedRun

AHEAD = 3
"""Questions that a page holds: the one it shows, and those whose images it loads meanwhile."""

EXAMPLES = 2
"""Example images of a question."""

_LONGEST_NAME = 60
_LONGEST_REQUEST = 4_000
_REQUEST = Schema(
    table_of(
        {"page": TEXT},
        known={"judge": TEXT, "number": INTEGER, "answer": TEXT, "plan": TEXT, "shown": list_of("integer")},
    )
)  # fmt: skip


class Examples:
    """Example images of tags: images with a recorded label, in a random but reproducible order, unblurred ones first."""

    def __init__(self, run: ViewedRun) -> None:
        self._run = run
        self._of_tag = lru_cache(maxsize=1_000)(self._ordered)

    def _ordered(self, tag: str) -> Sequence[int]:
        run = self._run
        rows = [int(row) for row in run.labels(run.truth.tags.index[tag]).nonzero()[0]]
        ids = [run.truth.image_ids[row] for row in rows]
        order = [rows[place] for place in random_order([tag] * len(rows), ids, seed=0)]
        return sorted(order, key=lambda row: not run.is_open(row))[:20]

    def of(self, question: Question) -> list[int]:
        """Return rows of images with the tag, without the image itself and its near duplicates."""
        groups = self._run.truth.groups or self._run.truth.image_ids
        found: list[int] = []
        for row in self._of_tag(question.tag):
            if groups[row] not in {groups[question.row], *(groups[one] for one in found)}:
                found.append(row)
        return found[:EXAMPLES]


class Mode:
    """Questions of one kind, with what a page needs to show them.

    Args:
        path: address of the mode.
        load: returns the questions as they are now.
        estimate: returns what is known by the answers so far.
        gold: name under which a person gives gold answers; empty if nobody does.
    """

    def __init__(
        self, run: ViewedRun, path: str, load: Callable[[], Questions], estimate: Callable[[], Mapping[str, Any]], gold: str
    ) -> None:  # fmt: skip
        self.run, self.path, self.load, self.estimate, self._gold = run, path, load, estimate, gold
        self._examples = Examples(run)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the page of the mode, and its requests."""
        actions = {"next": self._next, "answer": self._answer, "undo": self._undo, "leave": self._leave}

        def shown(request: Request) -> Response:
            try:
                questions = self.load()
            except ArenaError as error:
                return page("judge.html.j2", self.run, self.path, reason=str(error), questions=None, tally=None)
            return page("judge.html.j2", self.run, self.path, reason="", questions=questions, tally=questions.tally())

        def progress(request: Request) -> Response:
            return JSONResponse(self._progress(self.load(), estimate=True))

        async def act(request: Request) -> Response:
            action = actions.get(request.path_params["action"])
            if action is None:
                return JSONResponse({"problem": "no such action"}, 404)
            try:
                asked = _read(await _body(request))
                return JSONResponse(await run_in_threadpool(action, asked))
            except ArenaError as error:
                return JSONResponse({"problem": str(error)}, 409)

        return [
            Route(self.path, shown),
            Route(f"{self.path}/progress", progress),
            Route(f"{self.path}/{{action}}", act, methods=["POST"]),
        ]

    def _next(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return self._more(self.load(), asked, asked.get("shown", []))

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        questions = self._same_plan(asked)
        word, number = asked.get("answer"), asked.get("number", -1)
        if word not in ANSWERS:
            raise ArenaError(f"answer {word!r}; wanted: {', '.join(ANSWERS)}")
        questions.answer(number, word, self._judge(asked))
        return self._more(questions, asked, [one for one in asked.get("shown", []) if one != number])

    def _undo(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        questions = self._same_plan(asked)
        number = questions.undo(asked["page"], self._judge(asked))
        again = [] if number is None else [self._shown(questions, number)]
        return {"questions": again, "plan": _stamp_of(questions), **self._progress(questions)}

    def _leave(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.load().leave(asked["page"])
        return {}

    def _judge(self, asked: Mapping[str, Any]) -> str:
        """Return the name that is stored with an answer; that of gold answers is not typed but stands for another."""
        name = " ".join(one_line(asked.get("judge", "")).split())
        if not 0 < len(name) <= _LONGEST_NAME:
            raise ArenaError(f"write your name or initials, at most {_LONGEST_NAME} letters")
        if name == GOLD:
            raise ArenaError(f"answers of {GOLD} count as right; choose another name, or see --gold of arena view")
        return GOLD if name == self._gold else name

    def _same_plan(self, asked: Mapping[str, Any]) -> Questions:
        questions = self.load()
        if asked.get("plan", "") != _stamp_of(questions):
            raise ArenaError("the plan has changed; load the page again")
        return questions

    def _more(self, questions: Questions, asked: Mapping[str, Any], shown: Sequence[int]) -> dict[str, Any]:
        numbers = (
            questions.take(asked["page"], self._judge(asked), AHEAD - len(shown), shown) if len(shown) < AHEAD else []
        )
        more = [self._shown(questions, number) for number in numbers]
        return {"questions": more, "plan": _stamp_of(questions), **self._progress(questions)}

    def _progress(self, questions: Questions, *, estimate: bool = False) -> dict[str, Any]:
        tally = questions.tally()
        more = {"estimate": self.estimate()} if estimate else {}
        return {"answered": tally.answered, "wanted": tally.wanted, **more}

    def _shown(self, questions: Questions, number: int) -> dict[str, Any]:
        """Return a question for a page: neither the recorded label, nor a model, nor the image's id, which may name the tag."""
        one = questions.questions[number]
        return {
            "number": number, "tag": one.tag.replace("_", " "), "definition": self.run.definitions.get(one.tag, ""),
            "picture": f"/picture/question/{one.row}", "open": self.run.is_open(one.row),
            "examples": [
                {"picture": f"/picture/thumbnail/{row}", "open": self.run.is_open(row)} for row in self._examples.of(one)
            ],
        }  # fmt: skip


def _stamp_of(questions: Questions) -> str:
    """Return what a page repeats, so that no answer goes to a question of another plan or wave."""
    return f"{questions.plan} {len(questions.questions)}"


async def _body(request: Request) -> bytes:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _LONGEST_REQUEST:
            raise ArenaError(f"more than {_LONGEST_REQUEST:,} bytes")
    return content


def _read(content: bytes) -> Mapping[str, Any]:
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        raise ArenaError("not JSON") from None
    _REQUEST.check(asked, "request", fix="load the page again")
    return dict(asked)


class PlanFile:
    """The plan of a run, read again when the file changes."""

    def __init__(self, run: ViewedRun, path: Path, book: AnswerBook) -> None:
        self._run, self.path, self._book = run, path, book
        self._mutex = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._questions: Questions | None = None
        self.table = pd.DataFrame()

    def load(self) -> Questions:
        """Return the questions of the plan.

        Raises:
            ArenaError: there is no plan, or it is of another dataset.
        """
        with self._mutex:
            if not self.path.exists():
                raise ArenaError(
                    f"{self.path}: no such file. Write a plan with: arena judge plan {self._run.folder} -o {self.path}"
                )
            stat = self.path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if self._questions is None or stamp != self._stamp:
                self._questions, self._stamp = self._read(), stamp
            return self._questions

    def _read(self) -> Questions:
        table = read_plan(self.path)
        refuse_unknown_cells(table, self._run.truth.image_ids, self._run.truth.tags.names, self.path)
        self.table = table
        columns = ("image_id", "tag", "inclusion_probability", "repeat")
        questions = [
            Question(self._run.row_of[image], tag, image, float(inclusion), 2 if repeat else 1)
            for image, tag, inclusion, repeat in table[list(columns)].itertuples(index=False)
        ]
        return Questions(str(table["plan"].iloc[0]) if len(table) else "", questions, self._book)


def judge_mode(run: ViewedRun, plan: Path, book: AnswerBook, gold: str = "") -> Mode:
    """Return the mode that asks the cells of a plan."""
    file, estimator = PlanFile(run, plan, book), Estimator(run, book)
    return Mode(run, "/judge", file.load, lambda: estimator.latest(file.table), gold)


def issues_mode(run: ViewedRun, book: AnswerBook, gold: str = "") -> Mode:
    """Return the mode that asks the labels that are likely missing, the strongest first; its answers were not sampled."""
    labels = run.stored.result.tables["labels"]
    missing = labels[labels["kind"] == "missing"]
    asked = [
        Question(run.row_of[image], tag, image, None)
        for tag, image in zip(missing["tag"], missing["image_id"], strict=True)
        if image in run.row_of and tag in run.truth.tags.index
    ]
    questions = Questions("", asked, book)
    return Mode(run, "/issues", lambda: questions, dict, gold)
