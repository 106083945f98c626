"""The comparison page of the run, with links from its figures to the images behind them.

The file `index.html` stays as it is. What is served has a stylesheet and a script more, and a content security policy that
allows these two; they find tags, models, slices and images on the page, and add links to the mode Images.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from arena.base.errors import ArenaError
from arena.base.reading import read_text
from arena.images.thumbnails import THUMBNAIL_FOLDER
from arena.report.html import embedded_json
from arena.report.view_model.slices import SLICE_KIND_TITLES
from arena.view.pages import fragment
from arena.view.viewed_run import ViewedRun

REPORT = "/report/"
"""Address of the page; the slash lets the page find the pictures next to it."""

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')

_LARGEST_BYTES = 500_000_000

_ALSO_OWN = ("script-src", "style-src", "img-src")
"""Parts of the page's policy that also allow files of this server."""


def report_routes(run: ViewedRun) -> Sequence[BaseRoute]:
    """Return the routes of the comparison page and of the pictures next to it."""

    def shown(request: Request) -> Response:
        return _page(run)

    def picture(request: Request) -> Response:
        name, folder = request.path_params["name"], run.folder / THUMBNAIL_FOLDER
        if name not in {one.name for one in folder.glob("*.webp")}:
            raise HTTPException(404)
        return FileResponse(folder / name, media_type="image/webp")

    return [Route(REPORT, shown), Route(f"{REPORT}{THUMBNAIL_FOLDER}/{{name}}", picture)]


def _page(run: ViewedRun) -> Response:
    path, fix = run.folder / "index.html", f"write it with: arena report {run.folder}"
    text = read_text(path, most=_LARGEST_BYTES, fix=fix)
    policy = _POLICY.search(text)
    if policy is None:
        raise ArenaError(f"{path}: not a comparison page; {fix}")
    head, body = text[: policy.start()] + text[policy.end() :], Markup(embedded_json(_targets(run)))
    head, _, rest = head.partition("</head>")
    page = f"{head}{fragment('report_head.html.j2', run, targets=body)}</head>{rest}"
    return HTMLResponse(page, headers={"Content-Security-Policy": _with_own(html.unescape(policy[1]))})


def _with_own(policy: str) -> str:
    """Return the policy of a page with the scripts, styles and images of this server allowed."""
    found = []
    for part in filter(str.strip, policy.split(";")):
        name, *sources = part.split()
        own = ["'self'"] if name in _ALSO_OWN and "'self'" not in sources else []
        found.append(" ".join([name, *own, *sources]))
    return "; ".join([*found, "frame-ancestors 'none'"])


def _targets(run: ViewedRun) -> dict[str, Any]:
    """Return what the script cannot read from the page: which slices can be shown, by the titles that they have there."""
    table = run.stored.result.tables["slices"][["slice", "value", "title"]].drop_duplicates()
    return {
        "models": [one.name for one in run.models],
        "slices": [
            [SLICE_KIND_TITLES.get(kind, kind), title, f"{kind}:{value}"]
            for kind, value, title in table.itertuples(index=False)
            if f"{kind}:{value}" in run.slices
        ],
    }
