"""An HTTP client for one host that limits its request rate, retries temporary errors, and identifies itself.

There is a minimum interval between any two requests. Temporary errors are retried with exponential back-off. The client sends
its User-Agent, and stops when the host refuses it.
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
from arena.dataset.fetch.address import (
    Credentials,
    RequestRefusedError,
    is_loopback,
    redirect_target,
    resolve_file_url,
    url_origin,
)

USER_AGENT = f"arena/{__version__} (evaluation of image taggers; slow, resumable fetch of held-out images)"
"""Default User-Agent; it identifies the client to the host."""

ATTEMPTS = 6
"""Number of requests for one address before it counts as unreachable."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Back-off: the pause doubles from the first value up to the longest."""

LONGEST_RETRY_AFTER_S = 600.0
"""Longest `Retry-After` that is waited for; the fetch stops with an error if the host asks for more."""

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 10.0, 30.0
"""Timeout of a connection, and of a response that sends no data."""

RESPONSE_TIMEOUT_S = 600.0
"""Timeout of a whole response, even if it sends data all the time."""

_MAX_REDIRECTS = 3

_T = TypeVar("_T")


class UnreachableError(ArenaError):
    """One address gave no usable response in `ATTEMPTS` attempts; a later run may succeed."""

    reason = "no answer"


class HostBusyError(ArenaError):
    """The host is still busy after `ATTEMPTS` attempts, or asks for a pause of more than `LONGEST_RETRY_AFTER_S`."""


class _TemporaryError(Exception):
    """One attempt failed with a temporary error.

    Attributes:
        retry_after_s: pause that the host asks for, in seconds; 0 if it does not ask.
        busy: whether the whole host is busy, not only one address.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0, busy: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s, self.busy = retry_after_s, busy


class FetchClient(Protocol):
    """The methods of a client that a fetch calls."""

    def read(self, address: str, parse: Callable[[bytes], _T], *, most_bytes: int) -> _T:
        """Return a whole response of the host, parsed."""

    def save(self, address: str, part: Path, *, size_bytes: int | None, most_bytes: int) -> None:
        """Download the whole file at an address to disk."""


@dataclass
class RateLimit:
    """Rate limit: a request is sent at the earliest `interval_s` after the response to the one before it.

    The interval starts at the response, because only the response proves that the request has arrived. So two requests never
    reach the host within the interval, whatever the delay of the network.

    >>> clock = iter([10.0, 10.0, 10.25])
    >>> pace = RateLimit(1.0, clock=lambda: next(clock), sleep=print)
    >>> pace.wait(); pace.answered(); pace.wait()
    0.75
    """

    interval_s: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """Random value r in 0 to 1; a pause is multiplied by 1 + r / 2, so that interrupted clients do not return together."""
    _free_at: float = float("-inf")

    def wait(self) -> None:
        """Sleep until the next request may be sent."""
        if (rest := self._free_at - self.clock()) > 0:
            self.sleep(rest)

    def answered(self) -> None:
        """Start the interval; call it when a response arrives or a request fails."""
        self._free_at = self.clock() + self.interval_s

    def pause_s(self, attempt: int, retry_after_s: float) -> float:
        """Return the pause in seconds after a failed attempt; never less than the host asks for.

        Args:
            attempt: number of the failed attempt, from 0.
            retry_after_s: pause that the host asks for.

        >>> [RateLimit(jitter=lambda: 0.5).pause_s(attempt, 3.0) for attempt in (0, 1, 2, 9)]
        [3.75, 3.75, 5.0, 75.0]
        """
        pause_s: float = max(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S), retry_after_s) * (1 + self.jitter() / 2)
        return pause_s


class PoliteClient:
    """Reads from one host, and downloads files from its domain.

    Args:
        base: base URL of the API, from `parse_base_url`.
        pace: rate limit and pauses; None for one request per second.
        user_agent: name of the client, printable ASCII.
        credentials: sent only to `base`, and only over https or to loopback.
        file_hosts: further hosts that files may come from.
        note: called with a message before every pause.
        read_s: timeout of a response that sends no data, in seconds.

    Raises:
        ArenaError: the User-Agent is invalid, or credentials would be sent over http.
    """

    def __init__(
        self, base: URL, *, pace: RateLimit | None = None, user_agent: str = USER_AGENT, credentials: Credentials | None = None,
        file_hosts: tuple[str, ...] = (), note: Callable[[str], None] = lambda text: None, read_s: float = _READ_TIMEOUT_S,
    ) -> None:  # fmt: skip
        if not (user_agent.strip() and user_agent.isascii() and user_agent.isprintable()):
            raise ArenaError(f"--user-agent {user_agent!r}: must be printable ASCII and not empty")
        if credentials and base.scheme != "https" and not is_loopback(base.host):
            raise ArenaError(f"{base}: an account is sent over https only; use https, or unset ARENA_DANBOORU_LOGIN")
        self.base, self.file_hosts, self.note = base, file_hosts, note
        self.pace = pace or RateLimit()
        self._auth = BasicAuth(credentials.login, credentials.api_key) if credentials else None
        self._client = Client(headers={"User-Agent": user_agent}, timeout=Timeout(read_s, connect=_CONNECT_TIMEOUT_S))

    def __enter__(self) -> "PoliteClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def read(self, address: str, parse: Callable[[bytes], _T], *, most_bytes: int) -> _T:
        """Return a whole response of the host, parsed.

        Args:
            address: path and query, appended to `base`.
            parse: parses the body; if it raises `ValueError`, the body counts as damaged and is requested again.
            most_bytes: maximum size of the body.

        Raises:
            RequestRefusedError: a permanent error, or a body of more than `most_bytes`.
            OutOfReachError: no usable response in `ATTEMPTS` attempts.
            HostRestsError: the host still asks for fewer requests.
        """
        url = URL(f"{self.base}{address}")

        def attempt() -> _T:
            with self._answer(url, {}) as response:
                body = b"".join(self._chunks(response, most_bytes))
                kind = response.headers.get("Content-Type", "").partition(";")[0] or "content"
            try:
                return parse(body)
            except (ValueError, RecursionError):
                raise _TemporaryError(f"sent {kind} that cannot be read, {len(body)} bytes") from None

        return self._retried(url, attempt)

    def save(self, address: str, part: Path, *, size_bytes: int | None, most_bytes: int) -> None:
        """Download the whole file at an address to disk.

        Args:
            address: absolute, or relative to `base`.
            part: path to write; a partial file of an earlier attempt is continued if the host supports ranges.
            size_bytes: expected size; None if unknown.
            most_bytes: maximum size.

        Raises:
            RequestRefusedError: a permanent error, another size than `size_bytes`, more than `most_bytes`, or a host that files
                may not come from.
            OutOfReachError: the file is not complete after `ATTEMPTS` attempts.
            HostRestsError: the host still asks for fewer requests.
        """
        url = resolve_file_url(address, self.base, self.file_hosts)
        if size_bytes is not None and size_bytes > most_bytes:
            raise RequestRefusedError(
                "length", f"{url}: the file has {size_bytes:,} bytes, the maximum is {most_bytes:,}"
            )
        self._retried(url, lambda: self._save_once(url, part, size_bytes, most_bytes))

    def _save_once(self, url: URL, part: Path, size_bytes: int | None, most_bytes: int) -> None:
        start = part.stat().st_size if part.exists() else 0
        if size_bytes is not None and start >= size_bytes:  # complete; the caller checks its digest
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._answer(url, headers, also=(416,)) as response:
            continues = response.status_code == 206 and f"bytes {start}-" in response.headers.get("Content-Range", "")
            if response.status_code == 416 or (response.status_code == 206 and not continues):
                part.unlink(missing_ok=True)
                raise _TemporaryError("does not continue the partial file")
            start = start if continues else 0
            _refuse_length(url, response, start, size_bytes)
            with part.open("ab" if continues else "wb") as file:
                for chunk in self._chunks(response, (size_bytes or most_bytes) - start):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        if size_bytes is not None and (size := part.stat().st_size) < size_bytes:
            raise _TemporaryError(f"ended after {size} of {size_bytes} bytes")

    def _chunks(self, response: Response, most_bytes: int) -> Iterator[bytes]:
        """Yield the body in chunks; raise if it is longer than `most_bytes` or takes longer than `RESPONSE_TIMEOUT_S`."""
        received, begun = 0, self.pace.clock()
        for chunk in response.iter_bytes():  # no chunk size: a slow response would delay the timeout until it fills one
            received += len(chunk)
            if received > most_bytes:
                raise RequestRefusedError(
                    "length", f"{response.url}: more than the {most_bytes:,} bytes that were expected"
                )
            if self.pace.clock() - begun > RESPONSE_TIMEOUT_S:
                raise _TemporaryError(f"took more than {RESPONSE_TIMEOUT_S:.0f} s")
            yield chunk

    @contextmanager
    def _answer(self, url: URL, headers: Mapping[str, str], also: tuple[int, ...] = ()) -> Iterator[Response]:
        """Yield the response to one request, after redirects within its host; raise for a status other than success.

        Args:
            url: of the request.
            headers: further headers.
            also: further status codes that count as success.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            self.pace.wait()
            auth = self._auth if url_origin(url) == url_origin(self.base) else None
            try:
                with self._client.stream("GET", url, headers=headers, auth=auth) as response:
                    self.pace.answered()
                    if not response.has_redirect_location:
                        _refuse_status(response, also)
                        yield response
                        return
                    url = redirect_target(response)
            except (TransportError, DecodingError) as error:
                self.pace.answered()
                raise _TemporaryError(_error_text(error)) from None
        raise RequestRefusedError("redirect", f"{url}: more than {_MAX_REDIRECTS} redirects")

    def _retried(self, url: URL, attempt: Callable[[], _T]) -> _T:
        """Return the result of an attempt; temporary errors are retried, up to `ATTEMPTS` attempts in total."""
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except _TemporaryError as error:
                if error.retry_after_s > LONGEST_RETRY_AFTER_S:
                    raise HostBusyError(
                        f"{url}: {error}, and asks for a pause of {error.retry_after_s:.0f} s; run the same command after that"
                    ) from None
                if number == ATTEMPTS - 1:
                    raise (HostBusyError if error.busy else UnreachableError)(
                        f"{url}: {error}, {ATTEMPTS} times in a row; run the same command later, it continues"
                    ) from None
                pause_s = self.pace.pause_s(number, error.retry_after_s)
                self.note(f"{url.host}: {error}; waiting {pause_s:.0f} s (attempt {number + 1} of {ATTEMPTS})")
                self.pace.sleep(pause_s)
        raise AssertionError("the last attempt returned or raised")


def _refuse_status(response: Response, also: tuple[int, ...]) -> None:
    """Raise for a status other than success.

    Raises:
        PassingError: a temporary error.
        RequestRefusedError: a permanent error; the message says what to do.
    """
    status = response.status_code
    if status in (200, 206, *also):
        return
    if status in (408, 425, 429) or status >= 500:
        retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
        raise _TemporaryError(f"answered {status}", retry_after_s=retry_after_s, busy=status in (429, 503))
    fix = {
        401: "; correct ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY",
        403: "; the host refuses this client: ask its owners, or set ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY",
    }.get(status, "")
    raise RequestRefusedError(f"status {status}", f"{response.url}: answered {status}{fix}")


def _refuse_length(url: URL, response: Response, start: int, size_bytes: int | None) -> None:
    """Raise if the host announces another file size than the post.

    Args:
        url: of the file, for the message.
        response: its `Content-Length` counts from byte `start`.
        start: number of bytes that are already on disk.
        size_bytes: size according to the post; None if unknown.
    """
    length = response.headers.get("Content-Length", "")
    if size_bytes is None or not length.isdecimal() or "Content-Encoding" in response.headers:
        return
    if start + int(length) != size_bytes:
        raise RequestRefusedError(
            "length", f"{url}: the host sends {start + int(length)} bytes, the post says {size_bytes}"
        )


def _retry_after_s(text: str, now: Callable[[], float] = time.time) -> float:
    """Return the pause in seconds that a host asks for, as a number or a date; 0 for other text and for a date in the past.

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


def _error_text(error: Exception) -> str:
    """Return a short description of a transport or decoding error."""
    if isinstance(error, TimeoutException):
        return "timed out"
    if isinstance(error, DecodingError):
        return "sent a damaged body"
    return f"no connection ({error})" if isinstance(error, (ConnectError, ProxyError)) else "connection cut"
