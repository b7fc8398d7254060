"""Check masks of people, faces and regions, and the notes if none is found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import impasto
from helpers import smooth_picture
from impasto.api import areas, clusters, people
from impasto.api.controls import Controls
from impasto.api.people import Face
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.nn.vgg import Encoder

STYLE = "adele-lite"  # a small network
ASTRONAUT = Face(0.9, 0.5, 0.3, 0.2, 0.25, 0.0)


@pytest.fixture(scope="module")
def astronaut():
    return samples.photo("astronaut").resized(256, 256)


@pytest.fixture(scope="module")
def cat():
    return samples.photo("chelsea")


@pytest.fixture(scope="module")
def encoder():
    return Encoder(depth="relu4_1")


def changed(painted: Image, photo: Image) -> Tensor:
    """The change of each pixel, (H, W)."""
    return (painted.rgb - photo.rgb).abs().amax(1)[0]


# faces


def test_the_face_of_the_astronaut_is_found(astronaut):
    (face,) = people.faces(astronaut)
    assert face.score > 0.9
    assert (face.x, face.y) == pytest.approx((0.44, 0.24), abs=0.02)
    assert (face.width, face.height) == pytest.approx((0.21, 0.21), abs=0.04)
    assert abs(face.tilt) < 0.2


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "motorcycle"])
def test_no_face_is_found_where_there_is_none(name):
    assert people.faces(samples.photo(name)) == []


def test_a_small_face_is_found(astronaut):
    photo = torch.full((1, 3, 512, 768), 0.5)
    photo[..., 200:456, 400:656] = astronaut.rgb
    (face,) = people.faces(Image(photo))
    assert face.x * 768 == pytest.approx(400 + 0.44 * 256, abs=8)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3)])
def test_photos_of_odd_sizes_are_searched(size):
    assert people.faces(Image(torch.rand(1, 3, *size))) == []


def test_a_tilted_face_has_a_tilted_mask():
    person = torch.ones(1, 1, 100, 100)
    straight, tilted = (
        people.face_mask([Face(1, 0.5, 0.5, 0.2, 0.4, angle)], person)[0, 0]
        for angle in (0.0, torch.pi / 2)
    )
    assert (straight.T.flip(1) - tilted).abs().max() < 0.01  # turned clockwise


# the area


def test_person_and_background_complement_each_other(astronaut):
    person = areas.area(astronaut, astronaut, Controls(only="person")).weight
    background = areas.area(astronaut, astronaut, Controls(only="background")).weight
    assert torch.allclose(person + background, torch.ones(1))
    assert person.shape == (1, 1, 256, 256)
    assert float(person[..., 200, 128]) > 0.95  # the suit
    assert float(person[..., 40, 230]) < 0.05  # the wall


def test_a_face_is_kept_within_the_person(astronaut):
    weight = areas.area(astronaut, astronaut, Controls(keep="face", only="person")).weight
    person = areas.area(astronaut, astronaut, Controls(only="person")).weight
    assert float(weight[..., 54, 113]) < 0.05  # the nose
    assert float(weight[..., 200, 128]) > 0.95
    assert bool((weight <= person + 1e-6).all())


def test_nothing_is_searched_unless_it_is_asked(monkeypatch, astronaut):
    monkeypatch.setattr(people, "faces", None)
    assert areas.area(astronaut, astronaut, Controls()).weight is None


def test_a_photo_without_people(cat):
    with pytest.raises(InputError, match="no person found in the photo"):
        areas.area(cat, cat, Controls(only="person"))
    nowhere = areas.area(cat, cat, Controls(only="person"), refuse=False)
    assert float(nowhere.weight.max()) == 0
    background = areas.area(cat, cat, Controls(only="background"))
    assert (background.weight, background.note) == (None, "no person found: everything is painted")
    face = areas.area(cat, cat, Controls(keep="face"))
    assert (face.weight, face.note) == (None, "no person found: no face is kept")


def test_stylize_leaves_the_rest_as_it_is(astronaut):
    for only, where in (("person", (40, 230)), ("background", (200, 128))):
        painted = impasto.stylize(astronaut, STYLE, only=only)
        change = changed(painted, astronaut)
        assert float(change[where]) == 0
        assert float(change.mean()) > 0.02


def test_stylize_says_that_there_is_no_person(cat):
    painted = impasto.stylize(cat, STYLE, keep="face", size=128)
    assert "no person found" in painted.note


def test_only_is_combined_with_masks_and_strength(astronaut):
    left = torch.zeros(1, 3, 8, 8)
    left[..., :4] = 1
    painted = impasto.stylize(astronaut, STYLE, only="person", masks=[Image(left)], strength=0.5)
    change = changed(painted, astronaut)
    assert float(change[200:, 160:].max()) < 1e-6
    assert float(change[:60, 200:].max()) < 1e-6
    assert float(change[200:, 60:100].mean()) > 0.02


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"only": "cat"}, "unknown only 'cat': choose person, background"),
        ({"keep": "hat"}, "unknown keep 'hat': choose face"),
        ({"regions": 1}, "regions is 1: it must be 2 to 8"),
    ],
)
def test_values_out_of_range(option, said):
    with pytest.raises(InputError, match=said):
        Controls(**option)


# regions


def halves(first: Image, second: Image) -> Image:
    """Two images above each other."""
    return Image(torch.cat([first.rgb, second.rgb], 2))


@pytest.fixture(scope="module")
def scene():
    """Grass below a smooth sky, and a painting of the same."""
    sky = Image(smooth_picture(96, 192).rgb * 0.1 + torch.tensor([0.4, 0.6, 0.9]).view(1, 3, 1, 1))
    grass = samples.texture("grass").resized(192, 192)
    green = grass.rgb[..., :96, :] * torch.tensor([0.4, 0.9, 0.3]).view(1, 3, 1, 1)
    return halves(sky, Image(green))


def test_regions_follow_what_is_there(scene, encoder):
    parts = clusters.divide(scene, 2, encoder)
    assert parts.masks.sum(0).unique().tolist() == [1]
    regions = clusters.refined(parts.masks, scene)
    assert torch.allclose(torch.stack(regions).sum(0), torch.ones(1))
    above = [float(region[..., :80, :].mean()) for region in regions]
    below = [float(region[..., 112:, :].mean()) for region in regions]
    assert sorted(above) == pytest.approx([0, 1], abs=0.1)
    assert below == pytest.approx(above[::-1], abs=0.1)


def test_the_same_seed_gives_the_same_regions(scene, encoder):
    one, other = (clusters.divide(scene, 3, encoder, seed=4).masks for _ in range(2))
    assert torch.equal(one, other)


def test_matching_finds_the_permutation():
    looks = torch.randn(4, 30)
    order = [2, 0, 3, 1]
    assert clusters.match(looks, (3 * looks + 1)[order]) == [order.index(n) for n in range(4)]


def test_a_swatch_has_the_region_only_at_the_size_of_the_painting():
    painting = torch.zeros(1, 3, 64, 96)
    painting[..., 40:] = torch.rand(1, 1, 64, 56) * 0.5 + 0.5
    mask = torch.zeros(1, 8, 12)
    mask[..., 5:] = 1
    made = clusters.swatch(Image(painting), mask)
    assert made.size == (96, 64)
    assert float(made.rgb.min()) >= 0.5


@pytest.mark.slow
def test_sky_is_painted_like_the_sky(scene):
    painted = impasto.stylize(scene, scene, regions=2, method="wct")
    top, bottom = (
        painted.rgb[..., part, :].mean((2, 3))[0] for part in (slice(80), slice(112, 192))
    )
    assert float(top[2] - top[1]) > 0.1  # blue
    assert float(bottom[1] - bottom[2]) > 0.1  # green


@pytest.mark.slow
def test_as_many_styles_as_regions_are_matched(scene):
    sky, grass = (
        Image(scene.rgb[..., :96, :].contiguous()),
        Image(scene.rgb[..., 96:, :].contiguous()),
    )
    for styles in ([sky, grass], [grass, sky]):
        painted = impasto.stylize(scene, styles, regions=2, method="wct")
        assert float(painted.rgb[0, 2, :80].mean() - painted.rgb[0, 1, :80].mean()) > 0.1


def test_regions_that_cannot_be():
    photo = smooth_picture(64, 64)
    with pytest.raises(InputError, match="a learned style has no picture to divide"):
        impasto.stylize(photo, STYLE, regions=2)
    with pytest.raises(InputError, match="2 styles for 3 regions"):
        impasto.stylize(photo, [STYLE, "starry-night"], regions=3)
    with pytest.raises(InputError, match="give masks or regions, not both"):
        impasto.stylize(photo, photo, regions=2, masks=[photo])


def test_learned_styles_go_by_the_size_of_the_regions(scene):
    painted = impasto.stylize(scene, [STYLE, "gray-tree-lite"], regions=2, size=64)
    assert painted.size == (64, 64)
