"""Paint with strokes of any size by a network, whose strokes have a fixed size in pixels.

For larger strokes, the content image is painted at a smaller size, and the result is enlarged. The
detail that it lacks is taken from results at each larger size, octave by octave (Burt and Adelson,
"The Laplacian Pyramid as a Compact Image Code", IEEE Transactions on Communications 31, 1983). For
smaller strokes, the content image is painted at a larger size, and the result is shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor

from impasto.api.options import Controls
from impasto.core.progress import Callback, PartProgress
from impasto.image import Image

_NEAR = 0.9  # sizes that differ by a factor closer to 1 than this are painted as one
_MOST_ENLARGED = 2.0  # a small image is painted at most this much larger
_STYLE_SIDE = 0.6  # of a network's style image, against the content image
_AROUND = 9  # pixels, over which the energy of detail is averaged
_GAIN = 4.0  # weight of the content image's energy against that of the painted detail

Size = tuple[int, int]


def arguments(
    size: Size, controls: Controls, native: int | None, *, photo: bool = True
) -> tuple[Size, float, str, int | None, bool]:
    """Return the arguments of :func:`sizes` and :func:`style_scale` for some controls.

    Args:
        size: Height and width of the result in pixels.
        controls: The controls.
        native: See :func:`sizes`.
        photo: False for a frame of a video, which is not painted larger.
    """
    enlarge = photo and controls.shifts != 1
    return size, controls.style_scale, controls.strokes, native, enlarge


def sizes(
    size: Size, scale: float, strokes: str, native: int | None, enlarge: bool = True
) -> list[Size]:
    """Return the sizes to paint an image at; the first determines the size of the strokes.

    Args:
        size: Height and width of the result in pixels.
        scale: Factor on the size of the strokes.
        strokes: ``relative``: strokes grow with the image; or ``absolute``: they have the network's
            own size in pixels.
        native: Long edge in pixels of an image for which the network's strokes have the right
            size; None for a method whose strokes depend on the style image, painted at one size.
        enlarge: Whether an image smaller than that is painted at up to twice its size, where
            strokes are relative; a video's frames are not, for speed.

    Example:
        >>> sizes((1024, 2048), 1.0, "relative", 512)
        [(256, 512), (512, 1024), (1024, 2048)]
        >>> sizes((256, 512), 0.5, "relative", 512)
        [(512, 1024)]
        >>> sizes((192, 384), 1.0, "relative", 512)
        [(256, 512)]
    """
    if native is None:
        return [size]
    least = 1 / _MOST_ENLARGED if enlarge else 1.0
    grown = max(least, max(size) / native) if strokes == "relative" else 1.0
    factor = 1 / (scale * grown)
    if factor > _NEAR:
        return [_scaled(size, factor)] if factor > 1 / _NEAR else [size]
    found = []
    while factor < _NEAR:
        found.append(_scaled(size, factor))
        factor *= 2
    return [*found, size]


def style_scale(
    size: Size, scale: float, strokes: str, native: int | None, enlarge: bool = True
) -> tuple[int, float]:
    """Return number of pixels and scale of a style image, see :func:`sizes` for arguments.

    For a network it is the size at scale 1, since content image and strokes are scaled afterwards:
    a style image that shrinks with the content image has finer structure, which undoes the scale.
    Its sides are 0.6 of the content image's: more structure comes out than at the same size.
    """
    height, width = sizes(size, 1.0, strokes, native, enlarge)[0]
    if native is None:
        return height * width, scale
    return round(_STYLE_SIDE**2 * height * width), 1.0


def paint(
    method: Callable[[Tensor, Callback], Tensor],
    content: Tensor,
    levels: Sequence[Size],
    callback: Callback,
) -> Tensor:
    """Paint an image at several sizes and combine the results.

    Args:
        method: Paints a content image (1, 3, h, w).
        content: Content image (1, 3, H, W).
        levels: See :func:`sizes`.
        callback: Called after every step; if it cancels, the remaining sizes are left out.

    Returns:
        (1, 3, H, W), about [0, 1].
    """
    painted: Tensor | None = None
    for index, size in enumerate(levels):
        watch = PartProgress(callback, index, len(levels))
        photo = resized(content, size)
        fine = method(photo, watch).cpu()
        if painted is None:
            painted = resized(fine, size)
        else:
            octaves = [
                one - resized(resized(one, levels[index - 1]), size) for one in (fine, photo)
            ]
            painted = resized(painted, size) + octaves[0] * _detail_weight(*octaves)
        if watch.cancelled:
            break
    assert painted is not None
    return resized(painted, (content.shape[-2], content.shape[-1]))


def _detail_weight(painted: Tensor, photo: Tensor) -> Tensor:
    """Return how much of the painted detail (1, 3, H, W) stays, (1, 1, H, W) in [0, 1].

    A network draws a fine mesh where the photo is plain. So detail stays in proportion to the
    photo's own around it, by Wiener's rule.
    """
    energies = (one.square().mean(1, keepdim=True) for one in (painted, photo.cpu()))
    noise, signal = map(_local_mean, energies)
    return _GAIN * signal / (_GAIN * signal + noise).clamp_min(1e-12)


def _local_mean(plane: Tensor) -> Tensor:
    """Return the means of windows, by rows and then by columns."""
    half = _AROUND // 2
    rows = F.avg_pool2d(plane, (_AROUND, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, _AROUND), 1, (0, half), count_include_pad=False)


def resized(image: Tensor, size: Size) -> Tensor:
    """Resize an image (1, C, H, W) to a height and width."""
    if tuple(image.shape[-2:]) == size:
        return image
    channels = image.shape[1]
    return Image(image.cpu().expand(-1, 3, -1, -1)).resized(*size).rgb[:, :channels]


def _scaled(size: Size, factor: float) -> Size:
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width
