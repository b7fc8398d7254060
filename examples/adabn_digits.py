"""Apply adaptive batch normalisation to digits in another light.

    python examples/adabn_digits.py adabn.jpg
    python examples/adabn_digits.py adabn.jpg mine.safetensors

Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016. A small network
with two batch norms, `adabn_digits.safetensors`, has learned the digits of scikit-learn. The same
digits with low contrast on a bright background are another domain, on which it fails. With the
batch-norm statistics of that domain, and without changing weights or using labels, it classifies
them. With a second file a new network is trained and written to it. Needs scikit-learn and
matplotlib; seconds.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import nn

from impasto.alignment import adapt

mpl.use("agg")
from matplotlib import pyplot as plt

torch.manual_seed(0)
digits = load_digits()
order = torch.randperm(len(digits.target))
pictures = torch.from_numpy(digits.images / 16).float()[order, None]  # (1797, 1, 8, 8)
labels = torch.from_numpy(digits.target)[order]
ground = 0.5 + 0.15 * torch.linspace(0, 1, 8).view(1, 1, 8, 1)
other = ground + 0.3 * pictures  # another domain: faint digits on a bright background

network = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, padding_mode="replicate"),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1, padding_mode="replicate"),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 4 * 4, 10),
)


def train():
    """Train the network on the first 900 digits, for eight epochs."""
    adam = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(8):
        for batch in torch.randperm(900).split(60):
            adam.zero_grad()
            F.cross_entropy(network(pictures[batch]), labels[batch]).backward()
            adam.step()


if sys.argv[2:]:
    train()
    save_file(network.state_dict(), sys.argv[2])
else:
    network.load_state_dict(load_file(Path(__file__).with_suffix(".safetensors")))
network.eval()
adapted = adapt(network, other[:900].split(100))  # adapted on other images than those tested below


@torch.no_grad()
def read(net, domain):
    """Classify the 897 test digits."""
    return net(domain[900:]).argmax(1)


found = {
    "digits as learned": (read(network, pictures), pictures),
    "other light": (read(network, other), other),
    "other light,\nafter AdaBN": (read(adapted, other), other),
}
figure, axes = plt.subplots(len(found), 13, figsize=(9, 3.2), layout="constrained")
for row, (name, (answers, domain)) in zip(axes, found.items(), strict=True):
    right = (answers == labels[900:]).float().mean().item()
    print(f"{' '.join(name.split())}: {right:.1%} right")
    row[0].text(0.5, 0.5, f"{name}\n{right:.1%} right", ha="center", va="center")
    for axis, picture, answer, label in zip(
        row[1:], domain[900:], answers, labels[900:], strict=False
    ):
        axis.imshow(picture[0], cmap="gray", vmin=0, vmax=1)
        axis.set_title(int(answer), color="tab:green" if answer == label else "tab:red", fontsize=9)
    for axis in row:
        axis.axis("off")
figure.savefig(sys.argv[1], dpi=100)
