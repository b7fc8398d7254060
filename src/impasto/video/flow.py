"""How the picture moves from one frame to the next, and where that can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.image import Image
from impasto.image.color_transfer import luminance

_LONG = 256  # long edge that flow is computed at: half a second a frame, both ways
_NARROW = 8  # a side below which there is nothing to follow
_RIM = 1 / 64  # of the long edge
_SAME, _OTHER = 0.06, 0.14  # mean differences of what is one thing, and of what are two


class Motion(NamedTuple):
    """The way from a frame back to the one before.

    Attributes:
        flow: (1, 2, H, W), how many pixels to the right and down each pixel lay before.
        agree: (1, 1, H, W), 0 to 1: how far that can be trusted.
    """

    flow: Tensor
    agree: Tensor


def motion(now: Tensor, before: Tensor) -> Motion:
    """Where each pixel of a frame lay in the frame before.

    TV-L1 (Zach, Pock and Bischof, DAGM 2007) by scikit-image, both ways. A pixel is trusted where
    the way there and back ends where it began (the test of Sundaram, Brox and Keutzer, ECCV 2010,
    equation 5), and where the two frames look alike.

    Args:
        now: (1, 3, H, W) in [0, 1].
        before: The same size.
    """
    back, there = _flow(now, before), _flow(before, now)
    apart = back + warp(there, back)  # nothing, if both found the same
    lengths = back.square().sum(1, keepdim=True) + warp(there, back).square().sum(1, keepdim=True)
    returns = apart.square().sum(1, keepdim=True) < 0.01 * lengths + 0.5
    difference = (now - warp(before, back).clamp(0, 1)).abs().mean(1, keepdim=True)
    difference = _blurred(difference)  # of single pixels it is noise as well
    alike = ((_OTHER - difference) / (_OTHER - _SAME)).clamp(0, 1)
    agree = alike * _blurred(returns.to(alike)) * _inside(back)
    return Motion(back, _shrunk(agree))


def _shrunk(agree: Tensor) -> Tensor:
    """Trust nothing that lies beside what is not trusted.

    Flow is soft at the edges of things: a rim of what has moved on would stay, and be painted.
    """
    reach = max(1, round(max(agree.shape[-2:]) * _RIM))
    return -F.max_pool2d(-agree, 2 * reach + 1, 1, reach)


def _flow(one: Tensor, other: Tensor) -> Tensor:
    """(1, 2, H, W) from one frame to another, in pixels of theirs."""
    from skimage.registration import optical_flow_tvl1

    height, width = one.shape[-2:]
    factor = min(1.0, _LONG / max(height, width))
    size = [max(1, round(side * factor)) for side in (height, width)]
    if min(size) < _NARROW:
        return one.new_zeros(1, 2, height, width)
    small = [luminance(Image(x).resized(*size).rgb)[0, 0].numpy() for x in (one, other)]
    rows, columns = optical_flow_tvl1(*small)  # type: ignore[no-untyped-call]
    found = torch.stack([torch.from_numpy(columns), torch.from_numpy(rows)])[None].float()
    scale = torch.tensor([width / size[1], height / size[0]]).view(1, 2, 1, 1)
    return scale * F.interpolate(found, (height, width), mode="bilinear", align_corners=False)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Take each pixel from where it lay before; bicubic, so that repeating it blurs little.

    Args:
        picture: (1, C, H, W) of the frame before.
        flow: (1, 2, H, W), see :class:`Motion`.

    Returns:
        (1, C, H, W); it may go a little beyond the range of the picture.
    """
    height, width = picture.shape[-2:]
    x, y = _places(flow)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows (1, H, W) that each pixel comes from."""
    height, width = flow.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=flow.dtype), torch.arange(width, dtype=flow.dtype), indexing="ij"
    )
    return columns + flow[:, 0], rows + flow[:, 1]


def _inside(flow: Tensor) -> Tensor:
    """(1, 1, H, W): 1 where a pixel comes from within the picture."""
    height, width = flow.shape[-2:]
    x, y = _places(flow)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).to(flow)[:, None]


def _blurred(plane: Tensor) -> Tensor:
    """Means of 5x5 pixels."""
    return F.avg_pool2d(plane, 5, 1, 2, count_include_pad=False)
