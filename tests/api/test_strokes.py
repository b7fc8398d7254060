"""The size of strokes: in proportion to what is asked, at every size of the image."""

import pytest
import torch

import impasto
from impasto.api import strokes
from impasto.errors import InputError
from impasto.image import Image
from stripes import PERIOD, Stripes, wavelength


def stylized(width=128, **options):
    photo = Image(torch.full((1, 3, width // 2, width), 0.5))
    method = Stripes()
    return impasto.stylize(photo, photo, method=method, **options).rgb, method.painted


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0, 4.0])
def test_strokes_have_the_size_that_is_asked(scale):
    image, _ = stylized(256, style_scale=scale, strokes="absolute")
    assert image.shape[-1] == 256
    assert wavelength(image) == pytest.approx(PERIOD * scale, rel=0.1)


@pytest.mark.parametrize("width", [64, 128, 256])
def test_they_grow_with_the_image(width):
    image, painted = stylized(width)
    assert wavelength(image) / width == pytest.approx(PERIOD / 64, rel=0.1)
    assert painted[-1] == (width // 2, width)  # where its finest detail is from


def test_small_images_are_painted_larger_but_at_most_twice():
    assert stylized(40)[1] == [(32, 64)]
    assert stylized(20)[1] == [(20, 40)]
    assert stylized(40, shifts=1)[1] == stylized(40, strokes="absolute")[1] == [(20, 40)]
    assert stylized(40, style_scale=2.0)[1] == [(16, 32), (20, 40)]


def test_a_network_paints_the_whole_photo_and_says_what_it_enlarges():
    photo = torch.rand(1, 3, 40, 60)
    painted = impasto.stylize(Image(photo), "starry-night")
    assert (painted.size, painted.note) == ((60, 40), "")
    large = impasto.stylize(Image(photo), "starry-night", size=72)
    assert "enlarged from 60x40 to 72x48" in large.note
    wide = Image(photo.expand(1, 3, 40, 60).repeat(1, 1, 1, 12))
    little = impasto.stylize(wide, "starry-night", memory=1)
    assert little.size == (640, round(40 * 640 / 720))
    assert "shrunk from 720x40 to 640x36 pixels: give a size for another" in little.note


def test_detail_is_taken_from_the_larger_paintings():
    """Of one image, painted alike at all sizes, four fifths of its detail come out."""
    image = torch.rand(1, 3, 64, 96)
    levels = strokes.sizes((64, 96), 4.0, "absolute", 512)
    assert levels == [(16, 24), (32, 48), (64, 96)]
    found = strokes.paint(lambda photo, watch: photo, image, levels, lambda progress: None)
    coarse = strokes.resized(strokes.resized(image, (16, 24)), (64, 96))
    assert (found - image).norm() < 0.25 * (coarse - image).norm()


def test_a_mesh_is_left_out_where_the_photo_is_plain():
    mesh = torch.zeros(1, 1, 1, 64)
    mesh[..., ::2] = 0.2
    photo = torch.full((1, 3, 64, 64), 0.5)
    photo[..., :32, :] += torch.rand(32, 64) - 0.5
    levels = [(32, 32), (64, 64)]

    def with_mesh(photo, watch):
        return photo + mesh if photo.shape[-1] == 64 else photo

    found = strokes.paint(with_mesh, photo, levels, lambda progress: None)
    assert found[..., 48:, :].std() < 0.02
    assert found[..., :16, :].std() > 0.2


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
def test_a_networks_style_image_has_one_size_at_every_scale(scale):
    """The photo is painted at another size instead, for which the style image must not change."""
    pixels = round(0.36 * 256 * 512)
    assert strokes.style_scale((256, 512), scale, "relative", 512) == (pixels, 1.0)
    assert strokes.style_scale((128, 256), scale, "relative", 512) == (pixels, 1.0)
    assert strokes.style_scale((512, 1024), scale, "relative", 512) == (pixels, 1.0)
    assert strokes.style_scale((256, 512), scale, "absolute", 512) == (pixels, 1.0)
    assert strokes.style_scale((256, 512), scale, "relative", None) == (256 * 512, scale)


def mean_wavelength(image):
    """The geometric mean wavelength, in pixels, of the brightness, weighted by power and frequency.

    Waves longer than a third of the image are of the photo, and are left out.
    """
    brightness = image[0].double().mean(0)
    brightness = brightness - brightness.mean()
    height, width = brightness.shape
    window = torch.hann_window(height, dtype=torch.float64).unsqueeze(1)
    power = (
        torch.fft.fft2(brightness * window * torch.hann_window(width, dtype=torch.float64))
        .abs()
        .square()
    )
    frequency = torch.hypot(torch.fft.fftfreq(height).unsqueeze(1), torch.fft.fftfreq(width))
    seen = frequency > 3 / max(height, width)
    power, frequency = power[seen] * frequency[seen], frequency[seen]
    return float(torch.exp(-(power * frequency.log()).sum() / power.sum()))


@pytest.mark.slow
@pytest.mark.parametrize("painting", ["wave", "mosaic"])
def test_strokes_of_the_default_grow_as_asked(painting):
    """On a gradient, within 25 %; the finest strokes are a few pixels, and cannot be halved.

    So they are compared from a size on that is not painted larger and shrunk.
    """
    own = {"strokes": "absolute"}
    x, y = torch.linspace(0, 1, 256), torch.linspace(0, 1, 192).unsqueeze(1)
    channels = (0.3 + 0.4 * x + 0 * y, 0.35 + 0 * x + 0.3 * y, 0.6 - 0.3 * x * y)
    photo = Image(torch.stack(channels).unsqueeze(0))
    one, two, four = (
        mean_wavelength(impasto.stylize(photo, f"sample:{painting}", style_scale=scale, **own).rgb)
        for scale in (1.0, 2.0, 4.0)
    )
    assert two / one == pytest.approx(2, rel=0.25)
    assert four / one == pytest.approx(4, rel=0.25)


def test_other_words_are_refused():
    with pytest.raises(InputError, match="unknown strokes 'large': choose relative, absolute"):
        stylized(strokes="large")
