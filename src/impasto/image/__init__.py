"""Pictures in and out: the only room that knows picture files.

`load` and `save` are all that the rest of the package needs, with `Image` between them. What
comes in is upright (EXIF), in sRGB (ICC), float32 in [0, 1], alpha apart; what goes out is one
whole file or none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional as F

from impasto.errors import InputError
from impasto.image import decode, encode, files
from impasto.image.files import Source, Target
from impasto.image.kinds import kind_of
from impasto.image.metadata import Metadata

__all__ = [
    "DEEP_SUFFIXES",
    "MAX_PIXELS",
    "READ_SUFFIXES",
    "WRITE_SUFFIXES",
    "Image",
    "check_target",
    "flattening",
    "load",
    "save",
]

_ROWS = 256  # that are converted at once
# Room for the 200-megapixel sensors in telephones. A picture of this size is 2.4 GB of floats.
MAX_PIXELS = 200_000_000
WRITE_SUFFIXES = encode.SUFFIXES
DEEP_SUFFIXES = encode.DEEP_SUFFIXES
READ_SUFFIXES = (
    *(*WRITE_SUFFIXES, ".bmp", ".gif", ".jfif", ".jpe", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tga", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".hif"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An image as the methods want it, with its alpha.

    Attributes:
        rgb: (1, 3, H, W), float32, sRGB-encoded, in [0, 1], contiguous.
        alpha: (1, 1, H, W), float32 in [0, 1], not multiplied into `rgb`; None when opaque.
        note: Something to tell the user, such as "animated: first frame of 12 taken"; often empty.
        metadata: EXIF and dots per inch of the file that it came from, or None.

    Raises:
        InputError: The tensors do not have these shapes.
    """

    rgb: Tensor
    alpha: Tensor | None = None
    note: str = ""
    metadata: Metadata | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 4 or self.rgb.shape[:2] != (1, 3) or 0 in self.rgb.shape:
            raise InputError(f"a picture is (1, 3, H, W), not {tuple(self.rgb.shape)}")
        if self.alpha is not None and self.alpha.shape != (1, 1, self.height, self.width):
            raise InputError(
                f"alpha is {tuple(self.alpha.shape)}, not (1, 1, {self.height}, {self.width})"
            )

    def __repr__(self) -> str:
        return f"Image({self.width}x{self.height}{', with alpha' * (self.alpha is not None)})"

    @property
    def height(self) -> int:
        """Rows."""
        return self.rgb.shape[2]

    @property
    def width(self) -> int:
        """Columns."""
        return self.rgb.shape[3]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), the order that Pillow and people use."""
        return self.width, self.height

    def save(
        self, target: Target, *, quality: int = 95, depth: int = 8, keep_metadata: bool = False
    ) -> None:
        """Write to a file; see `impasto.image.save`."""
        save(self, target, quality=quality, depth=depth, keep_metadata=keep_metadata)

    def numpy(self) -> NDArray[np.uint8]:
        """Pixels (H, W, 3), or (H, W, 4) with alpha; 0 to 255, rounded.

        Raises:
            InputError: A value is not finite.
        """
        return _to_array(self, 8)

    def pil(self) -> PillowImage.Image:
        """A Pillow image of mode RGB, or RGBA with alpha; 8 bits.

        Raises:
            InputError: A value is not finite.
        """
        return PillowImage.fromarray(self.numpy())

    @classmethod
    def from_pil(cls, image: PillowImage.Image) -> Image:
        """Take any Pillow image; its EXIF orientation and colour profile are applied.

        Raises:
            InputError: The image cannot be read.
        """
        return _to_picture(decode.from_pillow(image))

    @classmethod
    def from_numpy(cls, array: NDArray[Any]) -> Image:
        """Take an array of pixels.

        Args:
            array: (H, W) or (H, W, C) with C of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA);
                uint8 or uint16 of full range, bool, or floats of [0, 1], clipped.

        Raises:
            InputError: Another shape or type, or a value that is not finite.
        """
        shown = array[:, :, None] if array.ndim == 2 else array
        if shown.ndim != 3 or shown.shape[2] not in (1, 2, 3, 4) or shown.size == 0:
            raise InputError(f"an array of pixels is (H, W) or (H, W, 1 to 4), not {array.shape}")
        if shown.dtype == np.bool_:
            shown = shown.astype(np.uint8) * 255
        elif shown.dtype.kind == "f":
            if not np.isfinite(shown).all():
                raise InputError("the array has values that are not finite")
            shown = np.clip(shown, 0, 1).astype(np.float32)
        elif shown.dtype not in (np.uint8, np.uint16):
            raise InputError(f"pixels are uint8, uint16, bool or floats, not {array.dtype}")
        channels = shown.shape[2]
        colors, alpha = (shown, None) if channels in (1, 3) else (shown[..., :-1], shown[..., -1])
        rgb = np.repeat(colors, 3, axis=2) if colors.shape[2] == 1 else colors
        return _to_picture(decode.Pixels(rgb, alpha))

    def resized(self, height: int, width: int) -> Image:
        """The picture at another size: bicubic, antialiased when it shrinks.

        Colours are weighted by alpha, so that what hides below full transparency does not bleed
        into the edges.

        Raises:
            InputError: A side is less than one pixel.
        """
        if height < 1 or width < 1:
            raise InputError(f"cannot resize to {width} x {height}: a side is at least 1 pixel")
        if (height, width) == (self.height, self.width):
            return self
        rgb = _resize(self.rgb, height, width)
        if self.alpha is None:
            return replace(self, rgb=rgb.clamp(0, 1))
        alpha = _resize(self.alpha, height, width).clamp(0, 1)
        weighted = _resize(self.rgb * self.alpha, height, width) / alpha.clamp_min(1e-3)
        rgb = torch.where(alpha > 1e-3, weighted, rgb)
        return replace(self, rgb=rgb.clamp(0, 1), alpha=alpha)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        out = BytesIO()
        save(self, out, format="png")
        return out.getvalue()


def load(source: Source, *, max_pixels: int = MAX_PIXELS, full_range: bool = False) -> Image:
    """Read a picture: PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, TGA, JPEG 2000, AVIF or HEIC.

    Orientation (EXIF) and colours (a profile, or cICP, gAMA and cHRM of PNG) are applied; high
    dynamic range is tone-mapped. 16 bits a channel are read as such from PNG and TIFF. Integers in
    a TIFF that fill a part of their range only, as 12 bits in 16, are scaled by what they hold;
    floats are clipped to [0, 1]. Of an animation, the first frame is taken. `Image.note` tells
    of all but the usual.

    Args:
        source: A path, ``"-"`` for standard input, the bytes of a file, or an open binary file
            (which stays open).
        max_pixels: Larger pictures are refused before they are decoded, as are those that need
            more memory than that many pixels could.
        full_range: Take integers in a TIFF by the range of their type: for frames, which have to be
            alike.

    Returns:
        The picture, on the CPU.

    Raises:
        InputError: It is missing, unreadable, damaged, too large, or not a picture.
    """
    with files.Inlet(source) as inlet:
        head = inlet.read(files.HEAD)
        kind_of(head, inlet.name)  # before reading on: it may be an endless device
        most = 16 * max_pixels + (64 << 20)  # RGBA in floats, and room for metadata
        data = head + inlet.read(most) if len(head) == files.HEAD else head
        if len(data) > most:
            raise InputError(f"{inlet.name} is too large for {max_pixels} pixels")
        return _to_picture(decode.decode(data, inlet.name, max_pixels, full_range=full_range))


def save(
    image: Image | Tensor,
    target: Target,
    *,
    format: str | None = None,
    quality: int = 95,
    depth: int = 8,
    keep_metadata: bool = False,
) -> None:
    """Write an image: PNG, JPEG, WebP or TIFF, with an sRGB profile and no other metadata.

    The file appears whole or not at all, and one of the same name is replaced only by a whole one.

    Args:
        image: An Image, or a tensor (1, 3, H, W) or (3, H, W) in [0, 1], clipped, on any device.
        target: A path, ``"-"`` for standard output, or an open binary file (which stays open).
        format: "png", "jpeg", "webp" or "tiff". Without it the ending of the name decides; PNG
            where there is no name.
        quality: 1 to 100, for JPEG and WebP; 100 makes WebP lossless.
        depth: Bits a channel: 8, or 16 for PNG and TIFF.
        keep_metadata: Write the EXIF tags (date, camera, place) and the dots per inch of the file
            that the picture came from, as far as the format holds them.

    Raises:
        InputError: The format is unknown or cannot hold the picture, a value is not finite, or
            the target cannot be written.
    """
    kind = encode.format_of(target, format)
    shown = image if isinstance(image, Image) else _from_tensor(image)
    encode.check(kind, shown.width, shown.height, quality=quality, depth=depth)
    pixels, kept = _to_array(shown, depth), shown.metadata if keep_metadata else None
    files.write(encode.encode(pixels, kind, quality=quality, metadata=kept), target)


def check_target(target: Target, *, format: str | None = None, depth: int = 8) -> None:
    """Find out before a long job whether `save` will take this target.

    Args:
        target: As for `save`.
        format: As for `save`.
        depth: As for `save`.

    Raises:
        InputError: What `save` would say at the end, as far as one can know without the picture.
    """
    encode.check(encode.format_of(target, format), 1, 1, quality=95, depth=depth)
    files.check(target)


def flattening(picture: Image, target: Target, *, format: str | None = None) -> str:
    """Tell what `save` does with a transparency that a format cannot hold; empty if it keeps it."""
    lost = picture.alpha is not None and encode.format_of(target, format) == "JPEG"
    return "JPEG has no transparency: the picture is laid on white" if lost else ""


def _from_tensor(tensor: Tensor) -> Image:
    if not isinstance(tensor, Tensor):
        raise InputError(f"save takes an Image or a tensor, not {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise InputError(f"a tensor to save has floats in [0, 1], not {tensor.dtype}")
    return Image(tensor[None] if tensor.ndim == 3 else tensor)


def _to_array(picture: Image, depth: int) -> NDArray[Any]:
    """(H, W, 3 or 4) of uint8 or uint16: clipped, and rounded to the nearest."""
    planes = [picture.rgb] if picture.alpha is None else [picture.rgb, picture.alpha]
    kind = np.uint16 if depth == 16 else np.uint8
    pixels = np.empty((picture.height, picture.width, sum(p.shape[1] for p in planes)), kind)
    for top in range(0, picture.height, _ROWS):  # in strips: the floats of the whole are large
        first = 0
        for plane in planes:
            strip = plane.detach()[0, :, top : top + _ROWS].to("cpu", torch.float32)
            if not bool(torch.isfinite(strip).all()):
                raise InputError("the picture has values that are not finite: it cannot be saved")
            scaled = (strip.clamp(0, 1) * (2**depth - 1)).round_().permute(1, 2, 0)
            pixels[top : top + _ROWS, :, first : first + len(plane[0])] = scaled.numpy()
            first += len(plane[0])
    return pixels


def _to_picture(pixels: decode.Pixels) -> Image:
    alpha = None if pixels.alpha is None else _to_tensor(pixels.alpha[:, :, None])
    if alpha is not None and bool((alpha >= 1).all()):
        alpha = None
    return Image(_to_tensor(pixels.rgb), alpha, "; ".join(pixels.notes), pixels.metadata)


def _to_tensor(array: NDArray[Any]) -> Tensor:
    """(1, C, H, W), float32 in [0, 1], of (H, W, C)."""
    top = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(array.dtype, 1)
    # In NumPy, since torch computes little with uint16; always a copy of the caller's array.
    planes = array.transpose(2, 0, 1)[None].astype(np.float32, order="C")
    return torch.from_numpy(planes).div_(top)


def _resize(planes: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(
        planes, (height, width), mode="bicubic", antialias=True, align_corners=False
    )
