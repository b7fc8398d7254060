"""Check all networks that paint in any style alike, by the models of the package."""

import pytest
import torch

from helpers import smooth
from impasto.api import load
from impasto.errors import InputError
from impasto.methods.spec import Ability
from impasto.models import zoo

NAMES = ("adain", "meta-network", "style-prediction")


@pytest.fixture(scope="module", params=NAMES)
def method(request):
    settings = {} if request.param == "meta-network" else {"alpha": 0.5}
    return load.load_model(request.param, settings=settings, device="cpu", precision="float32")


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (17, 33)])
def test_pictures_of_any_size_keep_it(method, size):
    found = method.stylize(smooth(*size), method.encode(smooth(*size[::-1], seed=1)))
    assert found.shape == (1, 3, *size)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_plain_pictures_are_no_trouble(method, level):
    plain = torch.full((1, 3, 24, 24), level)
    for content, style in ((plain, smooth(24, 24)), (smooth(24, 24), plain), (plain, plain)):
        assert method.stylize(content, method.encode(style)).isfinite().all()


def test_it_is_deterministic_and_changes_nothing(method):
    x = smooth(30, 41)
    style, kept = method.encode(smooth(30, 30, 1)), x.clone()
    found = method.stylize(x, style, seed=1)
    assert torch.equal(found, method.stylize(x, style, seed=2))
    assert torch.equal(x, kept)
    assert not torch.allclose(found, method.stylize(x, method.encode(smooth(30, 30, 2))), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_goes_by_the_name_of_its_method(name, monkeypatch):
    assert load.get_method(name, Ability.STYLIZE, precision="float32").name == name
    monkeypatch.setattr(zoo, "shipped", lambda: ())
    with pytest.raises(InputError, match=f"{name} needs a model.*impasto train {name}"):
        load.get_method(name, Ability.STYLIZE)
