"""Colours that a painting does not have."""

import torch

from impasto.losses.palette import Palette, palette_loss, palette_of, with_palette


def test_a_palette_leaves_out_a_share_at_both_ends():
    ramp = torch.linspace(0, 1, 1001).view(1, 1, 1, -1).expand(2, 3, 7, -1)
    palette = palette_of(ramp, outside=0.1)
    assert palette.low.shape == palette.high.shape == (2, 3)
    torch.testing.assert_close(palette.low, torch.full((2, 3), 0.1), atol=1e-3, rtol=0)
    torch.testing.assert_close(palette.high, torch.full((2, 3), 0.9), atol=1e-3, rtol=0)


def test_colours_within_cost_nothing_and_those_beyond_their_distance():
    palette = Palette(torch.full((1, 3), 0.2), torch.tensor([[0.6, 0.7, 0.8]]))
    inside = torch.full((1, 3, 4, 4), 0.5)
    assert palette_loss(inside, palette) == 0
    spot = inside.clone()
    spot[..., 0, 0] = 1.0  # one pixel of sixteen: 0.4, 0.3 and 0.2 too bright
    torch.testing.assert_close(palette_loss(spot, palette), torch.tensor(0.9 / 48))
    spot[..., 0, 0] = 0.0
    torch.testing.assert_close(palette_loss(spot, palette), torch.tensor(0.6 / 48))


def test_each_picture_has_its_own():
    drawn = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    pictures = drawn * torch.tensor([0.5, 1.0]).view(2, 1, 1, 1)
    own = palette_of(pictures, outside=0.0)
    assert palette_loss(pictures, own) == 0
    swapped = Palette(own.low.flip(0), own.high.flip(0))
    assert palette_loss(pictures, swapped) > 0.05


def test_it_is_one_more_part_of_the_total():
    picture = torch.zeros(1, 3, 4, 4)
    palette = Palette(torch.full((1, 3), 0.25), torch.ones(1, 3))
    losses = {"total": torch.tensor(2.0), "style": torch.tensor(2.0)}
    assert with_palette(losses, picture, palette, 0.0) == losses
    found = with_palette(losses, picture, palette, 4.0)
    assert {name: float(loss) for name, loss in found.items()} == {
        "total": 3.0,
        "style": 2.0,
        "palette": 1.0,
    }
