"""Cut random square crops from images; only the crop is converted to floats, to save memory."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image
from torch import Tensor

from impasto import image
from impasto.errors import ImpastoError, InputError
from impasto.image import Image as Picture
from impasto.image.kinds import kind_of
from impasto.training.sources import Source

# Larger images are rejected, so that a worker takes about 1 GB at most. JPEG is decoded at reduced
# size and has Pillow's limit of 179 million pixels; TIFF is read whole, as floats.
_MOST_PIXELS = 120_000_000
_MOST_TIFF_PIXELS = 40_000_000

# Pillow's modes that `reduce` does not support, and the modes they are converted to.
_AVERAGED_AS = {"P": "RGBA", "PA": "RGBA", "1": "L", "I;16": "I", "I;16B": "I"}

Box = tuple[int, int, int, int]


def crop(data: bytes, name: str, source: Source, random: np.random.Generator) -> Tensor:
    """Cut a random square from an image and resize it.

    Args:
        data: Content of the image file.
        name: Name of the image for messages.
        source: Side S of the crop, range of scales, and flipping.
        random: Random generator; the number of draws is the same for every image.

    Returns:
        (3, S, S), uint8, RGB; uint8 keeps the transfer between processes small.

    Raises:
        InputError: The file is no image, or cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a data set can give thousands
            square = _square(data, name, source, random)
    except ImpastoError:
        raise
    except Exception as error:  # Pillow raises many types of exception for bad bytes
        raise InputError(f"{name} cannot be read ({type(error).__name__}: {error})") from error
    rgb = square.resized(source.crop, source.crop).rgb[0]
    if random.random() < 0.5 and source.flip:
        rgb = rgb.flip(-1)
    return rgb.mul(255).round_().byte().contiguous()


def _square(data: bytes, name: str, source: Source, random: np.random.Generator) -> Picture:
    kind = kind_of(data[:4096], name)
    if kind == "TIFF":
        picture = image.load(data, max_pixels=_MOST_TIFF_PIXELS)
        left, top, right, bottom = box(picture.size, source, random)
        return Picture(picture.rgb[..., top:bottom, left:right])
    with Image.open(BytesIO(data), formats=[kind]) as opened:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which saves time. It is decoded at
        # twice the needed size or more, so that the last reduction uses a better filter.
        least = int(2 * source.zoom * source.crop) + 1
        opened.draft(None, (least, least))
        if opened.width * opened.height > _MOST_PIXELS:
            raise InputError(f"{name} has more than {_MOST_PIXELS} pixels: make it smaller first")
        square = opened.crop(box(opened.size, source, random))
    return Picture.from_pil(_averaged(square, square.width // (2 * source.crop)))


def _averaged(square: Image.Image, factor: int) -> Image.Image:
    """Shrink an image by averaging blocks of factor x factor pixels, still as integers."""
    if factor < 2:
        return square
    if square.mode in _AVERAGED_AS:
        square = square.convert(_AVERAGED_AS[square.mode])
    return square.reduce(factor)


def box(size: tuple[int, int], source: Source, random: np.random.Generator) -> Box:
    """Choose a random square of an image, as (left, top, right, bottom) in pixels.

    The square is cut out before it is resized: resizing a whole image of 1 x 10000 pixels to a
    short side of 256 would take gigabytes.

    Args:
        size: (width, height) of the image.
        source: Gives side and range of scales, see :attr:`Source.zoom`.
        random: Random generator.
    """
    width, height = size
    short = min(size)
    target = random.uniform(source.crop, source.zoom * source.crop)
    target = max(source.crop, min(target, short))
    side = max(1, round(short * source.crop / target))
    left = int(random.integers(0, width - side + 1))
    top = int(random.integers(0, height - side + 1))
    return left, top, left + side, top + side
