"""Define the named API endpoints, which programs call through ``gradio_client``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.controls import Controls
from impasto.api.presets import QUALITIES
from impasto.errors import InputError
from impasto.image import Image
from impasto.studio import jobs, options
from impasto.studio.job_queue import Report
from impasto.studio.stylize_events import make_request
from impasto.studio.widgets import Studio, owner_of


def add(studio: Studio) -> None:
    """Add the endpoints to the page that is being built, without visible components."""
    with gr.Column(visible=False):
        photo = gr.File(label="photo")
        names = gr.JSON(label="styles", value=[])
        paintings = gr.File(label="paintings", file_count="multiple")
        weights = gr.JSON(label="weights", value=None)
        mask = gr.File(label="mask")
        quality = gr.Textbox("fast", label="quality")
        method = gr.Textbox("", label="method")
        settings = gr.Textbox("", label="settings")
        size = gr.Textbox(jobs.AUTO, label="size")
        strength = gr.Number(1, label="strength")
        scale = gr.Number(1, label="style_scale")
        colors = gr.Textbox("style", label="colors")
        seed = gr.Number(0, label="seed")
        result = gr.File(label="picture")
        words = gr.Textbox(label="status")
        table = gr.JSON(label="table")
        name = gr.Textbox("bricks", label="texture")
        sample = gr.File(label="sample")
        width = gr.Number(512, label="width")
        height = gr.Number(512, label="height")
        calls = [gr.Button() for _ in range(3)]
    does = Endpoints(studio)
    asked = [photo, names, paintings, weights, mask, quality, method, settings, size]
    calls[0].click(
        does.stylize,
        [*asked, strength, scale, colors, seed],
        [result, words],
        api_name="stylize",
        **studio.job_event_options,
    )
    calls[1].click(
        does.texture,
        [name, sample, method, settings, width, height, seed],
        [result, words],
        api_name="texture",
        **studio.job_event_options,
    )
    calls[2].click(does.styles, None, table, api_name="styles", show_progress="hidden")


class Endpoints:
    """The functions of the endpoints; anyone may call them, so arguments may have any type."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def stylize(
        self,
        photo: Any,
        styles: Any = None,
        paintings: Any = None,
        weights: Any = None,
        mask: Any = None,
        quality: Any = "fast",
        method: Any = "",
        settings: Any = "",
        size: Any = jobs.AUTO,
        strength: Any = 1,
        style_scale: Any = 1,
        colors: Any = "style",
        seed: Any = 0,
        request: gr.Request | None = None,
    ) -> Iterator[Any]:
        """Stylize a photo; yields progress reports, then the result's file and a line of text.

        Args:
            photo: An image file.
            styles: A list of names that /styles lists.
            paintings: A list of image files, after the names.
            weights: A list with a number for each style.
            mask: An image file, white where the first style goes.
            quality: fast, good or best.
            method: A method of /styles, instead of a quality.
            settings: NAME=VALUE of the method, separated by semicolons.
            size: Long edge in pixels; auto, or full for the photo's own.
            strength: 1 is the full style, 0 the photo.
            style_scale: 2 is strokes twice as large.
            colors: style, luminance or match.
            seed: Seed of all random numbers.
            request: The request, which identifies the client.
        """
        limits, owner = self._studio.limits, owner_of(request, "api")
        wanted = make_request(
            photo,
            _list(styles, "styles"),
            paintings,
            [_number(one, "weight") for one in _list(weights, "weights")],
            mask=self._mask(mask),
            quality=_text(quality),
            method=_text(method),
            settings=_text(settings),
            size=_text(size) or jobs.AUTO,
            controls=Controls(
                strength=_number(strength, "strength"),
                style_scale=_number(style_scale, "style scale"),
                colors=_text(colors),
                seed=_whole(seed, "seed"),
            ),
        )
        done = yield from self._studio.work(
            owner,
            lambda cache, callback: jobs.stylize(wanted, limits, cache, callback),
            _show_text,
        )
        painted = done.result
        path = self._studio.save_image(owner, painted.picture, jobs.result_name(wanted))
        outcome = "stopped" if done.stopped else "done"
        yield str(path), f"{outcome} in {done.seconds:.1f} s. {painted.note}".strip()

    def texture(
        self,
        name: Any = "bricks",
        sample: Any = None,
        method: Any = "",
        settings: Any = "",
        width: Any = 512,
        height: Any = 512,
        seed: Any = 0,
        request: gr.Request | None = None,
    ) -> Iterator[Any]:
        """Synthesize a texture; yields progress reports, then the result's file and a line of text.

        Args:
            name: A texture that /styles lists.
            sample: An image file instead.
            method: A method that synthesizes.
            settings: NAME=VALUE of the method, separated by semicolons.
            width: Width of the result in pixels.
            height: Height of the result in pixels.
            seed: Seed of all random numbers.
            request: The request, which identifies the client.
        """
        source = Path(sample) if sample else _text(name)
        sides = {"width": _whole(width, "width"), "height": _whole(height, "height")}
        how: dict[str, Any] = {"method": _text(method), "settings": _text(settings)}
        how |= {"seed": _whole(seed, "seed"), **sides}
        owner, limits = owner_of(request, "api-texture"), self._studio.limits
        done = yield from self._studio.work(
            owner,
            lambda cache, callback: jobs.texture(source, limits, cache, callback, **how),
            _show_text,
        )
        path = self._studio.save_image(owner, done.result, "texture.png")
        yield str(path), f"done in {done.seconds:.1f} s"

    def _mask(self, path: Any) -> Image | None:
        if path is None:
            return None
        marked = self._studio.limits.picture(path)
        return Image(marked.rgb, marked.alpha)

    def styles(self) -> dict[str, Any]:
        """List styles, textures, methods and qualities, by name."""
        return {
            "styles": {one.name: one.title for one in options.styles()},
            "textures": {one.name: one.title for one in options.textures()},
            "methods": {entry.name: entry.summary for entry in options.image_style_methods()},
            "qualities": {name: one.about for name, one in QUALITIES.items()},
        }


def _show_text(report: Report) -> tuple[None, str]:
    return None, report.text


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{what} is a list, not {type(value).__name__}")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{what} is a number, not {type(value).__name__}")
    return value


def _whole(value: Any, what: str) -> int:
    number = _number(value, what)
    if not 0 <= number < 2**63:
        raise InputError(f"{what} is {number}: it must be a whole number from 0 on")
    return int(number)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
