"""Make random and smooth images, folders of photos, and untrained models for tests."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from impasto.api import inputs, strokes
from impasto.core.device import choose
from impasto.errors import ImpastoError
from impasto.image import Image as Picture
from impasto.image import samples
from impasto.methods.registry import get
from impasto.models import checkpoint
from impasto.training.data import Source

FLOAT32 = choose("cpu", "float32")
PHOTOS = ("astronaut", "coffee", "chelsea")

# Settings of a training that takes a moment, as the command line gives them.
TINY = {
    "steps": "4",
    "batch": "2",
    "crop": "32",
    "width": "4",
    "workers": "0",
    "style_size": "48",
    "style_layers": "relu1_1,relu2_1",
    "content_layer": "relu2_1",
}


# Options of optimising methods: two blocks of the network see enough for a test.
SHALLOW = (
    *("--set", "content_layers=relu2_1", "--set", "style_layers=relu1_1,relu2_1"),
    *("--set", "style_weights=1,1"),
)
QUICK = ("--steps", "2", *SHALLOW)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    """Uniform noise of this shape, float32 in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Numbers of mean 0 and variance 1, the same in every format up to its rounding."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def smooth(height: int = 36, width: int = 52, seed: int = 0, coarse: int = 5) -> Tensor:
    """Coarse coloured noise, enlarged: (1, 3, H, W) in [0, 1], picture enough for a network."""
    small = pictures(1, 3, coarse, coarse, seed=seed)
    shaped = torch.nn.functional.interpolate(small, (height, width), mode="bicubic")
    return shaped.clamp(0, 1)


def encoded(method: Any, painting: Picture, content: Picture) -> Any:
    """The style that the pipeline encodes for a photo that is not painted larger."""
    size = strokes.style_scale((content.height, content.width), 1.0, "absolute", 1)
    return method.encode(inputs.resize_to_pixels(painting, *size).rgb)


def smooth_picture(height: int = 36, width: int = 52, seed: int = 0) -> Picture:
    """The same as a Picture."""
    return Picture(smooth(height, width, seed))


def pixels(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coarse coloured noise as an image of Pillow's, which is photo enough for a network."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def is_picture(image: Tensor, height: int, width: int) -> bool:
    """Check that an image is float32 (1, 3, H, W) on the processor, finite and in [0, 1]."""
    return (
        image.shape == (1, 3, height, width)
        and image.dtype == torch.float32
        and image.device.type == "cpu"
        and bool(image.isfinite().all())
        and 0 <= float(image.min()) <= float(image.max()) <= 1
    )


def photos_in(folder: Path, width: int, height: int, ending: str = ".png") -> Path:
    """Write three photographs of scikit-image into a folder."""
    folder.mkdir(exist_ok=True)
    for name in PHOTOS:
        pixels = Image.fromarray(getattr(data, name)())
        pixels.resize((width, height)).save(folder / f"{name}{ending}")
    return folder


def fresh_johnson(path: Path, name: str, **card: object) -> Path:
    """Save a small network of johnson's that has learned nothing."""
    torch.manual_seed(0)
    build = get("johnson").build
    method = build(build.Config(width=4, blocks=1), FLOAT32)
    checkpoint.save(method.model(method.module, [name], {"kind": "style", **card}), path)
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def one_line(caught: pytest.ExceptionInfo[ImpastoError]) -> None:
    """Check that an error is one line, with the exit code of wrong input."""
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def seam(picture: Tensor) -> float:
    """Return the mean step across a seam over the largest mean step inside, of (B, C, H, W)."""
    found = []
    for axis in (2, 3):
        steps = (picture - picture.roll(-1, axis)).abs().mean((0, 1, 5 - axis))
        found.append(float(steps[-1] / steps[:-1].max()))
    return max(found)


def training_folders(make, paintings, short=72):
    """Folders of three photos and of paintings, by source; ``make(name)`` makes a folder."""
    loads = {"content": (samples.photo, PHOTOS), "style": (_small_painting, paintings)}
    found = {}
    for source, (load, names) in loads.items():
        found[source] = make(source)
        found[source].mkdir(exist_ok=True)
        for name in names:
            picture = load(name)
            factor = short / min(picture.size)
            sides = (round(side * factor) for side in picture.rgb.shape[-2:])
            picture.resized(*sides).save(found[source] / f"{name}.png")
    return found


def _small_painting(name):
    return samples.painting(name, 128)


def training_sources(folders):
    """Sources of crops of 32 pixels from folders, by name."""
    files = {name: tuple(sorted(map(str, place.iterdir()))) for name, place in folders.items()}
    return {name: Source(one, crop=32) for name, one in files.items()}
