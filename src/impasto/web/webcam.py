"""Paint what a camera sees: a page in the browser shows frames that this machine paints.

The page of :mod:`impasto.web.folder` computes in the browser, which uses a fraction of a processor.
Here the browser only reads the camera and shows the result; each frame is painted by the
package, in the fastest runtime and in any style.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch

from impasto.api.controls import Controls, ResolvedStyle
from impasto.api.encode import encode
from impasto.api.inputs import Source, read_image
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import ImpastoError, InputError
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.methods.style import Style
from impasto.models import zoo
from impasto.onnx.runtime import Exported
from impasto.web.models import thumbnail
from impasto.web.serve import PORT, Handler, serve

MOST = 1280  # pixels; longest edge of a frame that is accepted
SIZE = 320  # pixels; long edge of a frame
_THUMBNAIL = 160  # pixels


@dataclass(frozen=True)
class CameraStyle:
    """A style that frames can be painted in.

    Attributes:
        name: Its name on the page.
        title: What it is, for people.
        thumbnail: A small JPEG of the style image; empty if there is none.
        resolved: The style with its method.
    """

    name: str
    title: str
    thumbnail: bytes
    resolved: ResolvedStyle


class FramePainter:
    """Paints frames one after another.

    Args:
        styles: Styles of the page, see :func:`camera_styles`.
    """

    def __init__(self, styles: Sequence[CameraStyle]) -> None:
        self.styles = tuple(styles)
        self._free = Lock()

    def __call__(self, index: int, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Paint a frame.

        Args:
            index: Index of the style.
            pixels: (H, W, 4) RGBA, uint8.

        Returns:
            (H, W, 4) RGBA, uint8, opaque.

        Raises:
            ImpastoError: The frame is too small for the network.
        """
        frame = torch.from_numpy(pixels[..., :3].astype(np.float32) / 255).movedim(-1, 0)[None]
        controls = Controls(size=max(pixels.shape[:2]), shifts=1)
        with self._free:
            painted = paint(
                Image(frame), [self.styles[index].resolved], controls=controls, dither=False
            )
        found = np.full_like(pixels, 255)
        found[..., :3] = (painted.rgb[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
        return found


def camera_styles(sources: Sequence[Source | Style], **options: Any) -> list[CameraStyle]:
    """Load the styles of the page; style images are encoded once.

    Args:
        sources: As for :func:`impasto.stylize`; the name of a model of learned styles stands for
            all its styles.
        options: Of :class:`impasto.api.resolve.StyleResolver`: ``method``, ``runtime``,
            ``precision`` and so on.

    Raises:
        InputError: A style cannot be used, or its method optimises the image, which takes longer
            than a frame may.
    """
    resolver = StyleResolver(**options, second=False)
    return [_camera_style(source, resolver) for given in sources for source in _expanded(given)]


def _expanded(source: Source | Style) -> list[Any]:
    """Return the names of all styles of a model, or the source itself."""
    names = [one.name for one in zoo.shipped() if one.path.stem == source and one.kind == "style"]
    return names or [source]


def _camera_style(source: Any, resolver: StyleResolver) -> CameraStyle:
    [resolved] = resolver(source)
    if not isinstance(resolved.method, NetworkMethod | Exported):
        raise InputError(f"{resolved.method.name} optimises each image: choose a network")
    learned = zoo.find(source)
    if learned is not None:
        return CameraStyle(learned.name, learned.title, thumbnail(learned), resolved)
    name = Path(str(source)).stem if isinstance(source, str | Path) else "painting"
    name = name.removeprefix("sample:")
    if isinstance(resolved.source, Style):
        return CameraStyle(name, name, b"", resolved)
    small = read_image(source).pil().convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "jpeg")
    [ready] = resolver(encode(source, method=resolved.method))
    return CameraStyle(name, name, buffer.getvalue(), ready)


@contextmanager
def serving(painter: FramePainter, port: int = PORT, *, size: int = SIZE) -> Iterator[str]:
    """Serve the page on this machine while the context is open; yields the address.

    Args:
        painter: Paints the frames.
        port: Port to listen on; 0 is any free one.
        size: Long edge of a frame in pixels, 64 to 1280.

    Raises:
        InputError: The port or the size cannot be used.
    """
    if not 64 <= size <= MOST:
        raise InputError(f"size is {size}: choose 64 to {MOST}")
    with tempfile.TemporaryDirectory(prefix="impasto-webcam-") as place:
        _write(Path(place), painter.styles, size)
        handler = partial(_FrameHandler, painter=painter, directory=place, isolated=False)
        with serve(handler, port) as url:
            yield url


def _write(folder: Path, styles: Sequence[CameraStyle], size: int) -> None:
    """Write the files of the page: its own, and those that it shares with the other page."""
    web = resources.files("impasto") / "web"
    for source in ("static/icon.svg", "static/live.js", "static/style.css", "static/styles.js"):
        shutil.copyfile(str(web / source), folder / Path(source).name)
    for name in ("index.html", "main.js"):
        shutil.copyfile(str(web / "camera_page" / name), folder / name)
    table = []
    for index, style in enumerate(styles):
        entry = {"name": style.name, "title": style.title, "index": index}
        if style.thumbnail:
            entry["thumbnail"] = f"{index}.jpg"
            (folder / f"{index}.jpg").write_bytes(style.thumbnail)
        table.append(entry)
    content = json.dumps({"styles": table, "size": size}, ensure_ascii=False)
    (folder / "styles.json").write_text(content, encoding="utf-8")


class _FrameHandler(Handler):
    """Serves the page, and paints the frames that it posts to ``frame/STYLE/WIDTH/HEIGHT``.

    Args:
        painter: Paints the frames.
    """

    def __init__(self, *given: Any, painter: FramePainter, **named: Any) -> None:
        self._painter = painter
        super().__init__(*given, **named)

    def do_POST(self) -> None:  # noqa: N802 (the name that the base class looks for)
        """Answer a frame with the painted frame, both as RGBA bytes."""
        if not self._from_own_page():
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        try:
            index, shape = self._asked()
            pixels = np.frombuffer(self.rfile.read(shape[0] * shape[1] * 4), np.uint8)
            content = self._painter(index, pixels.reshape(*shape, 4)).tobytes()
        except ImpastoError as error:
            self.send_error(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
            return
        except ValueError:  # a wrong address, or a body that ends early
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        with suppress(ConnectionError):  # the page was closed meanwhile
            self.end_headers()
            self.wfile.write(content)

    def _asked(self) -> tuple[int, tuple[int, int]]:
        """Return the style's index, and height and width of the frame.

        Raises:
            ValueError: The path is another one, or the numbers do not fit.
        """
        frame, *numbers = urlsplit(self.path).path.strip("/").split("/")
        index, width, height = map(int, numbers)
        length = int(self.headers.get("Content-Length", -1))
        fits = min(width, height) >= 1 and max(width, height) <= MOST
        known = frame == "frame" and index in range(len(self._painter.styles))
        if not (known and fits and length == width * height * 4):
            raise ValueError(self.path)
        return index, (height, width)

    def _from_own_page(self) -> bool:
        """Check that the page of this server asks, and no page of another host."""
        origin = urlsplit(self.headers.get("Origin", "")).netloc
        host = self.headers.get("Host", "")
        address, port = self.connection.getsockname()[:2]
        return origin == host and host in {f"{address}:{port}", f"localhost:{port}"}
