"""Estimate the motion between two frames, and its confidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.image import Image
from impasto.image.color_transfer import luminance

_LONG = 256  # long edge at which flow is computed
_NARROW, _SMALL = 8, 12  # no flow is computed if a side is below the first, or both the second
# variational refinement of DIS, chosen by the endpoint error of a clip with known motion: OpenCV's
# defaults (5 iterations, a smoothness of 20) follow noise in flat regions
_ITERATIONS, _SMOOTHNESS = 20, 80.0
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

    The flow is computed in both directions: by DIS (Kroeger, Timofte, Dai and Van Gool, ECCV 2016)
    of OpenCV, or, if OpenCV is not installed, by TV-L1 (Zach, Pock and Bischof, DAGM 2007) of
    scikit-image, which takes about ten times as long. A pixel has confidence where forward and
    backward flow cancel (the test of Sundaram, Brox and Keutzer, ECCV 2010, equation 5), and where
    the two frames look alike.

    Args:
        now: (1, 3, H, W) in [0, 1].
        before: The same size.
    """
    back = _flow(now, before)
    there = warp(_flow(before, now), back)
    apart = back + there  # 0 where both flows agree
    lengths = back.square().sum(1, keepdim=True) + there.square().sum(1, keepdim=True)
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
    height, width = one.shape[-2:]
    factor = min(1.0, _LONG / max(height, width))
    size = [max(1, round(side * factor)) for side in (height, width)]
    if min(size) < _NARROW or max(size) < _SMALL:
        return one.new_zeros(1, 2, height, width)
    found = _small_flow(*(luminance(Image(x).resized(*size).rgb)[0, 0] for x in (one, other)))
    scale = torch.tensor([width / size[1], height / size[0]]).view(1, 2, 1, 1)
    return scale * F.interpolate(found, (height, width), mode="bilinear", align_corners=False)


def _small_flow(one: Tensor, other: Tensor) -> Tensor:
    """Return the optical flow (1, 2, H, W) between two luminance planes (H, W) in [0, 1]."""
    try:
        import cv2
    except ImportError:
        return _tvl1(one, other)
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    dis: Any = cv2.DISOpticalFlow.create(preset)  # its type forbids to leave out `flow`
    dis.setFinestScale(0)  # 0 is the size of the planes; 1, the default, half of it
    dis.setVariationalRefinementIterations(_ITERATIONS)
    dis.setVariationalRefinementAlpha(_SMOOTHNESS)
    levels = [(255 * plane.clamp(0, 1)).round().byte().numpy() for plane in (one, other)]
    return torch.from_numpy(dis.calc(*levels, None)).permute(2, 0, 1)[None]


def _tvl1(one: Tensor, other: Tensor) -> Tensor:
    """Return the optical flow of :func:`_small_flow` without OpenCV."""
    from skimage.registration import optical_flow_tvl1

    rows, columns = optical_flow_tvl1(one.numpy(), other.numpy())  # type: ignore[no-untyped-call]
    return torch.from_numpy(np.stack([columns, rows]))[None].float()


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
