"""A small network for one painting: the same pictures, from a file that needs nothing else."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from skimage import data

from impasto.api import encode, specialize, stylize
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import load
from impasto.methods.arbitrary.meta_network import MetaNetwork, MetaNetworkConfig
from impasto.models import checkpoint, zoo
from impasto.nn import vgg

EXACT = {"precision": "float32", "device": "cpu"}


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A model of full size whose styles differ; it has learned nothing."""
    torch.manual_seed(0)
    method = MetaNetwork(MetaNetworkConfig(), choose("cpu", "float32"))
    method.module.standardize(300 * torch.rand(20, 1920), [1920])
    torch.nn.init.normal_(method.module.base.last.weight, std=0.1)
    path = tmp_path_factory.mktemp("big") / "big.safetensors"
    checkpoint.save(method.model(method.module, ["big"], {"kind": "any"}), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A photo, a painting and another, as files of the folder that the commands run in."""
    for name, sides in (("coffee", (61, 43)), ("chelsea", (48, 48)), ("rocket", (40, 64))):
        Image.fromarray(getattr(data, name)()).resize(sides).save(tmp_path / f"{name}.png")
    return [tmp_path / f"{name}.png" for name in ("coffee", "chelsea", "rocket")]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_the_small_network_paints_the_same_picture(big, pictures, tmp_path, precision):
    photo, painting, _ = pictures
    small, place = tmp_path / "small.safetensors", {"device": "cpu", "precision": precision}
    specialize.specialize(big, painting, small, **place)
    style = encode.encode(painting, method=str(big), **place)
    expected = stylize.stylize(photo, style, method=str(big), **place).rgb
    found = stylize.stylize(photo, str(small), **place).rgb
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert expected.std() > 0.02


def test_it_has_the_papers_number_of_weights(big, pictures, tmp_path):
    """112,048 in the convolutions, 448,192 bytes; the norms and the two biases are apart."""
    small = tmp_path / "small.safetensors"
    specialize.specialize(big, pictures[1], small)
    with safe_open(small, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights = [value for value in state.values() if value.ndim == 4]
    assert sum(weight.numel() for weight in weights) == 112_048
    assert sum(weight.numel() * weight.element_size() for weight in weights) == 448_192
    assert small.stat().st_size < 460_000
    assert big.stat().st_size < 36_000_000


def test_nothing_of_vgg_or_the_meta_network_is_needed(big, pictures, tmp_path, monkeypatch):
    small = tmp_path / "small.safetensors"
    specialize.specialize(big, pictures[1], small)

    def refuse(*_, **__):
        raise AssertionError("an encoder was built")

    monkeypatch.setattr(vgg.Encoder, "__init__", refuse)
    found = stylize.stylize(pictures[0], str(small), **EXACT)
    assert found.size == (61, 43)


def test_it_is_in_the_catalog_as_a_style(big, pictures, tmp_path):
    small = tmp_path / "small.safetensors"
    made = specialize.specialize(big, pictures[1], small, name="cat")
    (learned,) = zoo.learned_in(small)
    assert (learned.name, learned.method, learned.kind) == ("cat", "meta-network", "style")
    assert checkpoint.load(small, weights=False).card["source"] == "big"
    assert made.config["generated"]
    assert zoo.find(str(small)) == learned
    with pytest.raises(InputError, match="is a model for 'stylize', not for 'stylize' as `method`"):
        stylize.stylize(pictures[0], pictures[1], method=str(small))


@pytest.mark.slow
def test_blends_and_style_files(big, pictures, tmp_path):
    photo, *paintings = pictures
    paintings = [str(one) for one in paintings]
    both = encode.encode(paintings, method=str(big), weights=[3, 1], **EXACT)
    both.save(tmp_path / "both.style")
    expected = stylize.stylize(photo, both, method=str(big), **EXACT).rgb
    target = tmp_path / "small.safetensors"
    specialize.specialize(big, paintings, target, weights=[3, 1], **EXACT)
    assert checkpoint.load(target).styles == ("chelsea",)
    blend = stylize.stylize(photo, str(target), **EXACT).rgb
    torch.testing.assert_close(blend, expected, rtol=0, atol=1e-6)
    specialize.specialize(big, str(tmp_path / "both.style"), target, **EXACT)
    assert checkpoint.load(target).styles == ("both",)
    assert torch.equal(stylize.stylize(photo, str(target), **EXACT).rgb, blend)
    specialize.specialize(big, both, target, **EXACT)
    assert checkpoint.load(target).styles == ("small",)


def test_a_shipped_model_goes_by_the_name_of_its_method(big, pictures, tmp_path, monkeypatch):
    small = tmp_path / "small.safetensors"
    monkeypatch.setattr(zoo, "shipped", lambda: zoo.learned_in(big))
    specialize.specialize("meta-network", pictures[1], small)
    monkeypatch.setattr(zoo, "shipped", lambda: ())
    with pytest.raises(InputError, match="meta-network is no model that writes networks"):
        specialize.specialize("meta-network", pictures[1], small)


def test_models_that_write_no_networks(pictures, tmp_path):
    from impasto.methods.registry import get

    build = get("adain").build
    method = build(build.Config(), choose("cpu", "float32"))
    path, target = tmp_path / "adain.safetensors", tmp_path / "small.safetensors"
    checkpoint.save(method.model(method.module, ["mine"], {"kind": "any"}), path)
    with pytest.raises(InputError, match="adain writes no networks: give a model of meta-network"):
        specialize.specialize(path, pictures[1], target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("big", "small.pt", "ends in .safetensors"),
        ("big", "big", "is the model itself"),
        ("nowhere.safetensors", "small.safetensors", "no such model"),
        ("gatys", "small.safetensors", "gatys is no model that writes networks"),
    ],
)
def test_bad_input(big, pictures, tmp_path, source, target, said):
    source, target = (big if name == "big" else name for name in (source, target))
    before = big.read_bytes()
    with pytest.raises(InputError, match=said):
        specialize.specialize(source, pictures[1], tmp_path / target)
    assert big.read_bytes() == before


@pytest.mark.slow
def test_on_the_command_line(impasto, big, pictures):
    line = ["specialize", big, "chelsea.png", "-o", "cat.safetensors", "--precision", "float32"]
    done = impasto(*line)
    assert done.code == 0, done.err
    assert (done.out, done.err) == (b"", "cat.safetensors  chelsea, 112,843 weights, 456 kB\n")
    done = impasto("encode", "chelsea.png", "-o", "cat.style", "-m", big, "--precision", "float32")
    assert done.code == 0, done.err
    painted = ["stylize", "coffee.png", "--precision", "float32", "-o"]
    for options in (["a.png", "-s", "cat.safetensors"], ["b.png", "-s", "cat.style", "-m", big]):
        done = impasto(*painted, *options)
        assert done.code == 0, done.err
    assert (load("a.png").rgb - load("b.png").rgb).abs().max() < 1.01 / 255
    done = impasto(*line[:3], "rocket.png:0.5", *line[3:], "--quiet", "--name", "two")
    assert (done.code, done.err) == (0, "")
    assert checkpoint.load("cat.safetensors").styles == ("two",)
    wrong = impasto("specialize", big, "nowhere.png", "-o", "x.safetensors")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
