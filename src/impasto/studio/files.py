"""Convert brush strokes to masks, and write images for the page and for download."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from impasto import image
from impasto.api.inputs import resize_long_edge
from impasto.image import Image

BRUSH = "#e0561b"  # colour of the strokes

_PAGE_EDGE = 1600  # long edge of images on the page; the download has the full size
_EDITOR_EDGE = 800  # long edge of the photo in the brush editor


def mask_from_strokes(layers: Sequence[Image]) -> Image | None:
    """Return brush strokes as a mask; None if there are none.

    Args:
        layers: Strokes on a transparent background.
    """
    marks = [one.alpha for one in layers if one.alpha is not None]
    if not marks:
        return None
    # strokes may be translucent on the page; every touched pixel counts
    touched = torch.stack(marks).amax(0) > 0.02
    if not bool(touched.any()):
        return None
    return Image(touched.float().expand(-1, 3, -1, -1).contiguous())


def as_strokes(mask: Tensor) -> Image:
    """Return a mask (1, 1, H, W) as brush strokes: opaque where it is above a half."""
    color = torch.tensor([int(BRUSH[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    rgb = color.view(1, 3, 1, 1).expand(-1, -1, *mask.shape[-2:]).contiguous()
    return Image(rgb, (mask > 0.5).float())


def resize_for_editor(photo: Image) -> Image:
    """Scale a photo for the brush editor."""
    return resize_long_edge(photo, None, _EDITOR_EDGE)


def save_image(picture: Image, folder: Path, name: str, *, small: bool = False) -> Path:
    """Write an image to a path that cannot be guessed.

    Args:
        picture: The image.
        folder: Of all files of this server.
        name: Of the file, with its ending.
        small: Scale it down for the page.
    """
    path = random_folder(folder) / name
    image.save(resize_long_edge(picture, None, _PAGE_EDGE) if small else picture, path, quality=90)
    return path


def random_folder(folder: Path) -> Path:
    """Create a folder with a random name that cannot be guessed."""
    made = folder / secrets.token_hex(16)
    made.mkdir(parents=True)
    return made
