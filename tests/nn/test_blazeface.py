"""The network that finds faces, against TensorFlow Lite."""

from __future__ import annotations

from importlib import resources

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load

from impasto.image import samples
from impasto.nn.blazeface import BlazeFace

# what the LiteRT runtime finds in the left upper 384 pixels of the astronaut, at 192 pixels
CELL, SCORE = 748, 0.9656
BOX = [0.5888, 0.3170, 0.2816, 0.2816]
POINTS = [0.5323, 0.2654, 0.6450, 0.2738, 0.5843, 0.3367, 0.5803, 0.3864, 0.4701, 0.2825]
POINTS += [0.7047, 0.2986]


def test_it_computes_what_litert_does():
    network = BlazeFace()
    file = resources.files("impasto") / "data" / "masks" / "blazeface.safetensors"
    network.load_state_dict(load(file.read_bytes()))
    photo = F.avg_pool2d(samples.photo("astronaut").rgb[..., :384, :384], 2)
    with torch.inference_mode():
        scores, boxes = network.eval()(photo)
    assert scores.shape == (1, 2304)
    assert boxes.shape == (1, 2304, 16)
    assert int(scores.argmax()) == CELL
    assert float(scores.max()) == pytest.approx(SCORE, abs=1e-3)
    assert boxes[0, CELL].tolist() == pytest.approx(BOX + POINTS, abs=1e-3)
