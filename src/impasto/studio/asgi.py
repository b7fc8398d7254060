"""What pieces of ASGI middleware share: types, headers, whose a request is, answers in words."""

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
    """The headers of a request, by names in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope.get("headers", ()):
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def client(host: str | None) -> str:
    """Whose an address is: bounds are for each client.

    Args:
        host: The address; of IPv6 a client has a whole network, whose first 64 bits count.
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
    """The client of a request; behind a proxy the one that the proxy names."""
    return client((scope.get("client") or ("",))[0])


async def answer(send: Send, status: int, words: str, *more: tuple[bytes, bytes]) -> None:
    """Answer a request in words.

    Args:
        send: Of the request.
        status: Of HTTP.
        words: Why.
        more: Headers.
    """
    body = json.dumps({"detail": words}).encode()
    head = [(b"content-type", b"application/json"), (b"connection", b"close"), *more]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
