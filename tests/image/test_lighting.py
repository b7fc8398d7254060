"""Light and shade of the photo: patches that it does not have go, its own edges stay."""

import pytest
import torch

from impasto.image.lighting import keep_lighting

HEIGHT, WIDTH = 192, 256


def photo():
    """A dark ground below a light sky."""
    content = torch.full((1, 3, HEIGHT, WIDTH), 0.75)
    content[..., HEIGHT // 2 :, :] = 0.25
    return content


def painted():
    """The photo with strokes of four pixels, and a dark patch in its sky."""
    image = photo() + 0.05 * ((torch.arange(WIDTH) // 4 % 2) * 2 - 1)
    image[..., 30:62, 100:140] -= 0.4
    return image.clamp(0, 1)


def depth(image):
    """Measure how much darker the patch is than the sky around it."""
    rows = image[..., 36:56, :].mean((0, 1, 2))
    return float(rows[8:80].mean() - rows[104:136].mean())


def test_a_patch_fades_in_proportion():
    depths = [depth(keep_lighting(painted(), photo(), amount)) for amount in (0.0, 0.5, 1.0)]
    assert depths[0] == pytest.approx(0.4, abs=0.02)
    assert depths[1] < 0.75 * depths[0]
    assert depths[2] < 0.5 * depths[0]


def test_strokes_edges_mean_and_deviation_stay():
    before, after = painted(), keep_lighting(painted(), photo(), 1.0)
    strokes = [float(x[..., 70:90, 8:80].std()) for x in (before, after)]
    assert strokes[1] == pytest.approx(strokes[0], rel=0.25)
    edges = [
        float(x[..., 80:92, 8:80].mean() - x[..., 100:112, 8:80].mean()) for x in (before, after)
    ]
    assert edges[1] == pytest.approx(edges[0], rel=0.1)
    assert float(after.mean()) == pytest.approx(float(before.mean()), abs=0.01)
    assert float(after.std()) == pytest.approx(float(before.std()), abs=0.02)


def test_what_has_the_photos_light_stays():
    assert (keep_lighting(photo(), photo(), 1.0) - photo()).abs().mean() < 0.01


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3)])
def test_tiny_images(size):
    image = torch.rand(1, 3, *size)
    found = keep_lighting(image, torch.rand(1, 3, *size), 1.0)
    assert found.shape == image.shape
    assert torch.isfinite(found).all()
