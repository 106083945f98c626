"""Who may talk to the server: a check of host, token and origin before every request, and headers on every response.

The server listens on the loopback address, but every program and every open web page of this machine can reach that address.
So a request needs the token that the address of the server contains. The first request exchanges it for a cookie. The `Host`
header must be an address of this machine, so that a site whose name was pointed at it (DNS rebinding) is refused. A request
that writes must come from a page of this server.
"""

import ipaddress
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
"""Parameter of the address that holds the token."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content security policy of every response: scripts, styles and images of this server only, none inline."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response."""

_OWN_POLICY = "Content-Security-Policy"
"""Header that a response may set itself."""

_READING = ("GET", "HEAD")
_ANY_ADDRESS = ("0.0.0.0", "::", "")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


@dataclass(frozen=True)
class Access:
    """What a request must have.

    Attributes:
        host: address that the server listens on.
        port: its port.
        token: secret of this server.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """Name of the cookie; browsers send cookies to all ports of a host, so the name contains the port."""
        return f"arena-view-{self.port}"

    @property
    def address(self) -> str:
        """Address of the first page, with the token."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{shown}:{self.port}/?{urlencode({TOKEN: self.token})}"

    def fits_host(self, header: str) -> bool:
        """Return whether a `Host` header is an address of this server, not a name that points at it."""
        host, _, port = header.rpartition(":")
        if port != str(self.port):
            return False
        name = host.removeprefix("[").removesuffix("]").lower()
        if is_loopback(self.host) or is_loopback(name):
            return is_loopback(name)
        named: Collection[str] = (self.host.lower(), socket.gethostname().lower())
        return name in named or (self.host in _ANY_ADDRESS and _is_address(name))

    def is_token(self, text: str | None) -> bool:
        """Return whether a text is the token; the time does not depend on the text."""
        return secrets.compare_digest((text or "").encode("utf-8", "surrogatepass"), self.token.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware that refuses requests without access, and adds `HEADERS`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(
                    {name: value for name, value in HEADERS.items() if name != _OWN_POLICY or name not in headers}
                )
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._answer(HTTPConnection(scope), scope["method"])
        await (answer or self.app)(scope, receive, send_with_headers)

    def _answer(self, request: HTTPConnection, method: str) -> Response | None:
        """Return the answer to a request that the application does not see; None for a request with access."""
        host = request.headers.get("host", "")
        if not self.access.fits_host(host):
            return _refused(403, "this host name is not served; open the address that arena view printed")
        if method in _READING and self.access.is_token(request.query_params.get(TOKEN)):
            return self._exchange(request)
        if not self.access.is_token(request.cookies.get(self.access.cookie)):
            return _refused(401, "no token; open the address that arena view printed")
        if _is_foreign(request, method, host):
            return _refused(403, "this request comes from another site")
        return None

    def _exchange(self, request: HTTPConnection) -> Response:
        """Set the cookie, and redirect to the address without the token, which then is in no history and no link."""
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != TOKEN]
        path = "/" + request.url.path.lstrip("/")  # an address that starts with // would name another host
        answer = RedirectResponse(path + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(self.access.cookie, self.access.token, httponly=True, samesite="lax", path="/")
        return answer


def _is_foreign(request: HTTPConnection, method: str, host: str) -> bool:
    """Return whether another site made the request: any that writes, or one that reads other than to open a page."""
    site, mode = (request.headers.get(f"sec-fetch-{name}", "") for name in ("site", "mode"))
    if method in _READING:
        return site in ("cross-site", "same-site") and mode != "navigate"
    return request.headers.get("origin") != f"http://{host}" or site not in ("", "same-origin")


def _refused(status: int, reason: str) -> Response:
    return PlainTextResponse(f"arena view: {reason}\n", status)
