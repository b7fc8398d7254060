"""Random squares of pictures. Only the square is ever held as floats, so huge pictures are fine."""

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

# Larger pictures count as broken, so that a worker takes about a gigabyte at most. JPEG is decoded
# small and has Pillow's own limit, 179 million; TIFF is read whole, as floats.
_MOST_PIXELS = 120_000_000
_MOST_TIFF_PIXELS = 40_000_000

# What Pillow cannot average, and what it becomes.
_AVERAGED_AS = {"P": "RGBA", "PA": "RGBA", "1": "L", "I;16": "I", "I;16B": "I"}

Box = tuple[int, int, int, int]


def crop(data: bytes, name: str, source: Source, random: np.random.Generator) -> Tensor:
    """A random square of a picture.

    Args:
        data: The picture's file.
        name: What to call it in messages.
        source: The size of the square, and how it is chosen.
        random: Decides; it is asked the same number of times for every picture.

    Returns:
        (3, S, S), uint8: it travels between processes, and pictures have seldom more bits.

    Raises:
        InputError: The file is no picture that can be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one line for each odd picture would be thousands
            square = _square(data, name, source, random)
    except ImpastoError:
        raise
    except Exception as error:  # Pillow fails on bad bytes with nearly every exception there is
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
        # A JPEG can be decoded at a half, a quarter or an eighth of its size, in as much less time.
        # Twice the largest size that is asked for leaves the last halving to the better filter.
        least = int(2 * source.zoom * source.crop) + 1
        opened.draft(None, (least, least))
        if opened.width * opened.height > _MOST_PIXELS:
            raise InputError(f"{name} has more than {_MOST_PIXELS} pixels: make it smaller first")
        square = opened.crop(box(opened.size, source, random))
    return Picture.from_pil(_averaged(square, square.width // (2 * source.crop)))


def _averaged(square: Image.Image, factor: int) -> Image.Image:
    """Shrink by the mean of factor x factor pixels, still in bytes."""
    if factor < 2:
        return square
    if square.mode in _AVERAGED_AS:
        square = square.convert(_AVERAGED_AS[square.mode])
    return square.reduce(factor)


def box(size: tuple[int, int], source: Source, random: np.random.Generator) -> Box:
    """The square of a picture that becomes the crop, as (left, top, right, bottom).

    It is cut out before it is resized: a strip of 1 x 10000 pixels resized as a whole to a short
    side of 256 would take gigabytes.

    Args:
        size: (width, height) of the picture.
        source: See :attr:`Source.zoom`.
        random: Decides.
    """
    width, height = size
    short = min(size)
    target = random.uniform(source.crop, source.zoom * source.crop)
    target = max(source.crop, min(target, short))
    side = max(1, round(short * source.crop / target))
    left = int(random.integers(0, width - side + 1))
    top = int(random.integers(0, height - side + 1))
    return left, top, left + side, top + side
