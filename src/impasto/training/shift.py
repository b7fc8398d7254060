"""Shift consistency: a photo moved by a pixel must give the picture moved by a pixel.

Convolutional decoders draw a lattice with the period of their upsampling where a style loss asks
for texture. It stands still on the output's grid when the photo moves, so the pictures of a photo
and of its moved copy differ by it. A network without it moves along with the photo, and flickers
less in videos too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.training.task import Batch

MOST = 3  # pixels: less than 4, the stride of the networks with norms: no shift is on their grid
BORDER = 12  # pixels that padding may change, left out of the comparison


@dataclass(frozen=True)
class Shift:
    """Moves the second picture of each pair against the first.

    Attributes:
        down: Rows.
        right: Columns.
        weight: Of the consistency in the loss, for pixels of 0 to 1.
    """

    down: int
    right: int
    weight: float

    @classmethod
    def draw(cls, weight: float) -> Shift:
        """Draw a shift of up to three pixels, but not none, from torch's generator."""
        side = 2 * MOST + 1
        middle = side * side // 2  # no shift at all
        number = int(torch.randint(side * side - 1, ()))
        down, right = divmod(number + (number >= middle), side)
        return cls(down - MOST, right - MOST, weight)

    def moved(self, images: Tensor) -> Tensor:
        """Move images (B, C, H, W); mirrored pixels come in at the edge.

        Example:
            >>> row = torch.arange(8.0).expand(1, 1, 8, 8)
            >>> Shift(0, 2, 1.0).moved(row)[0, 0, 0]
            tensor([2., 3., 4., 5., 6., 7., 6., 5.])
        """
        height, width = images.shape[-2:]
        around = F.pad(images, (MOST,) * 4, mode="reflect")
        top, left = MOST + self.down, MOST + self.right
        return around[..., top : top + height, left : left + width]

    def inconsistency(self, painted: Tensor) -> Tensor:
        """Return the mean squared difference of each pair where its two pictures overlap.

        Args:
            painted: (B, 3, H, W), each first of a pair followed by its second; an odd last one
                counts for nothing.
        """
        whole = len(painted) // 2 * 2
        first, second = painted[0:whole:2].float(), painted[1:whole:2].float()
        height, width = painted.shape[-2:]
        border = max(0, min(BORDER, (min(height, width) - MOST - 1) // 2))
        top, bottom = border + max(0, self.down), height - border + min(0, self.down)
        left, right = border + max(0, self.right), width - border + min(0, self.right)
        ours = first[..., top:bottom, left:right]
        theirs = second[
            ..., top - self.down : bottom - self.down, left - self.right : right - self.right
        ]
        return (ours - theirs).square().mean()


def paired(batch: Batch, weight: float, source: str = "content") -> Batch:
    """Replace every second photo of a batch by the one before it, moved.

    Args:
        batch: Of an odd number of photos the last stays alone; a single one has no pair.
        weight: See :class:`Shift`.
        source: Which of its pictures are photos; a batch without any stays as it is.
    """
    if source not in batch.pictures or len(batch[source]) < 2:
        return batch
    shift, given = Shift.draw(weight), batch[source]
    whole = len(given) // 2 * 2
    firsts = given[0:whole:2]
    photos = torch.stack([firsts, shift.moved(firsts)], 1).flatten(0, 1)
    photos = torch.cat([photos, given[whole:]])
    photos = photos.contiguous(memory_format=torch.channels_last)
    return replace(batch, pictures={**batch.pictures, source: photos}, shift=shift)


def alike(batch: Batch, drawn: Tensor) -> Tensor:
    """Give both pictures of a pair what was drawn for the first: a style, a painting, noise.

    Args:
        batch: A batch without pairs leaves ``drawn`` as it is.
        drawn: (B, ...), something for each picture.
    """
    if batch.shift is None:
        return drawn
    return drawn[0::2].repeat_interleave(2, 0)[: len(drawn)]


def with_shift(losses: Mapping[str, Tensor], painted: Tensor, batch: Batch) -> Mapping[str, Tensor]:
    """Add the weighted shift consistency to the losses of a batch, if it is made of pairs."""
    if batch.shift is None:
        return losses
    term = batch.shift.weight * batch.shift.inconsistency(painted)
    return {**losses, "total": losses["total"] + term, "shift": term}
