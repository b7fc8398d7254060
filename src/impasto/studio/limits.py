"""Limit what clients may send, and word the errors."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from impasto import image
from impasto.errors import ImpastoError, InputError
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.nn import vgg_weights

PAINTINGS = 6  # style images for one result, at most
MAX_TEXT = 2000  # characters in a text field, at most


@dataclass(frozen=True)
class Limits:
    """Limits of one server.

    Attributes:
        upload: Bytes of one uploaded file.
        pixels: Pixels of one uploaded image.
        side: Long edge of a network's result, in pixels.
        optimized: Long edge of an optimisation's result, which takes far more memory.
        seconds: Duration of an uploaded video.
        disk: Bytes of all clients' files of the last hour.
        client_disk: Bytes of one client's files of the last hour.
        job: Seconds that a job may run; then it is stopped, and its result so far is kept.
    """

    upload: int = 50 << 20
    pixels: int = 50_000_000
    side: int = 4096
    optimized: int = 1536
    seconds: float = 60.0
    disk: int = 4 << 30
    client_disk: int = 1 << 30
    job: float = 1800.0

    def __post_init__(self) -> None:
        if not self.job > 0:
            raise InputError(f"max-minutes is {self.job / 60:g}: it must be above 0")

    def describe(self) -> str:
        """Return the limits of an image as a sentence."""
        return (
            f" A picture has at most {self.upload >> 20} MB and {self.pixels / 1e6:g} megapixels."
        )

    def picture(self, path: str | os.PathLike[str]) -> Image:
        """Load an uploaded image.

        Raises:
            InputError: It is no image, or too large. The message has the file's name, not its path.
        """
        self.file(path)
        try:
            return image.load(os.fspath(path), max_pixels=self.pixels)
        except InputError as error:
            message = str(error).replace(os.fspath(path), Path(path).name)
            raise InputError(message.replace(", or raise max_pixels", "")) from error

    def file(self, path: str | os.PathLike[str]) -> Path:
        """Check an uploaded file, and return its path.

        Raises:
            InputError: It is gone, or too large.
        """
        found = Path(path)
        try:
            size = found.stat().st_size
        except (OSError, ValueError) as error:
            raise InputError(f"{found.name} is not there any more: upload it again") from error
        if size > self.upload:
            raise InputError(f"{found.name} is larger than {self.upload >> 20} MB: make it smaller")
        return found

    def size(self, wanted: int | None, picture: Image, method: str | None) -> int:
        """Return the long edge to stylize at.

        Args:
            wanted: The requested one; None is the image's own.
            picture: The photo.
            method: The name of a method that optimises; None for a network.

        Raises:
            InputError: It is above the limit.
        """
        most = self.side if method is None else self.optimized
        if wanted is None:
            return min(max(picture.size), most)
        if wanted > most:
            who = "this studio" if method is None else f"{method} in this studio"
            raise InputError(f"{who} paints up to {most} pixels: choose a smaller size")
        return wanted


def optimizes(method: str) -> bool:
    """Check whether a method optimises the image itself, which takes much memory and time."""
    return not issubclass(get(method).build, NetworkMethod)


def error_text(error: BaseException) -> str:
    """Return an error as one line for the page, without traceback and paths of the server."""
    if isinstance(error, ImpastoError):
        return without_paths(str(error)).replace("`", "")  # quotes around parameter names
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: choose a smaller size"
    return f"something went wrong: {type(error).__name__}. The server's log says more"


def without_paths(message: str) -> str:
    """Replace paths of the server in a message by their file names.

    Args:
        message: An error's message; paths outside the server's folders stay, since the user wrote
            them.
    """
    folders: set[str | Path] = {
        tempfile.gettempdir(),
        Path.home(),
        vgg_weights.cache_dir(),
        Path.cwd(),
        sys.prefix,
    }
    folders |= {Path(__file__).parents[2], os.environ.get("GRADIO_TEMP_DIR", "")}
    texts = {str(path) for path in (*folders, *(Path(one).resolve() for one in folders))}
    known = sorted((text for text in texts if len(Path(text).parts) > 1), key=len, reverse=True)
    for text in known:
        pattern = re.escape(text) + r"(?:[/\\][^\s'\"<>|:;,)]*)?(?![\w-])"
        message = re.sub(pattern, lambda found: Path(found[0]).name, message)
    return message
