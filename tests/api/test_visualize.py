"""A model of filter banks from training to a style more, and what its filters have learned."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from helpers import TINY, photos_in, pictures
from impasto.api import add_style, stylize, train, visualize
from impasto.core.device import choose
from impasto.errors import InputError
from impasto.image import Image as Picture
from impasto.methods.multi_style.stylebank import StyleBank
from impasto.models import checkpoint

QUICK = {"steps": "4", "batch": "2", "workers": "0", "report_every": "2", "warmup": "0"}
PHOTO = Picture(pictures(1, 3, 37, 45))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photos_in(tmp_path_factory.mktemp("photos"), 60, 50, ".jpg")


@pytest.fixture(scope="module")
def base(photos, tmp_path_factory):
    """A model of two styles, trained for a moment."""
    return train.train(
        "stylebank",
        tmp_path_factory.mktemp("base") / "two.safetensors",
        style=["sample:wave", "sample:gold"],
        content=photos,
        settings=TINY,
        precision="float32",
    ).path


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_style_more_changes_nothing_that_was_there(base, photos, tmp_path, precision):
    larger = tmp_path / "three.safetensors"
    settings = {**QUICK, "learning_rate": "0.05"}
    options = {"content": photos, "settings": settings, "precision": precision}
    trained = add_style.add_style(base, "sample:fjord", larger, **options)
    before, after = checkpoint.load(base), checkpoint.load(larger)
    assert trained.result.finished
    assert after.styles == ("wave", "gold", "fjord")
    assert after.config == {**before.config, "styles": 3}
    assert set(after.state) == set(before.state)
    for name, value in before.state.items():
        kept = after.state[name][:2] if name.startswith("bank.") else after.state[name]
        assert torch.equal(kept, value), name
    assert not torch.equal(after.state["bank.kernels"][2], after.state["bank.kernels"][1])
    runtime = choose("cpu", precision)
    given_back = [
        StyleBank.open(one, runtime).run(pictures(1, 3, 36, 44)) for one in (before, after)
    ]
    assert torch.equal(*given_back), "the auto-encoder"
    for name in before.styles:
        painted = [
            stylize.stylize(PHOTO, f"{file}#{name}", precision=precision).rgb
            for file in (base, larger)
        ]
        assert torch.equal(*painted)
    assert len(set(trained.result.losses) & {"pixel"}) == 0
    new = stylize.stylize(PHOTO, f"{larger}#fjord", precision=precision).rgb
    assert not torch.allclose(new, painted[0], atol=1e-3)


@pytest.mark.slow
def test_a_sheet_of_elements(base):
    steps = []
    sheet = visualize.inspect(base, "gold", columns=4, callback=steps.append)
    assert len(steps) == steps[-1].step == steps[-1].total == 16
    assert sheet.width < sheet.height
    first = visualize.inspect(base, "wave", photo=Picture(pictures(1, 3, 70, 70)), columns=4)
    unnamed = visualize.inspect(str(base), photo=Picture(pictures(1, 3, 70, 70)), columns=4)
    assert torch.equal(first.rgb, unnamed.rgb)
    other = visualize.inspect(base, "gold", photo=Picture(pictures(1, 3, 70, 70)), columns=4)
    assert not torch.equal(first.rgb, other.rgb)


def test_what_cannot_be_inspected(base, photos, tmp_path):
    cin = tmp_path / "wave.safetensors"
    settings = {**TINY, "steps": "1", "blocks": "0"}
    train.train("cin", cin, style="sample:wave", content=photos, settings=settings)
    for options, said in (
        ({"model": cin}, "cin cannot inspect: choose .*stylebank"),
        ({"model": base, "style": "jade"}, "has no 'jade': it has wave, gold"),
        ({"model": "nothing"}, "no model 'nothing'"),
        ({"model": "stylebank", "style": "jade"}, "has no 'jade': it has udnie"),
        ({"model": "cin", "style": "adele"}, "cin cannot inspect"),
        ({"model": "adele"}, "cin cannot inspect"),
        ({"model": base, "columns": 0}, "columns is 0"),
    ):
        with pytest.raises(InputError, match=said):
            visualize.inspect(**options)


def test_on_the_command_line(impasto, base, tmp_path):
    done = impasto("inspect", base, "--style", "gold", "--size", 64, "--columns", 8)
    assert done.code == 0, done.err
    assert done.err.startswith("two-gold.png")
    with Image.open(tmp_path / "two-gold.png") as sheet:
        assert sheet.width > sheet.height
    wrong = impasto("inspect", base, "--style", "jade", "-o", "x.png")
    assert wrong.code == 2
    assert "has no 'jade'" in wrong.err
    assert not (tmp_path / "x.png").exists()
