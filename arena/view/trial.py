"""The mode Try an image: the tags of the run's models for a file; a model is loaded when it is first asked for."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from arena import taggers
from arena.base.errors import ArenaError, UnreadableImageError
from arena.evaluate.matching import Entry
from arena.images.places import MAX_FILE_BYTES
from arena.metrics.thresholds import DEFAULT_THRESHOLD, thresholds_per_tag
from arena.pipeline.inputs import find_model_of
from arena.taggers.adapters.ensemble import members_of
from arena.taggers.adapters.precomputed import Precomputed
from arena.taggers.base import Tagger
from arena.taggers.predict import score_picture
from arena.view.pages import fragment, page
from arena.view.viewed_run import Scores, TagRow, TagScore, ViewedModel, ViewedRun

_NEAR = 20
"""Tags below every threshold that are listed, those with the highest scores."""


class Tried(NamedTuple):
    """The tags of one image.

    Attributes:
        models: those that scored it.
        tags: rows of the tags that a model predicts, the highest score first; `recorded` is None.
        others: rows of the next highest scores.
    """

    models: Sequence[ViewedModel]
    tags: Sequence[TagRow]
    others: Sequence[TagRow]


class Trial:
    """Loads the models of a run on demand, and scores images with them."""

    def __init__(self, run: ViewedRun, root: Path | None) -> None:
        self._run, self._root = run, root
        self._loaded: dict[str, Tagger] = {}
        self._mutex = threading.Lock()

    def routes(self) -> Sequence[BaseRoute]:
        """Return the page of the mode, and the request that scores a file."""

        def shown(request: Request) -> Response:
            return page("try.html.j2", self._run, "/try", loaded=self._loaded)

        async def tried(request: Request) -> Response:
            try:
                content = await _file(request)
                found = await run_in_threadpool(self.score, content, request.query_params.getlist("model"))
            except UnreadableImageError as error:
                return HTMLResponse(
                    fragment("tried.html.j2", self._run, problem=f"the file cannot be used: {error}"), 422
                )
            except ArenaError as error:
                return HTMLResponse(fragment("tried.html.j2", self._run, problem=str(error)), 409)
            return HTMLResponse(fragment("tried.html.j2", self._run, problem="", found=found))

        return [Route("/try", shown), Route("/try", tried, methods=["POST"])]

    def score(self, content: bytes, names: Sequence[str]) -> Tried:
        """Return the tags of an image.

        Args:
            content: bytes of the file.
            names: of the models to use.

        Raises:
            UnreadableImageError: the image cannot be decoded.
            ArenaError: no model is named, or the weights of one are not on this machine.
        """
        models = [one for one in self._run.models if one.name in names]
        if not models:
            raise ArenaError("choose at least one model")
        with self._mutex:
            used = [self._tagger(one.name) for one in models]
            scores = score_picture(content, used)
        entries = {one.name: one for one in self._run.stored.entries}
        rows = self._rows([_decided(entries[one.name], tagger, each, self._run)
                           for one, tagger, each in zip(models, used, scores, strict=True)])  # fmt: skip
        predicted = [one for one in rows if any(each is not None and each.predicted for each in one.scores)]
        return Tried(models, predicted, [one for one in rows if one not in predicted][:_NEAR])

    def _tagger(self, name: str) -> Tagger:
        if name not in self._loaded:
            run = self._run
            card = find_model_of(run.stored.result, name, [run.folder], self._root)
            if card is None:
                raise ArenaError(f"{name}: the weights that the run used are not on this machine; choose another model")
            tagger = taggers.load(card, among=list(self._loaded.values()), relations=run.truth.relations)
            if any(isinstance(one, Precomputed) for one in members_of(tagger)):
                raise ArenaError(f"{name}: its scores were computed before; it cannot score another image")
            self._loaded[name] = tagger
        return self._loaded[name]

    def _rows(self, decided: Sequence[dict[str, tuple[str, TagScore]]]) -> list[TagRow]:
        """Return a row per tag; tags with the same canonical name share one."""
        categories = {name: category for one in reversed(decided) for name, (category, _) in one.items()}
        rows = [
            TagRow(name, category, None, tuple(one[name][1] if name in one else None for one in decided))
            for name, category in categories.items()
        ]
        return sorted(rows, key=lambda row: (-max(one.score for one in row.scores if one is not None), row.tag))


def _decided(entry: Entry, tagger: Tagger, scores: Scores, run: ViewedRun) -> dict[str, tuple[str, TagScore]]:
    """Return canonical tag -> category and score at the thresholds of the run."""
    own, tags = entry.thresholds, tagger.tags
    categories = [tags.category(column) for column in range(len(tags))]
    default = DEFAULT_THRESHOLD if own.default is None else own.default
    raw = thresholds_per_tag(tags.names, categories, default=default, by_category=own.categories, by_tag=own.tags)
    thresholds = run.stored.settings.counting.effective(raw)
    found: dict[str, tuple[str, TagScore]] = {}
    for name, category, score, threshold in zip(tags.names, categories, scores, thresholds, strict=True):
        one = TagScore(float(score), float(threshold), bool(score >= threshold))
        found.setdefault(run.truth.relations.canonical(name), (category, one))
    return found


async def _file(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_FILE_BYTES:
            raise UnreadableImageError("file too large", f"more than {MAX_FILE_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)
