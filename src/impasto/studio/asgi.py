"""Share types, headers, client addresses and error answers among ASGI middleware."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def headers(scope: Scope) -> dict[str, list[str]]:
    """Return the headers of a request, by names in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope.get("headers", ()):
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def client(host: str | None) -> str:
    """Return the client that an address belongs to, to which limits apply.

    Args:
        host: The address; an IPv6 client owns a whole network, given by the first 64 bits.
    """
    try:
        number = ipaddress.ip_address(host or "")
    except ValueError:
        return host or ""
    if isinstance(number, ipaddress.IPv6Address):
        number = number.ipv4_mapped or number
    if number.version == 6 and not number.is_loopback:
        return str(ipaddress.ip_network((number, 64), strict=False))
    return str(number)


def client_of(scope: Scope) -> str:
    """Return the client of a request; behind a proxy, the one that the proxy names."""
    return client((scope.get("client") or ("",))[0])


async def answer(send: Send, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    """Send an error answer with a message.

    Args:
        send: Of the request.
        status: Status code of HTTP.
        text: The message.
        more: Further headers.
    """
    body = json.dumps({"detail": text}).encode()
    head = [(b"content-type", b"application/json"), (b"connection", b"close"), *more]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
