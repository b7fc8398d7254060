"""Check the host and the origin of requests, and set security headers of answers."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from impasto.studio.asgi import Receive, Scope, Send, answer, headers

log = logging.getLogger("impasto.studio")

_PORTS = {"http": 80, "https": 443}
_LOGOUT = "/logout"

# Gradio's page has inline scripts and styles, and compiles functions from text
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


@dataclass(frozen=True)
class HostNames:
    """The host names that a studio answers to.

    Attributes:
        host: Address that it listens on.
        loopback: Whether only this machine reaches that address.
        more: ``NAME`` or ``NAME:PORT`` as browsers see it, behind a proxy.

    Raises:
        ValueError: One of ``more`` is no host name.
    """

    host: str
    loopback: bool
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.more:
            if _split(name) is None:
                raise ValueError(name)

    def answers(self, host: str) -> bool:
        """Check whether a request for this host is for this studio.

        This prevents DNS rebinding, in which another site points its own name at this machine: its
        pages then request that name. An IP address cannot be rebound. The port is not compared,
        since a tunnel has its own.

        Args:
            host: The header ``Host``.
        """
        found = _split(host)
        if found is None:
            return False
        name = found[0]
        known = {"localhost", self.host.strip("[]").lower()}
        known |= {one[0] for one in map(_split, self.more) if one}
        if not self.loopback:
            machine = socket.gethostname().lower()
            known |= {machine, f"{machine}.local", socket.getfqdn().lower()}
        if name in known:
            return True
        try:
            number = ipaddress.ip_address(name)
        except ValueError:
            return False
        return number.is_loopback or not self.loopback

    def is_same_site(self, origin: str, host: str, scheme: str = "http") -> bool:
        """Check whether a request comes from a page of this studio.

        Args:
            origin: The header ``Origin``.
            host: The header ``Host``, which :meth:`answers` has accepted.
            scheme: Of the request, as the proxy reports it; over ``https`` the page must be, too.
        """
        try:
            url = urlsplit(origin)
            default = _PORTS.get(url.scheme)
            if default is None or not url.hostname or url.path or url.username is not None:
                return False
            asking = url.hostname.lower(), url.port or default
        except ValueError:
            return False
        if scheme == "https" and url.scheme != "https":
            return False
        known = [one for one in map(_split, (host, *self.more)) if one]
        return any(asking == (name, port or default) for name, port in known)


class OriginCheckMiddleware:
    """The outermost ASGI middleware: refuses requests of other sites, and sets security headers.

    Args:
        app: The wrapped application.
        names: The host names that it answers to.
    """

    def __init__(self, app: Any, names: HostNames) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        secure = scope.get("scheme") in {"https", "wss"}

        async def dressed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": _secured_headers(message.get("headers", ()), secure),
                }
            await send(message)

        message = self._refusal(scope, secure)
        if message is None:
            await self.app(scope, receive, dressed)
            return
        log.warning("%s refused: %s", scope["path"][:200], message)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "another site"})
        else:
            await answer(dressed, 403, message)

    def _refusal(self, scope: Scope, secure: bool) -> str | None:
        """Return why a request is refused; None if it is not."""
        heard = headers(scope)
        hosts, origins = heard.get("host", []), heard.get("origin", [])
        if len(hosts) != 1 or not self.names.answers(hosts[0]):
            name = hosts[0][:60] if hosts else ""
            return f"this studio does not answer to {name!r}: start it with --allow-host NAME"
        if origins:
            own = self.names.is_same_site(origins[0], hosts[0], "https" if secure else "http")
            if len(origins) != 1 or not own:
                return "this comes from a page of another site: open the studio's own page"
            return None
        site = (heard.get("sec-fetch-site") or ["none"])[0]
        if site in {"same-origin", "none"}:
            return None
        # a link from another site may open the page, but not log out
        link = heard.get("sec-fetch-mode") == ["navigate"] and scope.get("method") == "GET"
        if link and heard.get("sec-fetch-dest") == ["document"] and not _is_logout(scope["path"]):
            return None
        return "another site asks for this: open the studio's own page"


def outer_middleware(wrap: Callable[[Any], Any]) -> Any:
    """Return a lifespan that puts middleware outside Gradio's own, including its CORS layer.

    Args:
        wrap: Wraps an ASGI application in the middleware.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.middleware_stack = wrap(app.middleware_stack)
        yield

    return lifespan


def _is_logout(path: str) -> bool:
    return path.rstrip("/").endswith(_LOGOUT)


def _split(host: str) -> tuple[str, int | None] | None:
    """Split a host into name and port; None if it is invalid."""
    try:
        url = urlsplit(f"//{host.strip()}")
        name, port = url.hostname, url.port
    except ValueError:
        return None
    if not name or url.path or url.query or url.fragment or url.username is not None:
        return None
    if not re.fullmatch(r"[\w.:-]+", name, re.ASCII):
        return None
    return name.lower().rstrip("."), port


def _secured_headers(given: Any, secure: bool) -> list[tuple[bytes, bytes]]:
    """Set the security headers of an answer, restrict cookies to this site, remove CORS headers."""
    result = []
    for name, value in given:
        low = name.lower()
        if low.startswith(b"access-control-") or low in _HEADERS:
            continue
        result.append((name, _restricted_cookie(value, secure) if low == b"set-cookie" else value))
    return [*result, *_HEADERS.items()]


def _restricted_cookie(value: bytes, secure: bool) -> bytes:
    """Restrict a cookie to this site, and to HTTPS if the page uses it."""
    parts = [part.strip() for part in value.split(b";")]
    result = [part for part in parts if not part.lower().startswith((b"samesite", b"secure"))]
    was = any(part.lower() == b"secure" for part in parts)
    return b"; ".join([*result, b"SameSite=Lax", *([b"Secure"] if secure or was else [])])
