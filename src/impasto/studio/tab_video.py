"""Build the tab that stylizes a video; it needs :mod:`impasto.video`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.controls import Controls
from impasto.core.progress import Callback
from impasto.errors import CancelledError, ImpastoError, InputError
from impasto.image import Image
from impasto.studio import files, options, widgets
from impasto.studio.job_queue import Report
from impasto.studio.widgets import Studio, owner_of, show_error, status

_ENDINGS = [".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif"]


def tab(studio: Studio) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            film = gr.File(label="Video", file_types=_ENDINGS, height=112, elem_id="film")
            name = gr.Dropdown(
                [("the painting below", ""), *((o.label, o.name) for o in options.styles())],
                value=options.styles()[0].name,
                label="Painting",
            )
            own = widgets.photo("Or a painting of yours", height=180, elem_id="film-painting")
            size = gr.Slider(
                128, 1280, 512, step=32, label="Size: the long edge", elem_id="film-size"
            )
            strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 is the video")
            with gr.Row():
                go = gr.Button("Paint", variant="primary", size="lg", elem_id="paint-film")
                stop = gr.Button("Stop", interactive=False)
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
            line = gr.HTML(
                status("Drop a video, and press Paint."),
                elem_id="film-status",
                elem_classes="status",
            )
            file = gr.DownloadButton("Download", interactive=False)

    def watching() -> Any:
        """Return a function that converts reports to the current frame for the page."""
        keep = studio.previews("frame.jpg")

        def show(report: Report) -> Any:
            view = gr.skip() if report.preview is None else keep(report.preview)
            return view, gr.skip(), status(report.text, report.fraction), gr.skip(), gr.skip()

        return show

    def paint(
        path: str | None,
        chosen: str | None,
        painting: str | None,
        side: float,
        much: float,
        request: gr.Request,
    ) -> Iterator[Any]:
        """Stylize the video frame by frame."""
        try:
            if not path:
                raise InputError("no video: drop one first")
            source = studio.limits.file(path)
            style = _style(studio, chosen, painting)
            target = files.random_folder(studio.folder) / f"{source.stem[:40]}.mp4"
            controls = Controls(size=int(side), strength=much)
            begun = gr.Button(interactive=True)
            yield gr.skip(), gr.skip(), status("waiting", 0.0), gr.skip(), begun
            owner = owner_of(request, "video")
            done = yield from studio.work(
                owner,
                lambda _, callback: _stylize(
                    source, target, style, controls, studio.limits.seconds, callback
                ),
                watching(),
            )
            studio.disk.count(owner.client, target)
            button = gr.DownloadButton(value=str(target), interactive=True)
            report = done.result
            outcome = (
                f"stopped: kept the first {report.frames} frames" if report.stopped else "done"
            )
            said = status(f"{outcome}, {done.seconds:.1f} s")
            yield gr.skip(), str(target), said, button, gr.Button(interactive=False)
        except Exception as error:
            yield gr.skip(), gr.skip(), show_error(error), gr.skip(), gr.Button(interactive=False)

    def halt(request: gr.Request) -> str:
        """Stop after the current frame."""
        there = studio.queue.stop(owner_of(request, "video"))
        return status("stopping after this frame" if there else "nothing is being painted")

    go.click(
        paint,
        [film, name, own, size, strength],
        [frame, shown, line, file, stop],
        api_visibility="private",
        **studio.job_event_options,
    )
    stop.click(halt, None, line, queue=False, show_progress="hidden", api_visibility="private")


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
        return video.stylize_video(
            source, target, style, controls=controls, callback=callback, partial=True
        )
    except CancelledError:
        raise CancelledError("stopped before the first frame was finished") from None
    except ImpastoError as error:
        message = str(error).replace(str(source), source.name)
        raise InputError(message.replace(str(target), target.name)) from error
