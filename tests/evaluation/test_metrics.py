"""Metrics: closed forms at both ends of the scale, and NumPy in between."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy import ndimage

from impasto.errors import InputError
from impasto.evaluation import distributions, metrics
from impasto.evaluation.artifacts import worst_lattice

LAYERS = metrics.STYLE_LAYERS


@pytest.fixture(scope="module")
def pictures(photo):
    """A photo, a style of another size, and the photo with some of the style's colours."""
    one, style = photo(48, 64), photo(40, 56, "coffee", 100, 100)
    blend = 0.6 * one + 0.4 * photo(48, 64, "coffee", 100, 100)
    return {"photo": one, "style": style, "painted": blend}


@pytest.fixture(scope="module")
def views(encoder, pictures):
    return {name: metrics.encode_view(encoder, picture) for name, picture in pictures.items()}


def test_the_photo_itself_is_the_unit(views):
    scores = metrics.measure(views["photo"], views["photo"], views["style"])
    assert scores.moments == dict.fromkeys(LAYERS, 1.0)
    assert scores.gram == dict.fromkeys(LAYERS, 1.0)
    assert scores.content == {"relu4_2": 0.0}
    assert scores.edges == pytest.approx((1.0, 1.0), abs=1e-12)
    assert set(scores.sliced.values()) == {1.0}
    assert scores.layout == pytest.approx(0, abs=1e-6)
    assert scores.color == distributions.color_distance(
        views["photo"].colors, views["style"].colors
    )
    assert scores.color > 1


@pytest.mark.parametrize("kind", ["moments", "gram"])
def test_the_style_itself_is_at_no_distance(views, kind):
    found = metrics.style_distance(views["style"], views["style"], views["photo"], kind)
    assert found == dict.fromkeys(LAYERS, 0.0)


@pytest.mark.parametrize("kind", ["moments", "gram"])
def test_style_distance_is_numpys(encoder, pictures, views, kind):
    def statistics(name, layer):
        features = encoder(pictures[name], [layer])[layer][0].flatten(1).double().numpy()
        if kind == "gram":
            return features @ features.T / features.shape[1]
        return np.concatenate([features.mean(1), features.std(1)])

    found = metrics.style_distance(views["painted"], views["style"], views["photo"], kind)
    for layer in LAYERS:
        painted, style, photo = (statistics(n, layer) for n in ("painted", "style", "photo"))
        expected = ((painted - style) ** 2).sum() / ((photo - style) ** 2).sum()
        assert found[layer] == pytest.approx(expected, rel=1e-4)


def test_sliced_distance_of_a_blend_is_between(views):
    """The distance itself is tested in test_distributions.py."""
    found = metrics.style_distance(views["painted"], views["style"], views["photo"], "sliced")
    assert tuple(found) == distributions.SLICED_LAYERS["vgg19"]
    assert all(0 < value < 1 for value in found.values())
    itself = metrics.style_distance(views["style"], views["style"], views["photo"], "sliced")
    assert set(itself.values()) == {0.0}


def test_sliced_distance_may_look_through_another_network(encoder, pictures):
    """Any encoder other than VGG-19's own stands in for VGG-16, whose weights are not at hand."""
    other = copy.copy(encoder)
    other.arch = "vgg16"  # whose layers have the same names in VGG-19
    view = metrics.encode_view(encoder, pictures["photo"], (), other)
    assert tuple(view.sliced) == distributions.SLICED_LAYERS["vgg16"]
    features = encoder(pictures["photo"], ["relu3_3"])["relu3_3"]
    assert torch.equal(view.sliced["relu3_3"], distributions.feature_projections(features))


def test_layout_minds_what_lies_where_and_not_the_colours(encoder, pictures, views):
    photo = views["photo"]
    upside_down = metrics.encode_view(encoder, pictures["photo"].flip(-2))
    darker = metrics.encode_view(encoder, 0.8 * pictures["photo"])
    found = {
        name: metrics.measure(view, photo, views["style"]).layout
        for name, view in {"darker": darker, "blend": views["painted"], "flip": upside_down}.items()
    }
    assert 0 < found["darker"] < found["blend"] < found["flip"]


def test_layout_has_a_bounded_number_of_positions(encoder, photo):
    assert metrics.encode_view(encoder, photo(48, 64)).layout.shape == (12 * 16, 256)
    assert metrics.encode_view(encoder, photo(144, 160), ()).layout.shape == (32 * 32, 256)


@pytest.mark.slow
def test_lattice_is_measured_where_the_picture_is_large_enough(encoder, photo, views):
    large = photo(208, 208)
    view = metrics.encode_view(encoder, large)
    assert view.lattice == worst_lattice(large)
    assert metrics.measure(view, view, views["style"]).means()["lattice"] == view.lattice
    assert views["photo"].lattice is None
    assert "lattice" not in metrics.measure(views["photo"], views["photo"], views["style"]).means()


def test_content_distance_is_numpys(encoder, pictures, views):
    one, other = (
        encoder(pictures[name], ["relu4_2"])["relu4_2"].double().numpy()
        for name in ("painted", "photo")
    )
    expected = ((one - other) ** 2).mean() / (other**2).mean()
    found = metrics.content_distance(views["painted"], views["photo"])
    assert found == {"relu4_2": pytest.approx(expected, rel=1e-4)}


def test_content_layers_can_be_chosen(encoder, pictures):
    layers = ("relu1_2", "relu3_2")
    photo, painted = (
        metrics.encode_view(encoder, pictures[name], layers) for name in ("photo", "painted")
    )
    found = metrics.content_distance(painted, photo)
    assert tuple(found) == layers
    assert all(0 < value < 1 for value in found.values())
    assert metrics.encode_view(encoder, pictures["style"], ()).content == {}


def test_edge_map_is_sobels(pictures):
    light = np.einsum("chw,c->hw", pictures["painted"][0].double().numpy(), [0.299, 0.587, 0.114])
    down, right = (ndimage.sobel(light, axis=axis, mode="reflect") / 4 for axis in (0, 1))
    expected = np.sqrt((down**2 + right**2) / 2)
    assert np.allclose(metrics.edge_map(pictures["painted"]), expected, atol=1e-7)


def test_edge_map_of_a_step():
    step = torch.zeros(1, 3, 9, 9)
    step[..., 4:] = 1
    edges = metrics.edge_map(step)
    assert edges[:, 3:5] == pytest.approx(2**-0.5)
    assert edges[:, [0, 1, 2, 5, 6, 7, 8]] == pytest.approx(0)


def test_edge_agreement_is_numpys(views):
    found = metrics.edge_agreement(views["painted"], views["photo"])
    one, other = views["painted"].edges, views["photo"].edges
    a, b = one - one.mean(), other - other.mean()
    assert found.correlation == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    assert found.similarity == pytest.approx(_ssim(one, other), rel=1e-9)
    assert -1 < found.similarity < found.correlation < 1


def _ssim(one, other):
    """Wang et al. 2004, equation 13, over windows of 7x7 that lie inside."""
    windows = [np.lib.stride_tricks.sliding_window_view(x, (7, 7)) for x in (one, other)]
    (x, y), axes = windows, (2, 3)
    mean_x, mean_y = x.mean(axes), y.mean(axes)
    var_x, var_y = x.var(axes, ddof=1), y.var(axes, ddof=1)
    both = ((x * y).mean(axes) - mean_x * mean_y) * 49 / 48
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return (score / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean()


def test_edges_do_not_mind_brightness_and_do_mind_a_shift(encoder, pictures, views):
    darker = metrics.encode_view(encoder, 0.5 * pictures["photo"])
    shifted = metrics.encode_view(encoder, pictures["photo"].roll(5, dims=-1))
    correlation = [
        metrics.edge_agreement(view, views["photo"]).correlation for view in (darker, shifted)
    ]
    assert correlation[0] == pytest.approx(1, abs=1e-6)
    assert correlation[1] < 0.5


def test_pictures_without_edges(encoder, views):
    flat = metrics.encode_view(encoder, torch.full((1, 3, 48, 64), 0.5))
    assert metrics.edge_agreement(flat, views["photo"]).correlation == 0
    assert metrics.edge_agreement(flat, flat) == pytest.approx((1, 1))


def test_means(views):
    scores = metrics.measure(views["painted"], views["photo"], views["style"])
    means = scores.means()
    names = ["style", "gram", "content", "edges", "edge_ssim", "sliced", "color", "layout"]
    assert list(means) == names
    assert means["sliced"] == pytest.approx(np.mean(list(scores.sliced.values())))
    assert (means["color"], means["layout"]) == (scores.color, scores.layout)
    assert means["style"] == pytest.approx(np.mean(list(scores.moments.values())))
    assert means["gram"] == pytest.approx(np.mean(list(scores.gram.values())))
    assert means["content"] == scores.content["relu4_2"]
    assert (means["edges"], means["edge_ssim"]) == scores.edges


def test_one_pass_of_the_encoder_for_each_picture(encoder, pictures, monkeypatch):
    passes = []
    monkeypatch.setattr(
        encoder, "preprocess", lambda x, was=encoder.preprocess: (passes.append(1), was(x))[1]
    )
    views = {name: metrics.encode_view(encoder, picture) for name, picture in pictures.items()}
    metrics.measure(views["painted"], views["photo"], views["style"])
    assert len(passes) == 3


def test_nonsense_is_refused(encoder, pictures, views):
    with pytest.raises(InputError, match="unknown kind of style distance 'mean'"):
        metrics.style_distance(*(views[n] for n in ("painted", "style", "photo")), "mean")
    with pytest.raises(InputError, match="photo and style are the same at relu1_1"):
        metrics.style_distance(views["painted"], views["photo"], views["photo"])
    with pytest.raises(InputError, match="56x40 cannot be compared with a photo of 64x48"):
        metrics.edge_agreement(views["style"], views["photo"])
    with pytest.raises(InputError, match="content features"):
        metrics.content_distance(views["style"], views["photo"])
    tiny = metrics.View({}, {}, {}, np.zeros((6, 9)), {}, torch.empty(0), torch.empty(0))
    with pytest.raises(InputError, match="from 7 pixels"):
        metrics.edge_agreement(tiny, tiny)
    with pytest.raises(InputError, match="relu5_1"):
        metrics.encode_view(encoder, pictures["photo"][..., :8, :8])
