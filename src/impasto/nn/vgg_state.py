"""Load weights of a VGG, check them, and know the preprocessing that they require."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import torch

from impasto.errors import InputError, WeightsError
from impasto.nn import vgg_weights as weights_table
from impasto.nn.vgg_file import State
from impasto.nn.vgg_layers import WIDTHS, layer_names


@dataclass(frozen=True)
class Flavor:
    """Preprocessing that a set of weights requires.

    Attributes:
        scale: Factor on images in [0, 1].
        mean: Subtracted from each channel after scaling, in RGB order.
        std: Divides each channel.
        bgr: Whether the channels are reversed to BGR.
    """

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool


_CAFFE = Flavor(255.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0), bgr=True)
FLAVORS = {
    "caffe": _CAFFE,  # the original weights: Gatys, Johnson, CNNMRF, Texture Networks
    "torchvision": Flavor(1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), bgr=False),
    # Caffe's, rescaled so that each filter's mean activation is 1 (Gatys 2015, section 2)
    "normalised": _CAFFE,
}


@lru_cache(maxsize=4)
def load_state(arch: str, flavor: str, source: str | None) -> State:
    """Load the weights of a VGG.

    Args:
        arch: ``vgg19`` or ``vgg16``.
        flavor: One of :data:`FLAVORS`.
        source: A name of the weights table or a path; None is the default.

    Raises:
        InputError: The weights require another flavor.
        WeightsError: The weights are missing or of another network.
    """
    name = weights_table.DEFAULT[arch] if source is None else source
    if source is None and flavor == "torchvision":
        name = f"{arch}-torchvision"
    entry = weights_table.ENTRIES.get(name)
    if entry and FLAVORS[entry.flavor] != FLAVORS[flavor]:
        raise InputError(f"the weights {name} want the flavour {entry.flavor}, not {flavor}")
    state = weights_table.load(name)
    _check_shapes(state, arch, name)
    return _normalise(state, arch) if flavor == "normalised" else state


def _check_shapes(state: State, arch: str, source: str) -> None:
    previous = 3
    for layer in layer_names(arch):
        if not layer.startswith("conv"):
            continue
        expected = (WIDTHS[int(layer[4]) - 1], previous, 3, 3)
        for name, shape in ((f"{layer}.weight", expected), (f"{layer}.bias", expected[:1])):
            found = state.get(name)
            if found is None or tuple(found.shape) != shape:
                is_now = "missing" if found is None else "x".join(map(str, found.shape))
                raise WeightsError(
                    f"{source}: these are not the weights of a {arch}: {name} is {is_now}, "
                    f"expected {'x'.join(map(str, shape))}"
                )
        previous = expected[0]
    # the weights of VGG-19 include all names of VGG-16
    if extra := sorted({key.split(".")[0] for key in state} - set(layer_names(arch))):
        raise WeightsError(f"{source}: these are not the weights of a {arch}: they have {extra[0]}")


def _normalise(state: State, arch: str) -> State:
    """Rescale each filter so that its mean activation over a set of images is 1.

    ReLU and pooling commute with a positive factor, so the features change only by one factor per
    channel. The factors are in ``data/``, computed by ``tools/mean_activations.py``.
    """
    from safetensors.torch import load as load_safetensors

    file = resources.files("impasto") / "data" / f"{arch}-mean-activations.safetensors"
    if not file.is_file():
        raise InputError(f"the normalised flavour is measured for vgg19 only, not for {arch}")
    means = load_safetensors(file.read_bytes())
    normalised, before = {}, torch.ones(3)
    for layer in (name for name in layer_names(arch) if name.startswith("conv")):
        after = means[layer].float()
        weight = state[f"{layer}.weight"]
        normalised[f"{layer}.weight"] = weight * before.view(1, -1, 1, 1) / after.view(-1, 1, 1, 1)
        normalised[f"{layer}.bias"] = state[f"{layer}.bias"] / after
        before = after
    return normalised
