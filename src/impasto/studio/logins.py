"""Limit password guesses, and end sessions at logout."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from http.cookies import CookieError, SimpleCookie
from typing import Any

from impasto.studio.asgi import Message, Receive, Scope, Send, answer, client_of, headers

log = logging.getLogger("impasto.studio")

MAX_FAILURES = 5  # wrong passwords of one client, at most
WINDOW = 60.0  # seconds in which they count
_CLIENTS = 10_000  # clients that are remembered


class LoginLimitMiddleware:
    """ASGI middleware that counts wrong passwords of each client, and ends a session at logout.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or refuse a login after too many wrong passwords."""
        path = scope.get("path", "").rstrip("/")
        if scope["type"] == "http" and path.endswith("/login") and scope["method"] == "POST":
            await self._login(scope, receive, send)
            return
        if scope["type"] == "http" and path.endswith("/logout"):
            _end_session(scope)
            scope = {**scope, "query_string": b"all_session=false"}
        await self.app(scope, receive, send)

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = client_of(scope)
        tries, now = self._recent_attempts(who), time.monotonic()
        if len(tries) >= MAX_FAILURES:
            wait = max(1, round(WINDOW - (now - tries[0])))
            log.warning("a login of %s was refused: %d wrong passwords before", who, MAX_FAILURES)
            message = f"too many wrong passwords: try again in {wait} s"
            await answer(send, 429, message, (b"retry-after", str(wait).encode()))
            return
        tries.append(now)  # before the password is checked, since guesses may be sent in parallel
        right = False

        async def watched(message: Message) -> None:
            nonlocal right
            right = right or message.get("status") == 200
            await send(message)

        await self.app(scope, receive, watched)
        if right:
            tries.remove(now)
        else:
            log.warning("a login of %s failed: wrong name or password", who)

    def _recent_attempts(self, who: str) -> deque[float]:
        """Return the times of a client's attempts in the last minute."""
        tries = self._attempts.setdefault(who, deque())
        self._attempts.move_to_end(who)
        while len(self._attempts) > _CLIENTS:
            self._attempts.popitem(last=False)
        while tries and time.monotonic() - tries[0] > WINDOW:
            tries.popleft()
        return tries


def _end_session(scope: Scope) -> None:
    """Delete the token of a request's session.

    Gradio itself deletes only the token of the cookie for HTTPS, or the tokens of all sessions.
    """
    app = scope["app"]
    cookies: SimpleCookie = SimpleCookie()
    for text in headers(scope).get("cookie", []):
        try:
            cookies.load(text)
        except CookieError:
            continue
    for name in (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"):
        if name in cookies:
            app.tokens.pop(cookies[name].value, None)
