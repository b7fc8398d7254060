"""Divide images into regions by their features, and match the regions of two images.

The regions of an image are clusters of VGG features and positions. Each region of a style image
becomes a style image of its own, a square of the region continued by reflection, so that every
method which takes a style image can paint with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.api.people import shrunk
from impasto.image import Image, filters
from impasto.nn.vgg import Encoder

__all__ = ["Divided", "describe", "divide", "match", "refined", "swatch"]

_SIDE, _LEAST = 384, 64  # long edge at most and short edge at least of images that are clustered
_LAYER = "relu4_1"
_POSITION = 0.35  # weight of positions, from -1 to 1, against normalised features
_STARTS = 4  # runs of k-means, of which the best is taken
_SIDES = (0.8, 0.65, 0.5, 0.4, 0.3, 0.22)  # of the squares of a region, of the short edge
_PURE = 0.85  # of a square, the part that belongs to the region


@dataclass(frozen=True, eq=False)
class Divided:
    """An image divided into K regions, the largest first.

    Attributes:
        masks: (K, 1, h, w), 1 inside of the region, else 0.
        descriptions: (K, D), see :func:`describe`.
    """

    masks: Tensor
    descriptions: Tensor


def divide(image: Image, count: int, encoder: Encoder, seed: int = 0) -> Divided:
    """Divide an image into regions.

    Args:
        image: The image.
        count: Number of regions, K.
        encoder: A VGG-19.
        seed: Of the first centres of the clusters.
    """
    features, colors = _looks(image, encoder)
    height, width = features.shape[-2:]
    smooth = F.avg_pool2d(features[None], 3, 1, 1, count_include_pad=False)
    vectors = F.normalize(smooth, dim=1)[0]
    sides = (torch.linspace(-1, 1, side) for side in (height, width))
    positions = torch.stack(torch.meshgrid(*sides, indexing="ij"))
    points = torch.cat([vectors, _POSITION * positions]).flatten(1).T  # (h w, C + 2)
    nearest = _clusters(points, count, seed).view(height, width)
    masks = torch.stack([(nearest == one).float() for one in range(count)])[:, None]
    masks = masks[masks.mean((1, 2, 3)).argsort(descending=True)]
    return Divided(masks, torch.stack([_mean(features, colors, mask[0]) for mask in masks]))


def describe(image: Image, encoder: Encoder) -> Tensor:
    """Describe the look of an image by the means of its features and colours, (D,)."""
    features, colors = _looks(image, encoder)
    return _mean(features, colors, torch.ones(features.shape[-2:]))


def match(photo: Tensor, styles: Tensor) -> list[int]:
    """Assign a style to each region of a photo, each style once.

    Photos and paintings differ in all their features, so only the differences between the regions
    of one image are compared with those of the other; the sum of their correlations is the largest.

    Args:
        photo: (K, D), descriptions of the regions.
        styles: (K, D), of the styles.

    Returns:
        The number of a style for each region.
    """
    from scipy.optimize import linear_sum_assignment

    def contrasts(x: Tensor) -> Tensor:
        apart = x - x.mean(0)
        return F.normalize(apart / (x.std(0, correction=0) + 1e-6), dim=1)

    _, chosen = linear_sum_assignment((contrasts(photo) @ contrasts(styles).T).numpy(), True)
    return [int(one) for one in chosen]


def swatch(painting: Image, mask: Tensor) -> Image:
    """Make a style image of one region of a painting, with strokes of the same size.

    Args:
        painting: The painting.
        mask: (1, h, w), the region.

    Returns:
        The largest square that belongs to the region, or the purest one, continued by reflection to
        the size of the painting.
    """
    height, width = mask.shape[-2:]
    best, place = -1.0, (0, 0, 1)
    for share in _SIDES:
        side = max(1, round(share * min(height, width)))
        inside = F.avg_pool2d(mask, side, 1)[0]
        pure = float(inside.max())
        if pure > best:
            row, column = divmod(int(inside.argmax()), inside.shape[1])
            best, place = pure, (row, column, side)
        if pure >= _PURE:
            break
    scale = min(painting.height / height, painting.width / width)
    top, left, side = (round(one * scale) for one in place)
    side = max(1, side)
    part = painting.rgb[..., top : top + side, left : left + side]
    return Image(_reflected(part, painting.height, painting.width))


def refined(masks: Tensor, photo: Image) -> tuple[Tensor, ...]:
    """Align the edges of regions with those of a photo.

    Args:
        masks: (K, 1, h, w).
        photo: The photo.

    Returns:
        K regions (1, 1, H, W), the size of the photo, with a sum of 1 at each position.
    """
    size = [max(1, round(side / max(photo.size) * _SIDE)) for side in (photo.height, photo.width)]
    large = F.interpolate(masks, size, mode="bilinear", antialias=True)
    soft = [filters.guided(one[None], photo.rgb, 6, 1e-3) for one in large]
    total = torch.stack(soft).sum(0).clamp_min(1e-6)
    return tuple(one / total for one in soft)


def _looks(image: Image, encoder: Encoder) -> tuple[Tensor, Tensor]:
    """Return the features of an image, (C, h, w), and its colours at their size, (3, h, w)."""
    rgb = shrunk(image.rgb, _SIDE)
    least = _LEAST / min(rgb.shape[-2:])
    if least > 1:
        size = [round(side * least) for side in rgb.shape[-2:]]
        rgb = F.interpolate(rgb, size, mode="bilinear")
    with torch.inference_mode():
        features = encoder(rgb, [_LAYER])[_LAYER].float()
    colors = F.interpolate(rgb, features.shape[-2:], mode="bilinear", antialias=True)
    return features[0].clone(), colors[0]


def _mean(features: Tensor, colors: Tensor, mask: Tensor) -> Tensor:
    """Return the description of a region: the means of its features and of its colours."""
    weight = mask / mask.sum().clamp_min(1)
    means = (F.normalize(features, dim=0) * weight).sum((1, 2))
    # as many numbers of colour as of features, so that both count alike
    tones = (colors * weight).sum((1, 2)).repeat(len(means) // len(colors))
    return torch.cat([means, tones])


def _clusters(points: Tensor, count: int, seed: int) -> Tensor:
    """Return the number of the cluster of each point (N, D), by k-means."""
    from scipy.cluster.vq import kmeans2

    best, labels = float("inf"), torch.zeros(len(points), dtype=torch.long)
    for start in range(_STARTS):
        centers, nearest = kmeans2(points.numpy(), count, minit="++", seed=seed + start)
        chosen = torch.from_numpy(nearest).long()
        error = float((points - torch.from_numpy(centers)[chosen]).square().sum())
        if error < best:
            best, labels = error, chosen
    return labels


def _reflected(part: Tensor, height: int, width: int) -> Tensor:
    """Continue (1, 3, h, w) by reflection to (1, 3, height, width)."""
    pair = torch.cat([part, part.flip(-1)], -1)
    block = torch.cat([pair, pair.flip(-2)], -2)
    rows, columns = -(-height // block.shape[-2]), -(-width // block.shape[-1])
    return block.repeat(1, 1, rows, columns)[..., :height, :width].contiguous()
