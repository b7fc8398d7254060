"""A video from its file to the painted one: begun, gone on with, or refused."""

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
from impasto.api.controls import Controls, asked
from impasto.api.inputs import Source
from impasto.api.resolve import Brushes
from impasto.core.progress import Callback, Share, silent
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import files
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.video import writer
from impasto.video.codec import Coding, plan
from impasto.video.fingerprint import identity
from impasto.video.painter import Painter, Stopped
from impasto.video.reader import Clip, open_clip
from impasto.video.resume import Work
from impasto.video.temporal import SMOOTH, Steady
from impasto.video.transparency import transparent

_EVERY = 20.0  # seconds between two states: what is painted again after the power has failed


@dataclass(frozen=True)
class Report:
    """What became of a video.

    Attributes:
        target: The video, or the folder of frames.
        frames: All that it has.
        kept: Those that were there before.
        shots: How many shots were told apart.
        size: Width and height of the frames.
        seconds: That this took.
        stopped: Whether it was stopped, and these are the frames that were finished.
        flicker: Of the result: how much of it changes that does not move, in 255ths; None where
            there is nothing to compare.
        flicker_painted: The same of the frames before they were blended.
        flicker_plain: The same of frames painted each by itself; None unless it was asked for.
        notes: What the user should know.
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

    def in_words(self) -> str:
        """The flicker figures in a line."""
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
    """Paint a video, or a folder of frames.

    Sound, frame rate and the time of every frame stay as they are. Painted frames are kept beside
    the target (``OUT.frames``) until the video is written; called again after it was stopped, this
    goes on from them.

    Args:
        source: A video file, or a folder of frames.
        target: A video file, whose ending says the format; or a folder, for frames as PNG.
        style: As for :func:`impasto.stylize`.
        method: As for :func:`impasto.stylize`.
        quality: As for :func:`impasto.stylize`.
        weights: As for :func:`impasto.stylize`.
        masks: As for :func:`impasto.stylize`; the same for all frames.
        controls: As for :func:`impasto.stylize`.
        callback: Called after every frame, or every step of a method that takes several a frame;
            cancelling keeps the frames that are finished.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Numbers of the method to change, by name.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        memory: See :class:`impasto.core.device.Runtime`.
        steady: Whether the statistics of the photo that networks normalise by are fixed over each
            shot; see :mod:`impasto.nn.norm_statistics`.
        smooth: 0 to below 1: the share of the last frame that stays where nothing but the motion
            has changed; see :class:`impasto.video.temporal.Steady`.
        flicker: Also paint each frame by itself, to compare; takes twice the time.
        resume: Go on with frames that are there; else they are thrown away.
        partial: Where the callback cancels, write a shorter video of the frames that are finished.
        codec: See :class:`impasto.video.codec.Coding`.
        crf: See :class:`impasto.video.codec.Coding`.
        audio: See :class:`impasto.video.codec.Coding`.
        fps: Frames a second of a folder of frames; 25 when None.
        options: Fields of :class:`Controls`.

    Raises:
        InputError: Something given cannot be used, or frames of other settings lie there.
        CancelledError: The callback cancelled; the frames that are finished are kept. With
            ``partial`` only if there are none.
    """
    begun = time.perf_counter()
    coding = Coding(codec, crf, audio)
    controls = asked(controls, options)
    settings = dict(settings or {})
    clip, out = open_clip(source, fps), Path(target)
    into_folder = out.is_dir() or not out.suffix or os.fspath(target).endswith(os.sep)
    if not into_folder:
        files.check(out)
        _apart(clip.path, out)
    how: dict[str, Any] = {
        "quality": quality,
        "preset": preset,
        "device": device,
        "precision": precision,
    }
    make = Brushes(method, settings=settings, memory=memory, **how)
    painter = Painter(make(style, weights), controls, masks)
    first = next(clip.pictures())
    alpha = not into_folder and transparent(clip)
    even = not into_folder and plan(out, coding, alpha=alpha).even
    size = painter.settle(first, even=even)
    notes = [] if into_folder else writer.rehearse(out, clip, size, coding, alpha=alpha)
    job = identity(
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
    work = Work(folder, clip.names, own=not into_folder)
    hand = Steady(painter, steady=steady, smooth=smooth, plain=painter.plain if flicker else None)
    with work.held():
        work.begin(job, resume=resume)
        stopped = False
        try:
            frames, kept = _paint(clip, work, painter, hand, callback)
        except CancelledError:
            frames = kept = int(work.state()[1]["frames"])
            stopped = partial and frames > 0
            if not stopped:
                raise
        if not into_folder:
            part, fetch = folder / f"film{out.suffix}", functools.partial(_pixels, work)
            notes = writer.write(
                part, clip, size, coding, fetch, frames, short=stopped, alpha=alpha
            )
            os.replace(part, out)
    if not stopped:
        work.finish()
    return Report(
        out,
        frames,
        kept,
        hand.shots,
        size,
        time.perf_counter() - begun,
        hand.flicker.value("steady"),
        hand.flicker.value("painted"),
        hand.flicker.value("plain"),
        (*clip.notes, *notes),
        stopped,
    )


def _paint(
    clip: Clip, work: Work, painter: Painter, hand: Steady, callback: Callback
) -> tuple[int, int]:
    """Paint what is left; returns how many frames there are, and how many there were."""
    tensors, told = work.state()
    done = kept = int(told["frames"])
    if done:
        hand.restore(tensors, int(told["shots"]))
    saved = time.perf_counter()
    start = saved

    def keep() -> None:
        work.keep(hand.state(), {"frames": done, "shots": hand.shots})

    pictures = clip.pictures(done)
    while True:
        total = max(clip.frames, done + 1)
        rate = (done - kept) / max(1e-9, time.perf_counter() - start)
        pace = f", {rate:.2f} frames/s" if done > kept else ""
        watch = Share(callback, done, total, f"frame {done + 1} of {total}{pace}")
        try:
            picture = next(pictures, None)
            if picture is None:
                break
            result = painter.frame(picture, hand, watch)
        except Stopped:
            keep()
            raise CancelledError(
                f"cancelled; {done} of {total} frames are in {work.folder}, and the same command "
                f"goes on"
            ) from None
        except ImpastoError:
            if done > kept:
                keep()
            raise
        image.save(result, work.frame(done))
        done += 1
        if time.perf_counter() - saved > _EVERY:
            keep()
            saved = time.perf_counter()
    if done > kept:
        keep()
    return done, kept


def _pixels(work: Work, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return image.load(work.frame(index)).numpy()


def _apart(source: Path, target: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        InputError: They are one.
    """
    if target.exists() and source.exists() and os.path.samefile(source, target):
        raise InputError(f"{target} is the video to paint: choose another name")
