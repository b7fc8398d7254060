"""Style prediction by a CNN that sees the style image: training, embeddings, files."""

import dataclasses

import pytest
import torch

from helpers import FLOAT32, smooth, training_folders, training_sources
from impasto.errors import InputError
from impasto.image import samples
from impasto.methods import style as style_file
from impasto.methods.arbitrary.style_prediction import StylePrediction, StylePredictionConfig
from impasto.methods.style import Part, Style
from impasto.models import checkpoint
from impasto.training.loop import train
from impasto.training.plan import Plan
from impasto.training.task import Batch

SMALL = StylePredictionConfig(
    predictor="cnn",
    embedding=10,
    width=8,
    blocks=1,
    content_layer="relu2_1",
    style_layers=("relu1_1", "relu2_1", "relu3_1"),
)


def seeing(seed=0):
    torch.manual_seed(seed)
    method = StylePrediction(SMALL, FLOAT32)
    torch.nn.init.normal_(method.module.predictor.head.weight, std=0.5)
    return method


@pytest.mark.slow
def test_a_cnn_learns_to_predict(tmp_path):
    """The losses fall, its own weights move, and the paintings get styles of their own."""
    plan = Plan(steps=32, batch=2, learning_rate=3e-3, clip=1.0, report_every=8, workers=0, seed=0)
    sources = training_sources(training_folders(lambda name: tmp_path / name, ("wave", "gold")))
    torch.manual_seed(plan.seed)
    task = StylePrediction.task(SMALL, [], FLOAT32)
    before = task.module.predictor.features[0].weight.detach().clone()
    result = train(task, plan, sources=sources, runtime=FLOAT32)
    for name in ("total", "style"):
        assert result.losses[name][-1] < 0.7 * result.losses[name][0]
    after = result.module.predictor.features[0].weight
    assert not torch.allclose(after, before, atol=1e-4)
    method = StylePrediction(SMALL, FLOAT32)
    method.module.load_state_dict(result.module.state_dict())
    paintings = [samples.painting(name, 128).resized(64, 64).rgb for name in ("wave", "gold")]
    one, other = (method.embeddings(method.encode(painting)) for painting in paintings)
    assert float((one - other).norm()) > 0.1 * float(one.norm())


def test_the_gradient_reaches_the_cnn():
    task = StylePrediction.task(dataclasses.replace(SMALL, identity=0), [], FLOAT32)
    batch = {"content": torch.rand(2, 3, 32, 32), "style": torch.rand(2, 3, 32, 32)}
    task.loss(task.module, Batch(0, 2, batch))["total"].backward()
    for weight in task.module.predictor.parameters():
        assert float(weight.grad.abs().max()) > 0


def test_embeddings_of_a_cnn():
    """Of images of any size; blends are sums of embeddings, and alpha adds the photo's own."""
    method, photo = seeing(), smooth(40, 52)
    one, other = (method.encode(smooth(*size, seed=7)) for size in ((64, 80), (9, 70)))
    assert method.embeddings(one).shape == (1, SMALL.embedding)
    blend = method.stylize(photo, 0.25 * one + 0.75 * other)
    embedded = 0.25 * method.embeddings(one) + 0.75 * method.embeddings(other)
    (part,) = one
    direct = Style(method.name, (Part({**part.tensors, "embedding": embedded}),))
    assert torch.allclose(blend, method.stylize(photo, direct), atol=1e-5)
    mine = StylePrediction(dataclasses.replace(method.config, alpha=0.0), FLOAT32)
    mine.module.load_state_dict(method.module.state_dict())
    own = method.stylize(photo, method.encode(photo))
    assert torch.allclose(mine.stylize(photo, one), own, atol=1e-5)


def test_a_style_of_another_cnn_is_refused():
    photo, style = smooth(32, 32), seeing(0).encode(smooth(40, 40))
    reader = StylePrediction(dataclasses.replace(SMALL, predictor="statistics"), FLOAT32)
    seeing(0).stylize(photo, style)
    for wrong in (style, reader.encode(smooth(40, 40))):
        with pytest.raises(InputError, match="encoded by another model"):
            seeing(1).stylize(photo, wrong)
    with pytest.raises(InputError, match="of other layers"):
        reader.stylize(photo, style)


@pytest.mark.parametrize("bits", [32, 16])
def test_a_cnn_in_a_file(tmp_path, bits):
    """A model and a style come back; a style made before saving in float16 still belongs to it."""
    method, photo, painting = seeing(), smooth(32, 32), smooth(40, 40, seed=3)
    path = tmp_path / "seeing.safetensors"
    checkpoint.save(method.model(method.module, ["any"], {"kind": "any"}), path, bits=bits)
    again = StylePrediction.open(checkpoint.load(path), FLOAT32)
    style = method.encode(painting)
    style.save(tmp_path / "painting.style")
    loaded = style_file.load(tmp_path / "painting.style")
    found = again.stylize(photo, loaded)
    assert torch.allclose(found, method.stylize(photo, style), atol=0.02 if bits < 32 else 1e-6)
