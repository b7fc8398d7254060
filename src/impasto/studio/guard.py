"""What stands between Gradio and the world: every failure in words, every body of bounded size."""

from __future__ import annotations

import asyncio
import logging
from html import escape
from typing import Any

import gradio as gr
from gradio.exceptions import Error as GradioError
from gradio.exceptions import InvalidPathError

from impasto.errors import ImpastoError
from impasto.studio.asgi import Message, Receive, Scope, Send, answer
from impasto.studio.limits import pathless, told
from impasto.studio.turns import EACH, Turns

log = logging.getLogger("impasto.studio")

BODY = 8 << 20  # bytes of a request that is no upload
_FORM = 1 << 20  # bytes of an upload around its file
_DRAINED = 64 << 20  # bytes of a body that is too large which are read and dropped
_AT_ONCE = 10  # files of the largest size in one upload


def refusal(error: BaseException) -> GradioError:
    """An error as the page shows it: words, and nothing that a browser would take for HTML."""
    return GradioError(escape(told(error), quote=False), duration=None, print_exception=False)


class Page(gr.Blocks):
    """Blocks whose failures are words, whoever calls them and with whatever."""

    def queue(self, *args: Any, each: int = EACH, **options: Any) -> Page:
        """Set how many jobs may wait, and how many of each client."""
        super().queue(*args, **options)
        plain = self._queue
        self._queue = Turns(
            each=each,
            live_updates=plain.live_updates,
            concurrency_count=plain.max_thread_count,
            update_intervals=plain.update_intervals,
            max_size=plain.max_size,
            blocks=self,
            default_concurrency_limit=plain.default_concurrency_limit,
        )
        return self

    async def preprocess_data(self, block_fn: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Take what was sent; Gradio would fetch a file that is named by an address."""
        if _addresses(inputs):
            raise GradioError("upload the file: an address is not fetched", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def process_api(self, *args: Any, **kwargs: Any) -> Any:
        """Do what an event asks for."""
        try:
            return await super().process_api(*args, **kwargs)
        except GradioError as error:
            if not error.print_exception:
                raise
            raise GradioError(_plain(error), print_exception=False) from None
        except (StopAsyncIteration, StopIteration):
            raise
        except ImpastoError as error:
            raise refusal(error) from None
        except InvalidPathError:
            raise GradioError("upload the file: it is not here", print_exception=False) from None
        except Exception as error:
            log.warning("%s: %s", type(error).__name__, _plain(error), exc_info=_bug(error))
            words = f"this cannot be used: {_plain(error)}"
            raise GradioError(words, print_exception=False) from None


class Gate:
    """ASGI middleware: bodies that are too large are refused, failures answered in words.

    Args:
        app: What is behind it.
        upload: Bytes of a file.
    """

    def __init__(self, app: Any, upload: int) -> None:
        self.app, self.upload = app, upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self._most(scope["path"])
        if _length(scope) > most:
            await _drain(receive)
            await answer(send, 413, f"this is larger than {most >> 20} MB: send less")
            return
        read, begun = 0, False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _TooMuchError
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not isinstance(error, _TooMuchError):
                log.warning("%s %s: %s", scope["method"], scope["path"], type(error).__name__)
                log.debug("", exc_info=True)
            if not begun:
                much = isinstance(error, _TooMuchError)
                words = f"larger than {most >> 20} MB" if much else "this request makes no sense"
                await answer(send, 413 if much else 400, words)

    def _most(self, path: str) -> int:
        return self.upload * _AT_ONCE + _FORM if path.rstrip("/").endswith("/upload") else BODY


class _TooMuchError(Exception):
    pass


def _length(scope: Scope) -> int:
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _drain(receive: Receive) -> None:
    """Let a sender finish what will not be used, so that it hears why; within reason."""
    read, more = 0, True
    while more and read < _DRAINED:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)


def _addresses(value: Any) -> bool:
    """Whether a file somewhere in what was sent is one on another machine."""
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str) and "://" in path:
            return True
        return any(map(_addresses, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_addresses, value))


def _plain(error: BaseException) -> str:
    """The first line of an error's own words, as text of a page, without paths of the server."""
    words = getattr(error, "message", None) or str(error) or type(error).__name__
    first = next(iter(str(words).strip().splitlines()), "")
    return escape(pathless(first)[:200], quote=False)


def _bug(error: BaseException) -> bool:
    """Whether an error is likely ours, so that the log needs the way to it."""
    return not isinstance(error, (ValueError, TypeError, KeyError, IndexError, OSError))
