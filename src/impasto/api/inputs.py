"""Convert the arguments of users to images and masks: paths, bytes, arrays, sample names."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from impasto import image
from impasto.api.options import LARGEST, check_side
from impasto.core.schemes import FILE, MODEL, SAMPLE
from impasto.errors import InputError
from impasto.image import Image, color_transfer, samples
from impasto.training.sources import Found, find_images, sum_counts

Source = str | os.PathLike[str] | bytes | BinaryIO | Image | Any
Places = str | Path | Sequence[str | Path]  # files, folders or list files of images


def read_image(source: Source) -> Image:
    """Read an image from any source that :func:`impasto.stylize` takes.

    Raises:
        InputError: The source is no image, or cannot be read.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, str) and source.startswith(SAMPLE):
        return samples.load(source.removeprefix(SAMPLE))
    if isinstance(source, str) and source.startswith(MODEL):
        raise InputError(f"{source} is what a model has learned, no image: give a picture file")
    if isinstance(source, str):
        source = source.removeprefix(FILE)
    if isinstance(source, (str, os.PathLike, bytes)) or hasattr(source, "read"):
        return image.load(source)
    other: Any = source
    if hasattr(other, "convert"):  # checked first, since a Pillow image is an array as well
        return Image.from_pil(other)
    if hasattr(other, "__array_interface__"):
        return Image.from_numpy(other)
    raise InputError(f"a {type(source).__name__} is no picture: give a path, an image or an array")


def find_all_images(paths: Places) -> Found:
    """Find the images of files, folders, list files and ``sample:NAME``, in order.

    Returns:
        The images, and the number of files that are no images, by kind.

    Raises:
        InputError: A path does not exist, or has no images.
    """
    found = [
        Found((str(path),), {}) if str(path).startswith(SAMPLE) else find_images(path)
        for path in ([paths] if isinstance(paths, (str, Path)) else paths)
    ]
    if not found:
        raise InputError("no pictures are named: give some files or a folder")
    return Found(
        tuple(chain(*(one.files for one in found))), sum_counts(one.passed for one in found)
    )


def resize_long_edge(
    picture: Image, size: int | None, default: int | None, name: str = "size"
) -> Image:
    """Resize an image to a long edge.

    Args:
        picture: The image.
        size: Long edge in pixels; None is the default.
        default: Largest long edge if there is no size; None is no limit.
        name: Name of the argument for error messages.

    Raises:
        InputError: The size is out of range.
    """
    if size is not None:
        check_side(name, size)
    long_edge = max(picture.size)
    target = size if size is not None else min(long_edge, default or long_edge)
    if target == long_edge:
        return picture
    factor = target / long_edge
    return picture.resized(*(max(1, round(s * factor)) for s in (picture.height, picture.width)))


def with_resize_note(photo: Image, whole: Image, *, asked: bool) -> Image:
    """Add a note to a resized image, unless it was shrunk to a size that the user gave.

    Args:
        photo: The resized image.
        whole: The same before resizing.
        asked: Whether the user gave a size.
    """
    if photo.size == whole.size or (asked and photo.width <= whole.width):
        return photo
    change = "enlarged" if photo.width > whole.width else "shrunk"
    sizes = " to ".join("{}x{}".format(*one.size) for one in (whole, photo))
    text = f"{change} from {sizes} pixels" + ("" if asked else ": give a size for another")
    return replace(photo, note="; ".join(filter(None, (whole.note, text))))


def suggest_size(
    least: int, photo: Image, paintings: Iterable[Image] = (), scale: float = 1.0
) -> str:
    """Return the end of an error message with a ``size`` that is large enough.

    Args:
        least: Least height and width in pixels.
        photo: The content image, at any size.
        paintings: Style images, which are resized as by :func:`resize_to_same_pixels`.
        scale: See :func:`resize_to_same_pixels`.
    """
    narrow = _aspect_ratio(photo)
    long_edges = [least / narrow]
    # half a pixel more, since height and width are rounded before their product is taken
    long_edges += [
        (least + 0.5) / scale / (narrow * _aspect_ratio(one)) ** 0.5 for one in paintings
    ]
    size = math.ceil(max(long_edges))
    return f"`size={size}` is large enough" if size <= LARGEST else "it is too narrow: crop it"


def _aspect_ratio(picture: Image) -> float:
    return min(picture.size) / max(picture.size)


def resize_to_same_pixels(painting: Image, photo: Image, scale: float = 1.0) -> Image:
    """Resize a style image to as many pixels as a content image, times ``scale`` squared."""
    return resize_to_pixels(painting, photo.height * photo.width, scale)


def resize_to_pixels(painting: Image, pixels: float, scale: float = 1.0) -> Image:
    """Resize a style image to ``pixels`` pixels, times ``scale`` squared."""
    factor = (pixels / (painting.height * painting.width)) ** 0.5 * scale
    return painting.resized(*(max(1, round(s * factor)) for s in (painting.height, painting.width)))


def as_list(style: Any) -> list[Any]:
    """Return one style or several as a list.

    Raises:
        InputError: There is none.
    """
    styles = list(style) if isinstance(style, (list, tuple)) else [style]
    if not styles:
        raise InputError("no style given: name at least one painting")
    return styles


def check_weights(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    """Check the weights of ``count`` styles and return them; all are 1 if None is given.

    Raises:
        InputError: They are too few or too many, negative, or all 0.
    """
    if weights is None:
        return [1.0] * count
    if len(weights) != count:
        raise InputError(f"{len(weights)} weights for {count} styles: give one a style")
    if any(not weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise InputError("weights of styles must not be negative, nor all 0")
    return weights


def regions_from_masks(masks: Sequence[Source], photo: Image, styles: int) -> tuple[Tensor, ...]:
    """Convert masks to regions of a content image, one for each style.

    A style is painted where its mask is white. If there is a mask for each style, the content image
    remains where all masks are black. If there is one mask fewer, the last style gets these areas.
    Where masks overlap, they are divided by their sum.

    Args:
        masks: Images of any size. A mask is the alpha channel of its image, or else the luminance.
            The string ``alpha`` is the alpha channel of the content image.
        photo: The content image.
        styles: Number of styles.

    Returns:
        (1, 1, H, W) each, with a sum of at most 1; none if there are no masks.

    Raises:
        InputError: There are too few or too many masks, or a region is black everywhere.
    """
    if not masks:
        return ()
    if len(masks) not in {styles, styles - 1}:
        raise InputError(
            f"{len(masks)} masks for {styles} styles: give one a style, or one fewer "
            f"and the last style takes what is left"
        )
    regions = [_mask(mask, photo) for mask in masks]
    total = torch.stack(regions).sum(0)
    regions = [region / total.clamp_min(1) for region in regions]
    if len(regions) < styles:
        regions.append((1 - total).clamp_min(0))
    if any(float(region.amax()) < 1 / 255 for region in regions):
        raise InputError("the region of a style is empty: paint it white in a mask")
    return tuple(regions)


def _mask(source: Source, photo: Image) -> Tensor:
    if isinstance(source, str) and source == "alpha":
        if photo.alpha is None:
            raise InputError("the photo has no alpha channel to take as a mask")
        return photo.alpha
    picture = read_image(source)
    mask = picture.alpha if picture.alpha is not None else color_transfer.luminance(picture.rgb)
    mask = torch.nn.functional.interpolate(
        mask, (photo.height, photo.width), mode="bilinear", antialias=True
    )
    return mask.clamp(0, 1)
