"""Build the tab that stylizes a photo by every method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.presets import QUALITIES
from impasto.errors import InputError
from impasto.image import files
from impasto.studio import files as shelf
from impasto.studio import jobs, options, widgets
from impasto.studio.limits import optimizes
from impasto.studio.widgets import Studio, finished_status, owner_of, show_error, status


def tab(studio: Studio) -> None:
    """Build the tab."""
    drawn = [one for one in options.styles() if not one.learned]
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            photo = widgets.photo("Photo", height=180, elem_id="compare-photo")
            painting = widgets.photo("Painting", height=180, elem_id="compare-painting")
            name = gr.Dropdown(
                [("the painting above", ""), *((one.label, one.name) for one in drawn)],
                value="",
                label="Or one of these",
            )
            methods = gr.CheckboxGroup(
                [(entry.name, entry.name) for entry in options.image_style_methods()],
                value=[e.name for e in options.image_style_methods() if not optimizes(e.name)],
                label="Methods",
                elem_id="compare-methods",
            )
            quality = gr.Radio(
                list(QUALITIES), value="good", label="What methods that optimise may take"
            )
            size = gr.Slider(
                128, 1024, 384, step=64, label="Size: the long edge", elem_id="compare-size"
            )
            with gr.Row():
                go = gr.Button("Compare", variant="primary", size="lg", elem_id="compare")
                stop = gr.Button("Stop and keep the result", interactive=False)
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            sheet = gr.Image(
                type="filepath",
                label="Side by side",
                interactive=False,
                height=560,
                buttons=["fullscreen"],
                elem_id="sheet",
                elem_classes="result-view",
            )
            line = gr.HTML(
                status("Drop a photo and a painting, and press Compare."),
                elem_id="compare-status",
                elem_classes="status",
            )
            with gr.Row():
                picture = gr.DownloadButton("Download the sheet", interactive=False)
                page = gr.DownloadButton("Download the page with sliders", interactive=False)

    def work(
        path: str | None,
        style: str | None,
        chosen: str | None,
        named: list[str],
        effort: str,
        side: float,
        request: gr.Request,
    ) -> Iterator[Any]:
        """Compare the methods, and show the progress."""
        start = (gr.skip(), status("waiting", 0.0), gr.skip(), gr.skip(), gr.skip())
        try:
            source = chosen or (Path(style) if style else None)
            if not path or not source:
                raise InputError("a comparison takes a photo and a painting: drop both")
            if not named:
                raise InputError("no methods are named: choose at least one")
            yield *start[:-1], gr.Button(interactive=True)
            owner = owner_of(request, "compare")
            done = yield from studio.work(
                owner,
                lambda _, callback: jobs.compare_methods(
                    Path(path),
                    source,
                    named,
                    studio.limits,
                    callback,
                    quality=effort,
                    size=int(side),
                ),
                lambda report: (gr.skip(), status(report.text, report.fraction), *start[2:]),
            )
            found = done.result
            drawn_sheet = found.sheet()
            full = studio.save_image(owner, drawn_sheet, "comparison.png")
            html = shelf.random_folder(studio.folder) / "comparison.html"
            files.write(found.page().encode(), html)
            studio.disk.count(owner.client, html)
            failed = "; ".join(f"{one.method}: {one.error}" for one in found.numbers.failures)
            yield (
                str(full),
                finished_status(done, drawn_sheet.size, failed and f"Failed: {failed}"),
                gr.DownloadButton(value=str(full), interactive=True),
                gr.DownloadButton(value=str(html), interactive=True),
                gr.Button(interactive=False),
            )
        except Exception as error:
            yield gr.skip(), show_error(error), gr.skip(), gr.skip(), gr.Button(interactive=False)

    def halt(request: gr.Request) -> str:
        """Stop after the current image."""
        there = studio.queue.stop(owner_of(request, "compare"))
        return status("stopping" if there else "nothing is being compared")

    go.click(
        work,
        [photo, painting, name, methods, quality, size],
        [sheet, line, picture, page, stop],
        api_visibility="private",
        **studio.job_event_options,
    )
    stop.click(halt, None, line, queue=False, show_progress="hidden", api_visibility="private")
