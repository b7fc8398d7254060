"""Estimate the motion between two frames, and its confidence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import MissingExtraError

Plane = NDArray[np.float32]  # (H, W)

_LONG = 448  # long edge at which flow and confidence are computed
_NARROW = 16  # a side below which no flow is computed
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


@functools.cache
def opencv() -> Any:
    """Return the OpenCV module.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("video", "video") from error
    return cv2


def by_planes(function: Callable[[Plane], Plane], image: Tensor) -> Tensor:
    """Apply a function of OpenCV to each channel of an image (1, C, H, W)."""
    planes = image[0].contiguous().numpy()
    return torch.from_numpy(np.stack([function(plane) for plane in planes]))[None]


def estimate_motion(now: Tensor, before: Tensor) -> Motion:
    """Compute the backward optical flow of two frames, and its confidence.

    DIS (Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV
    2016) by OpenCV, in both directions. A pixel has confidence where forward and backward flow
    cancel (the test of Sundaram, Brox and Keutzer, ECCV 2010, equation 5), and where the two frames
    look alike.

    Args:
        now: (1, 3, H, W) in [0, 1].
        before: The same size.
    """
    height, width = now.shape[-2:]
    factor = min(1.0, _LONG / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small, other = (_resized(frame, size) for frame in (now, before))
    back, there = _flow(small, other), _flow(other, small)
    agree = _eroded(_confidence(small, other, back, there))
    scale = torch.tensor([width / size[0], height / size[1]]).view(1, 2, 1, 1)
    whole = (width, height)
    return Motion(scale * _resized(back, whole), _resized(agree, whole))


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an image (1, C, H, W) to a width and height."""
    cv2 = opencv()
    way = cv2.INTER_AREA if size[0] < image.shape[-1] else cv2.INTER_LINEAR
    return by_planes(lambda plane: cv2.resize(plane, size, interpolation=way), image)


def _flow(one: Tensor, other: Tensor) -> Tensor:
    """Return the optical flow (1, 2, H, W) between two frames, in their pixels."""
    cv2 = opencv()
    if min(one.shape[-2:]) < _NARROW:
        return one.new_zeros(1, 2, *one.shape[-2:])
    grey = [
        cv2.cvtColor((255 * frame[0]).round().byte().permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY)
        for frame in (one, other)
    ]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return torch.from_numpy(search.calc(*grey, None)).permute(2, 0, 1)[None].contiguous()


def _confidence(now: Tensor, before: Tensor, back: Tensor, there: Tensor) -> Tensor:
    """Return (1, 1, H, W): how reliable the backward flow is, from 0 to 1."""
    returned = warp(there, back)
    apart = (back + returned).square().sum(1, keepdim=True)  # 0 where both flows agree
    lengths = back.square().sum(1, keepdim=True) + returned.square().sum(1, keepdim=True)
    returns = apart < 0.01 * lengths + 0.5
    difference = (now - warp(before, back).clamp_(0, 1)).abs().mean(1, keepdim=True)
    difference = window_mean(difference, 5)  # the difference of single pixels is noisy
    alike = ((_UNRELIABLE - difference) / (_UNRELIABLE - _RELIABLE)).clamp(0, 1)
    return alike * window_mean(returns.to(alike), 5) * _inside(back)


def _eroded(agree: Tensor) -> Tensor:
    """Erode the confidence mask.

    Flow is smooth across the edges of objects: without this, a rim of a moving object would stay
    behind it.
    """
    reach = max(1, round(max(agree.shape[-2:]) * _EDGE_WIDTH))
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return by_planes(lambda plane: opencv().erode(plane, window), agree)


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Warp an image of the previous frame along the flow, by bicubic interpolation.

    Bicubic interpolation blurs little when it is repeated.

    Args:
        picture: (1, C, H, W) of the previous frame.
        flow: (1, 2, H, W), see :class:`Motion`.

    Returns:
        (1, C, H, W); it may slightly exceed the range of the image.
    """
    cv2 = opencv()
    columns, rows = _source_positions(flow)[0].numpy()

    def remap(plane: Plane) -> Plane:
        return cv2.remap(plane, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

    return by_planes(remap, picture)


def _source_positions(flow: Tensor) -> Tensor:
    """Return the columns and rows (1, 2, H, W) that each pixel comes from."""
    height, width = flow.shape[-2:]
    places = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    return flow + torch.stack(places)


def _inside(flow: Tensor) -> Tensor:
    """Return (1, 1, H, W): 1 where a pixel comes from inside the image."""
    height, width = flow.shape[-2:]
    x, y = _source_positions(flow).split(1, 1)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).to(flow)


def window_mean(image: Tensor, side: int) -> Tensor:
    """Return the mean of a window of ``side`` pixels around each pixel, mirrored at the border."""
    return by_planes(lambda plane: opencv().blur(plane, (side, side)), image)
