"""Styles: formal sums of what a method keeps of pictures, and their files."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import torch
from safetensors.torch import save as serialize

from impasto.errors import InputError
from impasto.image import Image
from impasto.methods import style as style_file
from impasto.methods.style import Part, Style


def style(value, method="gatys", weight=1.0):
    return Style(method, (Part({"picture": torch.full((1, 3, 2, 2), value)}, weight),))


def weights(one):
    return [part.weight for part in one]


def test_blend_keeps_parts_and_weights():
    blend = 0.3 * style(0.1) + 0.7 * style(0.2)
    assert weights(blend) == [0.3, 0.7]
    assert [float(part.tensors["picture"].mean()) for part in blend] == pytest.approx([0.1, 0.2])


def test_factors_multiply_from_both_sides():
    assert weights(2 * (style(0, weight=0.5) * 3)) == [3.0]


def test_sums_are_associative():
    a, b, c = (style(value, weight=value) for value in (1, 2, 3))
    assert weights((a + b) + c) == weights(a + (b + c)) == [1, 2, 3]


def test_operators_leave_their_operands_alone():
    a = style(0)
    _ = 5 * a + a
    assert weights(a) == [1.0]


def test_tensors_are_shared_not_copied():
    a = style(0)
    assert (0.5 * a).parts[0].tensors is a.parts[0].tensors


def test_styles_of_two_methods_cannot_be_blended():
    with pytest.raises(InputError, match="gatys and one of mmd"):
        style(0) + style(0, "mmd")


def test_expect():
    a = style(0)
    assert a.expect("gatys") is a
    with pytest.raises(InputError, match="encoded by gatys, not by mmd"):
        a.expect("mmd")


def painted(method="gatys", seed=0, **more):
    random = torch.Generator().manual_seed(seed)
    tensors = {"picture": torch.rand(1, 3, 30, 40, generator=random), **more}
    return Style(method, (Part(tensors),))


def same(one, other):
    assert one.method == other.method
    assert weights(one) == weights(other)
    for mine, theirs in zip(one, other, strict=True):
        assert mine.tensors.keys() == theirs.tensors.keys()
        for name, value in mine.tensors.items():
            assert theirs.tensors[name].dtype == value.dtype
            assert torch.equal(theirs.tensors[name], value)


def test_a_file_keeps_a_blend_exactly(tmp_path):
    more = {"a.b": torch.tensor([1, 2]), "half": torch.rand(3).half(), "nothing": torch.zeros(0)}
    blend = 0.1 * painted(**more) + 0.9 * painted(seed=1)
    blend.save(tmp_path / "x.style")
    same(style_file.load(tmp_path / "x.style"), blend)
    assert [path.name for path in tmp_path.iterdir()] == ["x.style"]


def test_parts_that_share_tensors_can_be_kept(tmp_path):
    one = Style("gatys", (Part({"picture": torch.rand(1, 3, 4, 4).mT}),))
    blend = 0.5 * one + 0.5 * one
    blend.save(tmp_path / "x.style")
    same(style_file.load(tmp_path / "x.style"), blend)


def test_thumbnails_go_along_and_show(tmp_path):
    assert painted().preview() is None
    wide, tall = (Image(torch.rand(1, 3, *sides)) for sides in ((100, 200), (60, 30)))
    style = 0.2 * painted().with_thumbnail(wide) + 0.8 * painted(seed=1).with_thumbnail(tall)
    style.save(tmp_path / "x.style")
    preview = style_file.load(tmp_path / "x.style").preview()
    assert preview.size == (round(96 * 60 / 48) + 30, 60)
    assert torch.equal(preview.rgb, style.preview().rgb)
    assert (preview.rgb[..., -30:] - tall.rgb).abs().max() < 1 / 255  # 8 bits
    assert (style + painted()).preview().size == preview.size


def test_only_styles_that_are_whole_get_names(tmp_path):
    with pytest.raises(InputError, match=r"x\.png: the name of a style ends in \.style"):
        painted().save(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        painted().save(tmp_path / "none" / "x.style")
    with pytest.raises(InputError, match="johnson has learned lies in its model"):
        Style("johnson", (Part({}),)).save(tmp_path / "x.style")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_stays_until_a_whole_one_is_there(tmp_path, monkeypatch):
    path = tmp_path / "x.style"
    painted().save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(InputError, match="disk is full"):
        painted(seed=1).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_ready(tmp_path):
    style = painted()
    style.save(tmp_path / "x.style")
    assert style_file.load_if_style(style) is style
    same(style_file.load_if_style(tmp_path / "x.style"), style)
    same(style_file.load_if_style(str(tmp_path / "x.style")), style)
    for other in ("x.jpg", "wave", b"x.style", torch.zeros(1), None):
        assert style_file.load_if_style(other) is None


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(InputError, match="no such style; write one with 'impasto encode'"):
        style_file.load(tmp_path / "x.style")
    with pytest.raises(InputError, match="no such style"):
        style_file.load(tmp_path)
    path = tmp_path / "x.style"
    for content in (b"", b"\xff\xd8\xff", b"\0" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a style; encode it again"):
            style_file.load(path)
    path.write_bytes(serialize({"0.tensor.picture": torch.zeros(1)}))
    with pytest.raises(InputError, match="is no style of Impasto, or one of a newer version"):
        style_file.load(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"format": 2}, "newer version"),
        ({"method": 3}, "header is damaged"),
        ({"weights": []}, "header is damaged"),
        ({"weights": {}}, "header is damaged"),
        ({"weights": [None]}, "weights are no numbers"),
        ({"weights": [float("nan")]}, "weights are no numbers"),
        ({"weights": [1, 1]}, "style is damaged"),
    ],
)
def test_damaged_headers(tmp_path, header, words):
    told = {"format": 1, "method": "gatys", "weights": [1.0], **header}
    data = serialize({"0.tensor.picture": torch.zeros(1)}, {"impasto-style": json.dumps(told)})
    (tmp_path / "x.style").write_bytes(data)
    with pytest.raises(InputError, match=words):
        style_file.load(tmp_path / "x.style")


def test_numbers_that_are_not_finite_are_damage(tmp_path):
    painted(bad=torch.tensor([float("inf")])).save(tmp_path / "x.style")
    with pytest.raises(InputError, match="style is damaged"):
        style_file.load(tmp_path / "x.style")


def test_a_file_cut_short_or_garbled_is_an_error_in_one_line(tmp_path):
    path = tmp_path / "x.style"
    painted().with_thumbnail(Image(torch.rand(1, 3, 9, 9))).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as error:
            style_file.load(path)
        assert "\n" not in str(error.value)
    head, random = 8 + int.from_bytes(whole[:8], "little"), torch.Generator().manual_seed(0)
    for _ in range(300):
        place, bits = torch.randint(0, head, (2,), generator=random).tolist()
        garbled = bytearray(whole)
        garbled[place] ^= 1 + bits % 255
        path.write_bytes(garbled)
        with suppress(InputError):  # what else may come is a style with another name or weight
            assert style_file.load(path).parts
