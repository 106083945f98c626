"""A small image board on loopback that fails in every way a real one does."""

import gzip
import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Seen(NamedTuple):
    """A request as it came in."""

    when: float
    path: str
    headers: dict[str, str]


class Sound(NamedTuple):
    """What would have been answered."""

    body: bytes
    kind: str
    start: int


Fault = Callable[[BaseHTTPRequestHandler, Sound], None]
"""Answers in place of the sound answer, once."""


@dataclass
class Booru:
    """Posts, their files, and the faults to come: by `posts` for pages, by MD5 for files, by `all` for either."""

    url: str = ""
    posts: list[Any] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    requests: list[Seen] = field(default_factory=list)
    ranges: bool = True
    page_posts: int = 200

    def add(self, post_id: int, *, size: int = 400, **changes: Any) -> dict[str, Any]:
        """A post with a file of its own; a change to None takes the field away."""
        content = (f"picture {post_id} ".encode() * size)[:size]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files[md5] = content
        post = {
            "id": post_id, "created_at": "2023-07-01T00:00:00Z", "rating": "g", "md5": md5, "file_ext": "jpg",
            "file_size": size, "file_url": f"/original/{md5[:2]}/{md5}.jpg", "tag_string": "1girl solo",
            "is_deleted": False, "is_banned": False,
        } | changes  # fmt: skip
        post = {name: value for name, value in post.items() if value is not None}
        self.posts.append(post)
        return post

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [seen.path for seen in self.requests]

    def page(self, query: dict[str, list[str]]) -> list[Any]:
        """Posts below an identifier, newest first; what has no identifier is on every page that is not empty."""
        before = int(query["page"][0].removeprefix("b"))
        sound = [
            post for post in self.posts if isinstance(post, dict) and type(post.get("id")) is int and post["id"] > 0
        ]
        older = sorted((post for post in sound if post["id"] < before), key=lambda post: -post["id"])
        odd = [post for post in self.posts if not any(post is other for other in sound)]
        limit = min(int(query["limit"][0]), self.page_posts)
        return older[:limit] + odd if older else []


@contextmanager
def serving() -> Iterator[Booru]:
    """A board that answers until the block ends."""
    booru = Booru()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or else every small answer waits 40 ms

        def do_GET(self) -> None:
            booru.requests.append(Seen(time.monotonic(), self.path, dict(self.headers)))
            parts = urlsplit(self.path)
            name = "posts" if parts.path.endswith("/posts.json") else parts.path.rpartition("/")[2].partition(".")[0]
            if name == "posts":
                sound = Sound(json.dumps(booru.page(parse_qs(parts.query))).encode(), "application/json", 0)
            else:
                start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
                sound = Sound(booru.files.get(name, b""), "image/jpeg", start if booru.ranges else 0)
            queue = booru.faults[name] or booru.faults["all"]
            if queue:
                queue.pop(0)(self, sound)
            elif name != "posts" and name not in booru.files:
                answer(self, 404, b"<h1>no such file</h1>", "text/html")
            else:
                answer_soundly(self, sound)

        def log_message(self, *arguments: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            return  # clients leave: that is what is tested

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    booru.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield booru
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def answer_soundly(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
    """What a host in order answers, from the byte that was asked for."""
    whole = len(sound.body)
    if sound.start > whole - 1 and sound.start:
        answer(handler, 416, b"", sound.kind, {"Content-Range": f"bytes */{whole}"})
    elif sound.start:
        there = {"Content-Range": f"bytes {sound.start}-{whole - 1}/{whole}"}
        answer(handler, 206, sound.body[sound.start :], sound.kind, there)
    else:
        answer(handler, 200, sound.body, sound.kind)


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """An answer that is no success."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, sound: answer(handler, code, body, "text/html", named)


def other(body: bytes, kind: str = "text/html") -> Fault:
    """A success with another body."""
    return lambda handler, sound: answer(handler, 200, body, kind)


def silent(seconds: float) -> Fault:
    """No answer for a while, then none at all."""

    def fault(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def cut(share: float = 0.5, told: bool = True, then: Callable[[], object] = lambda: None) -> Fault:
    """The connection ends after a share of the body, whose length was told or not."""

    def fault(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
        rest = sound.body[sound.start :]
        handler.send_response(206 if sound.start else 200)
        handler.send_header("Content-Type", sound.kind)
        if sound.start:
            handler.send_header("Content-Range", f"bytes {sound.start}-{len(sound.body) - 1}/{len(sound.body)}")
        handler.send_header(*(("Content-Length", str(len(rest))) if told else ("Connection", "close")))
        handler.end_headers()
        handler.wfile.write(rest[: int(len(rest) * share)])
        handler.wfile.flush()
        then()
        handler.close_connection = True

    return fault


def endless(pause_s: float = 0.0, chunk: bytes = b"0" * 65_536) -> Fault:
    """A body that does not end while the client listens."""

    def fault(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(chunk)
            time.sleep(pause_s)

    return fault


def zipped(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
    """The sound answer, compressed."""
    answer(handler, 200, gzip.compress(sound.body), sound.kind, {"Content-Encoding": "gzip"})


def damaged_zip(handler: BaseHTTPRequestHandler, sound: Sound) -> None:
    """Compressed, it says."""
    answer(handler, 200, sound.body, sound.kind, {"Content-Encoding": "gzip"})
