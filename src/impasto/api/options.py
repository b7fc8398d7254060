"""The options of painting as dataclasses, with defaults and help texts.

The options of the command line, of batch jobs and of the studio are derived from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from impasto.errors import InputError, check_choice, check_range
from impasto.methods.registry import list_methods

COLORS = ("style", "luminance", "match")
STROKES = ("relative", "absolute")
PARTS = ("person", "background")
KEPT = ("face",)
REGIONS = 8  # at most
SHIFTS = (1, 2, 4, 8, 16)  # see impasto.api.cycle_spinning
LARGEST = 16384  # pixels; the methods need too much memory for larger images


def described(default: Any, help: str, *names: str, **more: Any) -> Any:
    """Make a field of a dataclass that the command line shows as an option.

    Args:
        default: Default value of the field, or a class whose instances are.
        help: The help text.
        names: Names of the option, such as ``--method`` and ``-m``; by default the field's.
        more: Further arguments of ``typer.Option``: ``metavar``, ``show_default``, ``min``,
            ``max``.
    """
    metadata = {"names": names, "help": help, **more}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def check_side(name: str, side: int) -> None:
    """Check that a side in pixels is in range.

    Args:
        name: Name of the argument for the message.
        side: In pixels.

    Raises:
        InputError: It is not in the range.
    """
    if not 1 <= side <= LARGEST:
        raise InputError(f"{name} is {side}: it must be 1 to {LARGEST} pixels")


@dataclass(frozen=True, kw_only=True)
class Controls:
    """The controls that all methods have in common.

    Attributes:
        size: Long edge of the result in pixels; None is the content image's own, or the method's
            default if that is smaller.
        style_scale: Factor on the size of the strokes, above 0 and at most 8.
        strokes: ``relative``: the strokes grow with the image, so that it looks the same at every
            size; ``absolute``: they have the size in pixels that the network has learned.
        colors: ``style`` takes the colours of the style image. ``luminance`` keeps the colours of
            the content image, and paints its lightness only. ``match`` recolours the style image
            with the colours of the content image first.
        strength: Weight of the result against the content image, in [0, 1].
        only: ``person`` paints people only, ``background`` all but people; None is everything.
            People are found by their faces, see :mod:`impasto.api.people`.
        keep: ``face`` leaves faces as they are in the photo.
        regions: Divide the photo into so many regions, each with its own style, see
            :func:`impasto.api.areas.divided`; None is no division.
        lighting: How much of the content image's light and shade the result keeps, in [0, 1], see
            :func:`impasto.image.lighting.keep_lighting`; None is 0.6 for the qualities, else 0,
            and 0 for frames of a video, and where the result tiles.
        chroma: How closely the result takes the chroma of the style image, in [0, 1], see
            :func:`impasto.image.color_transfer.match_chroma`; only for a single style image whose
            colours are kept, without masks. None is 1 for the quality ``fast``, else 0, and 0 for
            frames of a video.
        sharpen: Amount of :func:`impasto.image.filters.sharpen`; None is 1 where the
            results for several shifts are averaged, which blurs them, and for the qualities
            ``good`` and ``best``; else, and where the result tiles, 0.
        kuwahara: How much to smooth plain parts of the content image into strokes, in [0, 1], see
            :func:`impasto.image.kuwahara.smooth_plain`; None is as for ``sharpen``.
        match_histogram: Give the result the colour histogram of the (first) style image at the end.
        median: Apply a 3x3 median filter at the end, against specks.
        shifts: Number of shifted content images whose results by a network are averaged, which
            removes the network's lattice: 1, 2, 4, 8 or 16, see :mod:`impasto.api.cycle_spinning`.
            None is the method's number up to a megapixel, 4 up to four megapixels, then 1; and
            1 for frames of a video. 1 is a single pass at the content image's size: small images
            are not painted larger, and the quality ``fast`` takes one network, not two.
        seamless: Let the result tile, for a content image that tiles, see
            :mod:`impasto.api.tiling`.
        seed: Of all random numbers, also of the noise that networks get
            (:mod:`impasto.image.dither`).
    """

    size: int | None = described(
        None,
        "Long edge of the result.",
        show_default="the photo's, as memory allows; 512 at most for methods that optimize",
    )
    style_scale: float = described(1.0, "Stroke size: 2 is twice as large.")
    strokes: str = described("relative", "relative to the image, or absolute in pixels.")
    colors: str = described("style", "style, or keep the photo's: luminance, match.")
    strength: float = described(1.0, "1 is the full style, 0 the photo.")
    only: str | None = described(
        None, "Paint only this: person or background.", show_default="everything"
    )
    keep: str | None = described(None, "Leave this as it is: face.", show_default="nothing")
    regions: int | None = described(
        None,
        "Divide the photo into so many regions, matched with regions of one painting or with as "
        "many styles.",
        min=2,
        max=REGIONS,
        show_default="not divided",
    )
    lighting: float | None = described(
        None,
        "How much of the photo's light and shade to keep, 0 to 1.",
        show_default="0.6 where --quality chooses the method; 0 for others and for videos",
    )
    chroma: float | None = described(
        None,
        "How closely to take the painting's chroma at the end, 0 to 1.",
        show_default="1 for fast; 0 for others and for videos",
    )
    sharpen: float | None = described(
        None,
        "How much to sharpen, without halos.",
        min=0,
        max=4,
        show_default="1 for the mean over several shifts, for good and best, else 0",
    )
    kuwahara: float | None = described(
        None,
        "How much to smooth plain parts of the photo into strokes, by a Kuwahara filter, 0 to 1.",
        show_default="1 for the mean over several shifts, for good and best, else 0",
    )
    match_histogram: bool = described(
        False, "Take the style's histogram at the end.", "--match-histogram"
    )
    median: bool = described(False, "3x3 median at the end, against specks.", "--median")
    shifts: int | None = described(
        None,
        "Shifts of the photo over which a network's results are averaged, against its lattice: "
        "1, 2, 4, 8, 16.",
        show_default="8; 4 for adain and wct; half of that for each of two networks; fewer above "
        "a megapixel; 1 for videos",
    )
    seamless: bool = described(
        False, "For a photo that tiles: let the result tile, too.", "--seamless"
    )
    seed: int = described(0, "Seed of everything random.", min=0, max=2**63 - 1)

    def __post_init__(self) -> None:
        """Raise :class:`InputError` for values out of range."""
        if self.size is not None:
            check_side("size", self.size)
        if not 0 < self.style_scale <= 8:
            raise InputError(f"style scale is {self.style_scale}: it must be above 0, at most 8")
        check_range(0, 1, strength=self.strength)
        check_range(0, 1, lighting=self.lighting or 0.0, chroma=self.chroma or 0.0)
        check_range(0, 1, kuwahara=self.kuwahara or 0.0)
        check_range(0, 4, sharpen=self.sharpen or 0.0)
        check_range(2, REGIONS, regions=2 if self.regions is None else self.regions)
        if self.shifts is not None and self.shifts not in SHIFTS:
            known = ", ".join(map(str, SHIFTS))
            raise InputError(f"shifts is {self.shifts}: choose {known}")
        check_choice("colors", self.colors, COLORS)
        check_choice("strokes", self.strokes, STROKES)
        if self.only is not None:
            check_choice("only", self.only, PARTS)
        if self.keep is not None:
            check_choice("keep", self.keep, KEPT)


def merge_controls(controls: Controls | None, options: Mapping[str, Any]) -> Controls:
    """Return the controls, or the default ones, with some of their fields changed.

    Args:
        controls: None is the default.
        options: New values by the names of the fields.

    Raises:
        InputError: An option is no field of :class:`Controls`; the message says if it is a setting
            of a method.
    """
    known = Controls.__dataclass_fields__
    for name, value in options.items():
        if name in known:
            continue
        if any(name in entry.build.Config.__dataclass_fields__ for entry in list_methods()):
            raise InputError(
                f"{name} is a setting of a method: give settings={{{json.dumps(name)}: {value!r}}}"
            )
        raise InputError(f"unknown option {name}: there are {', '.join(known)}")
    return replace(controls or Controls(), **options)


@dataclass(frozen=True, kw_only=True)
class StylizeOptions:
    """The options of :func:`impasto.stylize` apart from the images.

    Attributes:
        method: Name of a method, as for :func:`impasto.stylize`.
        quality: As for :func:`impasto.stylize`.
        preset: ``default``, ``paper`` or ``authors``.
        settings: Hyperparameters of the method to change, by name.
        controls: The controls.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
        memory: See :class:`impasto.core.device.Runtime`.
        runtime: See :func:`impasto.get_method`.
    """

    method: str | None = described(
        None, "See 'impasto methods'.", "--method", "-m", show_default="that of --quality"
    )
    quality: str | None = described(
        None,
        "fast (seconds), good or best (minutes), for a painting and no --method.",
        show_default="fast; best with --steps or --set",
    )
    preset: str = described("default", "Hyperparameters to start from: default, paper or authors.")
    settings: Mapping[str, Any] = described(
        dict, "Change a hyperparameter of the method; repeatable.", "--set", metavar="NAME=VALUE"
    )
    controls: Controls = field(default_factory=Controls)
    device: str = described("auto", "auto, cpu, cuda, cuda:1, mps.")
    precision: str = described("auto", "auto, float32 or bfloat16; losses are float32 in any case.")
    memory: int | None = described(
        None,
        "Above it, work in strips or tiles.",
        metavar="4G",
        show_default="half of what is free",
    )
    runtime: str = described(
        "torch",
        "Of a trained network: torch, onnxruntime, openvino; or auto, the fastest of them here.",
    )

    def arguments(self, *without: str) -> dict[str, Any]:
        """Return the options by name, as :func:`impasto.stylize` takes them.

        Args:
            without: Names to leave out.
        """
        names = [one.name for one in fields(StylizeOptions) if one.name not in without]
        return {name: getattr(self, name) for name in names}
