"""The tab that paints a photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from impasto import image
from impasto.controls import COLORS, Controls
from impasto.errors import InputError
from impasto.quality import QUALITIES
from impasto.sources import SAMPLE, fit
from impasto.studio import choices, jobs, parts
from impasto.studio.desk import Done
from impasto.studio.jobs import Order
from impasto.studio.limits import PAINTINGS, told
from impasto.studio.parts import (
    PICTURES,
    Studio,
    finished,
    status,
    whose,
    words_of,
)

_COLORS = {
    "style": "the painting's",
    "luminance": "the photo's: only light and dark are painted",
    "match": "the photo's, given to the painting first",
}
_SIZES = (
    ("automatic", jobs.AUTO),
    *((f"{side} pixels", str(side)) for side in (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)),
    ("as large as the photo", jobs.FULL),
)


def tab(studio: Studio, thumbnails: Sequence[tuple[str, str]]) -> None:
    """Build the tab.

    Args:
        studio: What it works with.
        thumbnails: Of the styles on offer, as files with captions.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            photo = parts.photo("Photo", height=230, elem_id="photo")
            gallery = gr.Gallery(
                list(thumbnails),
                label="Paintings: click to take one or leave it",
                columns=4,
                height=250,
                object_fit="cover",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="styles",
                elem_classes="gallery-of-styles",
            )
            names = gr.Dropdown(
                [(one.label, one.name) for one in choices.styles()],
                value=[],
                multiselect=True,
                max_choices=PAINTINGS,
                label="Chosen paintings",
                elem_id="names",
            )
            own = gr.File(
                label="Your own paintings",
                file_count="multiple",
                file_types=PICTURES,
                height=110,
                elem_id="own",
            )
            weights = [
                gr.Slider(0, 1, 1, step=0.05, label=f"Weight {n + 1}", visible=False)
                for n in range(PAINTINGS)
            ]
            quality = gr.Radio(
                [(name.capitalize(), name) for name in QUALITIES],
                value="fast",
                label="Quality of a painting that no network knows by heart",
                info="; ".join(f"{name}: {one.about}" for name, one in QUALITIES.items()),
                elem_id="quality",
            )
            with gr.Row():
                go = gr.Button("Paint", variant="primary", size="lg", elem_id="paint")
                stop = gr.Button("Stop, and keep it", interactive=False, elem_id="stop")
            asked = _controls()
            with gr.Accordion("Paint only a part", open=False, elem_id="part"):
                gr.Markdown(
                    "Brush over the photo where the painting goes; of two paintings, where the "
                    "first one goes."
                )
                editor = gr.ImageEditor(
                    type="pil",
                    label="Where to paint",
                    sources=[],
                    transforms=[],
                    layers=False,
                    buttons=[],
                    brush=gr.Brush(default_size=40, colors=["#e0561b"], color_mode="fixed"),
                    height=340,
                    elem_id="mask",
                )
        with gr.Column(scale=3, min_width=300):
            shown = gr.ImageSlider(
                type="filepath",
                label="Before and after",
                interactive=False,
                max_height=720,
                height=560,
                buttons=["fullscreen"],
                elem_id="result",
                elem_classes="result-view",
            )
            line = gr.HTML(
                status("Drop a photo, choose a painting, and press Paint."),
                elem_id="status",
                elem_classes="status",
            )
            file = gr.DownloadButton(
                "Download in full size", interactive=False, elem_id="download"
            )

    def look(path: str | None) -> Iterator[Any]:
        """Show a new photo to the brush; refuse a broken one at once."""
        if path is None:
            yield gr.skip(), None, status("Drop a photo, choose a painting, and press Paint.")
            return
        try:
            picture = studio.limits.picture(path)
            small = jobs.keep(jobs.to_brush_on(picture), studio.folder, "photo.png")
        except Exception as error:
            yield None, None, words_of(error)
            raise gr.Error(told(error), duration=None, print_exception=False) from None
        words = f"{picture.width} × {picture.height} pixels"
        said = status(f"{words}. {picture.note}" if picture.note else words)
        yield gr.skip(), {"background": str(small), "layers": [], "composite": None}, said

    def paint(
        path: str | None,
        chosen: list[str],
        files: list[str] | None,
        edited: dict[str, Any] | None,
        wanted: str | None,
        method: str | None,
        settings: str,
        size: str,
        strength: float,
        scale: float,
        colors: str,
        seed: float,
        histogram: bool,
        median: bool,
        request: gr.Request,
        *shares: float,
    ) -> Iterator[Any]:
        """Paint, and show how it comes into being."""
        before = None
        try:
            order = ordered(
                path,
                chosen,
                files,
                shares,
                mask=_mask(edited),
                quality=wanted,
                method=method,
                settings=settings,
                size=size,
                controls=Controls(
                    strength=strength,
                    style_scale=scale,
                    colors=colors,
                    seed=int(seed),
                    match_histogram=histogram,
                    median=median,
                ),
            )
            yield gr.skip(), status("waiting", 0.0), gr.skip(), gr.Button(interactive=True)
            work = studio.work(
                whose(request, "stylize"),
                lambda bench, callback: jobs.stylize(order, studio.limits, bench, callback),
            )
            for news in work:
                if isinstance(news, Done):
                    break
                pair: Any = gr.skip()
                if news.preview is not None:
                    if before is None:
                        photo_now = fit(studio.limits.picture(order.photo), None, 768)
                        before = jobs.keep(photo_now, studio.folder, "before.jpg")
                    after = jobs.keep(news.preview, studio.folder, "preview.jpg")
                    pair = (str(before), str(after))
                yield pair, status(news.words, news.share), gr.skip(), gr.skip()
            painted = news.result
            full = jobs.keep(painted.picture, studio.folder, jobs.name_of(order))
            pair = tuple(
                str(jobs.keep(one, studio.folder, f"{name}.webp", small=True))
                for name, one in (("before", painted.photo), ("after", painted.picture))
            )
            said = finished(news, painted.picture.size, painted.note)
            done = gr.DownloadButton(value=str(full), interactive=True)
            yield pair, said, done, gr.Button(interactive=False)
        except Exception as error:
            yield gr.skip(), words_of(error), gr.skip(), gr.Button(interactive=False)
            raise

    def halt(request: gr.Request) -> str:
        """Stop after this step."""
        there = studio.desk.stop(whose(request, "stylize"))
        return status("stopping after this step" if there else "nothing is being painted")

    quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    photo.change(
        look, photo, [photo, editor, line], concurrency_id="look", concurrency_limit=1, **quick
    )
    gallery.select(_toggle, names, names, queue=False, **quick)
    gr.on([names.change, own.change], _rows, [names, own], weights, queue=False, **quick)
    go.click(
        paint,
        [photo, names, own, editor, quality, *asked, *weights],
        [shown, line, file, stop],
        api_visibility="private",
        **studio.long,
    )
    stop.click(halt, None, line, queue=False, **quick)


def ordered(
    path: str | None,
    chosen: Sequence[str] | None,
    files: Sequence[str] | None,
    shares: Sequence[float] | None,
    **rest: Any,
) -> Order:
    """An order out of what a page or a program sends.

    Raises:
        InputError: There is no photo, or something is of a kind that it cannot be.
    """
    if not path:
        raise InputError("no photo: drop one first")
    names = [str(one) for one in chosen or ()]
    paintings = tuple(Path(one) for one in files or ())
    weights = list(shares or ())[: len(names) + len(paintings)] or None
    return Order(photo=Path(path), names=names, paintings=paintings, weights=weights, **rest)


def _controls() -> list[Any]:
    """What is seldom changed: method, settings, size, and the controls, in the order of Order."""
    with gr.Accordion("Strength, colours, size, method", open=False, elem_id="more"):
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 is the photo")
        scale = gr.Slider(0.25, 4, 1, step=0.05, label="Style scale", info="2 is larger strokes")
        colors = gr.Radio(
            [(_COLORS.get(name, name), name) for name in COLORS], value="style", label="Colours"
        )
        size = gr.Dropdown(list(_SIZES), value=jobs.AUTO, label="Size: the long edge")
        method = gr.Dropdown(
            [("what the quality says", ""), *((e.name, e.name) for e in choices.painters())],
            value="",
            label="Method",
            info="for paintings that no network knows by heart",
        )
        settings = gr.Textbox(
            label="Numbers of the method",
            placeholder="steps=50; content_weight=20",
            info="NAME=VALUE, as in the method's page of the documentation",
        )
        histogram = gr.Checkbox(label="Take the painting's histogram at the end")
        median = gr.Checkbox(label="3×3 median at the end, against specks")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**53)
    return [method, settings, size, strength, scale, colors, seed, histogram, median]


def _toggle(names: list[str], event: gr.SelectData) -> list[str]:
    """Take a style, or leave it."""
    offers = choices.styles()
    index = event.index if isinstance(event.index, int) else -1
    if not 0 <= index < len(offers):
        return names
    name = offers[index].name
    if name in names:
        return [one for one in names if one != name]
    return [*names, name][-PAINTINGS:]


def _rows(names: list[str] | None, files: list[str] | None) -> list[Any]:
    """A slider for each painting, where there are several."""
    words = [str(name).removeprefix(SAMPLE) for name in names or ()]
    words += [Path(str(one)).name for one in files or ()]
    several = len(words) > 1
    return [
        gr.Slider(visible=several, label=f"Weight of {words[n][:40]}")
        if n < len(words)
        else gr.Slider(visible=False, value=1)
        for n in range(PAINTINGS)
    ]


def _mask(edited: dict[str, Any] | None) -> image.Picture | None:
    """What the brush has touched."""
    layers = (edited or {}).get("layers") or ()
    return jobs.brushed([image.Picture.from_pil(layer) for layer in layers])
