"""Read and write image files; the only package that knows file formats of images.

`load` and `save` are all that the rest of the package needs, with the class `Image`. Images are
read upright (by EXIF) and in sRGB (by ICC profile), as float32 in [0, 1] with separate alpha. Files
are written atomically.
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

from impasto.errors import InputError
from impasto.image import decode, encode, files
from impasto.image.files import Source, Target
from impasto.image.kinds import kind_of
from impasto.image.metadata import Metadata
from impasto.image.pixels import resize, to_array, to_tensor

__all__ = [
    "DEEP_SUFFIXES",
    "MAX_PIXELS",
    "READ_SUFFIXES",
    "WRITE_SUFFIXES",
    "Image",
    "check_target",
    "load",
    "save",
    "transparency_note",
]

# Enough for the 200-megapixel sensors of phones. An image of this size is 2.4 GB of floats.
MAX_PIXELS = 200_000_000
WRITE_SUFFIXES = encode.SUFFIXES
DEEP_SUFFIXES = encode.DEEP_SUFFIXES
READ_SUFFIXES = (
    *(*WRITE_SUFFIXES, ".bmp", ".gif", ".jfif", ".jpe", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tga", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".hif"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An RGB image with optional alpha.

    Attributes:
        rgb: (1, 3, H, W), float32, sRGB-encoded, in [0, 1], contiguous.
        alpha: (1, 1, H, W), float32 in [0, 1], not multiplied into `rgb`; None if opaque.
        note: A message for the user, such as "animated: first frame of 12 taken"; often empty.
        metadata: EXIF and dots per inch of the file it was read from, or None.

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
        """Return the height in pixels."""
        return self.rgb.shape[2]

    @property
    def width(self) -> int:
        """Return the width in pixels."""
        return self.rgb.shape[3]

    @property
    def planes(self) -> list[Tensor]:
        """Colours and, if there is one, alpha: (1, 3, H, W), (1, 1, H, W)."""
        return [self.rgb] if self.alpha is None else [self.rgb, self.alpha]

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height), the order that Pillow uses."""
        return self.width, self.height

    def save(
        self, target: Target, *, quality: int = 95, depth: int = 8, keep_metadata: bool = False
    ) -> None:
        """Write to a file; see `impasto.image.save`."""
        save(self, target, quality=quality, depth=depth, keep_metadata=keep_metadata)

    def numpy(self) -> NDArray[np.uint8]:
        """Return the pixels as uint8, (H, W, 3), or (H, W, 4) with alpha; rounded to nearest.

        Raises:
            InputError: A value is not finite.
        """
        return to_array(self.planes, 8)

    def pil(self) -> PillowImage.Image:
        """Return an 8-bit Pillow image of mode RGB, or RGBA with alpha.

        Raises:
            InputError: A value is not finite.
        """
        return PillowImage.fromarray(self.numpy())

    @classmethod
    def from_pil(cls, image: PillowImage.Image) -> Image:
        """Convert a Pillow image; its EXIF orientation and colour profile are applied.

        Raises:
            InputError: The image cannot be read.
        """
        return _to_picture(decode.from_pillow(image))

    @classmethod
    def from_numpy(cls, array: NDArray[Any]) -> Image:
        """Convert an array of pixels.

        Args:
            array: (H, W) or (H, W, C) with C of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA);
                uint8 or uint16 of full range, bool, or floats in [0, 1], which are clipped.

        Raises:
            InputError: The shape or the type is another, or a value is not finite.
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
        """Return the image at another size in pixels, by bicubic interpolation with antialiasing.

        Colours are weighted by alpha, so that colours of transparent pixels do not bleed into
        edges.

        Raises:
            InputError: A side is less than one pixel.
        """
        if height < 1 or width < 1:
            raise InputError(f"cannot resize to {width} x {height}: a side is at least 1 pixel")
        if (height, width) == (self.height, self.width):
            return self
        rgb = resize(self.rgb, height, width)
        if self.alpha is None:
            return replace(self, rgb=rgb.clamp(0, 1))
        alpha = resize(self.alpha, height, width).clamp(0, 1)
        weighted = resize(self.rgb * self.alpha, height, width) / alpha.clamp_min(1e-3)
        rgb = torch.where(alpha > 1e-3, weighted, rgb)
        return replace(self, rgb=rgb.clamp(0, 1), alpha=alpha)

    def _repr_png_(self) -> bytes:
        """Return a PNG file, which notebooks display."""
        out = BytesIO()
        save(self, out, format="png")
        return out.getvalue()


def load(source: Source, *, max_pixels: int = MAX_PIXELS, full_range: bool = False) -> Image:
    """Read an image: PNG, JPEG, WebP, TIFF, BMP, GIF, PPM, TGA, JPEG 2000, AVIF or HEIC.

    Orientation (EXIF) and colours (an ICC profile, or cICP, gAMA and cHRM of PNG) are applied; high
    dynamic range is tone-mapped. PNG and TIFF are read with up to 16 bits per channel. Integers in
    a TIFF that use only a part of their range, such as 12 of 16 bits, are scaled to the full range;
    floats are clipped to [0, 1]. Of an animation, the first frame is read. `Image.note` reports
    anything unusual.

    Args:
        source: A path, ``"-"`` for standard input, the bytes of a file, or an open binary file
            (which stays open).
        max_pixels: Larger images are rejected before they are decoded, as are files of more bytes
            than so many pixels could take.
        full_range: Scale integers in a TIFF by the range of their type only, so that all frames of
            a sequence are scaled equally.

    Returns:
        The image, on the CPU.

    Raises:
        InputError: The file is missing, unreadable, damaged, too large, or no image.
    """
    with files.InputStream(source) as stream:
        head = stream.read(files.HEAD)
        kind_of(head, stream.name)  # checked first, since a device may be endless
        most = 16 * max_pixels + (64 << 20)  # bytes: RGBA in floats, and metadata
        data = head + stream.read(most) if len(head) == files.HEAD else head
        if len(data) > most:
            raise InputError(f"{stream.name} is too large for {max_pixels} pixels")
        return _to_picture(decode.decode(data, stream.name, max_pixels, full_range=full_range))


def save(
    image: Image | Tensor,
    target: Target,
    *,
    format: str | None = None,
    quality: int = 95,
    depth: int = 8,
    keep_metadata: bool = False,
) -> None:
    """Write an image: PNG, JPEG, WebP or TIFF, with an sRGB profile.

    The file is written atomically: an existing file is replaced only once the new one is complete.

    Args:
        image: An Image, or a tensor (1, 3, H, W) or (3, H, W) in [0, 1], clipped, on any device.
        target: A path, ``"-"`` for standard output, or an open binary file (which stays open).
        format: "png", "jpeg", "webp" or "tiff". By default the suffix of the name decides; PNG if
            there is no name.
        quality: 1 to 100, for JPEG and WebP; 100 makes WebP lossless.
        depth: Bits per channel: 8, or 16 for PNG and TIFF.
        keep_metadata: Write the EXIF tags (date, camera, place) and the dots per inch of the file
            that the image was read from, as far as the format supports them.

    Raises:
        InputError: The format is unknown or does not support the image, a value is not finite, or
            the target cannot be written.
    """
    kind = encode.format_of(target, format)
    shown = image if isinstance(image, Image) else _from_tensor(image)
    encode.check(kind, shown.width, shown.height, quality=quality, depth=depth)
    pixels, kept = to_array(shown.planes, depth), shown.metadata if keep_metadata else None
    files.write(encode.encode(pixels, kind, quality=quality, metadata=kept), target)


def check_target(target: Target, *, format: str | None = None, depth: int = 8) -> None:
    """Check before a long job whether `save` will accept a target.

    Args:
        target: See `save`.
        format: See `save`.
        depth: See `save`.

    Raises:
        InputError: `save` would fail, as far as this is known without the image.
    """
    encode.check(encode.format_of(target, format), 1, 1, quality=95, depth=depth)
    files.check(target)


def transparency_note(picture: Image, target: Target, *, format: str | None = None) -> str:
    """Return the message if `save` cannot store the image's transparency; empty if it can."""
    lost = picture.alpha is not None and encode.format_of(target, format) == "JPEG"
    return "JPEG has no transparency: the picture is laid on white" if lost else ""


def _from_tensor(tensor: Tensor) -> Image:
    if not isinstance(tensor, Tensor):
        raise InputError(f"save takes an Image or a tensor, not {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise InputError(f"a tensor to save has floats in [0, 1], not {tensor.dtype}")
    return Image(tensor[None] if tensor.ndim == 3 else tensor)


def _to_picture(pixels: decode.Pixels) -> Image:
    alpha = None if pixels.alpha is None else to_tensor(pixels.alpha[:, :, None])
    if alpha is not None and bool((alpha >= 1).all()):
        alpha = None
    return Image(to_tensor(pixels.rgb), alpha, "; ".join(pixels.notes), pixels.metadata)
