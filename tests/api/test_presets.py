"""Which method paints where none is named."""

import pytest
import torch

from impasto.api import presets, resolve, stylize
from impasto.errors import InputError
from impasto.image import Image
from impasto.methods.network import NetworkMethod
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import zoo

PHOTO = Image(torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1)))


@pytest.fixture
def asked(monkeypatch):
    """What the pipeline wants built: name and settings. It then gets no further."""
    wanted = []

    def build(name, ability, *, settings, **place):
        wanted.append((name, dict(settings)))
        raise InputError("enough")

    monkeypatch.setattr(resolve, "get_method", build)

    def ask(style=PHOTO, **options):
        wanted.clear()
        with pytest.raises(InputError, match="enough"):
            stylize.stylize(PHOTO, style, **options)
        return wanted[0]

    return ask


def test_fast_unless_said_otherwise(asked):
    fast, best = presets.QUALITIES["fast"], presets.QUALITIES["best"]
    assert asked() == asked(quality="fast") == (fast.method, dict(fast.settings))
    assert asked(quality="best") == (best.method, dict(best.settings))
    assert asked(method="mmd") == ("mmd", {})


def test_numbers_belong_to_the_optimisation(asked):
    assert asked(settings={"steps": 7}) == ("gatys", {"steps": 7})
    assert asked(preset="paper") == ("gatys", {})
    good = dict(presets.QUALITIES["good"].settings)
    assert asked(quality="good", settings={"steps": 7}) == ("gatys", {**good, "steps": 7})


def test_an_encoded_style_goes_to_its_own_method(asked):
    encoded = Style("gatys", (Part({"picture": PHOTO.rgb}),))
    assert asked(encoded) == ("gatys", {})
    assert asked(encoded, quality="good") == ("gatys", dict(presets.QUALITIES["good"].settings))
    with pytest.raises(InputError, match="only gatys can paint this style"):
        stylize.stylize(PHOTO, encoded, quality="fast")


def test_words_for_what_cannot_be():
    with pytest.raises(InputError, match="unknown quality 'superb': choose fast, good, best"):
        stylize.stylize(PHOTO, PHOTO, quality="superb")
    with pytest.raises(InputError, match="name one of the two"):
        stylize.stylize(PHOTO, PHOTO, quality="best", method="mmd")
    with pytest.raises(InputError, match="only johnson can paint this style"):
        stylize.stylize(PHOTO, "starry-night", quality="best")


@pytest.mark.parametrize("name", presets.QUALITIES)
def test_every_word_stands_for_something_that_is_there(name):
    chosen = presets.QUALITIES[name]
    entry = get(chosen.method, Ability.STYLIZE)
    if issubclass(entry.build, NetworkMethod):
        assert zoo.find_arbitrary(chosen.method)
    fields = entry.build.Config.__dataclass_fields__
    assert set(chosen.settings) <= set(fields)
