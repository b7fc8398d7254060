"""Measure the mean activation of every VGG-19 filter, for the ``normalised`` flavour.

Gatys, Ecker and Bethge, NIPS 2015, section 2, rescale the network so that the mean activation of
each filter over images and positions is 1, and pool by averages. The mean here is taken after the
ReLU, in float32, with average pooling, over the photographs shipped with scikit-image: each one
complete, with its long side reduced to ``SIDE`` pixels, and a crop of ``CROP`` pixels from its
middle at full resolution. Every image has the same weight, whatever its size.
A filter that hardly ever fires would be scaled without limit, so each mean is at least ``FLOOR``
times the mean of its layer. Reads only installed packages; nothing is downloaded.

    python tools/mean_activations.py [file.safetensors]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from skimage import data
from torch import Tensor

from impasto.nn.vgg import Encoder
from impasto.nn.vgg_layers import layer_names

ARCH = "vgg19"
TARGET = Path(__file__).parents[1] / f"src/impasto/data/{ARCH}-mean-activations.safetensors"
SIDE, CROP, FLOOR = 384, 224, 0.01
PHOTOS = (
    "astronaut",
    "chelsea",
    "coffee",
    "rocket",
    "stereo_motorcycle",
    "retina",
    "hubble_deep_field",
    "immunohistochemistry",
)


def pictures() -> Iterator[Tensor]:
    """Yield each photograph and its middle, (1, 3, H, W) in [0, 1]."""
    for name in PHOTOS:
        pixels = getattr(data, name)()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels  # the left of a stereo pair
        photo = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
        factor = min(1.0, SIDE / max(photo.shape[-2:]))
        yield F.interpolate(
            photo, scale_factor=factor, mode="bilinear", antialias=True, recompute_scale_factor=True
        ).clamp(0, 1)
        top, left = ((side - CROP) // 2 for side in photo.shape[-2:])
        yield photo[..., top : top + CROP, left : left + CROP]


@torch.no_grad()
def measure() -> tuple[dict[str, Tensor], int]:
    """Return the mean activation of each filter, by convolution, and the number of images."""
    encoder = Encoder(ARCH, flavor="caffe", pooling="average")
    convolutions = [name for name in layer_names(ARCH) if name.startswith("conv")]
    relus = {name: name.replace("conv", "relu") for name in convolutions}
    sums: dict[str, Tensor] = {}
    count = 0
    for picture in pictures():
        features = encoder(picture, list(relus.values()))
        for name, relu in relus.items():
            sums[name] = sums.get(name, 0) + features[relu].double().mean(dim=(0, 2, 3))
        count += 1
    return {name: total / count for name, total in sums.items()}, count


def main(target: Path) -> None:
    """Measure, apply the floor, print how many filters it affects, and write the file."""
    raw, count = measure()
    means = {}
    for name, mean in raw.items():
        floor = FLOOR * float(mean.mean())
        means[name] = mean.clamp_min(floor).float().contiguous()
        quiet = int((mean < floor).sum())
        print(
            f"{name}: {len(mean)} filters, mean {float(mean.mean()):.4g}, "
            f"from {float(mean.min()):.4g} to {float(mean.max()):.4g}, {quiet} below the floor"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    notes = {"pictures": str(count), "photos": " ".join(PHOTOS), "floor": str(FLOOR)}
    save_file(means, target, metadata={"measured": "after ReLU, average pooling", **notes})
    print(f"{target}: {count} pictures")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
