"""Rules for the addresses that a fetch requests, and for the hosts that receive credentials."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

from httpx2 import URL, InvalidURL, Response

from arena.base.errors import ArenaError


class RequestRefusedError(ArenaError):
    """A request that is refused, by the host or by a rule here; a retry would not help.

    Attributes:
        reason: one of a few fixed texts, to count by.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Credentials:
    """An account on the host; it is sent only to the host itself, and never written to a file."""

    login: str
    api_key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Credentials | None":
        """Return the credentials in `ARENA_DANBOORU_LOGIN` and `ARENA_DANBOORU_API_KEY`; None if neither is set.

        Raises:
            ArenaError: only one of the two is set.
        """
        names = ("ARENA_DANBOORU_LOGIN", "ARENA_DANBOORU_API_KEY")
        login, api_key = (environment.get(name, "") for name in names)
        if bool(login) != bool(api_key):
            raise ArenaError(f"{names[0 if api_key else 1]} is not set; set both {' and '.join(names)}, or neither")
        return cls(login, api_key) if login else None

    def __repr__(self) -> str:
        return "Credentials(...)"


def parse_base_url(text: str) -> URL:
    """Return the base URL of a host, without a slash at the end.

    Raises:
        ArenaError: the text is not an http or https URL, or has a user, a query or a fragment.

    >>> str(parse_base_url("https://booru.example/sub/"))
    'https://booru.example/sub'
    """
    try:
        url = URL(text.rstrip("/"))
    except InvalidURL as error:
        raise ArenaError(
            f"--base-url: not a valid URL ({error}); give one such as https://danbooru.donmai.us"
        ) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ArenaError(f"--base-url {text!r}: must begin with https:// or http:// and name a host")
    if url.userinfo or url.query or url.fragment:
        raise ArenaError(
            "--base-url: must not have a user, ? or #; set an account in ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY"
        )
    return url


def _same_domain(host: str, other: str) -> bool:
    """Return whether two host names have the same last two labels; an IP address matches only itself.

    >>> _same_domain("danbooru.donmai.us", "cdn.donmai.us"), _same_domain("127.0.0.1", "10.0.0.1")
    (True, False)
    """
    if host == other:
        return True
    if "." not in host or _is_address(host) or _is_address(other):
        return False
    return host.split(".")[-2:] == other.split(".")[-2:]


def resolve_file_url(address: str, base: URL, file_hosts: tuple[str, ...]) -> URL:
    """Return the absolute URL of a file, if files may come from its host.

    Args:
        address: absolute, or relative to `base`.
        base: base URL of the API; its domain is always allowed.
        file_hosts: further hosts that are allowed.

    Raises:
        RequestRefusedError: `address` for an invalid URL, another scheme, or http if the API uses https; `host` for another
            host.
    """
    try:
        url = URL(str(base) + "/").join(address)
    except InvalidURL:
        raise RequestRefusedError("address", f"{address[:200]!r} is not a valid URL") from None
    if url.scheme not in ("http", "https") or (base.scheme == "https" and url.scheme == "http"):
        raise RequestRefusedError("address", f"{address[:200]!r} is not fetched; the API uses {base.scheme}")
    if not (_same_domain(base.host, url.host) or url.host in file_hosts):
        raise RequestRefusedError(
            "host", f"{url.host} is outside the domain of the API; --file-host {url.host} allows it"
        )
    return url


def redirect_target(response: Response) -> URL:
    """Return the target of a redirect within the same host.

    Raises:
        RequestRefusedError: `redirect`, for an invalid URL or another origin.
    """
    try:
        target = response.url.join(response.headers["Location"])
    except InvalidURL:
        raise RequestRefusedError("redirect", f"{response.url}: redirects to an invalid URL") from None
    if url_origin(target) != url_origin(response.url):
        raise RequestRefusedError(
            "redirect", f"{response.url}: redirects to another host, {target.scheme}://{target.netloc.decode('ascii')}"
        )
    return target


def url_origin(url: URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port; credentials are sent only to the origin of the API."""
    return (url.scheme, url.host, url.port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address means this machine."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
