"""A run with images, and the application in this process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.dataset.answer_book import AnswerBook
from arena.pipeline.judge import PlanOptions, plan_questions
from arena.results.recipe import Settings
from arena.view.access import Access
from arena.view.viewed_run import ViewedRun, read_viewed_run
from tests.conftest import without_plots
from tests.pipeline.conftest import World

testclient = pytest.importorskip("starlette.testclient")

PORT = 8_000
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, 60 images, 12 tags; the tag `tag_0` has a definition."""
    with without_plots():
        world = World(tmp_path_factory.mktemp("view"))
        (world.dataset / "tag_definitions.csv").write_text("tag,definition\ntag_0,The first tag.\n")
        world.truth |= np.random.default_rng(5).random(world.truth.shape) < 0.1  # what models find and nobody recorded
        return world.run("run", "a", "b", settings=Settings(replicates=10))


@pytest.fixture(scope="session")
def plan(run_folder: Path) -> Path:
    """The first wave of a plan of 900 answers, about 270 cells."""
    path = run_folder.parent / "plan.parquet"
    plan_questions(run_folder, path, PlanOptions(answers=900))
    return path


@pytest.fixture(scope="session")
def viewed(run_folder: Path) -> ViewedRun:
    """The run; every third image is explicit."""
    run = read_viewed_run(run_folder)
    ratings = tuple("explicit" if row % 3 == 2 else one for row, one in enumerate(run.ratings))
    return replace(run, ratings=ratings)


@pytest.fixture
def book(tmp_path: Path) -> AnswerBook:
    return AnswerBook(tmp_path / "judgements.parquet")


Client = Any
"""Starlette's TestClient."""


@pytest.fixture
def visit(viewed: ViewedRun, plan: Path, book: AnswerBook) -> Callable[..., Client]:
    """Open the application as another browser, which has exchanged the token for the cookie unless it is refused."""
    from arena.view.app import create_app

    access = Access("127.0.0.1", PORT, "secret")
    app = create_app(viewed, access, plan, book)

    def client(*, token: str = "secret") -> Client:
        made = testclient.TestClient(app, base_url=ORIGIN, headers={"origin": ORIGIN})
        made.get(f"/static/icon.svg?token={token}")
        return made

    return client


@pytest.fixture
def client(visit: Callable[..., Client]) -> Client:
    return visit()
