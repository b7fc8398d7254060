"""Convert every failure to a message, and limit the size of every request body."""

from __future__ import annotations

import asyncio
import logging
from html import escape
from typing import Any

import gradio as gr
from gradio.exceptions import Error as GradioError
from gradio.exceptions import InvalidPathError

from impasto.errors import ImpastoError, InputError
from impasto.studio.asgi import Message, Receive, Scope, Send, answer, client_of
from impasto.studio.disk import BYTES_PER_FILE, DiskQuota, deleting_leftovers
from impasto.studio.fair_queue import JOBS_PER_CLIENT, FairQueue
from impasto.studio.limits import error_text, without_paths

log = logging.getLogger("impasto.studio")

MAX_BODY = 8 << 20  # bytes of a request that is not an upload
_FORM_BYTES = 1 << 20  # bytes of an upload in addition to its file
_MAX_DRAINED = 64 << 20  # bytes of a body that is too large that are read and dropped
_FILES_PER_UPLOAD = 10  # files of the largest size in one upload


def error_message(error: BaseException) -> GradioError:
    """Convert an error to a message for the page, with HTML escaped."""
    return GradioError(escape(error_text(error), quote=False), duration=None, print_exception=False)


class MessageBlocks(gr.Blocks):
    """Gradio Blocks that answer every failure with a message."""

    def queue(self, *args: Any, each: int = JOBS_PER_CLIENT, **options: Any) -> MessageBlocks:
        """Set how many jobs may wait, in all and for each client."""
        super().queue(*args, **options)
        plain = self._queue
        self._queue = FairQueue(
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
        """Read the inputs of an event; refuse addresses, which Gradio would fetch."""
        if _has_remote_file(inputs):
            raise GradioError("upload the file: an address is not fetched", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def process_api(self, *args: Any, **kwargs: Any) -> Any:
        """Run an event, and convert its errors to messages."""
        try:
            return await super().process_api(*args, **kwargs)
        except GradioError as error:
            if not error.print_exception:
                raise
            raise GradioError(_first_line(error), print_exception=False) from None
        except (StopAsyncIteration, StopIteration):
            raise
        except ImpastoError as error:
            raise error_message(error) from None
        except InvalidPathError:
            raise GradioError("upload the file: it is not here", print_exception=False) from None
        except Exception as error:
            log.warning("%s: %s", type(error).__name__, _first_line(error), exc_info=_is_bug(error))
            message = f"this cannot be used: {_first_line(error)}"
            raise GradioError(message, print_exception=False) from None


class BodyLimitMiddleware:
    """ASGI middleware that limits body sizes and disk space, and answers failures with messages.

    Args:
        app: The wrapped application.
        upload: Bytes of a file.
        disk: Counts the uploads.
    """

    def __init__(self, app: Any, upload: int, disk: DiskQuota) -> None:
        self.app, self.upload, self.disk = app, upload, disk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = self._body(scope)
        message = body.refusal(_length(scope))
        if message is not None:
            await _drain(receive)
            await answer(send, 413, message)
            return
        status = 0

        async def counted() -> Message:
            message = await receive()
            body.add(message.get("body", b""))
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            with deleting_leftovers():
                await self.app(scope, counted, watched)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not isinstance(error, _BodyTooLargeError):
                log.warning("%s %s: %s", scope["method"], scope["path"], type(error).__name__)
                log.debug("", exc_info=True)
            if not status:
                much = isinstance(error, _BodyTooLargeError)
                message = str(error) if much else "this request is invalid"
                await answer(send, 413 if much else 400, message)
        finally:
            body.end(status == 200)

    def _body(self, scope: Scope) -> _BodyCounter:
        if scope["path"].rstrip("/").endswith("/upload"):
            return _BodyCounter(
                self.upload * _FILES_PER_UPLOAD + _FORM_BYTES, self.disk, client_of(scope)
            )
        return _BodyCounter(MAX_BODY)


class _BodyCounter:
    """Count the bytes of one request's body.

    Args:
        most: The limit.
        disk: Counts files; None if the body has none.
        client: The client that sends it.
    """

    def __init__(self, most: int, disk: DiskQuota | None = None, client: str = "") -> None:
        self._most, self._disk, self._client = most, disk, client
        self._read, self._counted = 0, 0

    def refusal(self, more: int = 0) -> str | None:
        """Return why more bytes are too many; None if they are not."""
        if self._read + more > self._most:
            return f"this is larger than {self._most >> 20} MB: send less"
        try:
            if self._disk is not None:
                self._disk.check(self._client, more)
        except InputError as error:
            return str(error)
        return None

    def add(self, part: bytes) -> None:
        """Count a part.

        Raises:
            _TooMuchError: A limit is exceeded.
        """
        self._read += len(part)
        if self._disk is not None and part:
            size = len(part) + BYTES_PER_FILE * part.count(b"filename=")
            self._disk.add(self._client, size)
            self._counted += size
        message = self.refusal()
        if message is not None:
            raise _BodyTooLargeError(message)

    def end(self, kept: bool) -> None:
        """Subtract the bytes of an upload that was not stored."""
        if self._disk is not None and not kept:
            self._disk.add(self._client, -self._counted)


class _BodyTooLargeError(Exception):
    pass


def _length(scope: Scope) -> int:
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _drain(receive: Receive) -> None:
    """Read and drop a body, up to a limit, so that the sender receives the answer."""
    read, more = 0, True
    while more and read < _MAX_DRAINED:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)


def _has_remote_file(value: Any) -> bool:
    """Check whether a value contains a file on another machine."""
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str) and "://" in path:
            return True
        return any(map(_has_remote_file, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_has_remote_file, value))


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message, escaped and without paths of the server."""
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    first = next(iter(str(message).strip().splitlines()), "")
    return escape(without_paths(first)[:200], quote=False)


def _is_bug(error: BaseException) -> bool:
    """Check whether an error is probably a bug, so that its traceback is logged."""
    return not isinstance(error, (ValueError, TypeError, KeyError, IndexError, OSError))
