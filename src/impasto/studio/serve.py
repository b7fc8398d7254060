"""Serve the page: address, login, limits; all files are deleted at the end."""

from __future__ import annotations

import importlib
import ipaddress
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import InputError, MissingExtraError, check_range
from impasto.studio.disk import DiskQuota, temporary_files
from impasto.studio.limits import Limits
from impasto.studio.logins import LoginLimitMiddleware
from impasto.studio.origins import HostNames, OriginCheckMiddleware, outer_middleware

if TYPE_CHECKING:
    from impasto.studio.middleware import MessageBlocks

HOST, PORT = "127.0.0.1", 7860

_PATIENCE = 1.0  # seconds to wait for running steps when the studio ends

# read by Gradio and its libraries at import: no telemetry, no downloads
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
# no services of Gradio's but the page itself
_LAUNCH: dict[str, Any] = {
    "share": False,
    "quiet": True,
    "prevent_thread_lock": True,
    "show_error": True,
    "ssr_mode": False,
    "pwa": False,
    "mcp_server": False,
    "enable_monitoring": False,
    "run_history": False,
    "footer_links": [],
    "allowed_paths": [],
}


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Options of the server.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        auth: ``USER:PASSWORD``; None requires no login, which only a loopback address allows.
        queue: Jobs that may wait; more are refused.
        jobs: Jobs at a time.
        client_jobs: Jobs of one client that wait or run; more are refused.
        limits: Limits of what clients send.
        allow_host: ``NAME`` or ``NAME:PORT`` under which browsers reach the studio behind a proxy.
        browser: Whether to open the page.

    Raises:
        InputError: The options contradict each other, or are out of range.
    """

    host: str = HOST
    port: int = PORT
    auth: str | None = None
    queue: int = 20
    jobs: int = 1
    client_jobs: int = 4
    limits: Limits = field(default_factory=Limits)
    allow_host: tuple[str, ...] = ()
    browser: bool = False

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and self.auth is None:
            raise InputError(
                f"{self.host} is open to other machines: add `auth` USER:PASSWORD or `auth_file`"
            )
        if self.auth is not None and not all(self.auth.partition(":")[::2]):
            raise InputError("`auth` is USER:PASSWORD, both not empty")
        check_range(0, 65535, port=self.port)
        try:
            _ = self.names
        except ValueError as error:
            raise InputError(f"`allow_host` is NAME or NAME:PORT, not {error}") from error
        check_range(1, queue=self.queue, jobs=self.jobs, client_jobs=self.client_jobs)

    @property
    def names(self) -> HostNames:
        """Return the host names that the studio answers to."""
        return HostNames(self.host, is_loopback(self.host), self.allow_host)


def is_loopback(host: str) -> bool:
    """Check whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def credentials(auth: str | None, file: Path | None) -> str | None:
    """Return the credentials: from the option, a file, or the variable ``IMPASTO_STUDIO_AUTH``.

    Raises:
        InputError: The file cannot be read, or both are given.
    """
    if auth is not None and file is not None:
        raise InputError("`auth` and `auth_file` say the same: give one of them")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {file}: it holds one line, USER:PASSWORD") from error
    return auth if auth is not None else os.environ.get("IMPASTO_STUDIO_AUTH") or None


@contextmanager
def serving(options: ServerOptions) -> Iterator[str]:
    """Serve the page while the context is open; yields its address.

    Raises:
        InputError: The port is taken, or the address does not belong to this machine.
        MissingExtraError: Gradio is not installed.
    """
    port = _port(options.host, options.port)
    with _folder_of_gradio() as folder:
        _check_installed()
        from impasto.studio import app
        from impasto.studio.job_queue import JobQueue
        from impasto.studio.widgets import Studio

        limits = options.limits
        queue = JobQueue(options.jobs, limits.job)
        disk = DiskQuota(folder, limits.disk, limits.client_disk)
        page = app.build(
            Studio(queue, limits, folder, disk, options.jobs), leave=options.auth is not None
        )
        page.queue(max_size=options.queue, api_open=False, each=options.client_jobs)
        url = _launch(page, options, port, disk)
        try:
            with disk.sweeping(), temporary_files(folder):
                yield url
        finally:
            queue.close()
            page.close(verbose=False)


@contextmanager
def _folder_of_gradio() -> Iterator[Path]:
    """Create the folder of all files that are received or made; it is deleted at the end."""
    os.environ.update(_QUIET)
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="impasto-studio-") as top:
        folder = Path(top).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        try:
            yield folder
        finally:
            if before is None:
                os.environ.pop("GRADIO_TEMP_DIR", None)
            else:
                os.environ["GRADIO_TEMP_DIR"] = before


def _launch(page: MessageBlocks, options: ServerOptions, port: int, disk: DiskQuota) -> str:
    """Start the server of a page, and return its address.

    Raises:
        InputError: The server cannot listen there.
    """
    from starlette.middleware import Middleware

    from impasto.studio import openapi, theme
    from impasto.studio.middleware import BodyLimitMiddleware

    upload, names = options.limits.upload, options.names
    user, _, password = (options.auth or "").partition(":")
    try:
        _, url, _ = page.launch(
            server_name=options.host,
            server_port=port,
            auth=(user, password) if options.auth else None,
            inbrowser=options.browser,
            max_file_size=upload,
            theme=theme.theme(),
            css=theme.CSS,
            head=theme.HEAD,
            app_kwargs={
                "openapi_url": None,  # FastAPI's document lacks the endpoints
                "routes": openapi.routes(options.limits),
                "middleware": [Middleware(BodyLimitMiddleware, upload=upload, disk=disk)],
                "lifespan": outer_middleware(
                    lambda app: OriginCheckMiddleware(LoginLimitMiddleware(app), names)
                ),
            },
            **_LAUNCH,
        )
    except OSError as error:
        raise InputError(f"cannot listen on {options.host}:{port}: {error}") from error
    return str(url)


def serve(options: ServerOptions) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: See :func:`serving`.
        MissingExtraError: Gradio is not installed.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # handled as Ctrl-C
    try:
        with serving(options) as url:
            print(f"{url}  Ctrl-C ends it", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        signal.signal(signal.SIGTERM, before)
    from impasto.studio import job_queue

    # a running step cannot be interrupted, and Python would abort
    if job_queue.wait_for_threads(_PATIENCE):
        sys.stdout.flush()
        os._exit(0)


def _check_installed() -> None:
    try:
        importlib.import_module("gradio")
    except ImportError as error:
        raise MissingExtraError("the studio", "studio") from error


def _port(host: str, port: int) -> int:
    """Check that the port can be used, and return it, or a free one for 0.

    Raises:
        InputError: It is taken, or the address does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(
                f"cannot listen on {host}:{port} ({why}): choose another `port`"
            ) from error
        return int(probe.getsockname()[1])
