"""Write stylized frames as a video, or leave them in a folder."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from impasto import image
from impasto.errors import InputError
from impasto.image import files
from impasto.video import writer
from impasto.video.codec import Coding, plan
from impasto.video.reader import Clip
from impasto.video.resume import FrameStore
from impasto.video.transparency import transparent


class Target:
    """The video to write, or the folder of frames.

    Args:
        target: Its path; a folder has no ending.
        clip: The clip that the frames come from.
        coding: How a video is encoded.

    Attributes:
        path: Its path.
        is_folder: Whether it is a folder.

    Raises:
        InputError: It cannot be written, or it is the source.
    """

    def __init__(self, target: str | os.PathLike[str], clip: Clip, coding: Coding) -> None:
        self.path, self._clip, self._coding = Path(target), clip, coding
        named = self.path.suffix and not os.fspath(target).endswith(os.sep)
        self.is_folder = self.path.is_dir() or not named
        if not self.is_folder:
            files.check(self.path)
            if self.path.exists() and clip.path.exists() and self.path.samefile(clip.path):
                raise InputError(f"{self.path} is the video to paint: choose another name")
        elif self.path.absolute() == clip.path.absolute():
            raise InputError(f"{self.path} holds the frames to paint: choose another folder")

    @property
    def frames(self) -> Path:
        """Return the folder of the stylized frames."""
        return self.path if self.is_folder else self.path.with_name(f"{self.path.name}.frames")

    @functools.cached_property
    def _alpha(self) -> bool:
        return transparent(self._clip)

    @property
    def even(self) -> bool:
        """Return whether width and height must be even."""
        return not self.is_folder and plan(self.path, self._coding, alpha=self._alpha).even

    def rehearse(self, size: tuple[int, int]) -> None:
        """Check that :meth:`write` can write frames of a size (width, height).

        Raises:
            InputError: It cannot.
        """
        if not self.is_folder:
            writer.rehearse(self.path, self._clip, size, self._coding, alpha=self._alpha)

    def write(
        self, store: FrameStore, size: tuple[int, int], frames: int, *, short: bool
    ) -> list[str]:
        """Write the video of the first frames; return remarks for the user.

        Args:
            store: The frames; those of a folder are in place.
            size: Width and height.
            frames: The number of frames.
            short: Whether the clip has more.
        """
        if self.is_folder:
            return []
        part = store.folder / f"film{self.path.suffix}"

        def fetch(index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
            return image.load(store.frame(index)).numpy()

        notes = writer.write(
            part, self._clip, size, self._coding, fetch, frames, short=short, alpha=self._alpha
        )
        os.replace(part, self.path)
        return notes
