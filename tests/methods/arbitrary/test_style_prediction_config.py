"""Style prediction: numbers that make no sense, presets, the recipe."""

import dataclasses

import pytest
import torch

from impasto.api import recipes
from impasto.errors import InputError
from impasto.methods import config
from impasto.methods.arbitrary.style_prediction import StylePrediction, StylePredictionConfig
from impasto.nn.vgg import Encoder


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"predictor": "inception"}, "unknown predictor 'inception': choose statistics, cnn"),
        ({"embedding": 0}, "embedding is 0: it must be 1 or more"),
        ({"identity": -1}, "identity is -1: it must be 0 or more"),
        ({"style_weight": -1.0}, "style_weight is -1.0"),
        ({"style_layers": ()}, "style_layers is empty"),
        ({"style_layers": ("relu9_1",)}, "unknown layer 'relu9_1'"),
    ],
)
def test_numbers_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        StylePredictionConfig(**wrong)


def test_presets():
    authors = StylePredictionConfig.authors()
    assert StylePredictionConfig.paper() == authors
    assert (authors.width, authors.blocks, authors.embedding) == (32, 5, 100)
    assert (authors.predictor, StylePredictionConfig().predictor) == ("cnn", "statistics")
    assert (authors.encoder, authors.pooling, authors.losses) == ("vgg16", "average", "gram")
    assert authors.content_layer == "relu3_3"
    assert authors.style_layers == ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    assert authors.style_weight == pytest.approx(4 * 5e-4)
    assert not authors.relative
    assert authors.identity == 0


def test_the_authors_total_variation():
    """1e4 of the halves of two means of squares, of the differences down and to the right."""
    authors = StylePredictionConfig.authors()
    numbers = dataclasses.replace(authors, encoder="vgg19", style_layers=("relu1_1",))
    batch = torch.rand(8, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    values = batch.double()
    halves = values.diff(dim=2).square().mean() / 2 + values.diff(dim=3).square().mean() / 2
    objective = numbers.style_objective(Encoder(depth="relu1_1"), batch[:1])
    ours = objective(batch)["smoothness"]
    assert float(ours) == pytest.approx(float(1e4 * halves), rel=1e-5)


@pytest.mark.parametrize("preset", config.PRESETS)
def test_the_head_of_every_preset(preset):
    module = StylePrediction.network(config.preset(StylePredictionConfig, preset))
    assert module.predictor.head.out_features == 2758
    numbers = 1920 if preset == "default" else 256  # of VGG's statistics, or of the CNN's channels
    assert module.predictor.embedding.weight.shape == (100, numbers)


def test_the_recipe():
    numbers = recipes.load("style-prediction")
    assert numbers.method == "style-prediction"
    assert numbers.config == StylePredictionConfig()
