"""Shift consistency: shifting the content image must shift the result by the same amount.

Convolutional decoders draw a lattice with the period of their upsampling where a style loss asks
for texture. The lattice stays fixed to the output grid when the content image is shifted, so the
results for an image and its shifted copy differ. Networks without the lattice also flicker less in
videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.training.task import Batch

MAX_SHIFT = 3  # pixels; below 4, the stride of the networks: no shift is a multiple of it
BORDER = 12  # pixels at the edge that padding influences: left out of the comparison


@dataclass(frozen=True)
class Shift:
    """Displacement of the second image of each pair against the first, in pixels.

    Attributes:
        down: Rows.
        right: Columns.
        weight: Weight of the consistency loss, for pixel values in [0, 1].
    """

    down: int
    right: int
    weight: float

    @classmethod
    def draw(cls, weight: float) -> Shift:
        """Draw a random nonzero shift of up to three pixels per axis, from torch's generator."""
        side = 2 * MAX_SHIFT + 1
        middle = side * side // 2  # no shift at all
        number = int(torch.randint(side * side - 1, ()))
        down, right = divmod(number + (number >= middle), side)
        return cls(down - MAX_SHIFT, right - MAX_SHIFT, weight)

    def moved(self, images: Tensor) -> Tensor:
        """Shift images (B, C, H, W); the edge is filled by reflection.

        Example:
            >>> row = torch.arange(8.0).expand(1, 1, 8, 8)
            >>> Shift(0, 2, 1.0).moved(row)[0, 0, 0]
            tensor([2., 3., 4., 5., 6., 7., 6., 5.])
        """
        height, width = images.shape[-2:]
        around = F.pad(images, (MAX_SHIFT,) * 4, mode="reflect")
        top, left = MAX_SHIFT + self.down, MAX_SHIFT + self.right
        return around[..., top : top + height, left : left + width]

    def inconsistency(self, painted: Tensor) -> Tensor:
        """Return the mean squared difference of the two images of each pair where they overlap.

        Args:
            painted: (B, 3, H, W), first and second image of each pair in turn; an odd last image is
                ignored.

        Returns:
            A scalar.
        """
        whole = len(painted) // 2 * 2
        first, second = painted[0:whole:2].float(), painted[1:whole:2].float()
        height, width = painted.shape[-2:]
        border = max(0, min(BORDER, (min(height, width) - MAX_SHIFT - 1) // 2))
        top, bottom = border + max(0, self.down), height - border + min(0, self.down)
        left, right = border + max(0, self.right), width - border + min(0, self.right)
        ours = first[..., top:bottom, left:right]
        theirs = second[
            ..., top - self.down : bottom - self.down, left - self.right : right - self.right
        ]
        return (ours - theirs).square().mean()


def paired(batch: Batch, weight: float, source: str = "content") -> Batch:
    """Replace every second content image of a batch by the one before it, shifted.

    Args:
        batch: If the number of images is odd, the last is kept; a single image stays as it is.
        weight: See :class:`Shift`.
        source: Name of the source of the content images; a batch without it stays as it is.
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


def same_within_pairs(batch: Batch, drawn: Tensor) -> Tensor:
    """Give both images of a pair the random draw of the first, such as a style or noise.

    Args:
        batch: A batch without pairs leaves ``drawn`` as it is.
        drawn: (B, ...), one entry per image.
    """
    if batch.shift is None:
        return drawn
    return drawn[0::2].repeat_interleave(2, 0)[: len(drawn)]


def with_shift(losses: Mapping[str, Tensor], painted: Tensor, batch: Batch) -> Mapping[str, Tensor]:
    """Add the weighted shift consistency to the losses of a batch, if it has pairs.

    Args:
        losses: Losses by name, among them ``total``.
        painted: Output images (B, 3, H, W).
        batch: The batch that they were computed from.
    """
    if batch.shift is None:
        return losses
    term = batch.shift.weight * batch.shift.inconsistency(painted)
    return {**losses, "total": losses["total"] + term, "shift": term}
