"""The loss of a batch: against plain NumPy, and which of its sides learns."""

import numpy as np
import pytest
import torch

from impasto.errors import InputError
from impasto.losses.perceptual import PerceptualLoss, Weights, equally
from impasto.nn.vgg import Encoder

CONTENT = {"relu1_2": 0.5, "relu2_1": 2.0}
STYLE = {"relu1_1": 3.0, "relu2_1": 1.5}


@pytest.fixture(scope="module")
def exact():
    """The encoder in float64, which NumPy can be held against."""
    return Encoder(depth="relu3_1").double()


@pytest.fixture
def pictures(photo):
    """What was made, what it should show, and a style, all different."""
    content = torch.cat([photo(24, 32), photo(24, 32, "coffee")]).double()
    made = 0.3 + 0.5 * content.flip(-1)
    return made, content, photo(40, 28, "rocket", 60, 250).double()


def plain_gram(x, normalization):
    rows = x.reshape(*x.shape[:2], -1)
    divisor = {"none": 1, "hw": rows.shape[2], "chw": rows.shape[1] * rows.shape[2]}
    return np.stack([row @ row.T for row in rows]) / divisor[normalization]


def plain_statistics(x, weights):
    if weights.statistics == "gram":
        return plain_gram(x, weights.normalization)
    rows = x.reshape(*x.shape[:2], -1)
    return np.stack([rows.mean(2), np.sqrt(rows.var(2) + 1e-8)], axis=2)


def plain_loss(encoder, weights, made, content, style):
    """The parts, written out on NumPy arrays; nothing of the package but the network itself."""
    layers = sorted({*weights.content, *weights.style})
    of_made, of_content, of_style = (
        {k: v.numpy() for k, v in encoder(side, layers).items()} for side in (made, content, style)
    )
    made, content = made.numpy(), content.numpy()

    def unit(target):
        return (target**2).mean() if weights.relative else 1.0

    parts = {"content": 0.0, "style": 0.0}
    for layer, weight in weights.content.items():
        wanted = of_content[layer]
        parts["content"] += weight * ((of_made[layer] - wanted) ** 2).mean() / unit(wanted)
    for layer, weight in weights.style.items():
        wanted = plain_statistics(of_style[layer], weights)
        found = plain_statistics(of_made[layer], weights)
        parts["style"] += weight * ((found - wanted) ** 2).mean() / unit(wanted)
    parts["pixel"] = weights.pixel * ((made - content) ** 2).mean() / unit(content)
    variation = (np.diff(made, axis=2) ** 2).sum() + (np.diff(made, axis=3) ** 2).sum()
    parts["smoothness"] = weights.smoothness * variation / (made.size if weights.relative else 1)
    return {"total": sum(parts.values()), **parts}


@pytest.mark.parametrize("normalization", ["none", "hw", "chw"])
@pytest.mark.parametrize("relative", [True, False])
def test_plain_numpy_agrees(exact, pictures, relative, normalization):
    made, content, style = pictures
    weights = Weights(CONTENT, STYLE, 0.7, 0.1, relative=relative, normalization=normalization)
    loss = PerceptualLoss(exact, weights)
    found = loss(made, content, loss.grams(style))
    expected = plain_loss(exact, weights, made, content, style)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("relative", [True, False])
def test_moments_by_plain_numpy(exact, pictures, relative):
    made, content, style = pictures
    weights = Weights(CONTENT, STYLE, relative=relative, statistics="moments")
    loss = PerceptualLoss(exact, weights)
    targets = loss.targets(exact(style, list(STYLE)))
    assert targets["relu2_1"].shape == (1, 128, 2)
    found, expected = loss(made, content, targets), plain_loss(exact, weights, *pictures)
    for name in ("content", "style"):
        assert found[name].item() == pytest.approx(expected[name], rel=1e-9)
    assert loss(made, content, loss.grams(style))["style"] == found["style"]
    with pytest.raises(InputError, match="unknown statistics 'mean': choose gram, moments"):
        Weights(statistics="mean")


def test_the_papers_losses_are_means_over_c_h_w(exact, pictures):
    """Equations 2 and 4 of Johnson et al. for one picture: |a-b|²/CHW, and |G-G'|² up to 1/C²."""
    made, content, style = (picture[:1] for picture in pictures)
    loss = PerceptualLoss(exact, Weights({"relu2_2": 1.0}, {"relu2_2": 1.0}, relative=False))
    found = loss(made, content, loss.grams(style))
    a, b, s = (exact(x, ["relu2_2"])["relu2_2"][0].numpy() for x in (made, content, style))
    assert found["content"].item() == pytest.approx(((a - b) ** 2).sum() / a.size, rel=1e-9)
    gram, wanted = (np.einsum("chw,dhw->cd", x, x) / x.size for x in (a, s))
    frobenius = ((gram - wanted) ** 2).sum()
    assert found["style"].item() == pytest.approx(frobenius / len(a) ** 2, rel=1e-9)


@pytest.mark.parametrize("relative", [True, False])
def test_a_picture_has_its_own_content_and_style(encoder, photo, relative):
    picture = photo(32, 48)
    weights = Weights(CONTENT, STYLE, pixel=1.0, relative=relative)
    loss = PerceptualLoss(encoder, weights)
    for value in loss(picture, picture, loss.grams(picture)).values():
        assert value.item() == 0.0


def test_what_is_not_asked_for_is_not_there(encoder, photo):
    made, content = photo(24, 24), photo(24, 24, "coffee")
    loss = PerceptualLoss(encoder, Weights(CONTENT, STYLE, pixel=1.0))
    targets = loss.grams(content)
    assert set(loss(made, content, targets)) == {"total", "content", "pixel", "style"}
    assert set(loss(made, content, None)) == {"total", "content", "pixel"}
    assert set(loss(made, None, targets)) == {"total", "style"}
    smooth = PerceptualLoss(encoder, Weights(smoothness=1.0))
    assert set(smooth(made, None, None)) == {"total", "smoothness"}


def test_the_total_is_the_sum_of_its_parts(encoder, photo):
    loss = PerceptualLoss(encoder, Weights(CONTENT, STYLE, 0.3, 0.2))
    found = loss(photo(24, 24), photo(24, 24, "coffee"), loss.grams(photo(30, 24, "cat")))
    total = found.pop("total")
    torch.testing.assert_close(total, sum(found.values()))
    assert all(part.ndim == 0 and part > 0 for part in (total, *found.values()))


def test_nothing_to_compare_is_refused(encoder, photo):
    picture = photo(16, 16)
    with pytest.raises(InputError, match="compares nothing"):
        PerceptualLoss(encoder, Weights(CONTENT, STYLE))(picture, None, None)
    with pytest.raises(InputError, match="compares nothing"):
        PerceptualLoss(encoder, Weights())(picture, picture, {})


def test_pixels_alone_run_no_network(photo):
    def network(_image, layers):
        assert not layers, "the encoder was asked for features"
        return {}

    made, content = photo(24, 24), photo(24, 24, "coffee")
    found = PerceptualLoss(network, Weights(pixel=2.0, relative=False))(made, content, None)
    torch.testing.assert_close(found["pixel"], 2 * (made - content).square().mean())


def test_only_the_output_learns(encoder, photo):
    made, content, style = (
        photo(24, 24, name).requires_grad_() for name in ("astronaut", "coffee", "cat")
    )
    loss = PerceptualLoss(encoder, Weights(CONTENT, STYLE, 1.0, 1.0))
    targets = loss.grams(style)
    assert not any(target.requires_grad for target in targets.values())
    for name, value in loss(made, content, targets).items():
        (gradient,) = torch.autograd.grad(value, made, retain_graph=True)
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0, name
    loss(made, content, targets)["total"].backward()
    assert content.grad is None
    assert style.grad is None
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_relative_losses_do_not_depend_on_the_scale_of_the_features(encoder, photo):
    """The normalised flavour has other numbers at every layer; the caffe one is kept as it is."""

    def scaled(image, layers):
        return {name: 40 * value for name, value in encoder(image, layers).items()}

    made, content = photo(24, 24), photo(24, 24, "coffee")
    values = {}
    for relative in (True, False):
        weights = Weights(CONTENT, STYLE, relative=relative)
        both = [PerceptualLoss(net, weights) for net in (encoder, scaled)]
        values[relative] = [loss(made, content, loss.grams(content))["total"] for loss in both]
    torch.testing.assert_close(*values[True], rtol=1e-3, atol=0)
    assert values[False][1] > 100 * values[False][0]


def test_a_black_target_divides_by_no_zero(encoder, photo):
    black = torch.zeros(1, 3, 24, 24)
    loss = PerceptualLoss(encoder, Weights(pixel=1.0))
    assert loss(photo(24, 24), black, None)["total"].isfinite()
    assert loss(black, black, None)["total"].item() == 0.0


def test_a_style_for_each_picture_of_the_batch(encoder, photo):
    """Targets (B, C, C): every picture is held against its own."""
    made = torch.cat([photo(24, 24), photo(24, 24, "coffee")])
    styles = torch.cat([photo(32, 32, "cat"), photo(32, 32, "rocket", 60, 250)])
    loss = PerceptualLoss(encoder, Weights(style=STYLE, relative=False))
    found = loss(made, None, loss.grams(styles))["style"]
    each = [loss(made[i : i + 1], None, loss.grams(styles[i : i + 1]))["style"] for i in (0, 1)]
    torch.testing.assert_close(found, sum(each) / 2, rtol=1e-4, atol=0)
    swapped = loss(made, None, loss.grams(styles.flip(0)))["style"]
    assert (swapped - found).abs() > 1e-3 * found


def test_bfloat16_features_give_losses_in_float32(photo):
    coarse = Encoder(depth="relu2_1").to(torch.bfloat16)
    fine = Encoder(depth="relu2_1")
    values = []
    for encoder in (coarse, fine):
        loss = PerceptualLoss(encoder, Weights(CONTENT, STYLE))
        values.append(
            loss(photo(24, 24), photo(24, 24, "coffee"), loss.grams(photo(24, 24, "cat")))
        )
    assert all(value.dtype is torch.float32 for value in values[0].values())
    torch.testing.assert_close(values[0]["total"], values[1]["total"], rtol=0.05, atol=0)


def test_weights_are_spread_equally():
    assert equally(["a", "b", "c", "d"], 10.0) == {"a": 2.5, "b": 2.5, "c": 2.5, "d": 2.5}
    assert equally([], 10.0) == {}
