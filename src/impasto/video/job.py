"""Stylize a video from file to file, or resume it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.api.inputs import Source
from impasto.api.options import Controls, merge_controls
from impasto.api.resolve import StyleResolver
from impasto.core.progress import Callback, silent
from impasto.errors import InputError
from impasto.methods.base import Method
from impasto.methods.style import Style
from impasto.video.codec import Coding
from impasto.video.fingerprint import describe_job
from impasto.video.flicker import Flicker
from impasto.video.frame_loop import FrameLoop
from impasto.video.frame_stylizer import FrameStylizer
from impasto.video.reader import open_clip
from impasto.video.resume import FrameStore
from impasto.video.target import Target
from impasto.video.temporal import SMOOTH, TemporalStylizer


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
    begun, controls = time.perf_counter(), _checked(merge_controls(controls, options))
    how: dict[str, Any] = {"method": method, "settings": dict(settings or {}), "quality": quality}
    how |= {"preset": preset, "device": device, "precision": precision}
    clip = open_clip(source, fps)
    out = Target(target, clip, Coding(codec, crf, audio))
    styles = StyleResolver(memory=memory, second=False, **how)(style, weights)
    stylizer = FrameStylizer(styles, controls, masks)
    size = stylizer.set_size(next(clip.pictures()), even=out.even)
    out.rehearse(size)
    job = describe_job(
        clip,
        style,
        weights=weights,
        masks=masks,
        controls=controls,
        **how,
        steady=steady,
        smooth=smooth,
        flicker=flicker,
        frame=f"{size[0]}x{size[1]}",
    )
    plain = stylizer.plain if flicker else None
    temporal = TemporalStylizer(
        stylizer, steady=steady, smooth=smooth, plain=plain, starts=stylizer.starts
    )
    store = FrameStore(out.frames, clip.names, own=not out.is_folder)
    with store.locked():
        store.begin(job, resume=resume)
        loop = FrameLoop(clip, store, stylizer, temporal)
        with out.writing(store, size, loop.finished):
            stopped = loop.run(callback, out.check, partial=partial)
            notes = out.write(store, size, loop.finished, short=stopped)
    if not stopped:
        store.finish()
    notes = [*clip.notes, *notes, *stylizer.notes(loop.frames - loop.kept)]
    return _report(out.path, loop, size, temporal.flicker, begun, notes, stopped=stopped)


def _report(
    target: Path,
    loop: FrameLoop,
    size: tuple[int, int],
    flicker: Flicker,
    begun: float,
    notes: Sequence[str],
    *,
    stopped: bool,
) -> Report:
    """Return the outcome."""
    return Report(
        target,
        loop.frames,
        loop.kept,
        loop.shots,
        size,
        time.perf_counter() - begun,
        flicker.value("steady"),
        flicker.value("painted"),
        flicker.value("plain"),
        tuple(notes),
        stopped,
    )


def _checked(controls: Controls) -> Controls:
    """Return controls that a video can have.

    Raises:
        InputError: One is for photos only.
    """
    if controls.regions is not None:
        raise InputError("regions would change from frame to frame: they are for photos only")
    if controls.seamless:
        raise InputError("seamless is for photos only: leave it out for a video")
    return controls
