"""Build the tab that synthesizes a texture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import InputError
from impasto.methods.spec import Ability
from impasto.studio import jobs, options, widgets
from impasto.studio.job_queue import Report
from impasto.studio.widgets import Studio, finished_status, owner_of, show_error, status


def tab(studio: Studio) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            name = gr.Dropdown(
                [(one.label, one.name) for one in options.textures()],
                value=options.textures()[0].name,
                label="Texture",
                elem_id="texture-name",
            )
            own = widgets.photo("Or a picture of yours", height=180, elem_id="texture-own")
            method = gr.Dropdown(
                [
                    ("the usual one", ""),
                    *(
                        (one.name, one.name)
                        for one in options.image_style_methods(Ability.SYNTHESIZE)
                    ),
                ],
                value="",
                label="Method",
                info="a texture that a network has learned is made by that network",
            )
            with gr.Row():
                width = gr.Slider(64, 2048, 512, step=32, label="Width")
                height = gr.Slider(64, 2048, 512, step=32, label="Height")
            with gr.Row():
                go = gr.Button("Grow", variant="primary", size="lg", elem_id="grow")
                stop = gr.Button("Stop and keep the result", interactive=False)
            with gr.Accordion("Numbers, seed", open=False):
                settings = gr.Textbox(label="Hyperparameters of the method", placeholder="steps=50")
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**53)
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            shown = gr.Image(
                type="filepath",
                label="Texture",
                interactive=False,
                height=560,
                buttons=["fullscreen"],
                elem_id="texture-result",
                elem_classes="result-view",
            )
            line = gr.HTML(
                status("Choose a texture, and press Grow."),
                elem_id="texture-status",
                elem_classes="status",
            )
            file = gr.DownloadButton("Download in full size", interactive=False)

    def watching() -> Any:
        """Return a function that converts reports to the outputs of the page."""
        keep = studio.previews("preview.jpg")

        def show(report: Report) -> Any:
            view = gr.skip() if report.preview is None else keep(report.preview)
            return view, status(report.text, report.fraction), gr.skip(), gr.skip()

        return show

    def grow(
        chosen: str | None,
        path: str | None,
        named: str | None,
        wide: float,
        high: float,
        numbers: str,
        start: float,
        request: gr.Request,
    ) -> Iterator[Any]:
        """Synthesize, and show the progress."""
        try:
            source = Path(path) if path else chosen
            if not source:
                raise InputError("no texture: choose one, or drop a picture")
            yield gr.skip(), status("waiting", 0.0), gr.skip(), gr.Button(interactive=True)
            owner = owner_of(request, "texture")
            done = yield from studio.work(
                owner,
                lambda cache, callback: jobs.texture(
                    source,
                    studio.limits,
                    cache,
                    callback,
                    method=named,
                    settings=numbers,
                    width=int(wide),
                    height=int(high),
                    seed=int(start),
                ),
                watching(),
            )
            made = done.result
            full = studio.save_image(owner, made, "texture.png")
            small = studio.save_image(owner, made, "texture.webp", small=True)
            said = finished_status(done, made.size, made.note)
            button = gr.DownloadButton(value=str(full), interactive=True)
            yield str(small), said, button, gr.Button(interactive=False)
        except Exception as error:
            yield gr.skip(), show_error(error), gr.skip(), gr.Button(interactive=False)

    def halt(request: gr.Request) -> str:
        """Stop after the current step."""
        there = studio.queue.stop(owner_of(request, "texture"))
        return status("stopping after this step" if there else "nothing is being made")

    go.click(
        grow,
        [name, own, method, width, height, settings, seed],
        [shown, line, file, stop],
        api_visibility="private",
        **studio.job_event_options,
    )
    stop.click(halt, None, line, queue=False, show_progress="hidden", api_visibility="private")
