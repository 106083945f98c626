"""The application: its routes. Handlers are plain functions, which Starlette runs in threads."""

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from arena.base.errors import ArenaError, UnreadableImageError
from arena.dataset.answer_book import AnswerBook
from arena.view.access import Access, Guard
from arena.view.images import image_routes
from arena.view.judging import issues_mode, judge_mode
from arena.view.pages import static_file
from arena.view.pictures import Picture
from arena.view.report import report_routes
from arena.view.trial import Trial
from arena.view.viewed_run import ViewedRun

_KEPT = "private, max-age=3600"
"""An image of a dataset does not change while the server runs."""


def create_app(
    run: ViewedRun, access: Access, plan: Path, book: AnswerBook, root: Path | None = None, gold: str = ""
) -> Starlette:  # fmt: skip
    """Return the application of a run; every request needs `access`.

    Args:
        plan: file of the cells to judge; it need not exist yet.
        book: file that answers are added to.
        root: folder with further model cards.
        gold: name that stands for the judge of gold answers; empty if nobody gives them here.
    """
    routes: Sequence[BaseRoute] = [
        Route("/", lambda request: RedirectResponse("/images", 303)),
        Route("/static/{name}", _static),
        *_picture_routes(run),
        *image_routes(run),
        *judge_mode(run, plan, book, gold).routes(),
        *issues_mode(run, book, gold).routes(),
        *Trial(run, root).routes(),
        *report_routes(run),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(Guard, access=access)], exception_handlers={ArenaError: _as_line}
    )


def _static(request: Request) -> Response:
    found = static_file(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return Response(found[0], media_type=found[1])


def _picture_routes(run: ViewedRun) -> Sequence[BaseRoute]:
    kinds = {"thumbnail": run.pictures.thumbnail, "question": run.pictures.question, "full": run.pictures.full}

    def send(request: Request) -> Response:
        row, make = request.path_params["row"], kinds[request.path_params["kind"]]
        if row >= len(run.ratings):
            raise HTTPException(404)
        picture: Picture = make(row)
        return Response(picture.content, media_type=picture.media_type, headers={"Cache-Control": _KEPT})

    def checked(request: Request) -> Response:
        if request.path_params["kind"] not in kinds:
            raise HTTPException(404)
        return send(request)

    return [Route("/picture/{kind}/{row:int}", checked)]


async def _as_line(request: Request, error: Exception) -> Response:
    """Return an expected failure as one line."""
    return PlainTextResponse(f"{error}\n", 404 if isinstance(error, UnreadableImageError) else 400)
