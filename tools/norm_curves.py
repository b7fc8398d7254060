"""Plot the loss of a network with instance and with batch normalisation over the same steps.

    python tools/norm_curves.py PHOTOS [STEPS]

Improved Texture Networks (Ulyanov et al., CVPR 2017), figure 3: a stylization network learns
faster, and to a lower loss, with instance normalisation. Both networks here see the same crops in
the same order, and start from the same weights.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import torch

from impasto.core.device import choose
from impasto.core.progress import Progress
from impasto.image import samples
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.training.data import open_source
from impasto.training.loop import train
from impasto.training.plan import Plan

mpl.use("agg")
DOCS = Path(__file__).parents[1] / "docs"
CONFIG = JohnsonConfig(width=16, style_weight=5.0, style_size=192)
WINDOW = 20  # steps of the plotted running mean


def curve(norm: str, photos: str, steps: int) -> list[float]:
    """Return the total loss of every training step with a kind of normalisation."""
    losses: list[float] = []

    def listen(progress: Progress) -> None:
        losses.append(progress.losses["total"])

    plan = Plan(steps=steps, batch=4, clip=1.0, warmup=20, report_every=10**6)
    torch.manual_seed(0)
    task = Johnson.task(replace(CONFIG, norm=norm), [samples.load("swirls").rgb], choose())
    sources = {"content": open_source(photos, 128, 1.5)}
    train(task, plan, sources=sources, runtime=choose(), callback=listen)
    return losses


def main(photos: str, steps: str = "400") -> None:
    """Train both, and draw docs/gallery/norms.png."""
    from matplotlib import pyplot as plt

    curves = {norm: curve(norm, photos, int(steps)) for norm in ("batch", "instance")}
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for norm, losses in curves.items():
        means = torch.tensor(losses).unfold(0, WINDOW, 1).mean(1)
        axes.plot(range(WINDOW, len(losses) + 1), means, label=f"{norm} normalisation")
    axes.set(xlabel="step", ylabel=f"loss, mean of {WINDOW} steps", yscale="log")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3, which="both")
    figure.savefig(DOCS / "gallery" / "norms.png", dpi=120)
    last = {norm: sum(losses[-50:]) / 50 for norm, losses in curves.items()}
    print(json.dumps({"steps": int(steps), "mean of the last 50 steps": last}))


if __name__ == "__main__":
    main(*sys.argv[1:])
