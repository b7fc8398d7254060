"""What each optimising method promises, at a size that a test can afford."""

import dataclasses

import pytest
import torch

from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import samples
from impasto.losses.gram import gram_matrix
from impasto.losses.kernel_losses import GaussianLoss, PolynomialLoss
from impasto.losses.style import LinearLoss, MomentsLoss
from impasto.methods import config
from impasto.methods.optimization.cnnmrf import CNNMRF, CNNMRFConfig
from impasto.methods.optimization.gatys import Gatys, GatysConfig
from impasto.methods.optimization.inversion import Inversion, InversionConfig
from impasto.methods.optimization.levels import Level, StyleImage
from impasto.methods.optimization.mmd import MMD, MMDConfig, authors_scale
from impasto.methods.optimization.sizes import resize
from impasto.methods.optimization.texture import Texture, TextureConfig

FLOAT32 = choose("cpu", "float32")
SIDE = 48


def photo(side=SIDE):
    return samples.photo("coffee").resized(side, side).rgb


def painting(side=SIDE):
    return samples.painting("fjord", 256).resized(side, side).rgb


def blurred(image):
    return torch.nn.functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False)


def level(content=None, style=None):
    styles = () if style is None else (StyleImage(style, 1.0, None),)
    return Level(SIDE, SIDE, content, styles)


def falls(method, picture, style=None):
    """First total loss over the last, of the real run."""
    losses = []

    def listen(progress):
        losses.append(progress.losses["total"])

    if style is None:
        method.reconstruct(picture, callback=listen)
    elif picture is None:
        method.synthesize(method.encode(style), SIDE, SIDE, callback=listen)
    else:
        method.stylize(picture, method.encode(style), callback=listen)
    return losses[0] / losses[-1]


@pytest.mark.slow
@pytest.mark.parametrize("losses", ["polynomial", "0.5 linear + 0.5 moments", "sliced"])
def test_mmd_lowers_its_objective(losses):
    config = MMDConfig(losses=losses, steps=10, levels=1)
    assert falls(MMD(config, FLOAT32), photo(), painting()) > 3


@pytest.mark.slow
def test_gaussian_mmd_lowers_its_objective():
    config = MMDConfig(
        losses="gaussian(subsample=512)",
        optimizer="adam",
        learning_rate=0.02,
        steps=10,
        levels=1,
        style_layers=("relu1_1", "relu2_1", "relu3_1"),
    )
    assert falls(MMD(config, FLOAT32), photo(), painting()) > 1.5


@pytest.mark.parametrize(
    "losses", ["gaussian", "gaussian(estimator=linear)", "polynomial(degree=3)"]
)
def test_losses_that_draw_say_so(losses):
    config = MMDConfig(losses=losses, style_layers=("relu1_1",))
    assert MMD(config, FLOAT32).objective(level(photo(), painting())).stochastic


def test_exact_losses_draw_nothing():
    for method in (
        MMD(MMDConfig(losses="polynomial + moments + linear"), FLOAT32),
        Gatys(GatysConfig(), FLOAT32),
    ):
        assert not method.objective(level(photo(), painting())).stochastic


@pytest.mark.slow
def test_the_authors_gaussian_mmd_falls_with_lbfgs():
    """The whole MMD² of the result, not that of the few vectors that a step drew."""
    numbers = dataclasses.replace(
        MMDConfig.authors(),
        losses="gaussian(subsample=256)",
        steps=20,
        style_layers=("relu2_1", "relu3_1"),
    )
    method = MMD(numbers, FLOAT32)
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    made = method.stylize(photo(), method.encode(painting()))
    layers, whole = numbers.style_layers, GaussianLoss(subsample=1024)
    style = method.encoder(painting(), layers)

    def off(image):
        found = method.encoder(image, layers)
        return [
            float(whole.distance(whole.describe(found[n]), whole.target(style[n]))) for n in layers
        ]

    for before, after in zip(off(0.5 + 0.05 * (noise - 0.5)), off(made), strict=True):
        assert after < 0.6 * before


@pytest.mark.slow
def test_gatys_lowers_its_objective():
    assert falls(Gatys(GatysConfig(steps=10, levels=1), FLOAT32), photo(), painting()) > 10


def test_cnnmrf_lowers_its_objective():
    config = CNNMRFConfig(steps=8, levels=1)
    assert falls(CNNMRF(config, FLOAT32), photo(), painting()) > 1.2


@pytest.mark.slow
def test_texture_lowers_its_objective():
    config = TextureConfig(steps=14, levels=1)
    assert falls(Texture(config, FLOAT32), None, painting()) > 3


def test_inversion_lowers_its_objective():
    config = InversionConfig(steps=10, layers=("relu2_2",))
    assert falls(Inversion(config, FLOAT32), photo()) > 5


def test_gatys_with_style_equal_to_content_has_nothing_to_do():
    objective = Gatys(GatysConfig(), FLOAT32).objective(level(photo(), photo()))
    assert float(objective(photo())["total"]) == 0


def test_cnnmrf_with_style_equal_to_content_has_no_style_loss():
    method = CNNMRF(CNNMRFConfig(tv_weight=0), FLOAT32)
    far = method.objective(level(photo(), painting()))(photo())["style"]
    near = method.objective(level(photo(), photo()))(photo())["style"]
    assert float(near) < 1e-6 * float(far)


@pytest.mark.slow
def test_cnnmrf_changes_the_border_as_much_as_the_middle():
    generator = torch.Generator().manual_seed(0)  # blots, which are alike everywhere
    blots = resize(torch.rand(1, 3, 16, 16, generator=generator), SIDE, SIDE).clamp(0, 1)
    numbers = CNNMRFConfig(steps=10, levels=1, content_weight=0.0, tv_weight=0.0)
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[10:-10, 10:-10] = True

    def border_over_inside(**options):
        method = CNNMRF(dataclasses.replace(numbers, **options), FLOAT32)
        change = (method.stylize(blots, method.encode(painting())) - blots).abs().mean(1)[0]
        return float(change[~inside].mean() / change[inside].mean())

    averaged = border_over_inside()
    assert 0.9 < averaged < 1.1
    assert border_over_inside(average_overlaps=False) < averaged - 0.05


def test_only_cnnmrfs_paper_sums_overlapping_patches():
    assert CNNMRFConfig().average_overlaps
    assert CNNMRFConfig.authors().average_overlaps
    assert not CNNMRFConfig.paper().average_overlaps


def cut(x, size=3, stride=1):
    """The patches of (1, C, H, W) as rows, (N, C * size * size)."""
    return torch.nn.functional.unfold(x, size, stride=stride)[0].T


def best(x, style, **options):
    """For each patch of x its best patch of the style by normalised cross-correlation."""
    ours, theirs = cut(x, **options), cut(style, **options)
    scores = torch.nn.functional.normalize(theirs, dim=1) @ ours.T
    return theirs[scores.argmax(0)]


def squared_variation(image):
    """Of pixels of 0 to 255."""
    values = 255 * image
    return values.diff(dim=2).square().sum() + values.diff(dim=3).square().sum()


def test_cnnmrfs_paper_is_equation_1():
    """E_s + α1 E_c + α2 Υ, all sums: of patches at two layers, of features, of pixels."""
    numbers = dataclasses.replace(CNNMRFConfig.paper(), scales=0, rotations=0)
    method = CNNMRF(numbers, FLOAT32)
    x, content, style = blurred(photo()), photo(), painting()
    found = method.objective(level(content, style))(x)
    layers = ("relu3_1", "relu4_1", "relu4_2")
    f, c, s = (method.encoder(image, layers) for image in (x, content, style))
    patches = sum((cut(f[n]) - best(f[n], s[n])).square().sum() for n in layers[:2])
    features = (f["relu4_2"] - c["relu4_2"]).square().sum()
    assert float(found["style"]) == pytest.approx(float(patches), rel=1e-4)
    assert float(found["content"]) == pytest.approx(float(features), rel=1e-4)
    assert float(found["smoothness"]) == pytest.approx(1e-3 * float(squared_variation(x)), rel=1e-4)


def test_cnnmrfs_authors_have_the_gradient_of_their_code():
    """20 of the mean squared error's, 1e-4 of the mean pull of the patches, 1e-3 of differences."""
    numbers = dataclasses.replace(CNNMRFConfig.authors(), scales=0, rotations=0)
    method = CNNMRF(numbers, FLOAT32)
    x, content, style = blurred(photo()).requires_grad_(), photo(), painting()
    losses = method.objective(level(content, style))(x)
    layers = ("relu3_1", "relu4_1", "relu4_2")
    f = method.encoder(x, layers)
    c, s = (method.encoder(image, layers) for image in (content, style))
    content_gradient = 20 * 2 / f["relu4_2"].numel() * (f["relu4_2"] - c["relu4_2"]).detach()
    outputs, gradients = [f["relu4_2"]], [content_gradient]
    for name in layers[:2]:
        own = f[name].detach()
        pull = cut(own, stride=2) - best(own, s[name], stride=2)
        fold = torch.nn.Fold(own.shape[-2:], 3, stride=2)
        count = fold(torch.ones_like(pull).T[None]).clamp(min=1)
        outputs.append(f[name])
        gradients.append(1e-4 * fold(pull.T[None]) / count)
    (expected,) = torch.autograd.grad(outputs, x, gradients, retain_graph=True)
    features = losses["total"] - losses["smoothness"]
    (found,) = torch.autograd.grad(features, x, retain_graph=True)
    assert float((found - expected).norm() / expected.norm()) < 1e-3
    # Of a pixel inside: the strength times the sum of its differences from its four neighbours, on
    # values of 0 to 255; 255 again for the slope by a pixel of 0 to 1.
    (found,) = torch.autograd.grad(losses["smoothness"], x)
    four = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).expand(3, 1, 3, 3)
    around = torch.nn.functional.conv2d(x.detach() * 255, four, groups=3)
    assert torch.allclose(found[..., 1:-1, 1:-1], 255 * 1e-3 * around, rtol=1e-3, atol=1e-3)


def test_the_papers_style_loss_is_equation_4():
    """E = Σ (G - A)² / (4 N² M²) with G unnormalised, for content and style of one size."""
    method = Gatys(dataclasses.replace(GatysConfig.paper(), content_weight=0.0), FLOAT32)
    found = float(method.objective(level(photo(), painting()))(photo())["total"])
    layers = method.config.style_layers
    x, s = method.encoder(photo(), layers), method.encoder(painting(), layers)
    expected = 0.0
    for name in layers:
        n, m = x[name].shape[1], x[name].shape[2] * x[name].shape[3]
        g, a = (gram_matrix(side[name].double(), normalization="none") for side in (x, s))
        expected += 0.2 * float((g - a).square().sum()) / (4 * n**2 * m**2)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_texture_stays_within_the_colours_of_the_sample():
    style = painting() * 0.4 + 0.3
    config = TextureConfig(steps=5, levels=1, histogram=False)
    method = Texture(config, FLOAT32)
    image = method.synthesize(method.encode(style), 48, 80)
    assert image.shape == (1, 3, 48, 80)
    assert bool((image.amin((2, 3)) >= style.amin((2, 3)) - 1e-6).all())
    assert bool((image.amax((2, 3)) <= style.amax((2, 3)) + 1e-6).all())


@pytest.mark.slow
def test_texture_by_sorted_projections():
    """Fresh directions at every step want Adam, which needs no line search."""
    config = TextureConfig(
        losses="sliced(directions=16)",
        optimizer="adam",
        learning_rate=0.02,
        steps=14,
        levels=1,
        histogram=False,
    )
    assert falls(Texture(config, FLOAT32), None, painting()) > 3
    with pytest.raises(InputError, match="unknown loss"):
        TextureConfig(losses="nonsense")


@pytest.mark.slow
def test_texture_takes_the_histogram_of_the_sample():
    method = Texture(TextureConfig(steps=3, levels=1), FLOAT32)
    image = method.synthesize(method.encode(painting()), SIDE, SIDE)
    for channel in range(3):
        found, wanted = (x[0, channel].flatten().sort().values for x in (image, painting()))
        assert torch.allclose(found, wanted, atol=1e-3)


def test_the_authors_scales_turn_losses_into_their_gradients():
    """The gradients that the authors' code writes, against autograd of the scaled losses."""
    c, h, w = 3, 4, 5
    m = h * w
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(1, c, h, w, generator=generator, dtype=torch.float64) for _ in range(2))
    rows_x, rows_y = (t[0].flatten(1).T for t in (x, y))  # (M, C)
    (mean_x, std_x), (mean_y, std_y) = (
        (t.mean(0), (t.var(0, correction=0) + 1e-8).sqrt())  # the root's epsilon is ours
        for t in (rows_x, rows_y)
    )
    # the 2 of the squares is left out
    statistics = (mean_x - mean_y + (std_x - std_y) / std_x * (rows_x - mean_x)) / (c * m)
    expected = {
        LinearLoss(): (rows_x - rows_y).sum(0).expand(m, c) * 2e3 / (c * m),
        PolynomialLoss(): rows_x @ (rows_x.T @ rows_x - rows_y.T @ rows_y) * 0.1 / (c * c * m),
        MomentsLoss(): statistics * 1e3 * m,
    }
    for loss, gradient in expected.items():
        image = x.clone().requires_grad_()
        value = loss.distance(loss.describe(image), loss.target(y)) * authors_scale(loss, c, m)
        (found,) = torch.autograd.grad(value, image)
        assert torch.allclose(found[0].flatten(1).T, gradient)


def test_the_authors_scale_of_the_gaussian_kernel_is_that_of_their_gradient():
    """Their pairs, written out: γ 3e14 / (C M), and no 2 before g (x - y) k."""
    c, h, w = 3, 4, 5
    m = h * w
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(1, c, h, w, generator=generator, dtype=torch.float64) for _ in range(2))
    image = x.clone().requires_grad_()
    loss = GaussianLoss(estimator="linear")
    torch.manual_seed(1)
    value = loss.distance(loss.describe(image), loss.target(y)) * authors_scale(loss, c, m)
    (found,) = torch.autograd.grad(value, image)

    rows_x, rows_y = (t[0].flatten(1).T for t in (x, y))
    torch.manual_seed(1)
    order, other = torch.randperm(m), torch.randperm(m)  # the pairs that the loss draws
    (x0, x1), (y0, y1) = rows_x[order].chunk(2), rows_y[other].chunk(2)
    far = {"xx": x0 - x1, "yy": y0 - y1, "xy": x0 - y1, "yx": x1 - y0}
    squares = {name: apart.square().sum(1, keepdim=True) for name, apart in far.items()}
    g = 1 / torch.cat(list(squares.values())).mean()
    pull = {name: g * far[name] * torch.exp(-g * squares[name]) for name in far}
    expected = torch.empty(m, c, dtype=torch.float64)
    expected[order] = torch.cat((pull["xy"] - pull["xx"], pull["yx"] + pull["xx"]))
    torch.testing.assert_close(found[0].flatten(1).T, expected * 3e14 / (c * m))


@pytest.mark.parametrize(
    ("options", "kept"),
    [({}, True), ({"start": "noise"}, False), ({"keep_detail": False}, False)],
)
def test_detail_of_the_photo_between_levels(options, kept):
    """Only from the photo, and only where that is asked for: noise is to know nothing of it."""
    method = CNNMRF(CNNMRFConfig(**options), FLOAT32)
    large, grey = level(photo()), torch.full((1, 3, 32, 32), 0.5)
    small = Level(32, 32, resize(photo(), 32, 32), ())
    found = method._next(grey, small, large)
    assert torch.allclose(found, torch.full_like(found, 0.5), atol=1e-5) is not kept
    if kept:  # what the photo has stays as it is
        assert torch.allclose(method._next(small.content, small, large), photo(), atol=1e-6)


def test_cnnmrfs_presets_do_not_keep_detail():
    for numbers in (CNNMRFConfig.paper(), CNNMRFConfig.authors()):
        assert not numbers.keep_detail or numbers.start == "noise"


@pytest.mark.parametrize(
    ("preset", "side", "sizes"),
    [
        ("paper", 512, [64, 128, 256, 512]),
        ("authors", 384, [96, 192, 384]),
        ("default", 384, [192, 384]),
    ],
)
def test_cnnmrfs_levels(preset, side, sizes):
    method = CNNMRF(config.preset(CNNMRFConfig, preset), FLOAT32)
    assert [one.width for one in method._pyramid(Level(side, side, None, ()))] == sizes


@pytest.mark.parametrize("name", ["style_reduction", "content_reduction", "tv_reduction"])
def test_cnnmrfs_reductions(name):
    with pytest.raises(InputError, match=f"unknown {name} 'half': choose mean, sum"):
        CNNMRFConfig(**{name: "half"})


@pytest.mark.slow
def test_two_styles_of_one_picture_are_that_picture():
    method = Gatys(GatysConfig(steps=3, levels=1), FLOAT32)
    style = method.encode(painting())
    once = method.stylize(photo(), style)
    twice = method.stylize(photo(), 0.25 * style + 0.75 * style)
    assert torch.allclose(once, twice, atol=1e-3)
