"""Decide which part of a photo is painted in which style, by what is found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from impasto.api import clusters, people
from impasto.api.controls import ResolvedStyle
from impasto.api.options import Controls
from impasto.errors import InputError
from impasto.image import Image
from impasto.nn.vgg import Encoder

__all__ = ["EMPTY", "Area", "area", "divided"]

EMPTY = "no person found"  # begins the note


@dataclass(frozen=True, eq=False)
class Area:
    """The part of a photo that is painted.

    Attributes:
        weight: (1, 1, H, W) in [0, 1], the weight of the painting; None is 1 everywhere.
        note: A remark for the user, or empty.
    """

    weight: Tensor | None = None
    note: str = ""


def area(whole: Image, photo: Image, controls: Controls, *, refuse: bool = True) -> Area:
    """Find people or faces, and decide where the photo is painted.

    Args:
        whole: The photo, in which people are searched.
        photo: The same photo at the size of the result.
        controls: ``only`` and ``keep`` are used.
        refuse: Whether a photo without people is an error if only people are painted; else it is
            not painted anywhere, such as a frame of a video.

    Raises:
        InputError: Only people are painted, and there are none.
    """
    if controls.only is None and controls.keep is None:
        return Area()
    found = people.faces(whole)
    if not found:
        return _empty(photo, controls, refuse=refuse)
    person = people.person_mask(whole, found)
    weight = None
    if controls.only is not None:
        weight = people.refined(person, photo)
        if controls.only == "background":
            weight = 1 - weight
    if controls.keep == "face":
        kept = people.refined(people.face_mask(found, person), photo)
        weight = (1 - kept) if weight is None else weight * (1 - kept)
    return Area(weight)


def _empty(photo: Image, controls: Controls, *, refuse: bool) -> Area:
    """Return what is painted of a photo without people."""
    if controls.only == "person" and refuse:
        raise InputError(
            f"{EMPTY} in the photo (people are found by their faces): give a mask of what to "
            f"paint, or leave `only` out"
        )
    if controls.only == "person":
        nowhere = photo.rgb.new_zeros(1, 1, photo.height, photo.width)
        return Area(nowhere, f"{EMPTY}: nothing is painted")
    return Area(None, f"{EMPTY}: {'everything is painted' if controls.only else 'no face is kept'}")


def divided(
    photo: Image, styles: Sequence[ResolvedStyle], count: int, seed: int = 0
) -> tuple[list[ResolvedStyle], tuple[Tensor, ...]]:
    """Divide a photo into regions, and choose the style of each.

    Args:
        photo: The photo, at the size of the result.
        styles: A style image, which is divided as well; or as many styles as regions. Style images
            are matched with the regions; if there are learned or encoded styles, the first style
            is that of the largest region, and so on.
        count: Number of regions.
        seed: Of the clusters.

    Returns:
        A style for each region, and the regions: (1, 1, H, W) each, with a sum of 1.

    Raises:
        InputError: The number of styles is another, or one style alone is no image.
    """
    if len(styles) not in {1, count}:
        raise InputError(
            f"{len(styles)} styles for {count} regions: give one painting, or {count} styles"
        )
    sources = [style.source for style in styles]
    paintings = [one for one in sources if isinstance(one, Image)]
    if len(styles) == 1 and not paintings:
        raise InputError(
            f"a learned style has no picture to divide: give a painting, or {count} styles"
        )
    encoder = Encoder(depth="relu4_1")
    parts = clusters.divide(photo, count, encoder, seed)
    regions = clusters.refined(parts.masks, photo)
    if len(styles) == 1:
        painting = paintings[0]
        found = clusters.divide(painting, count, encoder, seed)
        swatches = [clusters.swatch(painting, mask) for mask in found.masks]
        chosen = clusters.match(parts.descriptions, found.descriptions)
        return [replace(styles[0], source=swatches[one]) for one in chosen], regions
    if len(paintings) < count:
        return list(styles), regions
    looks = torch.stack([clusters.describe(painting, encoder) for painting in paintings])
    return [styles[one] for one in clusters.match(parts.descriptions, looks)], regions
