"""Sheets of labelled pictures."""

from __future__ import annotations

import pytest
import torch

from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet


def flat(red, green, blue, height=20, width=30):
    color = torch.tensor([red, green, blue]).view(1, 3, 1, 1)
    return Image(color.expand(1, 3, height, width).contiguous())


RED, GREEN, BLUE = flat(1.0, 0, 0), flat(0, 1.0, 0), flat(0, 0, 1.0)


def area(sheet, color):
    """How many pixels of the sheet have exactly this colour."""
    return int((sheet.rgb[0] == torch.tensor(color).view(3, 1, 1)).all(0).sum())


def first(sheet, color):
    """(row, column) of the first pixel of this colour."""
    found = (sheet.rgb[0] == torch.tensor(color).view(3, 1, 1)).all(0).nonzero()
    return tuple(found[0].tolist())


def test_every_picture_is_there_whole_at_the_height_asked_for():
    sheet = contact_sheet([("a", RED), ("b", GREEN), ("c", BLUE)], height=40)
    for color in ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)):
        assert area(sheet, color) == 40 * 60


def test_reading_order():
    sheet = contact_sheet([("a", RED), ("b", GREEN), ("c", BLUE)], columns=2, height=40)
    red, green, blue = (first(sheet, c) for c in ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    assert red[0] == green[0] < blue[0]
    assert red[1] == blue[1] < green[1]


def test_one_row_by_default():
    tiles = [("a", RED), ("b", GREEN), ("c", BLUE)]
    assert contact_sheet(tiles).height < contact_sheet(tiles, columns=1).height
    assert contact_sheet(tiles).size == contact_sheet(tiles, columns=3).size


def test_labels_are_written_above():
    blank = contact_sheet([("", RED)], height=64)
    labelled = contact_sheet([("relu4_1", RED)], height=64)
    changed = (blank.rgb != labelled.rgb).any(1)[0].nonzero()
    assert len(changed) > 20
    assert changed[:, 0].max() < first(labelled, (1.0, 0, 0))[0]


def test_pictures_of_other_shapes():
    sheet = contact_sheet([("wide", RED), ("high", flat(0, 1.0, 0, 60, 10))], height=30)
    assert area(sheet, (1.0, 0, 0)) == 30 * 45
    assert area(sheet, (0, 1.0, 0)) == 30 * 5


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_alpha_is_left_out(alpha):
    picture = Image(RED.rgb, torch.full((1, 1, 20, 30), alpha))
    assert contact_sheet([("a", picture)]).alpha is None


def test_labels_of_several_lines_push_the_pictures_down():
    one, two = (contact_sheet([(label, RED)], height=64) for label in ("a", "a\nb"))
    assert two.height > one.height
    assert area(two, (1.0, 0, 0)) == area(one, (1.0, 0, 0))


def test_a_short_label_stays_at_its_picture():
    sheet = contact_sheet([("a\nb", RED), ("c", GREEN)], height=64)
    blank = contact_sheet([("a\nb", RED), ("", GREEN)], height=64)
    changed = (sheet.rgb != blank.rgb).any(1)[0].nonzero()
    assert changed[:, 0].min() > first(sheet, (0, 1.0, 0))[0] - 30


def test_a_long_label_does_not_run_into_its_neighbour():
    narrow = flat(1.0, 0, 0, 40, 20)
    label = "a label of many words, much longer than its picture is wide"
    sheet = contact_sheet([(label, narrow), ("", narrow)], height=64)
    blank = contact_sheet([("", narrow), ("", narrow)], height=64)
    changed = (sheet.rgb != blank.rgb).any(1)[0].nonzero()
    assert len(changed) > 10
    assert changed[:, 1].max() < 16 + 32 + 2
