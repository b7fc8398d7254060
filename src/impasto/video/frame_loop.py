"""Stylize the frames of a clip one after another, and store them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from impasto import image
from impasto.core.progress import Callback, PartProgress
from impasto.errors import CancelledError, ImpastoError
from impasto.image import Image
from impasto.video.flow import Motion, estimate_motion
from impasto.video.frame_stylizer import FrameCancelled, FrameStylizer
from impasto.video.overlap import Behind, Finished, ahead
from impasto.video.reader import Clip
from impasto.video.resume import FrameStore
from impasto.video.temporal import TemporalStylizer

# seconds between saved states; after a power failure, frames since the last one are repeated
_SAVE_INTERVAL = 20.0


class FrameLoop:
    """Stylize the frames of a clip that are not stored yet, and store them.

    Frames are decoded and their motion is estimated in a thread, ahead; they are stored in another.

    Args:
        clip: The clip.
        store: The stored frames.
        stylizer: Stylizes a frame.
        temporal: Blends it with those before.

    Attributes:
        frames: The number of frames that are painted.
        kept: The number of frames that existed before.
        finished: The frames that are stored.
    """

    def __init__(
        self,
        clip: Clip,
        store: FrameStore,
        stylizer: FrameStylizer,
        temporal: TemporalStylizer,
    ) -> None:
        self._clip, self._store, self._stylizer, self._temporal = clip, store, stylizer, temporal
        tensors, metadata = store.state()
        self.frames = self.kept = int(metadata["frames"])
        if self.frames:
            temporal.restore(tensors, int(metadata["shots"]))
        self.finished = Finished(lambda index: image.load(store.frame(index)).numpy(), self.kept)

    def run(self, callback: Callback, check: Callable[[], None], *, partial: bool) -> bool:
        """Stylize the remaining frames; return whether the callback cancelled.

        Args:
            callback: Called after every frame or step.
            check: Called after every frame; may raise an error that ends the work.
            partial: If the callback cancels, return if any frames are finished.

        Raises:
            CancelledError: The callback cancelled.
        """
        with closing(Behind()) as behind, closing(ahead(self._prepared())) as photos:
            try:
                self._paint(callback, check, photos, behind)
            except FrameCancelled:
                if not partial or not self.frames:
                    total = max(self._clip.frames, self.frames + 1)
                    raise CancelledError(
                        f"cancelled; {self.frames} of {total} frames are in {self._store.folder}, "
                        f"and the same command resumes"
                    ) from None
                return True
        return False

    @property
    def shots(self) -> int:
        """Return the number of shots that were detected."""
        return self._temporal.shots

    def _prepared(self) -> Iterator[tuple[Image, Motion | None]]:
        """Yield the photos and their motion; of the first, the motion is not known."""
        before = None
        for picture in self._clip.pictures(self.frames):
            photo = self._stylizer.photo(picture)
            yield photo, None if before is None else estimate_motion(photo.rgb, before.rgb)
            before = photo

    def _paint(
        self,
        callback: Callback,
        check: Callable[[], None],
        photos: Iterator[tuple[Image, Motion | None]],
        behind: Behind,
    ) -> None:
        start = saved = time.perf_counter()
        try:
            while True:
                watch = PartProgress(callback, *self._position(start))
                item = next(photos, None)
                if item is None:
                    break
                result = self._stylizer.frame(*item, self._temporal, watch)
                behind.submit(self._keep, self.frames, result)
                self.frames += 1
                check()
                if time.perf_counter() - saved > _SAVE_INTERVAL:
                    self._save_state(behind)
                    saved = time.perf_counter()
        except (FrameCancelled, ImpastoError):
            self._save_state(behind)
            raise
        self._save_state(behind)

    def _position(self, start: float) -> tuple[int, int, str]:
        """Return index, number of frames and stage of the frame that is next, for the progress."""
        total, made = max(self._clip.frames, self.frames + 1), self.frames - self.kept
        pace = f", {made / max(1e-9, time.perf_counter() - start):.2f} frames/s" if made else ""
        return self.frames, total, f"frame {self.frames + 1} of {total}{pace}"

    def _keep(self, index: int, blend: Callable[[], Image]) -> None:
        result = blend()
        self._store.save(index, result)
        self.finished.add(result.numpy())

    def _save_state(self, behind: Behind) -> None:
        if self.frames > self.kept:
            behind.wait()
            metadata = {"frames": self.frames, "shots": self._temporal.shots}
            self._store.save_state(self._temporal.state(), metadata)
