"""`impasto encode`, and style files through the pipeline and on the command line."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from skimage import data

from impasto.api import encode, stylize
from impasto.api.inputs import read_image, resize_long_edge
from impasto.api.load import get_method
from impasto.api.resolve import StyleResolver
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.evaluation import worker
from impasto.image import Image as Picture
from impasto.image import load
from impasto.methods import style
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.methods.style import Part, Style
from impasto.models import checkpoint

FAST = {"steps": 2, "levels": 1}


@pytest.fixture
def pictures(tmp_path):
    """A photo, a painting and another, as files of the folder that the commands run in."""
    for name, sides in (("coffee", (60, 40)), ("chelsea", (48, 48)), ("rocket", (40, 64))):
        Image.fromarray(getattr(data, name)()).resize(sides).save(tmp_path / f"{name}.png")
    return [str(tmp_path / f"{name}.png") for name in ("coffee", "chelsea", "rocket")]


@pytest.fixture
def exact():
    """Gatys in float32 with two steps."""
    return get_method("gatys", Ability.STYLIZE, settings=FAST, precision="float32")


def painted(photo, of, **options):
    return stylize.stylize(photo, of, settings=FAST, precision="float32", **options).rgb


def test_encode_and_paint_on_the_command_line(impasto, pictures, tmp_path):
    done = impasto("encode", "chelsea.png", "-m", "gatys", "-o", "cat.style")
    assert done.code == 0, done.err
    assert (done.out, done.err.split("  ")[:2]) == (b"", ["cat.style", "gatys, 1 picture, 35 kB\n"])
    kept = style.load(tmp_path / "cat.style")
    assert torch.equal(kept.parts[0].tensors["picture"], load("chelsea.png").rgb)
    assert kept.preview().size == (48, 48)
    line = ["stylize", "coffee.png", "-s", "cat.style", "--set", "levels=1", "--steps", "2"]
    done = impasto(*line, "--precision", "float32")
    assert done.code == 0, done.err
    expected = painted(pictures[0], kept)
    assert (load("coffee-cat.png").rgb - expected).abs().max() < 1.01 / 255
    wrong = impasto(*line, "--method", "mmd")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "was encoded by gatys: leave --method out" in wrong.err


def test_encode_blends_with_weights(impasto, pictures, tmp_path):
    line = ["encode", "chelsea.png:3", "rocket.png:1", "-m", "mmd", "--style-size", 24, "--quiet"]
    done = impasto(*line, "-o", "both.style")
    assert (done.code, done.out, done.err) == (0, b"", "")
    kept = style.load(tmp_path / "both.style")
    assert kept.method == "mmd"
    assert [part.weight for part in kept] == [0.75, 0.25]
    sizes = [tuple(part.tensors["picture"].shape[-2:]) for part in kept]
    assert sizes == [(24, 24), (24, 15)]
    again = impasto("encode", "both.style", "chelsea.png", "-o", "three.style")
    assert again.code == 0, again.err
    weights = [part.weight for part in style.load(tmp_path / "three.style")]
    assert weights == pytest.approx([0.375, 0.125, 0.5])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["chelsea.png", "-o", "cat.png"], "cat.png: the name of a style ends in .style"),
        (["chelsea.png", "-o", "none/cat.style"], "does not exist"),
        (["none.png", "-o", "cat.style"], "none.png does not exist"),
        (["chelsea.png", "-o", "cat.style", "-m", "johnson"], "name a style of 'impasto styles'"),
        (["chelsea.png", "-o", "cat.style", "-m", "invert"], "invert takes no style"),
        (["chelsea.png", "-o", "cat.style", "-m", "nobody"], "unknown method 'nobody'"),
        (["chelsea.png", "-o", "cat.style", "--style-size", "0"], "style size is 0"),
        (["chelsea.png:-1", "-o", "cat.style"], "must not be negative"),
        (["chelsea.png", "rocket.png", "-o", "cat.style", "-m", "cnnmrf"], "takes one style"),
        (["damaged.style", "-o", "cat.style"], "damaged.style: cannot be read as a style"),
    ],
)
def test_errors_are_one_line(impasto, pictures, tmp_path, line, words):
    (tmp_path / "damaged.style").write_bytes(b"nothing of the kind")
    done = impasto("encode", *line)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert words in done.err
    assert not (tmp_path / "cat.style").exists()


def test_a_damaged_style_is_an_error_in_one_line(impasto, pictures, tmp_path):
    encode.encode(pictures[1], method="gatys").save(tmp_path / "cat.style")
    whole = (tmp_path / "cat.style").read_bytes()
    (tmp_path / "cat.style").write_bytes(whole[:-1])
    done = impasto("stylize", "coffee.png", "-s", "cat.style")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cat.style: cannot be read as a style; encode it again" in done.err
    assert "no such style" in impasto("stylize", "coffee.png", "-s", "none.style").err


def test_large_paintings_are_shrunk_and_small_ones_left():
    large, small = (Picture(torch.rand(1, 3, *sides)) for sides in ((700, 350), (20, 30)))
    shapes = [
        tuple(part.tensors["picture"].shape[-2:])
        for part in encode.encode([large, small], method="gatys")
    ]
    assert shapes == [(512, 256), (20, 30)]


@pytest.mark.slow
def test_a_style_paints_as_its_painting_at_that_size_does(pictures, tmp_path):
    photo, painting = (
        resize_long_edge(read_image(pictures[0]), 48, None),
        read_image(pictures[1]).resized(48, 32),
    )
    encode.encode(painting, method="gatys").save(tmp_path / "cat.style")
    photo = photo.resized(48, 32)  # of one size, so that the pipeline leaves the painting alone
    direct = painted(photo, painting)
    assert torch.equal(painted(photo, str(tmp_path / "cat.style")), direct)
    assert torch.equal(painted(photo, tmp_path / "cat.style"), direct)
    assert torch.equal(painted(photo, tmp_path / "cat.style", method="gatys"), direct)


def test_a_painting_beside_a_style_takes_its_method(pictures):
    kept = encode.encode(pictures[1], method="mmd")
    for order in ([kept, pictures[2]], [pictures[2], kept]):
        brushes = StyleResolver()(order)
        assert [brush.method.name for brush in brushes] == ["mmd", "mmd"]
        assert brushes[0].method is brushes[1].method


def test_styles_of_two_methods_need_masks(pictures, exact):
    one, other = (encode.encode(pictures[1], method=name) for name in ("gatys", "mmd"))
    with pytest.raises(InputError, match="different methods or networks do not blend"):
        painted(pictures[0], [one, other])
    mask = torch.zeros(1, 3, 40, 60)
    mask[..., :30] = 1
    both = painted(pictures[0], [one, other], masks=[Picture(mask)])
    assert torch.allclose(both[..., :29], painted(pictures[0], one)[..., :29], atol=1e-5)
    with pytest.raises(InputError, match="was encoded by mmd: leave `method` out"):
        stylize.stylize(pictures[0], other, method=exact)


def test_a_blend_in_a_file_is_one_style_under_a_mask(pictures):
    blend = encode.encode(pictures[1:], method="gatys", weights=[1, 3])
    mask = torch.zeros(1, 3, 40, 60)
    mask[..., 20:] = 1
    found = painted(pictures[0], blend, masks=[Picture(mask)])
    assert torch.allclose(found[..., :20], load(pictures[0]).rgb[..., :20], atol=1e-6)
    assert torch.allclose(found[..., 21:], painted(pictures[0], blend)[..., 21:], atol=1e-5)


def test_a_style_has_no_histogram(pictures):
    with pytest.raises(InputError, match="no picture to take the histogram of"):
        painted(pictures[0], encode.encode(pictures[1], method="gatys"), match_histogram=True)


def test_a_texture_from_a_style_file(impasto, pictures, tmp_path):
    done = impasto("encode", "chelsea.png", "-o", "cat.style", "-m", "resample", "--style-size", 12)
    assert done.code == 0, done.err
    done = impasto("texture", "cat.style", "--size", 14, "-o", "more.png")
    assert done.code == 0, done.err
    assert load("more.png").size == (14, 14)
    done = impasto("stylize", "coffee.png", "-s", "cat.style")
    assert "resample cannot stylize" in done.err


def test_a_model_for_any_style_encodes_and_paints(impasto, pictures, tmp_path):
    build = get("adain").build
    method = build(build.Config(), choose("cpu", "float32"))
    made = method.model(method.module, ["mine"], {"kind": "any"})
    checkpoint.save(made, tmp_path / "mine.safetensors")
    done = impasto("encode", "chelsea.png", "-o", "cat.style", "-m", "mine.safetensors")
    assert done.code == 0, done.err
    kept = style.load(tmp_path / "cat.style")
    assert (kept.method, kept.preview().size) == ("adain", (48, 48))
    line = ["stylize", "coffee.png", "-s", "cat.style", "-m", "mine.safetensors"]
    done = impasto(*line, "--precision", "float32")
    assert done.code == 0, done.err
    expected = stylize.stylize(pictures[0], kept, method="mine.safetensors", precision="float32")
    assert (load("coffee-cat.png").rgb - expected.rgb).abs().max() < 1.01 / 255
    assert worker.find_learned("mine.safetensors") is None


def test_a_learned_style_stays_in_its_model():
    with pytest.raises(InputError, match="lies in its model"):
        Style("johnson", (Part({}),)).save("x.style")
    with pytest.raises(InputError, match="was encoded by mmd, not by gatys"):
        encode.encode([Style("gatys", (Part({}),)), Style("mmd", (Part({}),))])


@pytest.mark.slow
def test_the_transport_is_an_option_of_its_own(impasto, pictures, tmp_path):
    """It means wct where no method is named, and says so where another cannot have it."""
    made = {}
    for kind in ("wct", "monge"):
        line = ["stylize", "coffee.png", "-s", "chelsea.png", "--transport", kind, "--size", 32]
        done = impasto(*line, "-o", f"{kind}.png", "--precision", "float32", "-q")
        assert done.code == 0, done.err
        made[kind] = load(f"{kind}.png").rgb
    by_name = stylize.stylize(
        pictures[0],
        pictures[1],
        method="wct",
        size=32,
        settings={"transport": "monge"},
        precision="float32",
    ).rgb
    assert (made["monge"] - by_name).abs().max() < 1.01 / 255
    assert (made["wct"] - by_name).abs().max() > 0.05
    line = ["stylize", "coffee.png", "-s", "chelsea.png", "-m", "gatys", "--transport", "wct"]
    refused = impasto(*line)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "transport" in refused.err
