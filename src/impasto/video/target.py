"""Write stylized frames as a video, or leave them in a folder."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import InputError
from impasto.image import files
from impasto.video import writer
from impasto.video.codec import PALETTE, Coding, plan
from impasto.video.overlap import Finished
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
        self._written: Future[list[str]] | None = None
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

    @contextmanager
    def writing(
        self, store: FrameStore, size: tuple[int, int], finished: Finished
    ) -> Iterator[None]:
        """Write the video in a thread inside the context, while its frames are painted.

        A format with a palette is written afterwards: its colours are those of the whole clip.

        Args:
            store: The frames.
            size: Width and height.
            finished: Returns a frame when it is painted.
        """
        if self.is_folder or plan(self.path, self._coding, alpha=self._alpha).pixels == PALETTE:
            yield
            return
        with ThreadPoolExecutor(1) as pool:
            self._written = pool.submit(self._write, store, size, finished)
            try:
                yield
            finally:
                finished.end()

    def check(self) -> None:
        """Raise the error with which writing in the thread has ended, if it has."""
        if self._written is not None and self._written.done():
            self._written.result()

    def write(
        self, store: FrameStore, size: tuple[int, int], finished: Finished, *, short: bool
    ) -> list[str]:
        """Write the video of the finished frames; return remarks for the user.

        Args:
            store: The frames; those of a folder are in place.
            size: Width and height.
            finished: Returns a frame.
            short: Whether the clip has more.
        """
        if self.is_folder:
            return []
        finished.end()
        if self._written is not None and short:
            wait([self._written])  # it has failed
        if self._written is None or short:
            notes = self._write(store, size, finished, finished.count, short=short)
        else:
            notes = self._written.result()
        os.replace(self._part(store), self.path)
        return notes

    def _part(self, store: FrameStore) -> Path:
        return store.folder / f"film{self.path.suffix}"

    def _write(
        self,
        store: FrameStore,
        size: tuple[int, int],
        finished: Finished,
        frames: int | None = None,
        *,
        short: bool = False,
    ) -> list[str]:
        part, how = self._part(store), {"short": short, "alpha": self._alpha}
        return writer.write(part, self._clip, size, self._coding, finished, frames, **how)
