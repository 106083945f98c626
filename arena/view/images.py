"""The mode Images: a grid of images with filters, and one image with its labels and every model's tags."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from arena.base.errors import ArenaError
from arena.base.format import figure
from arena.view.filters import KINDS, WITHOUT_TAG, Filter, Listed, list_images, read_filter
from arena.view.pages import page
from arena.view.viewed_run import TagRow, ViewedRun

PER_PAGE = 60
"""Images of a page of the grid."""

_NEAR = 20
"""Tags below every threshold that one image shows, those with the highest scores."""


def image_routes(run: ViewedRun) -> Sequence[BaseRoute]:
    """Return the routes of the mode."""

    def grid(request: Request) -> Response:
        return _grid(run, request)

    def one(request: Request) -> Response:
        return _one(run, request)

    return [Route("/images", grid), Route("/image", one)]


def _grid(run: ViewedRun, request: Request) -> Response:
    problem, wanted = "", Filter()
    try:
        wanted = read_filter(request.query_params, run)
        found = list_images(run, wanted)
    except ArenaError as error:
        problem, found = str(error), list_images(run, Filter())
    pages = max(1, -(-len(found.rows) // PER_PAGE))
    number = min(pages, max(1, _whole(request.query_params.get("page", "1"))))
    first = (number - 1) * PER_PAGE
    cells = [
        {
            "row": row, "id": run.truth.image_ids[row], "open": run.is_open(row),
            "href": _address("/image", wanted, {"id": run.truth.image_ids[row]}),
            "value": _caption(found, first + place),
        }
        for place, row in enumerate(found.rows[first : first + PER_PAGE].tolist())
    ]  # fmt: skip
    return page(
        "grid.html.j2", run, "/images", status=400 if problem else 200, problem=problem, wanted=wanted, found=found,
        cells=cells, number=number, pages=pages, kinds=KINDS, without_tag=WITHOUT_TAG,
        typed=Filter()._asdict() | (dict(request.query_params) if problem else wanted._asdict()),
        ratings=sorted(set(run.ratings)),
        before=_address("/images", wanted, {"page": str(number - 1)}) if number > 1 else "",
        after=_address("/images", wanted, {"page": str(number + 1)}) if number < pages else "",
    )  # fmt: skip


def _caption(found: Listed, place: int) -> str:
    if found.values is None:
        return ""
    value = float(found.values[place])
    return figure(value) if found.unit == "score" else f"{value:.0f} {found.unit}"


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 1


def _address(path: str, wanted: Filter, more: dict[str, str]) -> str:
    query = "&".join(filter(None, [wanted.query, urlencode(more, errors="surrogatepass")]))
    return f"{path}?{query}" if query else path


def _one(run: ViewedRun, request: Request) -> Response:
    row = run.row_of.get(request.query_params.get("id", ""))
    if row is None:
        raise HTTPException(404, "no image with this id in the run")
    wanted = read_filter(request.query_params, run)
    rows = list_images(run, wanted).rows.tolist()
    place = rows.index(row) if row in rows else None
    return page(
        "image.html.j2", run, "/images", row=row, image_id=run.truth.image_ids[row], wanted=wanted, total=len(rows),
        place=place, facts=_facts(run, row), shows=KINDS[wanted.show],
        groups=_groups(run.tag_rows(row), wanted.tag), back=_address("/images", wanted, _page_of(place)),
        before=_neighbour(run, rows, place, -1, wanted), after=_neighbour(run, rows, place, 1, wanted),
    )  # fmt: skip


def _page_of(place: int | None) -> dict[str, str]:
    return {"page": str(place // PER_PAGE + 1)} if place is not None and place >= PER_PAGE else {}


def _neighbour(run: ViewedRun, rows: Sequence[int], place: int | None, step: int, wanted: Filter) -> dict[str, Any]:
    """Return address and row of the image before or after; empty at the ends of the list."""
    if place is None or not 0 <= place + step < len(rows):
        return {}
    row = rows[place + step]
    return {"href": _address("/image", wanted, {"id": run.truth.image_ids[row]}), "row": row}


def _groups(tags: Sequence[TagRow], chosen: str) -> tuple[list[TagRow], list[TagRow]]:
    """Return the tags of an image in two lists: recorded or predicted (with the tag of the filter), and the nearest others."""

    def is_first(one: TagRow) -> bool:
        return one.recorded or one.tag == chosen or any(each is not None and each.predicted for each in one.scores)

    return [one for one in tags if is_first(one)], [one for one in tags if not is_first(one)][:_NEAR]


def _facts(run: ViewedRun, row: int) -> list[tuple[str, str]]:
    """Return name and value of what is known of an image."""
    columns = run.truth.images
    size = (
        [("size", f"{columns['width'][row]} × {columns['height'][row]}")] if {"width", "height"} <= {*columns} else []
    )
    slices = [(one.slice, one.value) for one in run.slices.values() if one.member[row] and one.slice != "rating"]
    named = [(f"{name} band" if name == "size" else name, value) for name, value in slices]
    return [("rating", run.ratings[row]), *size, *named]
