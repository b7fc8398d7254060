"""Serve the folder of the page on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from impasto.errors import InputError

HOST, PORT = "127.0.0.1", 8000

# with these headers a browser lets the page use several threads
_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


# the table of the system may lack these, or have others
_TYPES = {
    **SimpleHTTPRequestHandler.extensions_map,
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".gz": "application/octet-stream",
}


class Handler(SimpleHTTPRequestHandler):
    """Serves files with the types that browsers require.

    Args:
        isolated: Whether to send the headers for several threads.
    """

    def __init__(self, *given: Any, isolated: bool, **named: Any) -> None:
        self._isolated, self.extensions_map = isolated, _TYPES
        super().__init__(*given, **named)

    def end_headers(self) -> None:
        """Add the headers of this server."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in _ISOLATION.items() if self._isolated else ():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *given: Any) -> None:
        """Print nothing for each request."""


@contextmanager
def serving(folder: Path, port: int = PORT, *, isolated: bool = True) -> Iterator[str]:
    """Serve a folder on this machine while the context is open; yields the address.

    Args:
        folder: The folder.
        port: Port to listen on; 0 is any free one.
        isolated: Whether to send the headers ``COOP`` and ``COEP``, which allow several threads.

    Raises:
        InputError: The port cannot be used.
    """
    with serve(partial(Handler, directory=str(folder), isolated=isolated), port) as url:
        yield url


@contextmanager
def serve(handler: Callable[..., Handler], port: int) -> Iterator[str]:
    """Answer requests on this machine while the context is open; yields the address.

    Args:
        handler: Answers a request.
        port: Port to listen on; 0 is any free one.

    Raises:
        InputError: The port cannot be used.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except (OSError, OverflowError) as error:
        raise InputError(f"port {port} cannot be used ({error}): choose another `port`") from error
    with server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def until_interrupted() -> None:
    """Wait for Ctrl-C."""
    with suppress(KeyboardInterrupt):
        Event().wait()
