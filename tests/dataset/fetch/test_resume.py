"""A fetch that was stopped anywhere ends with the same folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.base.errors import ArenaError
from arena.dataset.fetch.danbooru import PostQuery
from arena.dataset.fetch.folder import FetchFolder

from .booru import Booru, cut, status
from .fetches import contents, run

FETCH = """
import sys
from pathlib import Path
from arena.dataset.fetch.danbooru import PostQuery, fetch_posts
from arena.dataset.fetch.address import parse_base_url
from arena.dataset.fetch.client import PoliteClient, RateLimit
with PoliteClient(parse_base_url(sys.argv[1]), pace=RateLimit(0.0)) as client:
    fetch_posts(PostQuery(host="board", before_id=1000, count=9), Path(sys.argv[2]), client=client)
"""


def fill(booru: Booru) -> None:
    """Three pages with something of everything."""
    booru.page_posts = 6
    for post_id in range(1, 15):
        booru.add(post_id, rating="e" if post_id % 5 == 0 else "g")
    booru.add(15, md5="wrong")
    gone = booru.add(16)
    del booru.files[gone["md5"]]


def test_a_killed_process_continues(booru: Booru, tmp_path: Path) -> None:
    fill(booru)
    run(booru, tmp_path / "whole", count=9)
    whole = contents(tmp_path / "whole")
    booru.requests.clear()
    processes: list[subprocess.Popen[bytes]] = []
    kill = cut(0.5, then=lambda: processes[-1].send_signal(signal.SIGKILL))
    booru.faults[booru.posts[11]["md5"]] = [kill]  # in the middle of an image
    late: list[Any] = [kill]  # in the middle of the second page

    def start() -> int:
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        processes.append(
            subprocess.Popen([sys.executable, "-c", FETCH, booru.url, str(tmp_path / "killed")], env=environment)
        )
        return processes[-1].wait(timeout=120)

    assert start() == -signal.SIGKILL
    booru.faults["posts"] = late
    assert start() == -signal.SIGKILL
    run(booru, tmp_path / "killed", count=9)
    assert contents(tmp_path / "killed") == whole
    assert sum(name in path for path in booru.asked for name in [booru.posts[11]["md5"]]) == 2


class Stopped(BaseException):
    """As a power cut: nothing runs after it."""


def stopping(calls: int) -> Callable[[int], None]:
    """An fsync that is the last thing done, after so many that do nothing."""
    left = iter(range(calls))

    def fsync(descriptor: int) -> None:
        if next(left, None) is None:
            raise Stopped

    return fsync


def test_stopped_at_any_write_it_ends_with_the_same_folder(
    booru: Booru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(booru)
    run(booru, tmp_path / "whole", count=9)
    whole = contents(tmp_path / "whole")
    stops = 0
    while True:
        folder = tmp_path / f"stopped-{stops}"
        monkeypatch.setattr(os, "fsync", stopping(stops))
        try:
            run(booru, folder, count=9)
        except Stopped:
            monkeypatch.setattr(os, "fsync", stopping(1000))
            run(booru, folder, count=9)
            assert contents(folder) == whole, stops
            stops += 1
        else:
            break
    assert stops > 15


def test_what_was_written_after_the_last_checkpoint_is_cut_off(booru: Booru, tmp_path: Path) -> None:
    fill(booru)
    run(booru, tmp_path / "f", count=5)
    before = contents(tmp_path / "f")
    for torn in ('{"id": 3, "ra', '{"id": 3}\n{"id'):
        with (tmp_path / "f/posts.jsonl").open("a") as file:
            file.write(torn)
        run(booru, tmp_path / "f", count=5)
        assert contents(tmp_path / "f") == before


def test_an_error_of_the_host_loses_nothing(booru: Booru, tmp_path: Path) -> None:
    fill(booru)
    run(booru, tmp_path / "whole", count=9)
    booru.faults[booru.posts[5]["md5"]] = [status(429)] * 6
    with pytest.raises(ArenaError, match="answered 429"):
        run(booru, tmp_path / "f", count=9)
    booru.requests.clear()
    run(booru, tmp_path / "f", count=9)
    assert contents(tmp_path / "f") == contents(tmp_path / "whole")
    assert len(booru.requests) < 9


def test_one_folder_is_for_one_process(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    query = PostQuery(host="board", before_id=1000, count=100)
    store = FetchFolder(tmp_path / "f", query.asked(), facts={})
    with store.opened(), pytest.raises(ArenaError, match=r"arena dataset fetch \(.*\) writes to it"):
        run(booru, tmp_path / "f")
    assert run(booru, tmp_path / "f").images == 1
