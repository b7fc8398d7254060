"""Metrics: closed forms at both ends of the scale, and NumPy in between."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from impasto.errors import InputError
from impasto.evaluation import metrics

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


@pytest.mark.parametrize("kind", metrics.KINDS)
def test_the_style_itself_is_at_no_distance(views, kind):
    found = metrics.style_distance(views["style"], views["style"], views["photo"], kind)
    assert found == dict.fromkeys(LAYERS, 0.0)


@pytest.mark.parametrize("kind", metrics.KINDS)
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
    assert list(means) == ["style", "gram", "content", "edges", "edge_ssim"]
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
    with pytest.raises(InputError, match="unknown kind 'mean'"):
        metrics.style_distance(*(views[n] for n in ("painted", "style", "photo")), "mean")
    with pytest.raises(InputError, match="photo and style are the same at relu1_1"):
        metrics.style_distance(views["painted"], views["photo"], views["photo"])
    with pytest.raises(InputError, match="56x40 cannot be compared with a photo of 64x48"):
        metrics.edge_agreement(views["style"], views["photo"])
    with pytest.raises(InputError, match="content features"):
        metrics.content_distance(views["style"], views["photo"])
    tiny = metrics.View({}, {}, {}, np.zeros((6, 9)))
    with pytest.raises(InputError, match="from 7 pixels"):
        metrics.edge_agreement(tiny, tiny)
    with pytest.raises(InputError, match="relu5_1"):
        metrics.encode_view(encoder, pictures["photo"][..., :8, :8])
