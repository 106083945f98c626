"""Start the server of `arena view` and wait until it is stopped."""

import contextlib
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.extras import install_command
from arena.base.progress import Progress, Silent

_BACKLOG = 128
"""Connections that wait at most."""


class ServerOptions(NamedTuple):
    """Where the server listens.

    Attributes:
        host: address; other machines can reach any but a loopback address.
        port: 0 takes a free one.
        allow_network: whether `host` may be another than a loopback address.
        browser: whether the first page is opened in a browser.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allow_network: bool = False
    browser: bool = True


class ViewOptions(NamedTuple):
    """What the server shows.

    Attributes:
        run: the run folder.
        plan: file of the cells to judge; it need not exist yet.
        judgements: file of all answers; it is created with the first one.
        dataset: the run's dataset, if it is not where the run found it.
        root: folder with further cards.
        gold: name that stands for the judge of gold answers; empty if nobody gives them here.
    """

    run: Path
    plan: Path = Path("plan.parquet")
    judgements: Path = Path("judgements.parquet")
    dataset: str | None = None
    root: Path | None = None
    gold: str = ""


def serve(
    options: ViewOptions, listen: ServerOptions, announce: Callable[[str], None], progress: Progress = Silent()
) -> None:
    """Serve a run until the process is interrupted.

    Args:
        announce: called once with the address, when the server accepts requests.

    Raises:
        ArenaError: the extra `view` is not installed, the address is not allowed or in use, or the run cannot be shown.
        KeyboardInterrupt: the server was stopped; every answer is on disk.
    """
    try:
        import uvicorn
    except ImportError:
        raise ArenaError(
            f"arena view needs starlette and uvicorn, which are not installed; run: {install_command('view')}"
        ) from None
    from arena.dataset.answer_book import AnswerBook
    from arena.view.access import Access, is_loopback
    from arena.view.app import create_app
    from arena.view.viewed_run import read_viewed_run

    if not is_loopback(listen.host) and not listen.allow_network:
        raise ArenaError(
            f"--host {listen.host}: other machines could reach it; add --allow-network, or leave --host out to serve this "
            "machine only"
        )
    progress.note(f"reading {options.run}")
    run = read_viewed_run(options.run, dataset=options.dataset, root=options.root)
    book = AnswerBook(options.judgements)
    with listening(listen) as bound:
        access = Access(listen.host, bound.getsockname()[1])
        app = create_app(run, access, options.plan, book, options.root, options.gold)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none", proxy_headers=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        threading.Thread(target=_announce, args=(server, access.address, listen.browser, announce), daemon=True).start()
        server.run(sockets=[bound])
        raise KeyboardInterrupt  # only a signal ends the server; uvicorn sends it again, and it can be lost then


@contextlib.contextmanager
def listening(listen: ServerOptions) -> Iterator[socket.socket]:
    """Return a socket that listens on the address; requests wait until the server accepts them.

    Its protocol is named, because asyncio then sends small answers at once (TCP_NODELAY); else each takes 40 ms more.

    Raises:
        ArenaError: the address is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((listen.host, listen.port))
            bound.listen(_BACKLOG)
        except OSError as error:
            where = f"{listen.host}:{listen.port}" if listen.port else listen.host
            reason = error.strerror or str(error)
            raise ArenaError(
                f"cannot listen on {where} ({reason}); choose another --port or --host, or leave them out"
            ) from None
        yield bound


def _announce(server: object, address: str, browser: bool, announce: Callable[[str], None]) -> None:
    """Wait until the server accepts requests, then print its address and open it in a browser."""
    while not getattr(server, "started", False):
        if getattr(server, "should_exit", False):
            return
        time.sleep(0.02)
    announce(address)
    if browser:
        webbrowser.open(address)
