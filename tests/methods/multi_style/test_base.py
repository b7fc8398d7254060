"""Check all networks with many learned styles alike, by the models of the package."""

import pytest
import torch

from helpers import smooth
from impasto.api import load
from impasto.errors import InputError
from impasto.methods.style import Part, Style
from impasto.models import zoo
from rounding import products, rounding


@pytest.fixture(scope="module", params=["cin-narrow", "stylebank"])
def method(request):
    path = zoo.folder() / f"{request.param}.safetensors"
    return load.load_model(path, device="cpu", precision="float32")


def test_a_blend_is_a_weighted_sum_of_styles(method):
    photo, weights = smooth(), torch.zeros(1, method.config.styles)
    weights[0, [0, 2]] = torch.tensor([0.3, 0.7])
    blend = 0.3 * method.own_style(0) + 0.7 * method.own_style(2)
    found = method.stylize(photo, blend)
    with torch.no_grad():
        expected = method.module(photo, weights).clamp(0, 1)
    torch.testing.assert_close(found, expected, **rounding(expected, products(method.module)))
    assert torch.equal(method.stylize(photo, 5.0 * blend), found), "weights are shares"
    whole = method.stylize(photo, method.own_style(1))
    assert torch.equal(method.stylize(photo, 0.25 * method.own_style(1)), whole)
    one_hot = 1.0 * method.own_style(1) + 0.0 * method.own_style(2)
    assert torch.equal(method.stylize(photo, one_hot), whole)


def test_styles_that_are_not_its_own(method):
    photo, count = smooth(), method.config.styles
    for wrong, said in (
        (Style("gatys", (Part({}),)), f"encoded by gatys, not by {method.name}"),
        (method.own_style(count), f"has {count} styles"),
        (-1.0 * method.own_style(), "must not be negative"),
        (0.0 * method.own_style(), "nor all 0"),
    ):
        with pytest.raises(InputError, match=said):
            method.stylize(photo, wrong)
    with pytest.raises(InputError, match="impasto add-style"):
        method.encode(photo)
