"""Patch loss: match each patch of the features to its nearest style patch.

Li and Wand, "Combining Markov Random Fields and Convolutional Neural Networks for Image
Synthesis", CVPR 2016, section 3.1, equations 2 (the loss) and 3 (the match).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.device import matrix_products
from impasto.errors import InputError, check_choice
from impasto.losses.batches import REDUCTIONS
from impasto.losses.matching import (
    Grid,
    nearest,
    phase_grid,
    phase_shifts,
)
from impasto.nn.features import at_least_float32

Precision = Literal["auto", "float32", "fast"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Reduction = Literal["mean", "sum"]

_EPS = 1e-12  # the scores of a patch of zeros are 0, not NaN


@dataclass(frozen=True, eq=False)
class PatchTarget:
    """The style's patches, computed once. They are numbered along x, then y, then over the maps.

    Attributes:
        pixels: (N, C), the pixels of all maps, ordered by phase, in the format of the features.
        grids: Views of ``pixels``, one for each feature map.
        inverse_norms: (rows, columns) for each map, the reciprocal norms of the patches.
        places: (3, M), for each patch the index of its first pixel in ``pixels``, and the distance
            in ``pixels`` to the next phase and to the next line of the same phase.
        size: Side of a patch.
        stride: Distance of neighbouring patches.
    """

    pixels: Tensor
    grids: tuple[Grid, ...]
    inverse_norms: tuple[Tensor, ...]
    places: Tensor
    size: int
    stride: int


class Votes(NamedTuple):
    """Statistics of the matched style patches that cover each pixel.

    Attributes:
        mean: (H, W, C), the mean of their values.
        spread: (H, W), the sum of their squared distances from the mean.
        coverage: (H, W), the number of patches.
    """

    mean: Tensor
    spread: Tensor
    coverage: Tensor


@torch.no_grad()
def patch_target(
    features: Sequence[Tensor] | Tensor, *, size: int = 3, stride: int = 1
) -> PatchTarget:
    """Prepare the style patches of one feature map or of several.

    Args:
        features: (1, C, h, w) of the style image, or a map for each of its scaled and rotated
            copies (section 4 of the paper; see `augment_style`). Heights and widths may differ.
        size: Side of a patch (3 in the paper).
        stride: Distance of neighbouring patches (1 in the paper, 2 in the authors' defaults).

    Returns:
        A target of M patches, ((h - size) // stride + 1) * ((w - size) // stride + 1) per map.

    Raises:
        InputError: There is no map, a map is smaller than a patch, or the maps differ in channels,
            format or device.

    Example:
        >>> target = patch_target(torch.rand(1, 8, 5, 6))
        >>> target.places.shape
        torch.Size([3, 12])
    """
    maps = [features] if isinstance(features, Tensor) else list(features)
    for x in maps:
        _check(x, size, stride)
    if len({(x.shape[1], x.dtype, x.device) for x in maps}) != 1:
        raise InputError("the style needs one or more feature maps of one format and depth")
    grids = [phase_grid(x, size, stride) for x in maps]
    pixels = torch.cat([grid.pixels.flatten(0, 3) for grid in grids])
    places, views, start = [], [], 0
    for grid in grids:
        height, width = grid.pixels.shape[2:4]
        down = torch.arange(grid.rows, device=pixels.device).unsqueeze(1) * width
        first_pixel = (start + down + torch.arange(grid.columns, device=pixels.device)).flatten()
        steps = torch.full_like(first_pixel, height * width), torch.full_like(first_pixel, width)
        places.append(torch.stack((first_pixel, *steps)))
        end = start + grid.pixels[..., 0].numel()
        views.append(grid._replace(pixels=pixels[start:end].view(grid.pixels.shape)))
        start = end
    norms = tuple(_inverse_norms(x, size, stride) for x in maps)
    return PatchTarget(pixels, tuple(views), norms, torch.cat(places, 1), size, stride)


@torch.no_grad()
def match_patches(
    features: Tensor,
    target: PatchTarget,
    *,
    stride: int = 1,
    precision: Precision = "auto",
    memory_limit: int = 256 * 2**20,
) -> Tensor:
    """Find the best style patch for each patch of an image, by normalised cross-correlation.

    Source: Li and Wand, CVPR 2016, equation 3. The norm of the image's own patch does not affect
    which one is best and is left out. Among equally good patches any may be returned.

    Args:
        features: (1, C, H, W) in any float format; scores are float32, or float64 for float64.
        target: The style's patches; they set the size.
        stride: Distance of neighbouring patches of the image.
        precision: ``float32``; or ``fast``: on CPUs that support it, products of bfloat16 values
            summed in float32, which is exact for features in bfloat16 and rounds others by up to
            2^-9. ``auto`` is ``fast`` where it is exact. On a CPU, float32 products of other
            threads may be rounded, too, while a fast product runs.
        memory_limit: Bytes of scratch memory, at least what one column of patches takes against one
            row of the style. It does not change the result. Much less than the default is as fast
            on an idle machine, but several times slower on a busy one, since the cores wait for
            each other after each of many small steps.

    Returns:
        (N,) int64, N = ((H - size) // stride + 1) * ((W - size) // stride + 1), row by row.

    Raises:
        InputError: The map is smaller than a patch or differs from the style in its channels, or
            the precision is unknown.
    """
    _check(features, target.size, stride, target)
    check_choice("precision", precision, PRECISIONS)
    on_cpu = features.device.type == "cpu"
    exact = features.dtype == target.pixels.dtype == torch.bfloat16
    fast = on_cpu and features.dtype != torch.float64 and (exact or precision == "fast")
    products = matrix_products(fast=fast and precision != "float32")
    picture = phase_grid(at_least_float32(features), target.size, stride)
    best = picture.pixels.new_full((picture.rows, picture.columns), -torch.inf)
    matches = torch.zeros_like(best, dtype=torch.int64)
    steps = phase_shifts(target.size, stride, target.stride)
    first = 0  # index of the map's first patch
    for style, inverse in zip(target.grids, target.inverse_norms, strict=True):
        score, indices = nearest(
            picture, style, inverse.to(best), steps, budget=memory_limit, products=products
        )
        matches = torch.where(score > best, indices + first, matches)
        best = torch.maximum(best, score)
        first += style.rows * style.columns
    return matches.flatten()


def patch_loss(
    features: Tensor,
    target: PatchTarget,
    *,
    matches: Tensor | None = None,
    stride: int = 1,
    average_overlaps: bool = False,
    reduction: Reduction = "mean",
    precision: Precision = "auto",
    memory_limit: int = 256 * 2**20,
) -> Tensor:
    """Compute squared differences of an image's patches and the style patches that match them.

    Source: Li and Wand, CVPR 2016, equation 2, which is the plain ``sum``. The authors' code
    (mrf.lua) has only a gradient: the patches' differences, averaged where patches overlap. That
    is half the gradient of the ``sum`` with `average_overlaps`.

    The image's patches are never extracted. For each pixel, the sum over the patches that cover it
    is coverage * |x - mean|² + spread, with the statistics of :class:`Votes`; both terms are
    positive, so no digits cancel.

    Args:
        features: (1, C, H, W) in any float format. The gradient flows here, with fixed matches.
        target: The style's patches.
        matches: (N,) from `match_patches` with the same stride, or None to match now.
        stride: Distance of neighbouring patches of the image.
        average_overlaps: Divide each squared difference by the number of patches that cover its
            pixel, so that the border, which fewer patches cover, has the same weight as the rest.
        reduction: ``sum``, or ``mean``: divided by the number of summands N * C * size², which
            with `average_overlaps` is the number of covered values.
        precision: See `match_patches`.
        memory_limit: See `match_patches`.

    Returns:
        A scalar in float32 or better, not negative.

    Raises:
        InputError: See `match_patches`; or there are other than N matches, or the reduction is
            unknown.

    Example:
        >>> style = torch.arange(32.0).reshape(1, 2, 4, 4)
        >>> patch_loss(style, patch_target(style))
        tensor(0.)
    """
    check_choice("reduction", reduction, REDUCTIONS)
    if matches is None:
        matches = match_patches(
            features, target, stride=stride, precision=precision, memory_limit=memory_limit
        )
    height, width = features.shape[2:]
    votes = patch_votes(target, matches, height, width, stride=stride)
    x = at_least_float32(features)[0].permute(1, 2, 0)  # (H, W, C)
    scale = votes.coverage.clamp(min=1) if average_overlaps else torch.ones_like(votes.coverage)
    errors = (x - votes.mean).square().sum(2) * votes.coverage + votes.spread  # (H, W)
    loss = (errors / scale).sum()
    if reduction == "sum":
        return loss
    return loss / ((votes.coverage / scale).sum() * x.shape[2])


@torch.no_grad()
def patch_votes(
    target: PatchTarget, matches: Tensor, height: int, width: int, *, stride: int = 1
) -> Votes:
    """Compute statistics of the matched style patches that cover each pixel.

    Args:
        target: The style's patches.
        matches: (N,) int64 from `match_patches` with the same stride.
        height: H of the image's features.
        width: W of the image's features.
        stride: Distance of neighbouring patches of the image.

    Returns:
        For each pixel the mean of the patches that cover it, their spread and their number.

    Raises:
        InputError: There are other than N matches.
    """
    size, channels = target.size, target.pixels.shape[1]
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    if matches.shape != (rows * columns,):
        raise InputError(
            f"{tuple(matches.shape)} matches for {rows} x {columns} patches: "
            "match with the same stride, on features of the same size"
        )
    first_pixel, phase, line = target.places[:, matches]
    mean = at_least_float32(target.pixels.new_empty(0)).new_zeros(height, width, channels)
    spread, coverage = mean.new_zeros(height, width), mean.new_zeros(height, width)
    buffer = mean.new_empty(rows, columns, channels)
    for dy, dx in product(range(size), repeat=2):
        (down, py), (right, px) = divmod(dy, target.stride), divmod(dx, target.stride)
        row = first_pixel + (py * min(size, target.stride) + px) * phase + down * line + right
        covered = (
            slice(dy, dy + (rows - 1) * stride + 1, stride),
            slice(dx, dx + (columns - 1) * stride + 1, stride),
        )
        change = buffer.copy_(target.pixels[row].view_as(buffer)).sub_(mean[covered])
        fraction = (coverage[covered] + 1).reciprocal()  # running mean: Welford, Technometrics 1962
        spread[covered] += torch.linalg.vector_norm(change, dim=2).square() * (1 - fraction)
        mean[covered].addcmul_(change, fraction.unsqueeze(2))
        coverage[covered] += 1
    return Votes(mean, spread, coverage)


def _inverse_norms(x: Tensor, size: int, stride: int) -> Tensor:
    """Return the reciprocal norm of each patch of (1, C, h, w): (rows, columns)."""
    energy = at_least_float32(x).square().sum(1, keepdim=True)
    energy = F.avg_pool2d(energy, size, stride)[0, 0] * size**2
    return energy.sqrt().clamp(min=_EPS).reciprocal()


def _check(x: Tensor, size: int, stride: int, target: PatchTarget | None = None) -> None:
    """Raise an error for features that cannot be cut into patches or compared with the style."""
    if size < 1 or stride < 1:
        raise InputError(f"a patch needs a size and a stride of 1 or more, not {size} and {stride}")
    if x.ndim != 4 or len(x) != 1 or not x.is_floating_point():
        raise InputError(f"patches need one float feature map (1, C, H, W), not {tuple(x.shape)}")
    if min(x.shape[2:]) < size:
        raise InputError(
            f"a feature map of {x.shape[3]} x {x.shape[2]} is smaller than a patch of {size} x "
            f"{size}: use a larger picture, a smaller patch or an earlier layer"
        )
    if target is not None and x.shape[1] != target.pixels.shape[1]:
        raise InputError(
            f"features have {x.shape[1]} channels, the style {target.pixels.shape[1]}: "
            "take both from the same layer"
        )
