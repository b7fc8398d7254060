"""Compare upscaled images with the originals: PSNR, SSIM, sharpness of bicubic and of models.

    python -m benchmarks.superresolution [FOLDER] [--model MODEL ...] [--factor 4]

As in the literature on super-resolution, and in Johnson et al. 2016, section 4.2: the luma of
ITU-R BT.601 in its studio range (black is 16/255), without a border of as many pixels as the
factor. SSIM with the Gaussian window of Wang et al. 2004. Sharpness is the mean length of the
luma's gradient over the original's: below 1 is blurred. A network trained on feature losses is
expected to have lower PSNR and more sharpness. Grid is how much more (or less) neighbours differ at
even columns or rows than at odd ones, the larger of the two.

Without a folder the originals are photographs shipped with scikit-image.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import metrics
from torch import Tensor

from impasto import image
from impasto.core.device import choose
from impasto.image import samples
from impasto.image.color_transfer import luminance
from impasto.methods.per_style.superresolution import (
    SuperResolution,
    SuperResolutionConfig,
    shrink,
)
from impasto.models import checkpoint
from impasto.models.zoo import model_of
from impasto.nn.superresolution import enlarge

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
_SHIFT, _RANGE = 16 / 255, 219 / 255  # BT.601: luma is 16 to 235 of 255


@dataclass(frozen=True)
class Score:
    """Similarity of an upscaled image to the original.

    Attributes:
        psnr: Peak signal-to-noise ratio, in dB.
        ssim: Structural similarity; 1 is best.
        sharpness: Mean length of the gradient over the original's.
        grid: Difference of the changes at even and at odd columns or rows, as a fraction.
    """

    psnr: float
    ssim: float
    sharpness: float
    grid: float


def luma(picture: Tensor, border: int) -> NDArray[np.float64]:
    """Return the BT.601 luma of (1, 3, H, W), 16/255 to 235/255, without a border of pixels."""
    y = luminance(picture.double())[0, 0, border:-border, border:-border]
    return (_SHIFT + _RANGE * y).numpy()


def score(enlarged: Tensor, original: Tensor, border: int) -> Score:
    """Compare an image (1, 3, H, W) with the original (1, 3, H, W), both in [0, 1]."""
    ours, theirs = luma(enlarged, border), luma(original, border)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    measure: Any = metrics  # scikit-image has no types
    return Score(
        float(measure.peak_signal_noise_ratio(theirs, ours, data_range=1.0)),
        float(measure.structural_similarity(theirs, ours, data_range=1.0, **window)),
        _gradient(ours) / max(_gradient(theirs), 1e-12),
        max(_grid(ours), _grid(ours.T)),
    )


def _grid(y: NDArray[np.float64]) -> float:
    steps = np.abs(np.diff(y)).mean(0)
    even, odd = (float(steps[i::2].mean()) for i in range(2))
    return abs(even / odd - 1) if odd else 0.0


def _gradient(y: NDArray[np.float64]) -> float:
    down, right = np.gradient(y)
    return float(np.hypot(down, right).mean())


def run(
    pictures: Sequence[Tensor],
    methods: Sequence[tuple[str, SuperResolution]] = (),
    config: SuperResolutionConfig | None = None,
) -> dict[str, Score]:
    """Return the mean scores over images (1, 3, H, W), by name: ``bicubic``, then each method's.

    Args:
        pictures: The originals, cropped to multiples of the factor.
        methods: Names and networks, all of one factor.
        config: How small copies are made; None is the first network's.
    """
    if config is None:
        config = methods[0][1].config if methods else SuperResolutionConfig()
    factor = config.factor
    scores: dict[str, list[Score]] = {}
    for picture in pictures:
        height, width = (side // factor * factor for side in picture.shape[-2:])
        original = picture[..., :height, :width]
        small = shrink(original, factor, blur=config.blur, antialias=config.antialias)
        made = [("bicubic", enlarge(small, factor).clamp(0, 1))]
        made += [(name, network.upscale(small).cpu()) for name, network in methods]
        for name, enlarged in made:
            scores.setdefault(name, []).append(score(enlarged, original, factor))
    return {name: _mean(rows) for name, rows in scores.items()}


def _mean(rows: Sequence[Score]) -> Score:
    return Score(*np.mean([dataclasses.astuple(row) for row in rows], axis=0).tolist())


def originals(folder: str | None, count: int | None = None) -> list[Tensor]:
    """Load the images of a folder, the first ``count`` by name; or scikit-image's photographs."""
    if folder is None:
        return [samples.photo(name).rgb for name in PHOTOS]
    files = (f for f in sorted(Path(folder).iterdir()) if f.suffix in image.READ_SUFFIXES)
    return [image.load(file).rgb for file in list(files)[:count]]


def opened(path: str, *, histogram: bool = True) -> tuple[str, SuperResolution]:
    """Load a model, and return its name for the table with it."""
    network = SuperResolution.open(checkpoint.load(model_of(path)), choose())
    if not histogram:
        network.config = dataclasses.replace(network.config, match_histogram=False)
    return f"{network.config.loss} loss ({Path(path).stem})", network


def main() -> None:
    """Print a table for each factor among the models."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.superresolution")
    parser.add_argument("folder", nargs="?", help="of originals")
    parser.add_argument("--model", action="append", default=[], help="a name or a file; repeatable")
    parser.add_argument("--factor", type=int, default=4, help="of bicubic, without models")
    parser.add_argument("--count", type=int, help="so many pictures of the folder")
    parser.add_argument("--no-histogram", action="store_true", help="leave out the last step")
    asked = parser.parse_args()
    pictures = originals(asked.folder, asked.count)
    methods = [opened(path, histogram=not asked.no_histogram) for path in asked.model]
    for factor in sorted({m.config.factor for _, m in methods}) or [asked.factor]:
        mine = [(name, m) for name, m in methods if m.config.factor == factor]
        config = None if mine else SuperResolutionConfig(factor=factor)
        print(f"\nfactor {factor}, {len(pictures)} photographs\n")
        print("| | PSNR, dB | SSIM | sharpness | grid, % |\n|---|---|---|---|---|")
        for name, row in run(pictures, mine, config).items():
            print(
                f"| {name} | {row.psnr:.2f} | {row.ssim:.4f} | {row.sharpness:.2f} "
                f"| {100 * row.grid:.0f} |"
            )


if __name__ == "__main__":
    main()
