"""Build the tab that synthesizes a texture."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import InputError
from impasto.methods.spec import Ability
from impasto.studio import jobs, options, widgets
from impasto.studio.job_events import JobEvents, Updates, job_buttons
from impasto.studio.widgets import JobOwner, Studio, finished_status


def tab(studio: Studio) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            inputs, go, stop = _inputs()
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            shown = widgets.result_image("Texture", "texture-result")
            line = widgets.status_line("Choose a texture, and press Grow.", "texture-status")
            file = gr.DownloadButton("Download", interactive=False)
    events = _TextureEvents(studio, go, stop, line, shown, file)
    events.connect(inputs, [shown, file])


def _inputs() -> tuple[list[Any], gr.Button, gr.Button]:
    """Build the inputs, in the order of the job's arguments, and the buttons."""
    name = gr.Dropdown(
        [(one.label, one.name) for one in options.textures()],
        value=options.textures()[0].name,
        label="Texture",
        elem_id="texture-name",
    )
    own = widgets.photo("Or a picture of yours", height=180, elem_id="texture-own")
    method = widgets.method_input(
        "the usual one",
        Ability.SYNTHESIZE,
        "a texture that a network has learned is made by that network",
    )
    with gr.Row():
        width = gr.Slider(64, 2048, 512, step=32, label="Width")
        height = gr.Slider(64, 2048, 512, step=32, label="Height")
    go, stop = job_buttons("Grow", "grow")
    with gr.Accordion("Numbers, seed", open=False):
        settings = gr.Textbox(label="Hyperparameters of the method", placeholder="steps=50")
        seed = widgets.seed_input()
    return [name, own, method, width, height, settings, seed], go, stop


@dataclass(frozen=True, eq=False)
class _TextureEvents(JobEvents):
    """Handle the events of the tab."""

    shown: gr.Image
    file: gr.DownloadButton

    tab = "texture"
    stopping = "stopping after this step"
    idle = "nothing is being made"

    def work(
        self,
        owner: JobOwner,
        chosen: str | None,
        path: str | None,
        method: str | None,
        width: float,
        height: float,
        settings: str,
        seed: float,
    ) -> Generator[Updates, None, Updates]:
        """Synthesize, and show the progress."""
        source = Path(path) if path else chosen
        if not source:
            raise InputError("no texture: choose one, or drop a picture")
        done = yield from self.run(
            owner,
            lambda cache, callback: jobs.texture(
                source,
                self.studio.limits,
                cache,
                callback,
                method=method,
                settings=settings,
                width=int(width),
                height=int(height),
                seed=int(seed),
            ),
            self.show_previews(self.shown, "preview.jpg"),
        )
        made = done.result
        full = self.studio.save_image(owner, made, "texture.png")
        small = self.studio.save_image(owner, made, "texture.webp", small=True)
        return {
            self.shown: str(small),
            self.line: finished_status(done, made.size, made.note),
            self.file: widgets.download(full, made.size),
        }
