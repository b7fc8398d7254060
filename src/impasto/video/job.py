"""Stylize a video from file to file, or resume it."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from impasto import image
from impasto.api.controls import Controls, merge_controls
from impasto.api.inputs import Source
from impasto.api.resolve import StyleResolver
from impasto.core.progress import Callback, PartProgress, silent
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import files
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.video import writer
from impasto.video.codec import Coding, plan
from impasto.video.fingerprint import describe_job
from impasto.video.frame_stylizer import FrameCancelled, FrameStylizer
from impasto.video.reader import Clip, open_clip
from impasto.video.resume import FrameStore
from impasto.video.temporal import SMOOTH, TemporalStylizer
from impasto.video.transparency import transparent

# seconds between saved states; after a power failure, frames since the last one are repeated
_SAVE_INTERVAL = 20.0


@dataclass(frozen=True)
class Report:
    """The outcome of stylizing a video.

    Attributes:
        target: The video, or the folder of frames.
        frames: The number of all frames.
        kept: The number of frames that existed before.
        shots: The number of shots that were detected.
        size: Width and height of the frames.
        seconds: Duration of the job.
        stopped: Whether it was stopped, so that ``target`` has only the frames finished by then.
        flicker: The mean change that the motion does not explain, in 8-bit levels; None if there
            is nothing to compare.
        flicker_painted: The same of the frames before temporal blending.
        flicker_plain: The same of frames stylized independently; None unless it was requested.
        notes: Remarks for the user.
    """

    target: Path
    frames: int
    kept: int
    shots: int
    size: tuple[int, int]
    seconds: float
    flicker: float | None
    flicker_painted: float | None
    flicker_plain: float | None
    notes: tuple[str, ...] = ()
    stopped: bool = False

    def flicker_text(self) -> str:
        """Return the flicker measurements as a line of text."""
        parts = [f"flicker {self.flicker:.2f} of 255" if self.flicker is not None else ""]
        if self.flicker_painted is not None:
            parts.append(f"{self.flicker_painted:.2f} before blending")
        if self.flicker_plain is not None:
            parts.append(f"{self.flicker_plain:.2f} with each frame painted by itself")
        return ", ".join(part for part in parts if part)


def stylize_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    style: Source | Style | Sequence[Source | Style],
    *,
    method: str | Method | None = None,
    quality: str | None = None,
    weights: Sequence[float] | None = None,
    masks: Sequence[Source] = (),
    controls: Controls | None = None,
    callback: Callback = silent,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
    memory: int | None = None,
    steady: bool = True,
    smooth: float = SMOOTH,
    flicker: bool = False,
    resume: bool = True,
    partial: bool = False,
    codec: str | None = None,
    crf: int | None = None,
    audio: str = "copy",
    fps: Fraction | float | str | None = None,
    **options: Any,
) -> Report:
    """Stylize a video, or a folder of frames.

    Sound, frame rate and the time of every frame are preserved. Stylized frames are stored beside
    the target (``OUT.frames``) until the video is written; a repeated call resumes from them.

    Args:
        source: A video file, or a folder of frames.
        target: A video file, whose ending determines the format; or a folder, for frames as PNG.
        style: As for :func:`impasto.stylize`.
        method: As for :func:`impasto.stylize`.
        quality: As for :func:`impasto.stylize`.
        weights: As for :func:`impasto.stylize`.
        masks: As for :func:`impasto.stylize`; the same for all frames.
        controls: As for :func:`impasto.stylize`.
        callback: Called after every frame, or every step of a method that takes several a frame;
            cancelling keeps the frames that are finished.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        memory: See :class:`impasto.core.device.Runtime`.
        steady: Whether the statistics of the photo that networks normalise by are fixed over each
            shot; see :mod:`impasto.nn.norm_statistics`.
        smooth: 0 to below 1: the blending weight of the warped previous result; see
            :class:`impasto.video.temporal.TemporalStylizer`.
        flicker: Also stylize each frame independently, to compare; takes twice the time.
        resume: Continue with existing frames; else they are deleted.
        partial: If the callback cancels, write a shorter video of the frames that are finished.
        codec: See :class:`impasto.video.codec.Coding`.
        crf: See :class:`impasto.video.codec.Coding`.
        audio: See :class:`impasto.video.codec.Coding`.
        fps: Frame rate of a folder of frames, per second; 25 when None.
        options: Fields of :class:`Controls`.

    Raises:
        InputError: An argument cannot be used, or there are frames of other settings.
        CancelledError: The callback cancelled; the frames that are finished are kept. With
            ``partial`` only if there are none.
    """
    begun = time.perf_counter()
    coding = Coding(codec, crf, audio)
    controls = merge_controls(controls, options)
    if controls.regions is not None:
        raise InputError("regions would change from frame to frame: they are for photos only")
    settings = dict(settings or {})
    clip, out = open_clip(source, fps), Path(target)
    into_folder = out.is_dir() or not out.suffix or os.fspath(target).endswith(os.sep)
    if not into_folder:
        files.check(out)
        _check_not_source(clip.path, out)
    how: dict[str, Any] = {
        "quality": quality,
        "preset": preset,
        "device": device,
        "precision": precision,
    }
    make = StyleResolver(method, settings=settings, memory=memory, **how)
    stylizer = FrameStylizer(make(style, weights), controls, masks)
    first = next(clip.pictures())
    alpha = not into_folder and transparent(clip)
    even = not into_folder and plan(out, coding, alpha=alpha).even
    size = stylizer.set_size(first, even=even)
    notes = [] if into_folder else writer.rehearse(out, clip, size, coding, alpha=alpha)
    job = describe_job(
        clip,
        style,
        method=method,
        weights=weights,
        masks=masks,
        controls=controls,
        settings=settings,
        **how,
        steady=steady,
        smooth=smooth,
        flicker=flicker,
        frame=f"{size[0]}x{size[1]}",
    )
    folder = out if into_folder else out.with_name(f"{out.name}.frames")
    if into_folder and out.absolute() == clip.path.absolute():
        raise InputError(f"{out} holds the frames to paint: choose another folder")
    store = FrameStore(folder, clip.names, own=not into_folder)
    temporal = TemporalStylizer(
        stylizer, steady=steady, smooth=smooth, plain=stylizer.plain if flicker else None
    )
    with store.locked():
        store.begin(job, resume=resume)
        stopped = False
        try:
            frames, kept = _paint(clip, store, stylizer, temporal, callback)
        except CancelledError:
            frames = kept = int(store.state()[1]["frames"])
            stopped = partial and frames > 0
            if not stopped:
                raise
        if not into_folder:
            part, fetch = folder / f"film{out.suffix}", functools.partial(_load_frame, store)
            notes = writer.write(
                part, clip, size, coding, fetch, frames, short=stopped, alpha=alpha
            )
            os.replace(part, out)
    if not stopped:
        store.finish()
    return Report(
        out,
        frames,
        kept,
        temporal.shots,
        size,
        time.perf_counter() - begun,
        temporal.flicker.value("steady"),
        temporal.flicker.value("painted"),
        temporal.flicker.value("plain"),
        (*clip.notes, *notes, *stylizer.notes(frames - kept)),
        stopped,
    )


def _paint(
    clip: Clip,
    store: FrameStore,
    stylizer: FrameStylizer,
    temporal: TemporalStylizer,
    callback: Callback,
) -> tuple[int, int]:
    """Stylize the remaining frames; return the number of all frames, and of those that existed."""
    tensors, metadata = store.state()
    done = existing = int(metadata["frames"])
    if done:
        temporal.restore(tensors, int(metadata["shots"]))
    saved = time.perf_counter()
    start = saved

    def keep() -> None:
        store.save_state(temporal.state(), {"frames": done, "shots": temporal.shots})

    pictures = clip.pictures(done)
    while True:
        total = max(clip.frames, done + 1)
        rate = (done - existing) / max(1e-9, time.perf_counter() - start)
        pace = f", {rate:.2f} frames/s" if done > existing else ""
        watch = PartProgress(callback, done, total, f"frame {done + 1} of {total}{pace}")
        try:
            picture = next(pictures, None)
            if picture is None:
                break
            result = stylizer.frame(picture, temporal, watch)
        except FrameCancelled:
            keep()
            raise CancelledError(
                f"cancelled; {done} of {total} frames are in {store.folder}, and the same command "
                f"resumes"
            ) from None
        except ImpastoError:
            if done > existing:
                keep()
            raise
        image.save(result, store.frame(done))
        done += 1
        if time.perf_counter() - saved > _SAVE_INTERVAL:
            keep()
            saved = time.perf_counter()
    if done > existing:
        keep()
    return done, existing


def _load_frame(store: FrameStore, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return image.load(store.frame(index)).numpy()


def _check_not_source(source: Path, target: Path) -> None:
    """Check that the target is not the source.

    Raises:
        InputError: They are the same file.
    """
    if target.exists() and source.exists() and os.path.samefile(source, target):
        raise InputError(f"{target} is the video to paint: choose another name")
