"""The mean over shifted content images: what cancels, what stays, progress and cancelling."""

import math

import pytest
import torch

from helpers import is_picture
from helpers import smooth_picture as smooth
from impasto.api import cycle_spinning, options, stylize
from impasto.api.controls import Controls
from impasto.core.progress import silent
from impasto.errors import InputError
from impasto.image import samples
from impasto.methods.registry import get
from impasto.methods.spec import Ability

HEIGHT, WIDTH = 24, 32


def photo():
    return samples.photo("coffee").resized(HEIGHT, WIDTH).rgb


def wave(rows, columns, size):
    """A cosine of ``rows`` and ``columns`` quarter periods a pixel, fixed to the grid."""
    y, x = torch.meshgrid(*map(torch.arange, size), indexing="ij")
    return torch.cos(math.pi / 2 * (rows * y + columns * x) + 0.3)


def with_lattice(rows, columns):
    """A network that returns the content image with a lattice on it."""

    def paint(photo, masks, callback):
        return photo + 0.1 * wave(rows, columns, photo.shape[-2:])

    return paint


def plain(photo, masks, callback):
    return photo


FREQUENCIES = [(i, j) for i in range(4) for j in range(4) if (i, j) != (0, 0)]
LEFT = {  # frequencies that the shifts of a set all see alike
    1: FREQUENCIES,
    2: [(i, j) for i, j in FREQUENCIES if (i + j) % 4 != 2],  # some of them are weaker
    4: [(i, j) for i, j in FREQUENCIES if (i + j) % 4 == 0],
    8: [(2, 2)],
    16: [],
}


@pytest.mark.parametrize("number", cycle_spinning.SHIFTS)
def test_the_content_image_stays(number):
    found = cycle_spinning.average(plain, photo(), (), number, silent)
    torch.testing.assert_close(found, photo(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", cycle_spinning.SHIFTS)
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_a_lattice_cancels(number, frequency):
    found = cycle_spinning.average(with_lattice(*frequency), photo(), (), number, silent)
    left = (found - photo()).abs().max()
    if frequency in LEFT[number]:
        assert left > 0.05
    else:
        assert left < 1e-6


def test_masks_move_with_the_content_image():
    mask = photo()[:, :1]

    def paint(given, masks, callback):
        assert torch.equal(given[:, :1], masks[0])
        return given

    cycle_spinning.average(paint, photo(), [mask], 8, silent)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_tiny_content_images(side):
    tiny = photo()[..., :side, :side]
    assert torch.allclose(cycle_spinning.average(plain, tiny, (), 16, silent), tiny, atol=1e-6)


def network():
    torch.manual_seed(0)
    return get("johnson").build(get("johnson").build.Config(width=4, blocks=0))


def painted(method, **options):
    return stylize.stylize(smooth(), method.own_style(), method=method, **options)


def test_progress_counts_all_shifts_and_previews_have_the_size_of_the_photo():
    seen = []
    painted(network(), callback=lambda p: seen.append((p.step, p.total, p.preview().shape)))
    shape = smooth().rgb.shape
    assert seen == [(step + 1, 8, shape) for step in range(8)]


@pytest.mark.parametrize("after", [1, 3])
def test_cancelling_keeps_the_mean_so_far(after):
    def stop(progress):
        if progress.step == after:
            progress.cancel()

    method = network()
    found = painted(method, callback=stop).rgb
    assert is_picture(found, *smooth().rgb.shape[-2:])
    assert not torch.equal(found, painted(method).rgb)


def test_each_method_has_its_number_and_optimisations_have_one():
    assert network().shifts == 8
    for entry in map(get, ("gatys", "mmd", "cnnmrf", "nnst", "texture-net")):
        assert Ability.STYLIZE in entry.abilities
        assert entry.build.shifts == 1
    assert get("wct").build.shifts == get("adain").build.shifts == 4


def test_an_optimisation_takes_one_whatever_is_asked():
    seen = []
    settings = {"steps": 1, "levels": 1}
    stylize.stylize(
        smooth(seed=1),
        smooth(),
        method="gatys",
        settings=settings,
        shifts=16,
        callback=lambda p: seen.append(p.total),
    )
    assert seen == [1]


def test_other_numbers_are_refused():
    assert tuple(cycle_spinning.SHIFTS) == options.SHIFTS
    with pytest.raises(InputError, match="shifts is 3: choose 1, 2, 4, 8, 16"):
        Controls(shifts=3)


def test_the_number_follows_the_size_of_each_level(monkeypatch):
    """Of a large photo the small levels are averaged over more shifts than the largest."""
    monkeypatch.setattr(cycle_spinning, "_FEW", 1000)
    method, passes = network(), []
    run = type(method).run
    watched = lambda self, x, **to: (passes.append(tuple(x.shape[2:])), run(self, x, **to))[1]  # noqa: E731
    monkeypatch.setattr(type(method), "run", watched)
    painted(method, style_scale=2.0, strokes="absolute")
    # windows are three pixels larger
    assert passes == [(18 + 3, 26 + 3)] * 8 + [(36 + 3, 52 + 3)] * 4
