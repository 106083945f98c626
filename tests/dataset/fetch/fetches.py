"""Fetches from the board on loopback, and what they leave."""

import csv
from pathlib import Path
from typing import Any

from arena.dataset.fetch import folder as fetch_folder
from arena.dataset.fetch.address import parse_base_url
from arena.dataset.fetch.client import PoliteClient, RateLimit
from arena.dataset.fetch.danbooru import FetchTotals, PostQuery, fetch_posts
from arena.dataset.fetch.filter import PostFilter

from .booru import Booru


class Waits(list[float]):
    """What a client slept, in seconds, without sleeping."""


def run(
    booru: Booru, folder: Path, *, count: int = 100, before_id: int = 1000, after_id: int = 0, wish: PostFilter | None = None,
    waits: Waits | None = None, pace: RateLimit | None = None, **client: Any,
) -> FetchTotals:  # fmt: skip
    waits = Waits() if waits is None else waits
    pace = pace or RateLimit(0.0, sleep=waits.append, jitter=lambda: 0.0)
    base = parse_base_url(booru.url)
    query = PostQuery(host="board", before_id=before_id, count=count, after_id=after_id, wish=wish or PostFilter())
    with PoliteClient(base, pace=pace, **client) as asker:
        return fetch_posts(query, folder, client=asker)


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with what it holds, apart from the times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            lines = path.read_text("utf-8").splitlines()
            timed = path.name == fetch_folder.FETCH_STATE
            found[path.relative_to(folder).as_posix()] = "\n".join(
                line for line in lines if not (timed and line.startswith(("started", "updated")))
            )
    return found


def rejects(folder: Path) -> list[dict[str, str]]:
    with (folder / "rejects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def images(folder: Path) -> set[str]:
    return {path.name for path in (folder / "images").rglob("*") if path.is_file()}
