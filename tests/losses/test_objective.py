"""The weighted sum: against one written by hand, and how often the network runs for it."""

from collections import Counter

import pytest
import torch

from impasto.errors import InputError
from impasto.losses.content import content_loss
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.guides import guide_at
from impasto.losses.moments import moments, moments_distance
from impasto.losses.objective import Objective
from impasto.losses.smoothness import total_variation
from impasto.losses.style import GramLoss
from impasto.losses.terms import parse
from impasto.nn.vgg import Encoder

LAYERS = {"relu1_1": 1.0, "relu2_1": 0.25}


@pytest.fixture
def image(photo):
    return photo(32, 40)


@pytest.fixture
def content(photo):
    return photo(32, 40, "coffee", 100, 200)


@pytest.fixture
def style(photo):
    return photo(36, 28, "chelsea", 90, 120)


@pytest.fixture
def calls(encoder):
    """Counts how often each convolution runs."""
    counter = Counter()
    handles = [
        module.register_forward_hook(lambda *_, name=name: counter.update([name]))
        for name, module in encoder.convolutions.items()
    ]
    yield counter
    for handle in handles:
        handle.remove()


def test_the_sum_written_by_hand(encoder, image, content, style):
    objective = (
        Objective(encoder)
        .add_content(content, {"relu2_2": 2.0, "conv1_2": 0.5}, reduction="half_sum")
        .add_style(style, parse("0.3 gram + 5 moments@relu1_2,relu2_2"), LAYERS, weight=7.0)
        .add_smoothness(1e-3, kind="anisotropic")
    )
    image.requires_grad_()
    losses = objective(image)
    (gradient,) = torch.autograd.grad(losses["total"], image)

    def features(picture, layer):
        return encoder(picture, [layer])[layer]

    by_hand = 0.0
    for layer, weight in {"relu2_2": 2.0, "conv1_2": 0.5}.items():
        found, target = features(image, layer), features(content, layer)
        by_hand = by_hand + weight * content_loss(found, target, reduction="half_sum")
    content_part, by_hand = by_hand, 0.0
    for layer, weight in LAYERS.items():
        found, target = (gram_matrix(features(p, layer)) for p in (image, style))
        by_hand = by_hand + 7.0 * 0.3 * weight * gram_distance(found, target)[0]
    for layer in ("relu1_2", "relu2_2"):
        found, target = (moments(features(p, layer)) for p in (image, style))
        by_hand = by_hand + 7.0 * 5.0 * moments_distance(found, target)[0]
    style_part = by_hand
    smooth_part = 1e-3 * total_variation(image, kind="anisotropic")
    total = content_part + style_part + smooth_part

    assert list(losses) == ["total", "content", "style", "smoothness"]
    torch.testing.assert_close(losses["content"], content_part)
    torch.testing.assert_close(losses["style"], style_part)
    torch.testing.assert_close(losses["smoothness"], smooth_part)
    torch.testing.assert_close(losses["total"], total)
    (expected,) = torch.autograd.grad(total, image)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5 * expected.abs().max())


def test_the_network_runs_once_and_no_deeper_than_asked(encoder, image, content, style, calls):
    objective = (
        Objective(encoder)
        .add_content(content, {"conv2_2": 1.0})
        .add_style(style, parse("gram + gaussian + moments@relu1_2"), LAYERS)
        .add_style(content, parse("gram"), {"relu2_1": 1.0})
        .add_smoothness(1.0)
    )
    calls.clear()
    objective(image)
    assert calls == Counter({"conv1_1": 1, "conv1_2": 1, "conv2_1": 1, "conv2_2": 1})


def test_targets_cost_one_run_a_picture(encoder, content, style, calls):
    Objective(encoder).add_content(content, {"relu1_1": 1.0, "relu1_2": 1.0})
    assert calls == Counter({"conv1_1": 1, "conv1_2": 1})
    calls.clear()
    Objective(encoder).add_style(style, parse("gram@relu1_2 + 0.1 moments"), {"relu1_1": 1.0})
    assert calls == Counter({"conv1_1": 1, "conv1_2": 1})


def test_smoothness_alone_needs_no_network(encoder, image, calls):
    losses = Objective(encoder).add_smoothness(2.0, reduction="mean")(image)
    assert not calls
    expected = 2 * total_variation(image, reduction="mean")
    torch.testing.assert_close(losses["total"], expected)
    assert list(losses) == ["total", "smoothness"]


def test_nothing_asked_for_costs_nothing(encoder, image):
    losses = Objective(encoder).add_smoothness(0.0)(image)
    assert {key: value.item() for key, value in losses.items()} == {"total": 0.0}


def test_a_picture_has_no_distance_to_itself(encoder, image):
    objective = (
        Objective(encoder).add_content(image, LAYERS).add_style(image, parse("gram"), LAYERS)
    )
    losses = objective(image.requires_grad_())
    assert losses["total"].item() == 0
    (gradient,) = torch.autograd.grad(losses["total"], image)
    assert gradient.abs().max() == 0


def test_a_step_against_the_gradient_is_a_smaller_loss(encoder, image, content, style):
    objective = Objective(encoder).add_content(content, {"relu2_1": 1e-3})
    objective.add_style(style, parse("gram"), LAYERS)
    image.requires_grad_()
    loss = objective(image)["total"]
    (gradient,) = torch.autograd.grad(loss, image)
    step = 0.01 * loss.item() / gradient.square().sum()
    with torch.no_grad():
        after = objective(image - step * gradient)["total"]
    # to first order the loss falls by a hundredth
    assert after.item() == pytest.approx(0.99 * loss.item(), rel=2e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_relative_content_is_one_for_no_features(encoder, image, content, reduction):
    layers = {"relu1_1": 0.5, "relu2_1": 2.0}
    objective = Objective(encoder).add_content(content, layers, reduction=reduction, relative=True)
    found, target = encoder(image, list(layers)), encoder(content, list(layers))
    expected = sum(
        weight * (found[layer] - target[layer]).square().sum() / target[layer].square().sum()
        for layer, weight in layers.items()
    )
    torch.testing.assert_close(objective(image)["content"], expected)


@pytest.mark.parametrize("term", ["gram", "moments", "linear", "polynomial(offset=1)", "patches"])
def test_balance_makes_each_term_one_for_its_picture(encoder, content, style, term):
    for layer in LAYERS:
        objective = Objective(encoder).add_style(style, parse(term), {layer: 1.0})
        assert abs(objective(content)["style"].item() - 1) > 1e-3
        objective.balance(content)
        assert objective(content)["style"].item() == pytest.approx(1, rel=1e-4)


def test_balance_keeps_weights_as_shares(encoder, content, style):
    terms, layers = parse("0.3 gram + 5 moments@relu1_2"), {"relu1_1": 2.0, "relu2_1": 0.5}
    objective = Objective(encoder).add_style(style, terms, layers, weight=0.5).balance(content)
    expected = 0.5 * (0.3 * 2.0 + 0.3 * 0.5 + 5 * 1.0)
    assert objective(content)["style"].item() == pytest.approx(expected, rel=1e-4)


def test_balance_leaves_content_and_smoothness_alone(encoder, image, content, style):
    objective = Objective(encoder).add_content(content, LAYERS).add_smoothness(0.1)
    objective.add_style(style, parse("gram"), LAYERS)
    before, after = objective(image), objective.balance(content)(image)
    torch.testing.assert_close(after["content"], before["content"])
    torch.testing.assert_close(after["smoothness"], before["smoothness"])


def test_balance_by_an_estimate_below_zero_does_not_explode(encoder, content):
    """An unbiased estimate of next to nothing is as often negative as not."""
    terms = parse("gaussian(estimator=unbiased, subsample=16)")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(8):
            objective = Objective(encoder).add_style(content, terms, {"relu1_1": 1.0})
            assert abs(objective.balance(content)(content)["style"].item()) < 1e4


def test_styles_add_up(encoder, image, content, style):
    terms = parse("gram + moments")
    both = Objective(encoder).add_style(style, terms, LAYERS, weight=0.25)
    both.add_style(content, terms, LAYERS, weight=0.75)
    alone = [
        weight * Objective(encoder).add_style(p, terms, LAYERS)(image)["style"]
        for p, weight in ((style, 0.25), (content, 0.75))
    ]
    torch.testing.assert_close(both(image)["style"], alone[0] + alone[1])


def test_one_style_in_two_halves_is_the_style(encoder, image, style):
    once = Objective(encoder).add_style(style, parse("gram"), LAYERS)
    twice = Objective(encoder)
    for _ in range(2):
        twice.add_style(style, parse("gram"), LAYERS, weight=0.5)
    torch.testing.assert_close(twice(image)["style"], once(image)["style"])


def test_styles_share_the_description_of_the_image(encoder, image, content, style, monkeypatch):
    objective = Objective(encoder)
    for picture in (style, content, style):
        objective.add_style(picture, parse("gram"), LAYERS)
    described = []
    plain = GramLoss.describe
    monkeypatch.setattr(
        GramLoss, "describe", lambda self, *args: described.append(1) or plain(self, *args)
    )
    objective(image)
    assert len(described) == len(LAYERS)  # and not three times that


def halves(height=32, width=40):
    left = torch.zeros(1, 1, height, width)
    left[..., : width // 2] = 1
    return [left, 1 - left]


def test_a_region_of_everything_changes_nothing(encoder, image, style):
    masked = Objective(encoder, [torch.ones(1, 1, 32, 40)])
    masked.add_style(style, parse("gram + moments"), LAYERS, region=0)
    plain = Objective(encoder).add_style(style, parse("gram + moments"), LAYERS)
    torch.testing.assert_close(masked(image)["style"], plain(image)["style"])


def test_regions_by_hand(encoder, image, content, style):
    regions = halves()
    objective = Objective(encoder, regions)
    objective.add_style(style, parse("gram"), LAYERS, region=0)
    objective.add_style(content, parse("gram"), LAYERS, region=1, weight=2.0)
    found, expected = encoder(image, list(LAYERS)), 0.0
    for picture, region, weight in ((style, 0, 1.0), (content, 1, 2.0)):
        target = encoder(picture, list(LAYERS))
        for layer, share in LAYERS.items():
            guide = guide_at(regions[region], *found[layer].shape[-2:])
            gram = gram_matrix(found[layer], guide=guide)
            distance = gram_distance(gram, gram_matrix(target[layer]))[0]
            expected = expected + weight * share * distance
    torch.testing.assert_close(objective(image)["style"], expected)


@pytest.mark.parametrize("term", ["gram", "moments", "linear", "gaussian"])
def test_a_region_does_not_pull_at_the_rest(encoder, image, style, term):
    objective = Objective(encoder, halves())
    objective.add_style(style, parse(term), LAYERS, region=0)
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(objective(image)["total"], image)
    # relu2_1 at the last column of the half sees 1 + 2 + 2 pixels beyond it at the most
    assert gradient[..., 20 + 5 :].abs().max() == 0
    assert gradient[..., :20].abs().max() > 0


def test_a_black_region_is_refused(encoder, image, style):
    objective = Objective(encoder, [torch.zeros(1, 1, 32, 40)])
    objective.add_style(style, parse("gram"), LAYERS, region=0)
    with pytest.raises(InputError, match="black"):
        objective(image)


def test_what_the_network_does_not_have_is_refused(encoder, image, photo):
    with pytest.raises(InputError, match="relu9_1"):
        Objective(encoder).add_content(image, {"relu9_1": 1.0})
    with pytest.raises(InputError, match="relu1_9"):
        Objective(encoder).add_style(image, parse("gram@relu1_9"), LAYERS)
    with pytest.raises(InputError, match="too small"):
        Objective(encoder).add_style(photo(8, 8), parse("gram"), {"relu4_1": 1.0})
    with pytest.raises(InputError, match="content features"):
        Objective(encoder).add_content(photo(16, 16), {"relu1_1": 1.0})(image)


def test_targets_hold_no_graph(encoder, image, style):
    style.requires_grad_()
    objective = Objective(encoder).add_content(style[..., :32, :28], {"relu1_1": 1.0})
    objective.add_style(style, parse("gram + gaussian"), LAYERS)
    assert not objective(image[..., :28])["total"].requires_grad


def test_a_bfloat16_network_has_float32_losses(image, content, style):
    from impasto.core.device import choose

    half = Encoder(depth="relu2_1").to_runtime(choose("cpu", "bfloat16"))
    full = Encoder(depth="relu2_1")
    values, gradients = [], []
    for encoder in (full, half):
        objective = Objective(encoder).add_content(content, {"relu2_1": 1e-3})
        objective.add_style(style, parse("gram"), LAYERS)
        picture = image.clone().requires_grad_()
        losses = objective(picture)
        assert all(value.dtype == torch.float32 for value in losses.values())
        values.append(losses["total"].item())
        gradients += torch.autograd.grad(losses["total"], picture)
    assert values[1] == pytest.approx(values[0], rel=0.02)
    cosine = torch.nn.functional.cosine_similarity(*(g.flatten() for g in gradients), dim=0)
    assert cosine > 0.99
