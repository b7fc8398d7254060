"""Average a network's results for shifted content images: cycle spinning.

A decoder that upsamples leaves a lattice with the period of its upsampling, which stays fixed to
the grid of the network's pixels while what it paints moves with the content image. So the lattice
cancels in the mean over the results for shifted content images, each shifted back; strokes stay
(Coifman and Donoho, "Translation-Invariant De-Noising", Wavelets and Statistics, 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from impasto.core.progress import Callback, PartProgress, map_previews

PERIOD = 4  # pixels; two upsamplings by 2

# Shifts (down, right) by their number. In the mean over four, frequencies on one diagonal remain;
# in that over eight only the finest checkerboard.
SHIFTS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 0),),
    2: ((0, 0), (1, 1)),
    4: tuple((at, at) for at in range(PERIOD)),
    8: tuple((y, x) for y in range(PERIOD) for x in range(PERIOD) if (y + x) % 2 == 0),
    16: tuple((y, x) for y in range(PERIOD) for x in range(PERIOD)),
}

_FEW, _ONE = 1.1e6, 4.4e6  # pixels above which four shifts are taken, and one

Stylize = Callable[[Tensor, Sequence[Tensor], Callback], Tensor]


def count(most: int, asked: int | None, size: tuple[int, int], networks: int = 1) -> int:
    """Return the number of shifts for a content image.

    Args:
        most: Number of the method; 1 if it leaves no lattice.
        asked: What the user asked for; None takes less of large images, in which a lattice is
            seen less, and a pass takes long.
        size: Height and width in pixels.
        networks: Number of networks, which share the shifts of the method.

    Example:
        >>> [count(8, None, (side, side)) for side in (512, 2048, 4096)]
        [8, 4, 1]
        >>> count(8, 16, (4096, 4096)), count(1, 16, (512, 512))
        (16, 1)
    """
    most = max(1, most // networks)
    if most == 1:
        return 1
    if asked is not None:
        return asked
    pixels = size[0] * size[1]
    if pixels > _ONE:
        return 1
    return min(4, most) if pixels > _FEW else most


def average(
    stylize: Stylize, photo: Tensor, masks: Sequence[Tensor], number: int, callback: Callback
) -> Tensor:
    """Return the mean of the results for shifted content images.

    Args:
        stylize: Paints a content image with masks.
        photo: Content image (1, 3, H, W).
        masks: Masks (1, 1, H, W), shifted as the content image is.
        number: Number of shifts, a key of :data:`SHIFTS`.
        callback: Called after every step; if it cancels, the mean so far is returned.

    Returns:
        (1, 3, H, W).
    """
    if number == 1:
        return stylize(photo, masks, callback)
    size = photo.shape[-2], photo.shape[-1]
    padded = [_padded(image) for image in (photo, *masks)]
    total: Tensor | None = None
    for index, shift in enumerate(SHIFTS[number]):
        given = [_window(image, shift, size) for image in padded]
        before, count = total, index + 1

        def mean(
            painted: Tensor,
            shift: tuple[int, int] = shift,
            before: Tensor | None = before,
            count: int = count,
        ) -> Tensor:
            own = _back(painted, shift, size)
            return own if before is None else (before + own) / count

        watch = PartProgress(map_previews(callback, mean), index, number)
        own = _back(stylize(given[0], given[1:], watch), shift, size)
        if watch.cancelled:  # the last result may be unfinished
            return own if before is None else before / index
        total = own if before is None else before + own
    assert total is not None
    return total / number


def _padded(image: Tensor) -> Tensor:
    """Pad an image (1, C, H, W) by the largest shift, reflected where it is large enough."""
    mode = "reflect" if min(image.shape[-2:]) >= PERIOD else "replicate"
    return F.pad(image, (PERIOD - 1,) * 4, mode=mode)


def _window(padded: Tensor, shift: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the part of a padded image that a shift begins at, PERIOD - 1 pixels larger."""
    (top, left), (height, width) = shift, size
    bottom, right = top + height + PERIOD - 1, left + width + PERIOD - 1
    return padded[..., top:bottom, left:right].contiguous()


def _back(painted: Tensor, shift: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the part of the result for a window that the image fills."""
    top, left = (PERIOD - 1 - by for by in shift)
    return painted[..., top : top + size[0], left : left + size[1]]
