"""Estimate the motion between two frames, and its confidence."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.image import Image
from impasto.image.color_transfer import luminance

_LONG = 256  # long edge at which flow is computed: half a second per frame, both directions
_NARROW = 8  # a side below which no flow is computed
_EDGE_WIDTH = 1 / 64  # erosion of the confidence mask, as a fraction of the long edge
# mean differences up to which pixels match fully, and from which not at all
_RELIABLE, _UNRELIABLE = 0.06, 0.14


class Motion(NamedTuple):
    """The backward motion from a frame to the previous one.

    Attributes:
        flow: (1, 2, H, W), the displacement of each pixel to its previous position, right and down.
        confidence: (1, 1, H, W), 0 to 1.
    """

    flow: Tensor
    confidence: Tensor


def estimate_motion(now: Tensor, before: Tensor) -> Motion:
    """Compute the backward optical flow of two frames, and its confidence.

    TV-L1 (Zach, Pock and Bischof, DAGM 2007) by scikit-image, in both directions. A pixel has
    confidence where forward and backward flow cancel (the test of Sundaram, Brox and Keutzer, ECCV
    2010, equation 5), and where the two frames look alike.

    Args:
        now: (1, 3, H, W) in [0, 1].
        before: The same size.
    """
    back, there = _flow(now, before), _flow(before, now)
    apart = back + warp(there, back)  # 0 where both flows agree
    lengths = back.square().sum(1, keepdim=True) + warp(there, back).square().sum(1, keepdim=True)
    returns = apart.square().sum(1, keepdim=True) < 0.01 * lengths + 0.5
    difference = (now - warp(before, back).clamp(0, 1)).abs().mean(1, keepdim=True)
    difference = _blurred(difference)  # the difference of single pixels is noisy
    alike = ((_UNRELIABLE - difference) / (_UNRELIABLE - _RELIABLE)).clamp(0, 1)
    agree = alike * _blurred(returns.to(alike)) * _inside(back)
    return Motion(back, _eroded(agree))


def _eroded(agree: Tensor) -> Tensor:
    """Erode the confidence mask.

    Flow is smooth across the edges of objects: without this, a rim of a moving object would stay
    behind it.
    """
    reach = max(1, round(max(agree.shape[-2:]) * _EDGE_WIDTH))
    return -F.max_pool2d(-agree, 2 * reach + 1, 1, reach)


def _flow(one: Tensor, other: Tensor) -> Tensor:
    """Return the optical flow (1, 2, H, W) between two frames, in their pixels."""
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
    """Warp an image of the previous frame along the flow, by bicubic interpolation.

    Bicubic interpolation blurs little when it is repeated.

    Args:
        picture: (1, C, H, W) of the previous frame.
        flow: (1, 2, H, W), see :class:`Motion`.

    Returns:
        (1, C, H, W); it may slightly exceed the range of the image.
    """
    height, width = picture.shape[-2:]
    x, y = _source_positions(flow)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _source_positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns and rows (1, H, W) that each pixel comes from."""
    height, width = flow.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=flow.dtype), torch.arange(width, dtype=flow.dtype), indexing="ij"
    )
    return columns + flow[:, 0], rows + flow[:, 1]


def _inside(flow: Tensor) -> Tensor:
    """Return (1, 1, H, W): 1 where a pixel comes from inside the image."""
    height, width = flow.shape[-2:]
    x, y = _source_positions(flow)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).to(flow)[:, None]


def _blurred(plane: Tensor) -> Tensor:
    """Return the means of 5x5 pixels."""
    return F.avg_pool2d(plane, 5, 1, 2, count_include_pad=False)
