"""Build the tab that stylizes a photo."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.options import COLORS
from impasto.api.presets import QUALITIES
from impasto.core.schemes import SAMPLE
from impasto.methods.spec import Ability
from impasto.studio import jobs, options, strokes, widgets
from impasto.studio.files import BRUSH
from impasto.studio.history_events import History
from impasto.studio.job_events import QUICK, job_buttons
from impasto.studio.limits import PAINTINGS
from impasto.studio.stylize_events import FINDS, HINT, StylizeEvents
from impasto.studio.widgets import IMAGE_SUFFIXES, Studio

_COLORS = {
    "style": "the painting's",
    "luminance": "the photo's: only light and dark are painted",
    "match": "the photo's: the painting is recoloured first",
}
# on a phone the result is far below the button, so the page scrolls to it
_SCROLL_TO_RESULT = """(...inputs) => {
  if (innerWidth < 700) document.getElementById("result")?.scrollIntoView({block: "center"});
  return inputs;
}"""
_SIZES = (
    ("automatic", jobs.AUTO),
    *((f"{side} pixels", str(side)) for side in (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)),
    ("as large as the photo", jobs.FULL),
)


def tab(
    studio: Studio, thumbnails: Sequence[tuple[str, str]], example: tuple[str, str] | None
) -> None:
    """Build the tab.

    Args:
        studio: Shared state.
        thumbnails: Of the styles in the gallery, as files with captions.
        example: Files of a photo before and after stylizing, shown at first.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            photo = widgets.photo("Photo", height=200, elem_id="photo")
            gallery, names, own, blend, weights = _paintings(thumbnails)
            quality, size = _quality_and_size()
            go, stop = job_buttons("Paint", "paint", stop_id="stop")
            method, settings, *controls = _controls()
            controls = [method, settings, size, *controls]
            editor, finders = _part_to_paint()
        with gr.Column(scale=3, min_width=300, elem_classes="result"):
            shown, reach = _before_and_after(example), _position()
            line = widgets.status_line(f"{HINT}{studio.limits.describe()}", "status")
            reach.render()  # type: ignore[no-untyped-call]
            file = gr.DownloadButton("Download", interactive=False, elem_id="download")
            past = History.build(studio)

    events = StylizeEvents(studio, go, stop, line, shown, file, past.latest)
    looking: dict[str, Any] = {"concurrency_id": "look", "concurrency_limit": 1, **QUICK}
    photo.input(events.load_photo, photo, [photo, editor, line], **looking)
    for what, finder in finders.items():
        finder.click(events.finder(what), photo, [editor, line], **looking)
    # the handle on the image has no keyboard control; this slider has
    reach.input(lambda at: gr.ImageSlider(slider_position=at), reach, shown, queue=False, **QUICK)
    gallery.select(_toggle_style, names, names, queue=False, **QUICK)
    gr.on([names.change, own.change], _weight_sliders, [names, own], weights, queue=False, **QUICK)
    names.change(_blending, names, blend, queue=False, **QUICK)
    inputs = [photo, names, own, editor, quality, *controls, *weights]
    started = events.connect(inputs, [shown, file, past.latest], js=_SCROLL_TO_RESULT)
    past.connect(started, [shown, file, line], [names, quality, *controls, *weights])


def _paintings(
    thumbnails: Sequence[tuple[str, str]],
) -> tuple[gr.Gallery, gr.Dropdown, gr.File, gr.HTML, list[gr.Slider]]:
    """Build the gallery, and the inputs for styles: names, files, a remark on both, weights."""
    gr.HTML("<h2>Paintings</h2>", elem_classes="heading")
    gallery = gr.Gallery(
        list(thumbnails),
        label="Paintings: press one to select it, again to deselect it",
        show_label=False,
        columns=4,
        height=230,
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="styles",
        elem_classes="gallery-of-styles",
    )
    names = gr.Dropdown(
        [(one.label, one.name) for one in options.styles()],
        value=[],
        multiselect=True,
        max_choices=PAINTINGS,
        label="Chosen",
        info="press the pictures above, or search here",
        elem_id="names",
    )
    blend = gr.HTML("", elem_id="blend")
    own = gr.File(
        label="Your own paintings",
        file_count="multiple",
        file_types=IMAGE_SUFFIXES,
        height=112,
        elem_id="own",
    )
    weights = [
        gr.Slider(0, 1, 1, step=0.05, label=f"Weight {n + 1}", visible=False)
        for n in range(PAINTINGS)
    ]
    return gallery, names, own, blend, weights


def _quality_and_size() -> tuple[gr.Radio, gr.Dropdown]:
    """Build the controls of quality and size."""
    quality = gr.Radio(
        [(name.capitalize(), name) for name in QUALITIES],
        value="fast",
        label="Quality",
        info=_quality_times(),
        elem_id="quality",
    )
    size = gr.Dropdown(list(_SIZES), value=jobs.AUTO, label="Size: the long edge", elem_id="size")
    return quality, size


def _part_to_paint() -> tuple[gr.ImageEditor, dict[str, gr.Button]]:
    """Build the brush editor, and the buttons that find a part of the photo, by its name."""
    with gr.Accordion("Paint only a part", open=False, elem_id="part"):
        gr.Markdown(
            "Brush over the photo where the painting goes; of two paintings, where the first one "
            "goes. Or let it be found, and mend it:"
        )
        with gr.Row():
            finders = {
                what: gr.Button(what.capitalize(), size="sm", min_width=80) for what in FINDS
            }
        editor = gr.ImageEditor(
            type="pil",
            label="Where to paint",
            sources=[],
            transforms=[],
            layers=False,
            buttons=[],
            brush=gr.Brush(default_size=40, colors=[BRUSH], color_mode="fixed"),
            height=340,
            elem_id="mask",
        )
        strokes.limit_strokes(editor)
    return editor, finders


def _before_and_after(example: tuple[str, str] | None) -> gr.ImageSlider:
    """Build the component that shows the photo and the result."""
    return gr.ImageSlider(
        example,
        type="filepath",
        label="Before and after",
        show_label=False,
        interactive=False,
        max_height=720,
        buttons=["fullscreen"],
        elem_id="result",
        elem_classes="result-view",
    )


def _position() -> gr.Slider:
    """Build the slider that moves the handle of the result, which is not placed yet."""
    return gr.Slider(
        *(0, 100, 50),
        step=1,
        label="Position between before and after",
        buttons=[],
        elem_id="reach",
        render=False,
    )


def _controls() -> list[Any]:
    """Build the controls that are seldom changed, in the order of the arguments of the job."""
    with gr.Accordion("Strength, colours, method", open=False, elem_id="more"):
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 is the photo")
        scale = gr.Slider(0.25, 4, 1, step=0.05, label="Style scale", info="2 is larger strokes")
        colors = gr.Radio(
            [(_COLORS.get(name, name), name) for name in COLORS], value="style", label="Colours"
        )
        method = widgets.method_input(
            "that of the quality", Ability.STYLIZE, "for paintings that no network has learned"
        )
        settings = gr.Textbox(
            label="Hyperparameters of the method",
            placeholder="steps=50; content_weight=20",
            info="NAME=VALUE, as in the method's page of the documentation",
        )
        histogram = gr.Checkbox(label="Take the painting's histogram at the end")
        median = gr.Checkbox(label="3×3 median at the end, against specks")
        seed = widgets.seed_input()
    return [method, settings, strength, scale, colors, seed, histogram, median]


def _quality_times() -> str:
    """Return a short text with the time that each quality takes."""
    takes = (f"{name} {one.about.rpartition(': ')[2]}" for name, one in QUALITIES.items())
    return f"{', '.join(takes)}; a style that a network has learned is always fast"


def _toggle_style(names: list[str], event: gr.SelectData) -> list[str]:
    """Select a style, or deselect it."""
    choices = options.gallery()
    index = event.index if isinstance(event.index, int) else -1
    if not 0 <= index < len(choices):
        return names
    name = choices[index].name
    if name in names:
        return [one for one in names if one != name]
    return [*names, name][-PAINTINGS:]


def _blending(names: list[str] | None) -> str:
    """Return HTML that greys the pictures of styles that do not blend with the chosen ones."""
    networks = {one.name: one.network for one in options.styles()}
    known = [name for name in names or () if name in networks]
    if not known or len({networks[name] for name in known}) > 1:
        return ""
    network = networks[known[0]]
    others = [n for n, one in enumerate(options.gallery(), start=1) if one.network != network]
    grey = ", ".join(f"#styles .grid-container > :nth-child({n})" for n in others)
    rule = f"<style>{grey} {{ opacity: .35; }}</style>" if others else ""
    return (
        f"{rule}<p>The grey ones do not blend with {escape(known[0].removeprefix(SAMPLE))}: such a "
        "pair takes a brushed part, see <em>Paint only a part</em>.</p>"
    )


def _weight_sliders(names: list[str] | None, files: list[str] | None) -> list[Any]:
    """Return a weight slider for each style image, if there are several."""
    labels = [str(name).removeprefix(SAMPLE) for name in names or ()]
    labels += [Path(str(one)).name for one in files or ()]
    several = len(labels) > 1
    return [
        gr.Slider(visible=several, label=f"Weight of {labels[n][:40]}")
        if n < len(labels)
        else gr.Slider(visible=False, value=1)
        for n in range(PAINTINGS)
    ]
