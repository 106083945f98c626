"""A client that asks one host slowly, patiently and honestly.

Slowly: requests are kept apart, whatever they ask for. Patiently: what may pass is asked again, later each time. Honestly: it
says who it is, and stops where it is not wanted.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from httpx2 import (
    URL,
    BasicAuth,
    Client,
    ConnectError,
    DecodingError,
    ProxyError,
    Response,
    Timeout,
    TimeoutException,
    TransportError,
)

from arena.base.errors import ArenaError
from arena.base.version import __version__
from arena.dataset.fetch.address import Credentials, RefusedError, is_loopback, origin, redirected, trusted

USER_AGENT = f"arena/{__version__} (evaluation of image taggers; slow, resumable fetch of held-out images)"
"""Who asks; a host that is annoyed should know by whom."""

ATTEMPTS = 6
"""How often one address is asked before it counts as out of reach."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Back-off: doubled from the first pause to the longest."""

LONGEST_RETRY_AFTER_S = 600.0
"""A host that wants a longer rest gets it, but not from a process that waits."""

CONNECT_S, READ_S = 10.0, 30.0
"""How long a connection may take, and how long an answer may be silent."""

WHOLE_ANSWER_S = 600.0
"""How long one answer may take, however steadily it trickles."""

MOST_REDIRECTS = 3

T = TypeVar("T")


class OutOfReachError(ArenaError):
    """No useful answer from one address in `ATTEMPTS` attempts; later there may be one."""

    reason = "no answer"


class HostRestsError(ArenaError):
    """The host has had enough of requests, whatever their address."""


class PassingError(Exception):
    """One attempt failed in a way that may pass.

    Attributes:
        retry_after_s: the rest that the host asks for.
        busy: whether the host says so of itself, not of one address.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0, busy: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s, self.busy = retry_after_s, busy


class Asker(Protocol):
    """What a fetch needs of a client."""

    def read(self, address: str, parse: Callable[[bytes], T], *, most_bytes: int) -> T:
        """A whole answer of the host, parsed."""

    def save(self, address: str, part: Path, *, size_bytes: int | None, most_bytes: int) -> None:
        """The whole file at an address, on disk."""


@dataclass
class Pace:
    """Keeps requests apart: the next is sent no sooner than `interval_s` after the one before it was answered.

    Measured from the answer, for only then is it certain that the host has seen the request: two of them never reach it
    within the interval, whatever the network does.

    >>> clock = iter([10.0, 10.0, 10.25])
    >>> pace = Pace(1.0, clock=lambda: next(clock), sleep=print)
    >>> pace.wait(); pace.answered(); pace.wait()
    0.75
    """

    interval_s: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1: how much of its half is added to a pause, so that clients cut off together do not return together."""
    _free_at: float = float("-inf")

    def wait(self) -> None:
        """Sleep until the next request may be sent."""
        if (rest := self._free_at - self.clock()) > 0:
            self.sleep(rest)

    def answered(self) -> None:
        """The host has seen a request."""
        self._free_at = self.clock() + self.interval_s

    def pause_s(self, attempt: int, retry_after_s: float) -> float:
        """How long to rest after failed attempt number `attempt`, from 0: never less than the host asks for.

        >>> [Pace(jitter=lambda: 0.5).pause_s(attempt, 3.0) for attempt in (0, 1, 2, 9)]
        [3.75, 3.75, 5.0, 75.0]
        """
        pause_s: float = max(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S), retry_after_s) * (1 + self.jitter() / 2)
        return pause_s


class PoliteClient:
    """Asks one host, and fetches files from its domain.

    Args:
        base: from `base_of`.
        pace: how far requests are kept apart, and how long a pause is.
        credentials: sent to `base` only, over https or loopback only.
        file_hosts: further hosts from which files are taken.
        note: told of every pause.
    """

    def __init__(
        self, base: URL, *, pace: Pace | None = None, user_agent: str = USER_AGENT, credentials: Credentials | None = None,
        file_hosts: tuple[str, ...] = (), note: Callable[[str], None] = lambda text: None, read_s: float = READ_S,
    ) -> None:  # fmt: skip
        if not (user_agent.strip() and user_agent.isascii() and user_agent.isprintable()):
            raise ArenaError(f"--user-agent {user_agent!r}: say who asks, in printable ASCII")
        if credentials and base.scheme != "https" and not is_loopback(base.host):
            raise ArenaError(f"{base}: an account is sent over https only; use https, or unset ARENA_DANBOORU_LOGIN")
        self.base, self.file_hosts, self.note = base, file_hosts, note
        self.pace = pace or Pace()
        self._auth = BasicAuth(credentials.login, credentials.api_key) if credentials else None
        self._client = Client(headers={"User-Agent": user_agent}, timeout=Timeout(read_s, connect=CONNECT_S))

    def __enter__(self) -> "PoliteClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def read(self, address: str, parse: Callable[[bytes], T], *, most_bytes: int) -> T:
        """A whole answer of the host, parsed.

        Args:
            address: below `base`.
            parse: makes something of the body; a `ValueError` means that the body was damaged, and is asked for again.

        Raises:
            RefusedError: an answer that will not change, or one of more than `most_bytes`.
            OutOfReachError: none in `ATTEMPTS` attempts.
            HostRestsError: the host still asks for fewer requests.
        """
        url = URL(f"{self.base}{address}")

        def attempt() -> T:
            with self._answer(url, {}) as response:
                body = b"".join(self._chunks(response, most_bytes))
                kind = response.headers.get("Content-Type", "").partition(";")[0] or "something"
            try:
                return parse(body)
            except (ValueError, RecursionError):
                raise PassingError(f"sent {kind} that cannot be read, {len(body)} bytes") from None

        return self._patiently(url, attempt)

    def save(self, address: str, part: Path, *, size_bytes: int | None, most_bytes: int) -> None:
        """The whole file at an address, on disk.

        Args:
            address: a full one, or relative to `base`.
            part: where it is written; what an earlier attempt left there is continued if the host can.
            size_bytes: its size, where known.

        Raises:
            RefusedError: an answer that will not change, another size than `size_bytes`, more than `most_bytes`, a host
                that is not trusted.
            OutOfReachError: not whole in `ATTEMPTS` attempts.
            HostRestsError: the host still asks for fewer requests.
        """
        url = trusted(address, self.base, self.file_hosts)
        if size_bytes is not None and size_bytes > most_bytes:
            raise RefusedError(
                "length", f"{url}: {size_bytes:,} bytes are more than the {most_bytes:,} that are fetched"
            )
        self._patiently(url, lambda: self._save_once(url, part, size_bytes, most_bytes))

    def _save_once(self, url: URL, part: Path, size_bytes: int | None, most_bytes: int) -> None:
        start = part.stat().st_size if part.exists() else 0
        if size_bytes is not None and start >= size_bytes:  # what is there is checked by its digest
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._answer(url, headers, also=(416,)) as response:
            continues = response.status_code == 206 and f"bytes {start}-" in response.headers.get("Content-Range", "")
            if response.status_code == 416 or (response.status_code == 206 and not continues):
                part.unlink(missing_ok=True)
                raise PassingError("cannot continue the file where it was cut")
            start = start if continues else 0
            _refuse_length(url, response, start, size_bytes)
            with part.open("ab" if continues else "wb") as file:
                for chunk in self._chunks(response, (size_bytes or most_bytes) - start):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        if size_bytes is not None and (seen := part.stat().st_size) < size_bytes:
            raise PassingError(f"ended after {seen} of {size_bytes} bytes")

    def _chunks(self, response: Response, most_bytes: int) -> Iterator[bytes]:
        """The body, as long as it is neither too long nor too slow."""
        seen, begun = 0, self.pace.clock()
        for chunk in response.iter_bytes():  # as they come: a fixed size would wait for a trickle to fill it
            seen += len(chunk)
            if seen > most_bytes:
                raise RefusedError("length", f"{response.url}: more than the {most_bytes:,} bytes that were expected")
            if self.pace.clock() - begun > WHOLE_ANSWER_S:
                raise PassingError(f"took more than {WHOLE_ANSWER_S:.0f} s")
            yield chunk

    @contextmanager
    def _answer(self, url: URL, headers: Mapping[str, str], also: tuple[int, ...] = ()) -> Iterator[Response]:
        """The answer to one request, after redirects within its host; a status that is no success is raised."""
        for _ in range(MOST_REDIRECTS + 1):
            self.pace.wait()
            auth = self._auth if origin(url) == origin(self.base) else None
            try:
                with self._client.stream("GET", url, headers=headers, auth=auth) as response:
                    self.pace.answered()
                    if not response.has_redirect_location:
                        _refuse_status(response, also)
                        yield response
                        return
                    url = redirected(response)
            except (TransportError, DecodingError) as error:
                self.pace.answered()
                raise PassingError(_told(error)) from None
        raise RefusedError("redirect", f"{url}: more than {MOST_REDIRECTS} redirects")

    def _patiently(self, url: URL, attempt: Callable[[], T]) -> T:
        """Attempt until it succeeds, is refused, or was tried `ATTEMPTS` times."""
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except PassingError as error:
                if error.retry_after_s > LONGEST_RETRY_AFTER_S:
                    raise HostRestsError(
                        f"{url}: {error}, and asks for {error.retry_after_s:.0f} s of rest; run the same command after that"
                    ) from None
                if number == ATTEMPTS - 1:
                    raise (HostRestsError if error.busy else OutOfReachError)(
                        f"{url}: {error}, {ATTEMPTS} times in a row; run the same command later, it continues"
                    ) from None
                pause_s = self.pace.pause_s(number, error.retry_after_s)
                self.note(f"{url.host}: {error}; waiting {pause_s:.0f} s (attempt {number + 1} of {ATTEMPTS})")
                self.pace.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")


def _refuse_status(response: Response, also: tuple[int, ...]) -> None:
    """Raise for a status other than success, with what can be done about it."""
    status = response.status_code
    if status in (200, 206, *also):
        return
    if status in (408, 425, 429) or status >= 500:
        rest_s = _retry_after_s(response.headers.get("Retry-After", ""))
        raise PassingError(f"answered {status}", retry_after_s=rest_s, busy=status in (429, 503))
    fix = {
        401: "; are ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY right?",
        403: "; the host does not want this client: ask its owners, or give an account in ARENA_DANBOORU_LOGIN and _API_KEY",
    }.get(status, "")
    raise RefusedError(f"status {status}", f"{response.url}: answered {status}{fix}")


def _refuse_length(url: URL, response: Response, start: int, size_bytes: int | None) -> None:
    """Raise where the host announces another size than the post has."""
    told = response.headers.get("Content-Length", "")
    if size_bytes is None or not told.isdecimal() or "Content-Encoding" in response.headers:
        return
    if start + int(told) != size_bytes:
        raise RefusedError("length", f"{url}: the host sends {start + int(told)} bytes, the post says {size_bytes}")


def _retry_after_s(text: str, now: Callable[[], float] = time.time) -> float:
    """Seconds of rest that a host asks for, as a number or a date; 0 where it is neither, or past.

    >>> _retry_after_s("120"), _retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", now=lambda: 50.0), _retry_after_s("soon")
    (120.0, 10.0, 0.0)
    """
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now(), UTC)).total_seconds())


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutException):
        return "no answer in time"
    if isinstance(error, DecodingError):
        return "sent a damaged body"
    return f"no connection ({error})" if isinstance(error, (ConnectError, ProxyError)) else "connection cut"
