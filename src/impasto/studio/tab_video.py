"""Build the tab that stylizes a video; it needs :mod:`impasto.video`."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.controls import Controls
from impasto.core.progress import Callback
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import Image
from impasto.studio import files, options, widgets
from impasto.studio.job_events import JobEvents, Updates, job_buttons
from impasto.studio.widgets import JobOwner, Studio, status

_ENDINGS = [".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif"]


def tab(studio: Studio) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            inputs = _inputs()
            go, stop = job_buttons("Paint", "paint-film", stop="Stop")
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            frame = gr.Image(
                type="filepath",
                label="The frame under way",
                interactive=False,
                height=300,
                buttons=["fullscreen"],
                elem_id="frame",
            )
            shown = gr.Video(label="Painted", interactive=False, elem_id="film-result")
            line = widgets.status_line("Drop a video, and press Paint.", "film-status")
            file = gr.DownloadButton("Download", interactive=False)
    events = _VideoEvents(studio, go, stop, line, frame, shown, file)
    events.connect(inputs, [frame, shown, file])


def _inputs() -> list[Any]:
    """Build the inputs, in the order of the job's arguments."""
    return [
        gr.File(label="Video", file_types=_ENDINGS, height=112, elem_id="film"),
        gr.Dropdown(
            [("the painting below", ""), *((o.label, o.name) for o in options.styles())],
            value=options.styles()[0].name,
            label="Painting",
        ),
        widgets.photo("Or a painting of yours", height=180, elem_id="film-painting"),
        gr.Slider(
            128,
            1280,
            512,
            step=32,
            label="Size: the long edge",
            info="not above the video's own",
            elem_id="film-size",
        ),
        gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 is the video"),
    ]


@dataclass(frozen=True, eq=False)
class _VideoEvents(JobEvents):
    """Handle the events of the tab."""

    frame: gr.Image
    shown: gr.Video
    file: gr.DownloadButton

    tab = "video"
    stopping = "stopping after this frame"
    idle = "nothing is being painted"

    def work(
        self,
        owner: JobOwner,
        path: str | None,
        chosen: str | None,
        painting: str | None,
        size: float,
        strength: float,
    ) -> Generator[Updates, None, Updates]:
        """Stylize the video frame by frame."""
        if not path:
            raise InputError("no video: drop one first")
        limits = self.studio.limits
        source = limits.file(path)
        style = _style(self.studio, chosen, painting)
        target = files.random_folder(self.studio.folder) / f"{source.stem[:40]}.mp4"
        controls = Controls(size=int(size), strength=strength)
        done = yield from self.run(
            owner,
            lambda _, callback: _stylize(source, target, style, controls, limits.seconds, callback),
            self.show_previews(self.frame, "frame.jpg"),
        )
        self.studio.disk.count(owner.client, target)
        report = done.result
        outcome = f"stopped: kept the first {report.frames} frames" if report.stopped else "done"
        return {
            self.shown: str(target),
            self.line: status(f"{outcome}, {done.seconds:.1f} s"),
            self.file: widgets.download(target),
        }


def _style(studio: Studio, chosen: str | None, painting: str | None) -> str | Image:
    if painting:
        return studio.limits.picture(painting)
    if not chosen:
        raise InputError("no painting: choose one, or drop a picture of it")
    return options.check_styles([chosen], options.styles())[0]


def _stylize(
    source: Path,
    target: Path,
    style: Any,
    controls: Controls,
    most: float,
    callback: Callback,
) -> Any:
    video = importlib.import_module("impasto.video")
    try:
        clip = video.open_clip(source)
        seconds = clip.frames / float(clip.rate)
        if seconds > most:
            raise InputError(f"{source.name} lasts {seconds:.0f} s, {most:.0f} s are painted here")
        edge = max(next(iter(clip.pictures())).size)
        controls = replace(controls, size=min(controls.size or edge, edge))
        return video.stylize_video(
            source, target, style, controls=controls, callback=callback, partial=True
        )
    except CancelledError:
        raise CancelledError("stopped before the first frame was finished") from None
    except ImpastoError as error:
        message = str(error).replace(str(source), source.name)
        raise InputError(message.replace(str(target), target.name)) from error
