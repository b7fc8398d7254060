"""Measure training throughput: our loop, and a plain eager float32 loop with the same networks.

    python -m benchmarks.training ours|plain|beside FOLDER STEPS

Both learn `johnson` at full width from 256x256 crops, batch 4, through one decoding process. The
plain loop is a typical port of the paper: float32, channels first, torch's instance norm, a
batched product for the Gram matrices, the whole VGG-19 to relu4_1 for the photos as well.
"""

from __future__ import annotations

import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor, nn

from impasto import image
from impasto.core.device import choose
from impasto.core.progress import Progress
from impasto.image import Image, samples
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.nn.blocks import InstanceNorm
from impasto.nn.vgg import Encoder
from impasto.training.data import BatchLoader, open_source
from impasto.training.loop import train
from impasto.training.plan import Plan

BATCH, CROP, WARM = 4, 256, 3  # WARM: steps that are not timed
_BUSY = "import torch\nx = torch.rand(1024, 1024)\nwhile True: x @ x"


def photographs(folder: str) -> None:
    """Write crops of scikit-image's photographs to a folder, as JPEG of training size."""
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        picture = Image.from_numpy(getattr(data, name)())
        for index, flipped in enumerate((False, True)):
            pixels = picture.rgb.flip(-1) if flipped else picture.rgb
            image.save(Image(pixels.contiguous()), f"{folder}/{name}-{index}.jpg")


def ours(folder: str, steps: int) -> float:
    """Return the images per second of the package's loop."""
    style = samples.load("swirls").rgb
    task = Johnson.task(JohnsonConfig(), [style], choose())
    times: list[float] = []

    def listen(_: Progress) -> None:
        times.append(time.perf_counter())

    plan = Plan(steps=steps + WARM, batch=BATCH, report_every=10**6)
    sources = {"content": open_source(folder, CROP, 1.4, True)}
    train(task, plan, sources=sources, runtime=choose(), callback=listen)
    return BATCH * steps / (times[-1] - times[WARM - 1])


def beside(folder: str, steps: int) -> float:
    """Return how many times as long a step takes beside a process that uses all cores.

    The package's loop again: ``steps`` alone, then twice as many beside matrix products in another
    process, of which the second half counts, when the loop has adapted its threads.
    """
    task = Johnson.task(JohnsonConfig(), [samples.load("swirls").rgb], choose())
    times: list[float] = []
    others: list[subprocess.Popen[bytes]] = []

    def listen(_: Progress) -> None:
        times.append(time.perf_counter())
        if len(times) == steps + WARM:
            others.append(subprocess.Popen([sys.executable, "-c", _BUSY]))

    plan = Plan(steps=3 * steps + WARM, batch=BATCH, report_every=10**6)
    sources = {"content": open_source(folder, CROP, 1.4, True)}
    try:
        train(task, plan, sources=sources, runtime=choose(), callback=listen)
    finally:
        for other in others:
            other.kill()
            other.wait()
    alone = times[steps + WARM - 1] - times[WARM - 1]
    return (times[-1] - times[-steps - 1]) / alone


class PlainNorm(nn.InstanceNorm2d):
    """Torch's instance normalisation."""


def plain(folder: str, steps: int) -> float:
    """Return the images per second of a plain loop."""
    config = JohnsonConfig()
    network = Johnson.network(config)
    _replace_norms(network)
    encoder = Encoder(config.encoder, depth="relu4_1")
    layers = list(config.style_layers)
    targets = {n: _gram(f) for n, f in encoder(samples.load("swirls").rgb, layers).items()}
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    sources = {"content": open_source(folder, CROP, 1.4, True)}
    feed = BatchLoader(sources, batch=BATCH, start=0, steps=steps + WARM, seed=0)
    with feed:
        for step, batch in enumerate(feed):
            if step == WARM:
                begun = time.perf_counter()
            photos = batch["content"].contiguous()
            painted = network(photos)
            found, wanted = encoder(painted, layers), encoder(photos, layers)
            loss = F.mse_loss(found[config.content_layer], wanted[config.content_layer])
            for name, target in targets.items():
                loss = loss + F.mse_loss(_gram(found[name]), target.expand(BATCH, -1, -1))
            adam.zero_grad()
            loss.backward()
            adam.step()
            loss.item()
    return BATCH * steps / (time.perf_counter() - begun)


def _replace_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, InstanceNorm):
            setattr(module, name, PlainNorm(len(child.weight), affine=True))
        else:
            _replace_norms(child)


def _gram(features: Tensor) -> Tensor:
    x = features.flatten(2)  # (B, C, H*W)
    return x @ x.mT / x[0].numel()


if __name__ == "__main__":
    which, folder, count = sys.argv[1:]
    found = {"ours": ours, "plain": plain, "beside": beside}[which](folder, int(count))
    unit = "times as long a step" if which == "beside" else "pictures a second"
    print(f"{unit} {found:.3f}")
