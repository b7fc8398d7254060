"""Plot style-loss curves of instance and batch normalisation for three kinds of inputs.

    python examples/norm_inputs.py PHOTOS curves.png [STEPS]

After figure 1 of Huang and Belongie, ICCV 2017 (AdaIN). Networks for the style of the sample
painting `swirls` learn from the first 64 photographs of a folder: unchanged, with the histogram
of their luminance equalised, and stylized in another style by a shipped network. All six start
from the same weights and see the same crops in the same order. Needs matplotlib; minutes.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import torch
from skimage import color, exposure

import impasto
from impasto.api.inputs import resize_long_edge
from impasto.core.device import choose
from impasto.image import READ_SUFFIXES, Image, samples
from impasto.methods import Johnson, JohnsonConfig
from impasto.training.data import open_source
from impasto.training.loop import train
from impasto.training.plan import Plan

mpl.use("agg")
from matplotlib import pyplot as plt

CONFIG = JohnsonConfig(width=16, style_weight=5.0, style_size=192)
CROP, WINDOW = 64, 10  # pixels; steps of the plotted running mean


def equalised(picture):
    """Equalise the luminance histogram of an image."""
    lab = color.rgb2lab(picture.rgb[0].permute(1, 2, 0).numpy())
    lab[..., 0] = 100 * exposure.equalize_hist(lab[..., 0])
    rgb = torch.from_numpy(color.lab2rgb(lab)).float()
    return Image(rgb.permute(2, 0, 1)[None].clamp(0, 1))


def curve(norm, folder, steps):
    """Return the style loss of every training step, as a running mean."""
    losses = []
    plan = Plan(steps=steps, batch=4, clip=1.0, warmup=20, report_every=10**6, workers=0)
    torch.manual_seed(0)
    task = Johnson.task(replace(CONFIG, norm=norm), [samples.load("swirls").rgb], choose())
    source = {"content": open_source(folder, CROP, 1.2)}
    keep = lambda progress: losses.append(progress.losses["style"])  # noqa: E731
    train(task, plan, sources=source, runtime=choose(), callback=keep)
    return torch.tensor(losses).unfold(0, WINDOW, 1).mean(1)


photos, out, steps = sys.argv[1], sys.argv[2], int((*sys.argv[3:], 200)[0])
kinds = {
    "original": lambda photo: photo,
    "contrast-normalised": equalised,
    "style-normalised": lambda photo: impasto.stylize(photo, "great-wave"),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
with tempfile.TemporaryDirectory() as folder:
    [Path(folder, kind).mkdir() for kind in kinds]
    files = sorted(f for f in Path(photos).rglob("*") if f.suffix.lower() in READ_SUFFIXES)
    for number, file in enumerate(files[:64]):
        photo = resize_long_edge(impasto.load(file), 192, None)
        for kind, make in kinds.items():
            make(photo).save(Path(folder, kind, f"{number}.png"))
    for axis, kind in zip(axes, kinds, strict=True):
        for norm in ("batch", "instance"):
            losses = curve(norm, Path(folder, kind), steps)
            axis.plot(range(WINDOW, steps + 1), losses, label=f"{norm} norm")
            print(f"{kind}, {norm}: {losses[-20:].mean():.3f}", flush=True)
        axis.set(title=f"{kind} inputs", xlabel="step", yscale="log")
        axis.grid(alpha=0.3, which="both")
axes[0].set_ylabel(f"style loss, mean of {WINDOW} steps")
axes[0].legend(frameon=False)
figure.savefig(out, dpi=90)
