"""Starting and stopping: one line for everything that prevents it, the address, and Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.base.errors import ArenaError, ExitCode
from arena.view import server
from arena.view.server import ServerOptions, ViewOptions, listening, serve
from tests.conftest import arena_here


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--host", "0.0.0.0"),
            "--host 0.0.0.0: other machines could reach it; add --allow-network, or leave --host out",
        ),
        (("--host", "192.0.2.1", "--allow-network"), "cannot listen on 192.0.2.1 (Cannot assign requested address)"),
        (("--port", "80"), "80 is not in the range"),
        (("--judgements", "{run}/per_tag.parquet"), "per_tag.parquet: no column"),
    ],
)
def test_what_prevents_the_start_is_one_line(run_folder: Path, arguments: tuple[str, ...], message: str) -> None:
    words = [one.replace("{run}", str(run_folder)) for one in arguments]
    done = arena_here("view", run_folder, "--no-browser", *words)
    assert done.returncode == ExitCode.BAD_INPUT
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_a_used_port_and_a_folder_without_a_run(tmp_path: Path) -> None:
    with listening(ServerOptions()) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ArenaError, match=f"cannot listen on 127.0.0.1:{port} .*; choose another --port"):
            listening(ServerOptions(port=port)).__enter__()
    assert "run.json" in arena_here("view", tmp_path, "--no-browser").stderr
    (tmp_path / "pick.json").write_text("{}")
    assert "a result of arena pick" in arena_here("view", tmp_path, "--no-browser").stderr


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ArenaError, match=r'not installed; run: pip install "tagger-arena\[view\]"'):
        serve(ViewOptions(tmp_path), ServerOptions(), print)


@contextlib.contextmanager
def without_running_loop() -> Iterator[None]:
    """Hide the event loop of playwright, which runs in this thread once a test has opened a browser."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


def test_ctrl_c_ends_the_server_with_one_line(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def opened(address: str) -> None:
        """The browser, which gets the first page and then presses Ctrl-C."""
        seen.append(address)
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(address) as answer:
            seen.append(answer.read().decode())
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(server.webbrowser, "open", opened)
    with without_running_loop():
        done = arena_here("view", run_folder, "--judgements", tmp_path / "j.parquet")
    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stdout == f"{seen[0]}\nCtrl-C stops the server.\n"
    assert done.stderr.splitlines()[-1] == "arena: stopped; the same command continues where it was"
    assert "<h1>Images</h1>" in seen[1]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(seen[0].split(":")[2].partition("/")[0]))) != 0
