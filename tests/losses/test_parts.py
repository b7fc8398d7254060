"""The objective of a batch: against plain NumPy, in units of its targets, and which side learns."""

import numpy as np
import pytest
import torch

from impasto.losses.objective import Objective
from impasto.losses.registry import LOSSES
from impasto.losses.terms import parse
from impasto.nn.vgg import Encoder

CONTENT = {"relu1_2": 0.5, "relu2_1": 2.0}
STYLE = {"relu1_1": 3.0, "relu2_1": 1.5}
SUBSAMPLES = {"gaussian": "gaussian(subsample=4096)", "sliced": "sliced(directions=4)"}


@pytest.fixture(scope="module")
def exact():
    """The encoder in float64, which NumPy can be held against."""
    return Encoder(depth="relu3_1").double()


@pytest.fixture
def pictures(photo):
    """Return an output, a content and a style image, all different."""
    content = torch.cat([photo(24, 32), photo(24, 32, "coffee")]).double()
    made = 0.3 + 0.5 * content.flip(-1)
    return made, content, photo(40, 28, "rocket", 60, 250).double()


def objective(encoder, content, style, losses="gram", *, pixel=0.0, tv=0.0, relative=True):
    made = Objective(encoder).add_pixels(content, pixel, relative=relative)
    made.add_content(content, CONTENT, relative=relative)
    made.add_style(style, parse(losses), STYLE, relative=relative)
    return made.add_smoothness(tv, reduction="mean" if relative else "sum")


def plain_statistics(x, losses):
    rows = x.reshape(*x.shape[:2], -1)
    if losses == "moments":
        return np.stack([rows.mean(2), np.sqrt(rows.var(2) + 1e-8)], axis=2)
    divisor = {"none": 1, "hw": rows.shape[2], "chw": rows.shape[1] * rows.shape[2]}
    by = divisor[losses.removeprefix("gram(normalization=").removesuffix(")")]
    return np.stack([row @ row.T for row in rows]) / by


def plain_loss(encoder, pictures, losses, pixel, tv, relative):
    """The parts, written out on NumPy arrays; nothing of the package but the network itself."""
    layers = sorted({*CONTENT, *STYLE})
    of_made, of_content, of_style = (
        {k: v.numpy() for k, v in encoder(side, layers).items()} for side in pictures
    )
    made, content = (side.numpy() for side in pictures[:2])

    def unit(target):
        return (target**2).mean() if relative else 1.0

    parts = {"content": 0.0, "style": 0.0}
    for layer, weight in CONTENT.items():
        wanted = of_content[layer]
        parts["content"] += weight * ((of_made[layer] - wanted) ** 2).mean() / unit(wanted)
    for layer, weight in STYLE.items():
        wanted = plain_statistics(of_style[layer], losses)
        squares = (plain_statistics(of_made[layer], losses) - wanted) ** 2
        # equation 13 has the means and the deviations under one 1/C
        value = squares.mean() * (2 if losses == "moments" and not relative else 1)
        parts["style"] += weight * value / unit(wanted)
    parts["pixel"] = pixel * ((made - content) ** 2).mean() / unit(content)
    variation = (np.diff(made, axis=2) ** 2).sum() + (np.diff(made, axis=3) ** 2).sum()
    parts["smoothness"] = tv * variation / (made.size if relative else 1)
    return {"total": sum(parts.values()), **parts}


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(
    "losses", ["moments", *(f"gram(normalization={n})" for n in ("none", "hw", "chw"))]
)
def test_plain_numpy_agrees(exact, pictures, relative, losses):
    made, content, style = pictures
    options = {"pixel": 0.7, "tv": 0.1, "relative": relative}
    found = objective(exact, content, style, losses, **options)(made)
    expected = plain_loss(exact, pictures, losses, **options)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-9), name


def test_the_papers_losses_are_means_over_c_h_w(exact, pictures):
    """Equations 2 and 4 of Johnson et al. for one picture: |a-b|²/CHW, and |G-G'|² up to 1/C²."""
    made, content, style = (picture[:1] for picture in pictures)
    asked = Objective(exact).add_content(content, {"relu2_2": 1.0})
    found = asked.add_style(style, parse("gram(normalization=chw)"), {"relu2_2": 1.0})(made)
    a, b, s = (exact(x, ["relu2_2"])["relu2_2"][0].numpy() for x in (made, content, style))
    assert found["content"].item() == pytest.approx(((a - b) ** 2).sum() / a.size, rel=1e-9)
    gram, wanted = (np.einsum("chw,dhw->cd", x, x) / x.size for x in (a, s))
    frobenius = ((gram - wanted) ** 2).sum()
    assert found["style"].item() == pytest.approx(frobenius / len(a) ** 2, rel=1e-9)


@pytest.mark.parametrize("relative", [True, False])
def test_a_picture_has_its_own_content_and_style(encoder, photo, relative):
    picture = photo(32, 48)
    for value in objective(encoder, picture, picture, pixel=1.0, relative=relative)(
        picture
    ).values():
        assert value.item() == 0.0


def test_what_is_not_asked_for_is_not_there(encoder, photo):
    made, content = photo(24, 24), photo(24, 24, "coffee")
    assert set(objective(encoder, content, content, pixel=1.0)(made)) == {
        *("total", "content", "pixel", "style")
    }
    assert set(objective(encoder, content, content)(made)) == {"total", "content", "style"}
    assert set(Objective(encoder).add_smoothness(1.0)(made)) == {"total", "smoothness"}


def test_pixels_alone_run_no_network(photo):
    def network(_image, layers):
        assert not layers, "the encoder was asked for features"
        return {}

    made, content = photo(24, 24), photo(24, 24, "coffee")
    found = Objective(network).add_pixels(content, 2.0)(made)
    torch.testing.assert_close(found["pixel"], 2 * (made - content).square().mean())
    summed = Objective(network).add_pixels(content, 2.0, reduction="sum")(made)
    torch.testing.assert_close(summed["total"], 2 * (made - content).square().sum())


def test_only_the_output_learns(encoder, photo):
    made, content, style = (
        photo(24, 24, name).requires_grad_() for name in ("astronaut", "coffee", "cat")
    )
    asked = objective(encoder, content, style, pixel=1.0, tv=1.0)
    assert not any(target.requires_grad for target in asked.targets.values())
    losses = asked(made)
    for name, value in losses.items():
        (gradient,) = torch.autograd.grad(value, made, retain_graph=True)
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0, name
    losses["total"].backward()
    assert content.grad is None
    assert style.grad is None
    assert all(parameter.grad is None for parameter in encoder.parameters())


@pytest.mark.parametrize("losses", ["gram", "moments", "linear", "polynomial", "patches"])
def test_relative_losses_do_not_depend_on_the_scale_of_the_features(encoder, photo, losses):
    """The normalised flavour has other numbers at every layer; the caffe one is kept as it is."""

    def scaled(image, layers):
        return {name: 40 * value for name, value in encoder(image, layers).items()}

    made, content, style = photo(24, 24), photo(24, 24, "coffee"), photo(24, 24, "cat")
    values = {}
    for relative in (True, False):
        both = [objective(n, content, style, losses, relative=relative) for n in (encoder, scaled)]
        values[relative] = [asked(made)["style"] for asked in both]
    torch.testing.assert_close(*values[True], rtol=1e-3, atol=0)
    assert values[False][1] > 100 * values[False][0]


def test_a_black_target_divides_by_no_zero(encoder, photo):
    black = torch.zeros(1, 3, 24, 24)
    asked = Objective(encoder).add_pixels(black, 1.0, relative=True)
    assert asked(photo(24, 24))["total"].isfinite()
    assert asked(black)["total"].item() == 0.0


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_a_style_for_each_image_of_a_batch(encoder, photo, name, relative):
    """Each image is compared with its own style, and the loss is the mean over the batch."""
    terms, layers = parse(SUBSAMPLES.get(name, name)), {"relu2_1": 1.0}
    made = torch.cat([photo(24, 24), photo(24, 24, "coffee")])
    styles = [photo(24, 24, "cat"), photo(32, 20, "rocket", 60, 250)]
    alone = [Objective(encoder).add_style(s, terms, layers, relative=relative) for s in styles]

    def value(asked, images):
        torch.manual_seed(0)  # of the directions
        return asked(images)["style"]

    both = Objective.stack(alone)
    each = [[value(asked, image) for asked in alone] for image in made.split(1)]
    near = {"rtol": 1e-4, "atol": 0}
    torch.testing.assert_close(value(both, made), (each[0][0] + each[1][1]) / 2, **near)
    swapped = both.fork(torch.tensor([1, 0]))
    torch.testing.assert_close(value(swapped, made), (each[0][1] + each[1][0]) / 2, **near)
    one = both.fork(torch.tensor([1]))  # serves both images
    torch.testing.assert_close(value(one, made), (each[0][1] + each[1][1]) / 2, **near)


def test_features_stand_for_images(encoder, photo):
    made, content, style = photo(24, 24), photo(24, 24, "coffee"), photo(28, 24, "cat")
    seen = {
        name: encoder(image, [*CONTENT, *STYLE])
        for name, image in {"c": content, "s": style}.items()
    }
    by_image = objective(encoder, content, style)(made)
    asked = Objective(encoder).add_content(seen["c"], CONTENT, relative=True)
    by_features = asked.add_style(seen["s"], parse("gram"), STYLE, relative=True)(made)
    for name, value in by_image.items():
        torch.testing.assert_close(by_features[name], value)


def test_a_fork_leaves_the_first_as_it_is(encoder, photo):
    style = Objective(encoder).add_style(photo(24, 24, "cat"), parse("gram"), STYLE)
    fork = style.fork().add_content(photo(24, 24), CONTENT).add_pixels(photo(24, 24), 1.0)
    fork.add_smoothness(1.0)
    assert set(style(photo(24, 24))) == {"total", "style"}
    assert set(fork(photo(24, 24))) == {"total", "style", "content", "pixel", "smoothness"}


def test_bfloat16_features_give_losses_in_float32(photo):
    values = []
    for encoder in (Encoder(depth="relu2_1").to(torch.bfloat16), Encoder(depth="relu2_1")):
        asked = objective(encoder, photo(24, 24, "coffee"), photo(24, 24, "cat"))
        values.append(asked(photo(24, 24)))
    assert all(value.dtype is torch.float32 for value in values[0].values())
    torch.testing.assert_close(values[0]["total"], values[1]["total"], rtol=0.05, atol=0)
