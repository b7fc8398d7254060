"""Style as patches of features: each patch of the picture is pulled to its nearest style patch.

Li and Wand, "Combining Markov Random Fields and Convolutional Neural Networks for Image
Synthesis", CVPR 2016, section 3.1, equations 2 (the loss) and 3 (the match).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.device import matrix_products
from impasto.errors import InputError
from impasto.losses.matching import (
    Grid,
    nearest,
    phase_grid,
    phase_shifts,
)
from impasto.nn.features import at_least_float32

Precision = Literal["auto", "float32", "fast"]
Reduction = Literal["mean", "sum"]

_EPS = 1e-12  # a patch of zeros resembles nothing: its scores are 0, not NaN


@dataclass(frozen=True, eq=False)
class PatchTarget:
    """The style's patches, computed once. They count along x, then y, then the maps.

    Attributes:
        pixels: (all pixels, C) of all maps by their phases, in the format of the features.
        grids: Views of it, one a feature map.
        inverse_norms: (rows, columns) a map, one over the norm of each patch.
        places: (3, M), for each patch the row of `pixels` it begins at, and how many rows on the
            next phase and the next line of pixels are.
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
    """What the matched style patches, laid where they belong, say about each pixel.

    Attributes:
        mean: (H, W, C), their average.
        spread: (H, W), the sum of their squared distances from it.
        coverage: (H, W), how many there are.
    """

    mean: Tensor
    spread: Tensor
    coverage: Tensor


@torch.no_grad()
def patch_target(
    features: Sequence[Tensor] | Tensor, *, size: int = 3, stride: int = 1
) -> PatchTarget:
    """Prepare the style side: the patches of one feature map or of several.

    Args:
        features: (1, C, h, w) of the style picture, or a map for each of its scaled and rotated
            copies (section 4 of the paper; see `augment_style`). Heights and widths may differ.
        size: Side of a patch (3 in the paper).
        stride: Distance of neighbouring patches (1 in the paper, 2 in the authors' defaults).

    Returns:
        A target of M patches, ((h - size) // stride + 1) * ((w - size) // stride + 1) a map.

    Raises:
        InputError: No map, one that is smaller than a patch, or maps of several kinds.

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
        place = (start + down + torch.arange(grid.columns, device=pixels.device)).flatten()
        steps = torch.full_like(place, height * width), torch.full_like(place, width)
        places.append(torch.stack((place, *steps)))
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
    """The best style patch for each patch of a picture, by normalised cross-correlation.

    Source: Li and Wand, CVPR 2016, equation 3. The norm of the picture's own patch does not
    change which is best and is left out. Among equally good patches any may be returned.

    Args:
        features: (1, C, H, W) in any float format; scores are float32, or float64 for float64.
        target: The style's patches; they set the size.
        stride: Distance of neighbouring patches of the picture.
        precision: ``float32``, or ``fast``: on processors that can, products of bfloat16 numbers
            summed in float32. That is exact for features in bfloat16 and rounds others by up to
            2^-9. ``auto`` is ``fast`` where it is exact. On a processor, float32 products of
            other threads may be rounded too while such a product runs.
        memory_limit: Bytes of scratch memory at most, down to what one column of patches takes
            against one row of the style. It does not change the result. Much less than this is
            as fast on an idle machine, but several times slower beside another load, since the
            cores wait for each other after each of many small steps.

    Returns:
        (N,) int64, N = ((H - size) // stride + 1) * ((W - size) // stride + 1), row by row.

    Raises:
        InputError: The map is smaller than a patch or has not the style's channels, or the
            precision is unknown.
    """
    _check(features, target.size, stride, target)
    if precision not in {"auto", "float32", "fast"}:
        raise InputError(f"unknown precision {precision!r}: choose auto, float32 or fast")
    on_cpu = features.device.type == "cpu"
    exact = features.dtype == target.pixels.dtype == torch.bfloat16
    fast = on_cpu and features.dtype != torch.float64 and (exact or precision == "fast")
    products = matrix_products(fast=fast and precision != "float32")
    picture = phase_grid(at_least_float32(features), target.size, stride)
    best = picture.pixels.new_full((picture.rows, picture.columns), -torch.inf)
    matches = torch.zeros_like(best, dtype=torch.int64)
    steps = phase_shifts(target.size, stride, target.stride)
    first = 0  # number of the map's first patch
    for style, inverse in zip(target.grids, target.inverse_norms, strict=True):
        score, place = nearest(
            picture, style, inverse.to(best), steps, budget=memory_limit, products=products
        )
        matches = torch.where(score > best, place + first, matches)
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
    """Squared differences of a picture's patches and the style patches that match them.

    Source: Li and Wand, CVPR 2016, equation 2, which is the plain ``sum``. The authors' code
    (mrf.lua) has only a gradient: the patches' differences, averaged where patches overlap. That
    is half the gradient of the ``sum`` with `average_overlaps`.

    The picture's patches are never laid out. What the matches say about a pixel has a mean and a
    spread, and the sum over patches is coverage * |x - mean|² + spread: no terms that cancel.

    Args:
        features: (1, C, H, W) in any float format. The gradient flows here, with fixed matches.
        target: The style's patches.
        matches: (N,) from `match_patches` with the same stride, or None to match now.
        stride: Distance of neighbouring patches of the picture.
        average_overlaps: Divide each squared difference by the number of patches over its pixel,
            so that the border, which fewer patches cover, is pulled as strongly as the middle.
        reduction: ``sum``, or ``mean``: divided by the number of summands N * C * size², which
            with `average_overlaps` is the number of features under a patch.
        precision: As for `match_patches`.
        memory_limit: As for `match_patches`.

    Returns:
        A scalar in float32 or better, not negative.

    Raises:
        InputError: As for `match_patches`; or other than N matches, or an unknown reduction.

    Example:
        >>> style = torch.arange(32.0).reshape(1, 2, 4, 4)
        >>> patch_loss(style, patch_target(style))
        tensor(0.)
    """
    if reduction not in {"mean", "sum"}:
        raise InputError(f"unknown reduction {reduction!r}: choose mean or sum")
    if matches is None:
        matches = match_patches(
            features, target, stride=stride, precision=precision, memory_limit=memory_limit
        )
    height, width = features.shape[2:]
    votes = patch_votes(target, matches, height, width, stride=stride)
    x = at_least_float32(features)[0].permute(1, 2, 0)  # (H, W, C)
    scale = votes.coverage.clamp(min=1) if average_overlaps else torch.ones_like(votes.coverage)
    pull = (x - votes.mean).square().sum(2) * votes.coverage + votes.spread  # (H, W)
    loss = (pull / scale).sum()
    if reduction == "sum":
        return loss
    return loss / ((votes.coverage / scale).sum() * x.shape[2])


@torch.no_grad()
def patch_votes(
    target: PatchTarget, matches: Tensor, height: int, width: int, *, stride: int = 1
) -> Votes:
    """Lay the matched style patches over a feature map of the picture's size.

    Args:
        target: The style's patches.
        matches: (N,) int64 from `match_patches` with the same stride.
        height: H of the picture's features.
        width: W of the picture's features.
        stride: Distance of neighbouring patches of the picture.

    Returns:
        For each pixel the mean of the patches over it, their spread and their number.

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
    place, phase, line = target.places[:, matches]
    mean = at_least_float32(target.pixels.new_empty(0)).new_zeros(height, width, channels)
    spread, coverage = mean.new_zeros(height, width), mean.new_zeros(height, width)
    buffer = mean.new_empty(rows, columns, channels)
    for dy, dx in product(range(size), repeat=2):
        (down, py), (right, px) = divmod(dy, target.stride), divmod(dx, target.stride)
        row = place + (py * min(size, target.stride) + px) * phase + down * line + right
        here = (
            slice(dy, dy + (rows - 1) * stride + 1, stride),
            slice(dx, dx + (columns - 1) * stride + 1, stride),
        )
        change = buffer.copy_(target.pixels[row].view_as(buffer)).sub_(mean[here])
        share = (coverage[here] + 1).reciprocal()  # of the new patch: Welford, Technometrics 1962
        spread[here] += torch.linalg.vector_norm(change, dim=2).square() * (1 - share)
        mean[here].addcmul_(change, share.unsqueeze(2))
        coverage[here] += 1
    return Votes(mean, spread, coverage)


def _inverse_norms(x: Tensor, size: int, stride: int) -> Tensor:
    """One over the norm of each patch of (1, C, h, w): (rows, columns), float32 or better."""
    energy = at_least_float32(x).square().sum(1, keepdim=True)
    energy = F.avg_pool2d(energy, size, stride)[0, 0] * size**2
    return energy.sqrt().clamp(min=_EPS).reciprocal()


def _check(x: Tensor, size: int, stride: int, target: PatchTarget | None = None) -> None:
    """Refuse, in words, what cannot be cut into patches or compared with the style."""
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
