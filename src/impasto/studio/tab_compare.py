"""Build the tab that stylizes a photo by every method."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.presets import QUALITIES
from impasto.errors import InputError
from impasto.image import files
from impasto.studio import files as shelf
from impasto.studio import jobs, options, widgets
from impasto.studio.job_events import JobEvents, Updates, job_buttons
from impasto.studio.limits import optimizes
from impasto.studio.widgets import JobOwner, Studio, finished_status


def tab(studio: Studio) -> None:
    """Build the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            inputs = _inputs()
            go, stop = job_buttons("Compare", "compare")
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            sheet = widgets.result_image("Side by side", "sheet")
            line = widgets.status_line(
                "Drop a photo and a painting, and press Compare.", "compare-status"
            )
            with gr.Row():
                picture = gr.DownloadButton("Download the sheet", interactive=False)
                page = gr.DownloadButton("Download the page with sliders", interactive=False)
    events = _CompareEvents(studio, go, stop, line, sheet, picture, page)
    events.connect(inputs, [sheet, picture, page])


def _inputs() -> list[Any]:
    """Build the inputs, in the order of the job's arguments."""
    drawn = [one for one in options.styles() if not one.learned]
    methods = [entry.name for entry in options.image_style_methods()]
    return [
        widgets.photo("Photo", height=180, elem_id="compare-photo"),
        widgets.photo("Painting", height=180, elem_id="compare-painting"),
        gr.Dropdown(
            [("the painting above", ""), *((one.label, one.name) for one in drawn)],
            value="",
            label="Or one of these",
        ),
        gr.CheckboxGroup(
            methods,
            value=[name for name in methods if not optimizes(name)],
            label="Methods",
            elem_id="compare-methods",
        ),
        gr.Radio(list(QUALITIES), value="good", label="What methods that optimise may take"),
        gr.Slider(128, 1024, 384, step=64, label="Size: the long edge", elem_id="compare-size"),
    ]


@dataclass(frozen=True, eq=False)
class _CompareEvents(JobEvents):
    """Handle the events of the tab."""

    sheet: gr.Image
    picture: gr.DownloadButton
    page: gr.DownloadButton

    tab = "compare"
    stopping = "stopping"
    idle = "nothing is being compared"

    def work(
        self,
        owner: JobOwner,
        path: str | None,
        style: str | None,
        chosen: str | None,
        methods: list[str],
        quality: str,
        size: float,
    ) -> Generator[Updates, None, Updates]:
        """Compare the methods, and show the progress."""
        source = chosen or (Path(style) if style else None)
        if not path or not source:
            raise InputError("a comparison takes a photo and a painting: drop both")
        if not methods:
            raise InputError("no methods are named: choose at least one")
        studio = self.studio
        done = yield from self.run(
            owner,
            lambda _, callback: jobs.compare_methods(
                Path(path),
                source,
                methods,
                studio.limits,
                callback,
                quality=quality,
                size=int(size),
            ),
        )
        sheet = done.result.sheet()
        full = studio.save_image(owner, sheet, "comparison.png")
        html = shelf.random_folder(studio.folder) / "comparison.html"
        files.write(done.result.page().encode(), html)
        studio.disk.count(owner.client, html)
        failed = "; ".join(f"{one.method}: {one.error}" for one in done.result.numbers.failures)
        return {
            self.sheet: str(full),
            self.line: finished_status(done, sheet.size, failed and f"Failed: {failed}"),
            self.picture: gr.DownloadButton(value=str(full), interactive=True),
            self.page: gr.DownloadButton(value=str(html), interactive=True),
        }
