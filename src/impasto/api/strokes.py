"""Paint at a stroke size: a network has strokes of one size, in pixels, and an image any.

Where strokes shall be larger, the photo is painted small and the result enlarged. Its finest detail
is then taken from paintings at the sizes above, octave by octave (Burt and Adelson, "The Laplacian
Pyramid as a Compact Image Code", IEEE Transactions on Communications 31, 1983). Where they shall be
smaller, it is painted large and shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from impasto.core.progress import Callback, Share
from impasto.image import Image

_NEAR = 0.9  # of a size: what is not below it is painted at that size
_AROUND = 9  # pixels, over which the energy of detail is averaged
_GAIN = 4.0  # of the photo's energy over the painted

Size = tuple[int, int]


def sizes(size: Size, scale: float, strokes: str, native: int | None) -> list[Size]:
    """Return the sizes to paint an image at, the one that makes the strokes first.

    Args:
        size: Height and width of the result.
        scale: Of the strokes; 1 is their usual size.
        strokes: ``relative``: the usual size grows with the image; or ``absolute``: it is the
            network's own in pixels.
        native: Long edge, in pixels, of an image in which the network's strokes have their usual
            size; None for a method that makes strokes of every size at once.

    Example:
        >>> sizes((1024, 2048), 1.0, "relative", 512)
        [(256, 512), (512, 1024), (1024, 2048)]
        >>> sizes((256, 512), 0.5, "relative", 512)
        [(512, 1024)]
    """
    if native is None:
        return [size]
    grown = max(1.0, max(size) / native) if strokes == "relative" else 1.0
    factor = 1 / (scale * grown)
    if factor > _NEAR:
        return [_times(size, factor)] if factor > 1 / _NEAR else [size]
    found = []
    while factor < _NEAR:
        found.append(_times(size, factor))
        factor *= 2
    return [*found, size]


def style_scale(size: Size, scale: float, strokes: str, native: int | None) -> tuple[int, float]:
    """Return the number of pixels and the scale of a style image, as for :func:`sizes`."""
    height, width = sizes(size, scale, strokes, native)[0]
    return height * width, scale if native is None else 1.0


def paint(
    method: Callable[[Tensor, Callback], Tensor],
    content: Tensor,
    levels: Sequence[Size],
    callback: Callback,
) -> Tensor:
    """Paint an image at several sizes and put the results together.

    Args:
        method: Paints a photo (1, 3, h, w).
        content: (1, 3, H, W).
        levels: Of :func:`sizes`.
        callback: Called after every step; cancelling leaves the sizes out that are not painted.

    Returns:
        (1, 3, H, W), about [0, 1].
    """
    pixels = [height * width for height, width in levels]
    painted: Tensor | None = None
    for index, size in enumerate(levels):
        watch = Share(callback, index, len(levels)) if len(pixels) > 1 else callback
        photo = resized(content, size)
        fine = method(photo, watch).cpu()
        if painted is None:
            painted = resized(fine, size)
        else:
            octaves = [
                one - resized(resized(one, levels[index - 1]), size) for one in (fine, photo)
            ]
            painted = resized(painted, size) + octaves[0] * _kept(*octaves)
        if isinstance(watch, Share) and watch.cancelled:
            break
    assert painted is not None
    return resized(painted, (content.shape[-2], content.shape[-1]))


def _kept(painted: Tensor, photo: Tensor) -> Tensor:
    """Return how much of the painted detail (1, 3, H, W) stays, (1, 1, H, W) in [0, 1].

    A network draws a fine mesh where the photo is plain. So detail stays in proportion to the
    photo's own around it, by Wiener's rule.
    """
    energies = (one.square().mean(1, keepdim=True) for one in (painted, photo.cpu()))
    noise, signal = (
        F.avg_pool2d(one, _AROUND, 1, _AROUND // 2, count_include_pad=False) for one in energies
    )
    return _GAIN * signal / (_GAIN * signal + noise).clamp_min(1e-12)


def resized(image: Tensor, size: Size) -> Tensor:
    """Return an image (1, C, H, W) at another height and width."""
    if tuple(image.shape[-2:]) == size:
        return image
    channels = image.shape[1]
    return Image(image.cpu().expand(-1, 3, -1, -1)).resized(*size).rgb[:, :channels]


def _times(size: Size, factor: float) -> Size:
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width
