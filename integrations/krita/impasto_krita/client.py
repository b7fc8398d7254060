"""Call the endpoints of an Impasto studio with the standard library alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

if TYPE_CHECKING:  # Krita may have a Python in which this is no expression
    Report = Callable[[str], bool]

_TIMEOUT = 60  # seconds without a sign of life; the studio sends one every 15
_EDGE = "impasto-krita-part"


class StudioError(Exception):
    """The studio cannot be reached, or refuses a request; the message is for users."""


class Studio:
    """A running studio.

    Args:
        address: ``http://127.0.0.1:7860``; with a password ``http://USER:PASSWORD@HOST:PORT``.
    """

    def __init__(self, address: str) -> None:
        url = urlsplit(address.strip())
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise StudioError(f"{address!r} is no address: it looks like http://127.0.0.1:7860")
        self._base = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
        self._opener = build_opener(HTTPCookieProcessor())
        if url.username:
            name, password = unquote(url.username), unquote(url.password or "")
            form = urlencode({"username": name, "password": password})
            self._ask("/login", form.encode(), "application/x-www-form-urlencoded")

    def styles(self) -> dict[str, str]:
        """Return the names of the styles, each with its title."""
        return dict(self._job("styles", {})[0]["styles"])

    def stylize(self, png: bytes, style: str, size: str, report: Report | None = None) -> bytes:
        """Stylize an image file, and return the result as a file.

        Args:
            png: The image.
            style: A name of :meth:`styles`.
            size: Long edge in pixels; ``auto``, or ``full`` for the image's own.
            report: Receives the progress as text; returning False stops the job.
        """
        head = 'Content-Disposition: form-data; name="files"; filename="krita.png"'
        body = f"--{_EDGE}\r\n{head}\r\n\r\n".encode() + png + f"\r\n--{_EDGE}--\r\n".encode()
        kind = f"multipart/form-data; boundary={_EDGE}"
        path = json.loads(self._ask("/gradio_api/upload", body, kind))[0]
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        result, _ = self._job("stylize", {"photo": photo, "styles": [style], "size": size}, report)
        return self._ask(f"/gradio_api/file={quote(result['path'])}")

    def _job(self, name: str, fields: dict[str, Any], report: Report | None = None) -> list[Any]:
        """Run a job to its end and return its result."""
        started = self._ask(f"/gradio_api/call/v2/{name}", json.dumps(fields).encode())
        event, kind = json.loads(started)["event_id"], ""
        with self._open(f"/gradio_api/call/{name}/{event}") as stream:
            for line in stream:
                key, _, text = line.decode().rstrip("\n").partition(": ")
                kind = text if key == "event" else kind
                data: Any = json.loads(text) if key == "data" else None
                if key == "data" and kind == "complete":
                    return data
                if key == "data" and kind == "error":
                    raise StudioError((data or {}).get("error") or "the studio gives no reason")
                if key == "data" and report and not report(data[1] if data else ""):
                    raise StudioError("stopped")
        raise StudioError("the studio ended before the image was done")

    def _ask(self, *request: Any) -> bytes:
        with self._open(*request) as answer:
            return answer.read()

    @contextmanager
    def _open(
        self, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Iterator[HTTPResponse]:
        try:
            request = Request(self._base + path, body, {"Content-Type": kind})
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                yield answer
        except HTTPError as error:
            told = error.read().decode(errors="replace")
            if error.code == 401:
                told = "log in: the address is http://USER:PASSWORD@HOST:PORT"
            raise StudioError(f"the studio answers {error.code}: {told[:200]}") from None
        except (OSError, HTTPException) as error:
            raise StudioError(f"no studio answers at {self._base}: {error}") from None
