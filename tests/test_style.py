"""Styles: formal sums of what a method keeps of pictures."""

from __future__ import annotations

import pytest
import torch

from impasto.errors import InputError
from impasto.style import Part, Style


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
