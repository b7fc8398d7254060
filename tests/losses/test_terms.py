"""The text form of a sum of losses, and its losses against the functions that they name."""

import pytest
import torch

from impasto.errors import InputError
from impasto.losses import mmd
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.guides import guide_at
from impasto.losses.kernel_losses import GaussianLoss, PolynomialLoss
from impasto.losses.moments import moments, moments_distance
from impasto.losses.patch_loss import PatchLoss
from impasto.losses.patches import patch_loss, patch_target
from impasto.losses.registry import LOSSES
from impasto.losses.style import GramLoss, LinearLoss, MomentsLoss
from impasto.losses.terms import Term, parse
from impasto.nn.features import feature_vectors


def features(height=6, width=8, seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64)


def value(loss, found, style, guide=None):
    (distance,) = loss.distance(loss.describe(found, guide), loss.target(style))
    return distance


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gram", [Term(GramLoss(), "gram")]),
        ("  gram  ", [Term(GramLoss(), "gram")]),
        ("2 gram", [Term(GramLoss(), "gram", 2.0)]),
        ("2gram", [Term(GramLoss(), "gram", 2.0)]),
        ("2*gram", [Term(GramLoss(), "gram", 2.0)]),
        ("2. * gram", [Term(GramLoss(), "gram", 2.0)]),
        (".5 gram", [Term(GramLoss(), "gram", 0.5)]),
        ("0 gram", [Term(GramLoss(), "gram", 0.0)]),
        ("1e3 gram", [Term(GramLoss(), "gram", 1000.0)]),
        ("1.5E-2gram", [Term(GramLoss(), "gram", 0.015)]),
        ("gram()", [Term(GramLoss(), "gram")]),
        ("gram@conv1_1", [Term(GramLoss(), "gram", 1.0, ("conv1_1",))]),
        (
            "0.5 gram + 0.5 moments@relu1_1,relu2_1",
            [
                Term(GramLoss(), "gram", 0.5),
                Term(MomentsLoss(), "moments", 0.5, ("relu1_1", "relu2_1")),
            ],
        ),
        ("linear+linear", [Term(LinearLoss(), "linear"), Term(LinearLoss(), "linear")]),
        (
            "3 gram(normalization=chw, reduction = sum)@pool2 + patches(size=5)",
            [
                Term(GramLoss("chw", "sum"), "gram", 3.0, ("pool2",)),
                Term(PatchLoss(5), "patches"),
            ],
        ),
        (
            "polynomial(degree=3,offset=1,estimator=unbiased,subsample=64)",
            [Term(PolynomialLoss(3, 1.0, "unbiased", 64), "polynomial")],
        ),
        ("gaussian(scale=2e-1)", [Term(GaussianLoss(scale=0.2), "gaussian")]),
    ],
)
def test_parse(text, expected):
    assert parse(text) == tuple(expected)


def test_options_have_the_type_of_their_default():
    loss = parse("polynomial(offset=1, degree=3)")[0].loss
    assert (type(loss.offset), type(loss.degree)) == (float, int)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot read"),
        ("   ", "cannot read"),
        ("+", "cannot read"),
        ("gram +", "cannot read"),
        ("gram + ", "cannot read"),
        ("+ gram", "cannot read"),
        ("gram ++ gram", "cannot read"),
        ("gram gram", "cannot read"),
        ("gram, moments", "cannot read"),
        ("gram * 2", "cannot read"),
        ("-1 gram", "cannot read"),
        ("1e gram", "cannot read"),
        ("1.2.3 gram", "cannot read"),
        ("2", "cannot read"),
        ("Gram", "cannot read"),
        ("gram(", "cannot read"),
        ("gram)", "cannot read"),
        ("gram((a=1))", "cannot read"),
        ("gram@", "cannot read"),
        ("gram@ relu1_1", "cannot read"),
        ("gram@relu1_1, relu2_1", "cannot read"),
        ("gram@relu1_1(reduction=sum)", "cannot read"),
        ("gram\nmoments", "cannot read"),
        ("gram + moments oops", "'moments oops'"),
        ("gramm", "unknown loss 'gramm': choose gram, moments"),
        ("gram + histogram", "unknown loss 'histogram'"),
        ("gram(degree=2)", "unknown option 'degree'.*normalization, reduction"),
        ("linear(scale=2)", "unknown option 'scale'.*none"),
        ("gaussian(2)", "unknown option '2'"),
        ("gaussian(scale=much)", "'much' is no number"),
        ("gaussian(scale=)", "'' is no number"),
        ("gaussian(scale)", "'' is no number"),
        ("gaussian(scale=0)", "scale 0"),
        ("gaussian(scale=-1)", "scale -1"),
        ("gaussian(scale=nan)", "scale nan"),
        ("gaussian(scale=inf)", "scale inf"),
        ("gaussian(subsample=1)", "subsample of 1"),
        ("gaussian(subsample=-5)", "subsample of -5"),
        ("gaussian(estimator=exact)", "'exact': choose biased, unbiased, linear"),
        ("polynomial(degree=0)", "degree 0"),
        ("polynomial(degree=2.5)", "'2.5'"),
        ("polynomial(offset=-1)", "offset -1"),
        ("1e999 gram", "1e999"),
    ],
)
def test_a_bad_text_is_an_error_of_one_line(text, words):
    with pytest.raises(InputError, match=words) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("option", ["normalization=bchw", "reduction=max"])
def test_a_bad_word_is_an_error_when_it_is_used(option):
    loss = parse(f"gram({option})")[0].loss
    with pytest.raises(InputError, match=option.partition("=")[2]):
        value(loss, features(), features())


@pytest.mark.parametrize("normalization", ["none", "hw", "chw"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_gram(normalization, reduction):
    f, g = features(), features(5, 7, seed=1)
    grams = (gram_matrix(z, normalization=normalization) for z in (f, g))
    (expected,) = gram_distance(*grams, reduction=reduction)
    torch.testing.assert_close(value(GramLoss(normalization, reduction), f, g), expected)


def test_moments():
    f, g = features(), features(5, 7, seed=1)
    for reduction in ("mean", "sum"):
        (expected,) = moments_distance(moments(f), moments(g), reduction=reduction)
        torch.testing.assert_close(value(MomentsLoss(reduction), f, g), expected)


@pytest.mark.parametrize(
    ("loss", "kernel"),
    [
        (LinearLoss(), mmd.Linear()),
        (PolynomialLoss(), mmd.Polynomial()),
        (PolynomialLoss(offset=1.5), mmd.Polynomial(2, 1.5)),
        (PolynomialLoss(1), mmd.Polynomial(1)),
        (PolynomialLoss(3, 0.5), mmd.Polynomial(3, 0.5)),
        (PolynomialLoss(estimator="unbiased"), mmd.Polynomial()),
        (GaussianLoss(), mmd.Gaussian()),
        (GaussianLoss(2.0, estimator="unbiased"), mmd.Gaussian(2.0)),
    ],
)
def test_kernels(loss, kernel):
    f, g = features(), features(5, 7, seed=1)  # fewer positions than the subsample: all are taken
    expected = mmd.mmd2(
        feature_vectors(f)[0],
        feature_vectors(g)[0],
        kernel,
        estimator=getattr(loss, "estimator", "biased"),
    )
    torch.testing.assert_close(value(loss, f, g), expected)


def test_patches():
    f, g = features(), features(9, 7, seed=1)
    expected = patch_loss(f, patch_target(g, size=3, stride=2), stride=1)
    torch.testing.assert_close(value(PatchLoss(3, 1, 2), f, g), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_a_style_has_no_distance_to_itself(name):
    loss, f = LOSSES[name](), features()
    assert value(loss, f, f).item() == pytest.approx(0, abs=1e-12)
    assert value(loss, f, 2 * f + 1).item() > 1e-3
    assert loss == LOSSES[name]()
    assert hash(loss) == hash(LOSSES[name]())


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "gram"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_values_are_float32(name, dtype):
    f, g = features().to(dtype), features(5, 7, seed=1).to(dtype)
    found = value(LOSSES[name](), f, g)
    assert found.dtype == torch.float32
    assert found.shape == ()


@pytest.mark.parametrize("name", LOSSES)
def test_a_target_is_kept_apart_from_the_features(name):
    """The encoder may write on its activations after the target was taken."""
    loss, f, g = LOSSES[name](), features(), features(seed=1)
    g = g.contiguous(memory_format=torch.channels_last)  # where `samples` is a view
    target, described = loss.target(g), loss.describe(f)
    torch.manual_seed(0)  # of the directions of the sliced loss
    before = loss.distance(described, target)
    g.zero_()
    torch.manual_seed(0)
    torch.testing.assert_close(loss.distance(described, target), before)


@pytest.mark.parametrize(
    "loss", [GramLoss(), MomentsLoss(), LinearLoss(), PolynomialLoss(), PolynomialLoss(offset=2.0)]
)
def test_a_half_mask_is_the_loss_of_the_half(loss):
    f, g, mask = features(), features(5, 7, seed=1), torch.zeros(1, 1, 6, 8)
    mask[..., 4:] = 1
    guided = value(loss, f, g, guide_at(mask, 6, 8))
    torch.testing.assert_close(guided, value(loss, f[..., 4:], g))
    ones = value(loss, f, g, torch.ones(1, 1, 6, 8))
    torch.testing.assert_close(ones, value(loss, f, g))


@pytest.mark.parametrize("loss", [GaussianLoss(subsample=300), PolynomialLoss(3, subsample=300)])
def test_vectors_are_drawn_by_the_weights_of_the_guide(loss):
    f = torch.arange(400.0).view(1, 1, 20, 20)
    guide = torch.zeros(1, 1, 20, 20)
    guide[0, 0, 3, 5], guide[0, 0, 7, 2] = 300.0, 100.0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        (drawn,) = loss.describe(f, guide)
    assert drawn.shape == (300, 1)
    assert set(drawn.flatten().tolist()) == {65.0, 142.0}
    assert 195 < (drawn == 65).sum() < 255  # 225 expected, standard deviation 7.5


def test_a_subsample_is_drawn_anew_at_each_call():
    loss, f, g = GaussianLoss(subsample=8), features(), features(seed=1)
    assert len({value(loss, f, g).item() for _ in range(4)}) > 1


def test_patches_know_no_masks():
    with pytest.raises(InputError, match="takes no masks"):
        PatchLoss().describe(features(), torch.ones(1, 1, 6, 8))


def test_a_guide_has_mean_one_and_the_shares_of_the_mask():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4, :] = 1
    mask[..., 4:, :2] = 0.5
    guide = guide_at(mask, 4, 4)
    assert guide.mean().item() == pytest.approx(1)
    plain = mask.view(4, 2, 4, 2).mean((1, 3))
    torch.testing.assert_close(guide[0, 0], plain / plain.mean())
    torch.testing.assert_close(guide_at(0.25 * mask, 4, 4), guide)  # only the shares count
    assert guide_at(torch.ones(1, 1, 9, 7), 3, 5).eq(1).all()


def test_a_region_of_one_pixel_survives_the_pooling():
    mask = torch.zeros(1, 1, 32, 32)
    mask[0, 0, 9, 20] = 1
    guide = guide_at(mask, 2, 2)
    torch.testing.assert_close(guide[0, 0], torch.tensor([[0.0, 4.0], [0.0, 0.0]]))


def test_a_black_mask_is_refused():
    with pytest.raises(InputError, match="black everywhere"):
        guide_at(torch.zeros(1, 1, 8, 8), 2, 2)


def test_averaged_patches_pull_every_feature_alike():
    def pulls(**options):
        loss = PatchLoss(**options)
        found = torch.full((1, 2, 6, 8), 3.0, requires_grad=True)
        loss.distance(found, loss.target(torch.ones(1, 2, 5, 5))).backward()
        return found.grad[0, 0]

    averaged, summed = pulls(average_overlaps=True), pulls()
    torch.testing.assert_close(averaged, averaged[2, 2].expand(6, 8))
    torch.testing.assert_close(summed[2, 2], 3 * summed[0, 2])
    torch.testing.assert_close(summed[2, 2], 9 * summed[0, 0])
