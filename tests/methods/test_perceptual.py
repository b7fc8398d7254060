"""Any style loss trains any network, and model files from before that open."""

import dataclasses

import pytest
import torch

from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import samples
from impasto.losses.terms import parse
from impasto.methods import config as method_config
from impasto.methods.network import NetworkMethod
from impasto.methods.perceptual import PerceptualConfig
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models.checkpoint import Model
from impasto.training.task import Batch

FLOAT32 = choose("cpu", "float32")
SMALL = {"width": 8, "blocks": 1, "style_layers": "relu1_1,relu2_1"}
SIZED = {**SMALL, "style_size": 48}
# method, number of style images, settings; the units of the decoders and of the statistics are off
NETWORKS = {
    "johnson": (1, SIZED),
    "texture-net": (1, {"size": 32, "style_size": 48, "style_layers": "relu1_1,relu2_1"}),
    "cin": (2, SIZED),
    "stylebank": (2, {"width": 8, "style_layers": "relu1_1,relu2_1", "style_size": 48}),
    "style-prediction": (0, {**SMALL, "predictor": "cnn"}),
    "meta-network": (0, {**SMALL, "slice_width": 8, "paintings": 2}),
    "adain": (0, {"layer": "relu2_1", "units": "none", "reconstruct": 0.0, "rehearse": 0}),
}


def losses_of(name, text):
    """The losses of a step, and whether the network gets a gradient of the style."""
    styles, settings = NETWORKS[name]
    build = get(name, Ability.TRAIN).build
    numbers = method_config.change(build.Config(), {**settings, "losses": text})
    paintings = [samples.painting(n, 256).resized(32, 48).rgb for n in ("wave", "mosaic")]
    torch.manual_seed(0)
    task = build.task(numbers, paintings[:styles], FLOAT32)
    photos = torch.cat([samples.photo(n).resized(32, 48).rgb for n in ("coffee", "chelsea")])
    torch.manual_seed(1)
    batch = Batch(0, 2, {"content": photos, "style": torch.cat(paintings)}, steps=10)
    losses = task.loss(task.module, batch)
    losses["style"].backward()
    gradients = [p.grad for p in task.module.parameters() if p.grad is not None]
    assert any(g.abs().max() > 0 for g in gradients)
    assert all(g.isfinite().all() for g in gradients)
    return {part: value.item() for part, value in losses.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_any_loss_trains_any_network(name):
    """A sum of two is the sum of both, and losses on sets of vectors have finite gradients."""
    gram, moments = (losses_of(name, text)["style"] for text in ("gram", "moments"))
    assert gram != pytest.approx(moments, rel=1e-3)
    both = losses_of(name, "0.5 gram + 0.25 moments")
    assert both["style"] == pytest.approx(0.5 * gram + 0.25 * moments, rel=1e-4)
    sets = "sliced(directions=4) + gaussian(subsample=64)@relu2_1 + patches@pool2"
    assert (
        losses_of(name, sets if name != "adain" else sets.replace("pool2", "relu2_1"))["style"] > 0
    )


def test_a_loss_that_does_not_read_is_refused():
    for name in NETWORKS:
        kind = get(name, Ability.TRAIN).build.Config
        with pytest.raises(InputError, match="unknown loss 'grams'"):
            kind(losses="grams")


def test_a_term_has_its_weight_at_each_of_its_own_layers():
    """Layers of the config share the weight; those that a term names have it each."""
    numbers = PerceptualConfig(style_weight=12.0, relative=False)

    def encoder(image, layers):
        return dict.fromkeys(layers, image)

    style, image = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    values = {}
    for text in ("gram", "gram@relu1_1", "gram@relu1_1,relu2_1"):
        asked = dataclasses.replace(numbers, losses=text).style_objective(encoder, style)
        values[text] = asked(image)["style"].item()
    assert values == pytest.approx(dict(zip(values, (12.0, 12.0, 24.0), strict=True)))


OLD = [
    ("johnson", {}, "gram"),
    ("cin", {"normalization": "chw"}, "gram"),
    ("style-prediction", {"normalization": "chw", "smoothness": 0.0}, "gram"),
    ("meta-network", {"style_loss": "gram"}, "gram"),
    ("adain", {"style_loss": "moments", "style_sum": False}, "moments"),
]


@pytest.mark.parametrize(("name", "fields", "losses"), OLD)
def test_older_fields_that_say_what_is_the_default_are_left_out(name, fields, losses):
    build = get(name, Ability.TRAIN).build
    assert issubclass(build, NetworkMethod)
    small = {"width": 4} if "width" in {f.name for f in dataclasses.fields(build.Config)} else {}
    numbers = dataclasses.asdict(build.Config(**small))
    del numbers["losses"]
    numbers = {**numbers, **fields}  # as such a header has it
    module = build.network(build.Config(**small))
    opened = build.open(Model(name, numbers, module.state_dict(), ("mine",), {}), FLOAT32)
    assert opened.config.losses == losses
    assert parse(opened.config.losses)
    again = method_config.restore(build.Config, dataclasses.asdict(opened.config))
    assert again == opened.config


@pytest.mark.parametrize(
    "fields",
    [{"style_loss": "moments"}, {"smoothness": 2.0}, {"normalization": "chw", "relative": False}],
)
def test_older_fields_of_another_loss_are_refused(fields):
    with pytest.raises(TypeError, match="unexpected keyword"):
        method_config.restore(PerceptualConfig, fields)
