"""Which addresses a fetch asks, and where an account is sent."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

from httpx2 import URL, InvalidURL, Response

from arena.base.errors import ArenaError


class RefusedError(ArenaError):
    """The host answered, and asking again would not help.

    Attributes:
        reason: one of few, for counting.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Credentials:
    """An account of the host; sent to the host itself only, and written nowhere."""

    login: str
    api_key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Credentials | None":
        """From `ARENA_DANBOORU_LOGIN` and `ARENA_DANBOORU_API_KEY`; None where neither is set.

        Raises:
            ArenaError: only one of them is set.
        """
        names = ("ARENA_DANBOORU_LOGIN", "ARENA_DANBOORU_API_KEY")
        login, api_key = (environment.get(name, "") for name in names)
        if bool(login) != bool(api_key):
            raise ArenaError(f"{names[0 if api_key else 1]} is not set; set both {' and '.join(names)}, or neither")
        return cls(login, api_key) if login else None

    def __repr__(self) -> str:
        return "Credentials(...)"


def base_of(text: str) -> URL:
    """The address of a host, without a slash at the end.

    Raises:
        ArenaError: not http or https, or with a user, a query or a fragment.

    >>> str(base_of("https://booru.example/sub/"))
    'https://booru.example/sub'
    """
    try:
        url = URL(text.rstrip("/"))
    except InvalidURL as error:
        raise ArenaError(f"--base-url: no address ({error}); such as https://danbooru.donmai.us") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ArenaError(f"--base-url {text!r}: it must begin with https:// or http:// and name a host")
    if url.userinfo or url.query or url.fragment:
        raise ArenaError(
            "--base-url: give the plain address, without user, ? or #; an account goes into ARENA_DANBOORU_LOGIN and _API_KEY"
        )
    return url


def same_domain(host: str, other: str) -> bool:
    """Whether two host names share their last two labels; an IP address is alike to itself only.

    >>> same_domain("danbooru.donmai.us", "cdn.donmai.us"), same_domain("127.0.0.1", "10.0.0.1")
    (True, False)
    """
    if host == other:
        return True
    if "." not in host or _is_address(host) or _is_address(other):
        return False
    return host.split(".")[-2:] == other.split(".")[-2:]


def trusted(address: str, base: URL, file_hosts: tuple[str, ...]) -> URL:
    """The full address of a file, if its host is one that files may come from."""
    try:
        url = URL(str(base) + "/").join(address)
    except InvalidURL:
        raise RefusedError("address", f"{address[:200]!r} is no address") from None
    if url.scheme not in ("http", "https") or (base.scheme == "https" and url.scheme == "http"):
        raise RefusedError("address", f"{address[:200]!r} is not fetched; the host itself is asked by {base.scheme}")
    if not (same_domain(base.host, url.host) or url.host in file_hosts):
        raise RefusedError("host", f"{url.host} is another host; --file-host {url.host} would allow it")
    return url


def redirected(response: Response) -> URL:
    """Where an answer sends to, if that is the same host."""
    try:
        target = response.url.join(response.headers["Location"])
    except InvalidURL:
        raise RefusedError("redirect", f"{response.url}: redirects to no address") from None
    if origin(target) != origin(response.url):
        raise RefusedError(
            "redirect", f"{response.url}: redirects to another host, {target.scheme}://{target.netloc.decode('ascii')}"
        )
    return target


def origin(url: URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what an account belongs to."""
    return (url.scheme, url.host, url.port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
