"""What the studio takes from people: how large, how many, and in which words it refuses."""

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

PAINTINGS = 6  # that one picture can be painted with
WORDS = 2000  # letters in a field of text


@dataclass(frozen=True)
class Limits:
    """Bounds of one server.

    Attributes:
        upload: Bytes of one file.
        pixels: Of one picture that comes in.
        side: Long edge of what a network paints, in pixels.
        optimized: Long edge of what an optimisation paints, which takes far more memory.
        seconds: Of a video that comes in.
        disk: Bytes of everybody's files of the last hour.
        client_disk: Bytes of one client's files of the last hour.
        job: Seconds that a job may run; then it stops, and what it has is kept.
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

    def picture(self, path: str | os.PathLike[str]) -> Image:
        """A picture that somebody uploaded.

        Raises:
            InputError: It is none, or larger than is taken here. The file goes by its own name.
        """
        self.file(path)
        try:
            return image.load(os.fspath(path), max_pixels=self.pixels)
        except InputError as error:
            told = str(error).replace(os.fspath(path), Path(path).name)
            raise InputError(told.replace(", or raise max_pixels", "")) from error

    def file(self, path: str | os.PathLike[str]) -> Path:
        """A file that somebody uploaded.

        Raises:
            InputError: It is gone, or larger than is taken here.
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
        """The long edge to paint at.

        Args:
            wanted: What was asked for; None is the picture's own.
            picture: The photo.
            method: What optimises, by name; None where a network paints.

        Raises:
            InputError: It is larger than is painted here.
        """
        most = self.side if method is None else self.optimized
        if wanted is None:
            return min(max(picture.size), most)
        if wanted > most:
            who = "this studio" if method is None else f"{method} in this studio"
            raise InputError(f"{who} paints up to {most} pixels: choose a smaller size")
        return wanted


def optimizes(method: str) -> bool:
    """Whether a method of the table works on the picture itself, which takes memory and time."""
    return not issubclass(get(method).build, NetworkMethod)


def told(error: BaseException) -> str:
    """An error in one line that is fit for a page: no traceback, no path of the server."""
    if isinstance(error, ImpastoError):
        return pathless(str(error)).replace("`", "")  # around parameters
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: choose a smaller size"
    return f"something went wrong: {type(error).__name__}. The server's log says more"


def pathless(words: str) -> str:
    """Words in which files of the server go by their names alone.

    Args:
        words: An error's text; paths that lie in none of the server's folders stay, since they
            are what somebody wrote.
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
        words = re.sub(pattern, lambda found: Path(found[0]).name, words)
    return words
