"""Make models that have learned nothing, and paint with their exports."""

from __future__ import annotations

import torch
from skimage import data

import impasto
from impasto.api import stylize
from impasto.core.device import choose
from impasto.image import Image
from impasto.methods import config
from impasto.methods.registry import get
from impasto.models import checkpoint, zoo

EXACT = {"device": "cpu", "precision": "float32"}
LAYERS = "relu1_1,relu2_1"
# one of each method: torch takes seconds for each layer or so of a graph
CASES = {
    "johnson": ("johnson", "default", {"width": 4, "blocks": 0}),
    "texture": ("texture-net", "default", {"scales": 1}),
    "texture-stylize": ("texture-net", "default", {"kind": "stylize", "scales": 2}),
    "superres": ("superres", "default", {"width": 4, "blocks": 0, "factor": 2}),
    "cin": ("cin", "default", {"width": 4, "blocks": 0, "styles": 3}),
    "stylebank": ("stylebank", "default", {"width": 4, "styles": 3}),
    "adain": ("adain", "default", {"layer": "relu2_1"}),
    "style-prediction": (
        "style-prediction",
        "default",
        {"width": 4, "blocks": 0, "style_layers": LAYERS, "embedding": 8, "alpha": 0.7},
    ),
    "style-prediction-cnn": (
        "style-prediction",
        "default",
        {"width": 4, "blocks": 0, "style_layers": LAYERS, "embedding": 8, "predictor": "cnn"},
    ),
    "generated": ("meta-network", "default", {"width": 4, "blocks": 0, "generated": True}),
}


def save(path, name, preset, settings, **card):
    """A model that has learned nothing, but paints pictures that are not grey."""
    build = get(name).build
    torch.manual_seed(0)
    method = build(
        config.change(config.preset(build.Config, preset), settings), choose("cpu", "float32")
    )
    random = torch.Generator().manual_seed(1)
    for key, weight in method.module.state_dict().items():
        if key.startswith("scales."):
            weight.fill_(100)  # about the numbers of Caffe's features
        elif weight.is_floating_point():
            drawn = torch.rand(weight.shape, generator=random)
            weight.add_(0.2 * drawn if weight.ndim < 2 else 0.1 * (drawn - 0.5))
    names = [f"style{index}" for index in range(getattr(method.config, "styles", 1))]
    checkpoint.save(
        method.model(method.module, names, {"kind": method.kind, **card}), path, bits=32
    )


def photo(height, width, name="astronaut"):
    pixels = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None] / 255
    return Image(pixels).resized(height, width)


def painted(path, **options):
    """Make what a model is for: a texture, a larger picture, or a painted photo."""
    kind = zoo.learned_in(path)[0].kind
    if kind == "texture":
        return impasto.synthesize(str(path), size=(50, 70), seed=3, **EXACT, **options).rgb
    small = photo(45, 61)
    if kind == "upscale":
        return impasto.upscale(small, model=str(path), **EXACT, **options).rgb
    given = {"size": 61, "seed": 3, **EXACT, **options}
    if kind == "any":
        return stylize.stylize(small, photo(40, 33, "chelsea"), method=str(path), **given).rgb
    return stylize.stylize(small, str(path), **given).rgb
