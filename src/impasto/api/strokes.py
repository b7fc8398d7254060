"""Paint at a stroke size: a network has strokes of one size, in pixels, and an image any.

Where strokes shall be larger, the photo is painted small and the result enlarged. Its finest detail
is then taken from paintings at the sizes above, octave by octave (Burt and Adelson, "The Laplacian
Pyramid as a Compact Image Code", IEEE Transactions on Communications 31, 1983). Where they shall be
smaller, it is painted large and shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from impasto.core.progress import Callback, Share
from impasto.image import Image

_NEAR = 0.9  # of a size: what is not below it is painted at that size

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
        fine = method(resized(content, size), watch).cpu()
        if painted is None:
            painted = resized(fine, size)
        else:
            coarse = resized(resized(fine, levels[index - 1]), size)
            painted = resized(painted, size) + (fine - coarse)
        if isinstance(watch, Share) and watch.cancelled:
            break
    assert painted is not None
    return resized(painted, (content.shape[-2], content.shape[-1]))


def resized(image: Tensor, size: Size) -> Tensor:
    """Return an image (1, C, H, W) at another height and width."""
    if tuple(image.shape[-2:]) == size:
        return image
    return Image(image.cpu()).resized(*size).rgb


def _times(size: Size, factor: float) -> Size:
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width
