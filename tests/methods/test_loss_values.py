"""Compare the losses of each network on a fixed batch, with fresh weights, to stored values."""

import pytest
import torch

from impasto.core.device import choose
from impasto.image import samples
from impasto.methods import config as method_config
from impasto.methods.arbitrary import statistics, units
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.training.shift import paired
from impasto.training.task import Batch

FLOAT32 = choose("cpu", "float32")
SMALL = {"width": 8, "blocks": 1}
# The VGG-16 of the papers is not in the package; VGG-19 has all layers that they name.
NINETEEN = {"encoder": "vgg19"}
MULTI = {**SMALL, "style_size": 48}
META = {**SMALL, "slice_width": 8}
SHALLOW = {"layer": "relu3_1"}

# method, preset, changed settings, step, style images, photos in pairs, losses
VALUES = [
    (
        "johnson",
        "default",
        MULTI,
        0,
        1,
        False,
        {"total": 9.993927, "content": 0.8538734, "style": 9.140054},
    ),
    (
        "johnson",
        "default",
        MULTI,
        0,
        1,
        True,
        {"total": 9.946013, "content": 0.8771685, "style": 9.043386, "shift": 0.02545863},
    ),
    (
        "johnson",
        "default",
        {**MULTI, "loss": "pixel", "tv_weight": 3.0},
        0,
        1,
        False,
        {"total": 9.547962, "pixel": 0.403286, "style": 9.140054, "smoothness": 0.004622259},
    ),
    (
        "johnson",
        "paper",
        {**MULTI, **NINETEEN},
        0,
        1,
        False,
        {"total": 6046010, "content": 132422.6, "style": 5913567, "smoothness": 20.94465},
    ),
    (
        "johnson",
        "authors",
        {**MULTI, **NINETEEN},
        0,
        1,
        False,
        {"total": 7011823, "content": 562927.1, "style": 6448882, "smoothness": 14.31251},
    ),
    (
        "texture-net",
        "default",
        {"size": 32, "style_size": 48, "diversity": 0.5},
        0,
        1,
        False,
        {"total": 10.67099, "style": 9.254936, "diversity": 1.416055},
    ),
    (
        "texture-net",
        "default",
        {"kind": "stylize", "style_size": 48},
        0,
        1,
        False,
        {"total": 107.1942, "content": 0.926569, "style": 106.2676},
    ),
    (
        "texture-net",
        "paper",
        {"size": 32, "style_size": 48},
        0,
        1,
        False,
        {"total": 1.563935e09, "style": 1.563935e09},
    ),
    (
        "texture-net",
        "authors",
        {"style_size": 48},
        0,
        1,
        False,
        {"total": 2878989, "content": 1324223, "style": 1554766},
    ),
    (
        "cin",
        "default",
        MULTI,
        0,
        3,
        False,
        {"total": 33.70414, "content": 1.66147, "style": 29.61946, "palette": 2.42321},
    ),
    (
        "cin",
        "paper",
        {**MULTI, **NINETEEN},
        0,
        3,
        False,
        {"total": 889584.4, "content": 130581.8, "style": 759002.6},
    ),
    (
        "stylebank",
        "default",
        {"width": 8, "style_size": 48},
        0,
        3,
        False,
        {
            "total": 10.13617,
            "content": 0.8436761,
            "style": 9.206888,
            "smoothness": 0.000957075,
            "palette": 0.08465194,
        },
    ),
    (
        "stylebank",
        "default",
        {"width": 8, "style_size": 48},
        2,
        3,
        False,
        {"total": 0, "pixel": 0.08347648},
    ),
    (
        "stylebank",
        "paper",
        {"width": 8, "style_size": 48, **NINETEEN, "flavor": "caffe"},
        0,
        3,
        False,
        {"total": 1.206805e12, "content": 1275822, "style": 1.206803e12, "smoothness": 0.02141429},
    ),
    (
        "style-prediction",
        "default",
        SMALL,
        0,
        0,
        False,
        {"total": 35.555, "content": 1.650803, "style": 32.63171, "palette": 1.272487},
    ),
    (
        "style-prediction",
        "default",
        {**SMALL, "tv_weight": 0.5},
        7,
        0,
        False,
        {"total": 49.61067, "identity": 49.61067},
    ),
    (
        "style-prediction",
        "paper",
        {**SMALL, **NINETEEN},
        0,
        0,
        False,
        {"total": 5269966, "content": 133795.3, "style": 5136164, "smoothness": 7.052541},
    ),
    (
        "meta-network",
        "default",
        {**META, "tv_weight": 2.0},
        0,
        0,
        False,
        {
            "total": 11.00349,
            "content": 0.8787001,
            "style": 10.12392,
            "smoothness": 0.0008604745,
            "palette": 6.503615e-06,
        },
    ),
    (
        "meta-network",
        "default",
        {**META, "paintings": 2},
        0,
        0,
        True,
        {
            "total": 10.99858,
            "content": 0.8940169,
            "style": 10.07846,
            "shift": 0.0257886,
            "palette": 0.0003142975,
        },
    ),
    (
        "meta-network",
        "default",
        {**META, "losses": "moments"},
        0,
        0,
        False,
        {"total": 7.619659, "content": 0.8787001, "style": 6.740952, "palette": 6.503615e-06},
    ),
    (
        "meta-network",
        "paper",
        {**META, **NINETEEN},
        0,
        0,
        False,
        {"total": 5.907902e07, "content": 535696.8, "style": 5.854318e07, "smoothness": 135.0842},
    ),
    (
        "meta-network",
        "authors",
        {**META, **NINETEEN},
        0,
        0,
        False,
        {"total": 5.917515e07, "content": 536559.8, "style": 5.863845e07, "smoothness": 138.0331},
    ),
    (
        "adain",
        "default",
        {**SHALLOW},
        0,
        0,
        False,
        {"total": 4.903907, "pixel": 1.387954, "features": 3.515953},
    ),
    (
        "adain",
        "default",
        {**SHALLOW},
        8,
        0,
        False,
        {"total": 10.57701, "content": 0.9233323, "style": 9.653683},
    ),
    (
        "adain",
        "default",
        {**SHALLOW, "losses": "gram"},
        8,
        0,
        True,
        {"total": 2.945, "content": 0.6673711, "style": 2.249527, "shift": 0.02810254},
    ),
    (
        "adain",
        "paper",
        {**SHALLOW, "flavor": "caffe"},
        8,
        0,
        False,
        {"total": 6.287111e10, "content": 4.231736e09, "style": 5.863938e10},
    ),
    (
        "adain",
        "authors",
        {**SHALLOW, "flavor": "caffe"},
        8,
        0,
        False,
        {"total": 1.710144e10, "content": 4.231736e09, "style": 1.286971e10},
    ),
    (
        "wct",
        "default",
        {},
        0,
        0,
        True,
        {
            "total": 15.9646,
            "relu1_1": 3.643749,
            "relu2_1": 2.699667,
            "relu3_1": 3.539976,
            "relu4_1": 2.670517,
            "relu5_1": 3.410694,
        },
    ),
    (
        "wct",
        "paper",
        {"flavor": "caffe"},
        0,
        0,
        False,
        {
            "total": 4.308819e16,
            "relu1_1": 3.658364e12,
            "relu2_1": 1.153304e15,
            "relu3_1": 1.866899e15,
            "relu4_1": 4.006356e16,
            "relu5_1": 7.647582e11,
        },
    ),
    (
        "superres",
        "default",
        {**SMALL, "layers": ("relu1_2", "relu2_2")},
        0,
        0,
        False,
        {"total": 0.2900147, "content": 0.2900147},
    ),
    ("superres", "default", {**SMALL, "loss": "pixel"}, 0, 0, False, {"total": 0.008477609}),
    (
        "superres",
        "paper",
        {**SMALL, **NINETEEN},
        0,
        0,
        True,
        {"total": 157816, "content": 157816, "shift": 0.02905507},
    ),
]


@pytest.fixture(scope="module", autouse=True)
def small_measurements():
    """Measure the units of features on small copies of the package's images: seconds for minutes.

    What is kept of other measurements, by other tests, stays out of the way.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((units, "measured"), (statistics, "sample_stats")):
            patch.setattr(module, "_MEASURED", 48)
            getattr(module, name).cache_clear()
        yield
    units.measured.cache_clear()
    statistics.sample_stats.cache_clear()


@pytest.fixture(scope="module")
def pictures():
    """Four photographs and four paintings of 64 pixels; one painting more than a batch has."""
    photos = ("astronaut", "coffee", "chelsea", "rocket")
    content = torch.cat([samples.photo(name).resized(64, 64).rgb for name in photos])
    paintings = [
        samples.painting(name, 256).resized(64, 64).rgb
        for name in ("wave", "swirls", "mosaic", "fjord")
    ]
    return content, torch.cat(paintings)


def losses_of(pictures, name, preset, changes, step, styles, pairs=False):
    """The named losses of one step of a network with random weights."""
    method = get(name, Ability.TRAIN).build
    numbers = method_config.change(method_config.preset(method.Config, preset), changes)
    content, paintings = pictures
    torch.manual_seed(0)
    task = method.task(numbers, [one[None] for one in paintings[:styles]], FLOAT32)
    batch = Batch(step, 4, {"content": content, "style": paintings}, steps=10)
    torch.manual_seed(1)
    if pairs:
        batch = paired(batch, 10.0)
    return {name: value.item() for name, value in task.loss(task.module, batch).items()}


@pytest.mark.parametrize(
    ("name", "preset", "changes", "step", "styles", "pairs", "expected"),
    [
        pytest.param(
            *row,
            id=f"{row[0]}-{row[1]}-{index}",
            marks=[pytest.mark.slow] if row[0] in {"wct", "meta-network"} else [],
        )
        for index, row in enumerate(VALUES)
    ],
)
def test_the_losses_have_these_values(
    pictures, name, preset, changes, step, styles, pairs, expected
):
    """Seven digits of float32 sums of some 1e5 terms: four of them hold on every processor."""
    found = losses_of(pictures, name, preset, changes, step, styles, pairs)
    assert found == pytest.approx(expected, rel=2e-4, abs=1e-12)
