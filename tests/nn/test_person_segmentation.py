"""The network that segments people, against TensorFlow Lite, and the presence of a person."""

from __future__ import annotations

from importlib import resources

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load

from impasto.image import samples
from impasto.nn.person_segmentation import SIDE, PersonSegmentation, Presence, SameConv

# what the LiteRT runtime returns for the astronaut at 256 pixels, at every 32nd pixel from the 16th
LITERT = """
0      0 0 1      0      0      0 0
0      0 1 1      1      0      0 0
0      0 1 1      0      0      0 0
0      1 1 1      1      0      0 0
0.2696 1 1 1      1      0.5798 0 0
1      1 1 1      0.7164 1      1 0
1      1 1 1      1      1      1 1
1      1 1 0.8893 1      1      1 1
"""


def loaded(kind, name):
    file = resources.files("impasto") / "data" / "masks" / f"{name}.safetensors"
    network = kind()
    network.load_state_dict(load(file.read_bytes()))
    return network.eval()


@pytest.fixture(scope="module")
def network():
    return loaded(PersonSegmentation, "person-segmentation")


def small(name):
    """A sample photo, squeezed to the network's square."""
    return F.interpolate(samples.photo(name).rgb, (SIDE, SIDE), mode="bilinear", antialias=True)


def test_it_computes_what_litert_does(network):
    photo = F.avg_pool2d(samples.photo("astronaut").rgb, 2)
    with torch.inference_mode():
        made = network(photo)[0, 0]
    expected = torch.tensor([[float(n) for n in row.split()] for row in LITERT.strip().split("\n")])
    assert (made[16::32, 16::32] - expected).abs().max() < 1e-3
    assert float(made.mean()) == pytest.approx(0.54435, abs=1e-4)


@pytest.mark.parametrize(("name", "person"), [("astronaut", True), ("chelsea", False)])
def test_presence_of_a_person(network, name, person):
    presence = loaded(Presence, "presence")
    with torch.inference_mode():
        odds = presence(network.statistics(small(name)))
    assert odds.shape == (1,)
    assert (float(odds) > 1) == person


@pytest.mark.parametrize(("kernel", "stride", "before", "after"), [(3, 2, 0, 1), (5, 2, 1, 2)])
def test_padding_is_that_of_tensorflow(kernel, stride, before, after):
    made = SameConv(1, 1, kernel, stride)
    x = torch.rand(1, 1, 8, 8)
    padded = F.pad(x, (before, after, before, after))
    assert torch.equal(made(x), F.conv2d(padded, made.weight, made.bias, stride))
    assert made(x).shape == (1, 1, 4, 4)
