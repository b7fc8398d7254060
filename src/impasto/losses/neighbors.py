"""Nearest-neighbour matching of feature vectors, as in Neural Neighbor Style Transfer.

Kolkin, Kucera, Paris, Sykora, Shechtman and Shakhnarovich, "Neural Neighbor Style Transfer", 2022:
hypercolumns, their matching under the centred cosine distance, and the loss of the matched pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.image.color_transfer import luminance
from impasto.losses.patches import Precision, match_patches, patch_target
from impasto.nn.features import at_least_float32

_EPS = 1e-8  # shorter vectors count as zero: their cosines are 0
_ROUNDS = 20  # iterations to balance the fractions of several style images
_WINDOW = 9  # side of the window for local contrast, in pixels
_FAINT = 0.01  # contrasts below this, of luminance in [0, 1], count little
_SCRATCH = 128 * 2**20  # bytes for the products of a match


@torch.no_grad()
def hypercolumn_directions(
    features: Sequence[Tensor],
    height: int,
    width: int,
    *,
    projection: Tensor | None = None,
    positions: Tensor | None = None,
) -> Tensor:
    """Compute centred hypercolumns of one image, scaled to length 1.

    A hypercolumn stacks the vectors of several layers at one position. Each layer is divided by its
    number of channels. Layers of higher resolution are averaged over the pixels of a position,
    those of lower resolution interpolated bilinearly; the authors' code samples both bilinearly.
    With a projection the stack itself is never in memory.

    Args:
        features: (1, C_l, h_l, w_l) each; C is the sum of C_l.
        height: Height of the result.
        width: Width of the result.
        projection: (C, K), directions to project the vectors of length 1 on; None returns the
            vectors themselves, K = C.
        positions: (N,), indices of the positions to return; None returns all.

    Returns:
        (1, K, height, width) in float32 or better, or (1, K, N, 1) of some positions.
    """
    parts: list[Tensor] = []
    squares, first = torch.zeros((), device=features[0].device), 0
    for layer in features:
        x = _resampled(at_least_float32(layer), height, width) / layer.shape[1]
        x = x.sub_(x.mean((2, 3), keepdim=True))
        if positions is not None:
            x = x.flatten(2)[:, :, positions].unsqueeze(3)
        squares = squares + x.square().sum(1, keepdim=True)
        if projection is not None:
            x = torch.einsum("bchw,ck->bkhw", x, projection[first : first + layer.shape[1]])
            parts = [x.add_(parts[0])] if parts else [x]
        else:
            parts.append(x)
        first += layer.shape[1]
    return torch.cat(parts, dim=1).div_(squares.sqrt().clamp_min(_EPS))


def _resampled(x: Tensor, height: int, width: int) -> Tensor:
    if x.shape[2] > height or x.shape[3] > width:
        return F.adaptive_avg_pool2d(x, (height, width))
    if x.shape[2:] != (height, width):
        return F.interpolate(x, (height, width), mode="bilinear")
    return x


def rows_of(features: Tensor) -> Tensor:
    """Reshape (1, C, h, w) to (h*w, C); a view in channels_last."""
    return features[0].permute(1, 2, 0).reshape(-1, features.shape[1])


def sample_positions(
    features: Tensor, count: int, *maps: Tensor, longest_step: int | None = None
) -> list[Tensor]:
    """Sample positions on a regular grid with a random offset.

    Args:
        features: (1, C, h, w).
        count: Maximum number of positions along an axis.
        maps: (1, T, H, W) of other resolutions, sampled at the same positions.
        longest_step: Longest distance of neighbours along an axis; goes before ``count``.

    Returns:
        (1, C, r, c) and (1, T, r, c) for each map.
    """
    height, width = features.shape[2:]
    step = -(-max(height, width) // count)
    step = step if longest_step is None else min(step, longest_step)
    y = int(torch.randint(min(step, height), ()))
    x = int(torch.randint(min(step, width), ()))
    found = [features[:, :, y::step, x::step]]
    for one in maps:
        rows = torch.arange(y, height, step, device=one.device) * one.shape[2] // height
        columns = torch.arange(x, width, step, device=one.device) * one.shape[3] // width
        found.append(one[:, :, rows][..., columns])
    return found


@torch.no_grad()
def principal_directions(rows: Tensor, count: int) -> Tensor:
    """Estimate the principal directions of a set of vectors, uncentred.

    Source: Halko, Martinsson and Tropp, SIAM Review 2011; draws from PyTorch's global generator.

    Args:
        rows: (N, C).
        count: Number of directions; at most min(N, C) are returned.

    Returns:
        (C, count), orthonormal columns.
    """
    _, _, directions = torch.svd_lowrank(rows, q=min(count, *rows.shape), niter=1)
    return directions


def tones(image: Tensor, height: int, width: int) -> Tensor:
    """Compute the standardised lightness and local contrast of an image.

    The local contrast is the logarithm of the standard deviation of the luminance over 9x9 pixels.

    Args:
        image: (1, 3, H, W), RGB in [0, 1].
        height: Height of the result.
        width: Width of the result.

    Returns:
        (1, 2, height, width), with mean 0 and standard deviation 1, clamped to [-2, 2].
    """
    light = luminance(image)
    maps = torch.cat([light, (local_contrast(light) + _FAINT).log()], dim=1)
    maps = F.interpolate(maps, (height, width), mode="area")
    centered = maps - maps.mean((2, 3), keepdim=True)
    spread = centered.square().mean((2, 3), keepdim=True).sqrt()
    return (centered / spread.clamp_min(1e-3)).clamp(-2, 2)


def local_contrast(light: Tensor) -> Tensor:
    """Compute the standard deviation of (1, 1, H, W) over 9x9 pixels, fewer at the border.

    Example:
        >>> float(local_contrast(torch.full((1, 1, 12, 12), 0.25)).max())
        0.0
    """

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)

    light = light - light.mean()  # reduces rounding errors of the difference below
    return (mean(light.square()) - mean(light).square()).clamp_min(0).sqrt()


def with_tones(vectors: Tensor, tones: Tensor, weight: float) -> Tensor:
    """Append scalar maps to unit vectors, as points on circles, for a cosine match.

    Each map t adds two channels, sqrt(weight) (cos(πt/4), sin(πt/4)). Their product for two
    positions is weight cos(π(t - t')/4): largest for equal tones, 0 for tones that differ by 2.
    The vectors of all positions grow by the same length, so cosines remain comparable.

    Args:
        vectors: (1, C, h, w) of length 1.
        tones: (1, T, h, w), standardised; within [-2, 2], so that angles do not wrap around.
        weight: Weight of each map relative to the cosine of the vectors.

    Returns:
        (1, C + 2T, h, w).
    """
    angles = tones * (torch.pi / 4)
    return torch.cat([vectors, weight**0.5 * angles.cos(), weight**0.5 * angles.sin()], dim=1)


@torch.no_grad()
def match_vectors(
    query: Tensor,
    paintings: Sequence[Sequence[Tensor]],
    *,
    shares: Tensor | None = None,
    owners: Tensor | None = None,
    fast: bool = False,
) -> Tensor:
    """Find for each position of a feature map the most similar position of style images by cosine.

    Args:
        query: (1, C, H, W).
        paintings: For each style image its feature maps (1, C, h, w), of any sizes.
        shares: (P,), the fraction of the positions for each style image; see `assign`.
        owners: (H*W,), the index of the style image for each position, instead of ``shares``.
        fast: See ``precision`` of :func:`impasto.losses.patches.match_patches`.

    Returns:
        (H*W,), indices of positions, counted over all maps of all style images.

    Raises:
        InputError: There are several style images, and neither ``shares`` nor ``owners``.
    """
    precision: Precision = "fast" if fast else "float32"
    rows, numbers, scores, first = query[0].flatten(1).T, [], [], 0
    for views in paintings:
        target = patch_target(views, size=1)
        matches = match_patches(query, target, precision=precision, memory_limit=_SCRATCH)
        numbers.append(matches + first)
        if len(paintings) > 1:
            found = target.pixels[matches].to(rows)
            scores.append(F.cosine_similarity(rows, found, eps=_EPS))
        first += target.places.shape[1]
    if len(paintings) == 1:
        return numbers[0]
    if owners is None:
        if shares is None:
            raise InputError("several paintings need shares, or an owner for each position")
        owners = assign(torch.stack(scores), shares)
    return torch.stack(numbers).gather(0, owners.unsqueeze(0))[0]


def assign(scores: Tensor, shares: Tensor) -> Tensor:
    """Choose a style image for each position so that each gets its fraction of the positions.

    A bias is added to the scores of each style image, and the highest biased score wins.

    Args:
        scores: (P, N), how well each of P style images matches each of N positions.
        shares: (P,), fractions with a sum of 1.

    Returns:
        (N,), indices of style images; with equal scores the fractions are only approximate.

    Example:
        >>> assign(torch.tensor([[0.9, 0.8, 0.7, 0.6], [0.1] * 4]), torch.tensor([0.25, 0.75]))
        tensor([0, 1, 1, 1])
    """
    if len(scores) == 1:
        return torch.zeros_like(scores[0], dtype=torch.int64)
    bias = torch.where(shares > 0, 0.0, -torch.inf).to(scores).unsqueeze(1)
    for _ in range(_ROUNDS if int((shares > 0).sum()) > 1 else 0):
        for index in shares.nonzero().flatten().tolist():
            others = scores + bias
            others[index] = -torch.inf
            lead = scores[index] - others.amax(0)
            count = round(float(shares[index]) * lead.numel())
            order = lead.sort(descending=True).values
            low, high = order[min(count, len(order) - 1)], order[max(count - 1, 0)]
            bias[index] = -(low + high) / 2
        bias[shares > 0] -= bias[shares > 0].mean()
    return (scores + bias).argmax(0)


def pairs_loss(rows: Tensor, targets: Tensor, *, lengths: bool = False) -> Tensor:
    """Compute the mean distance of pairs of vectors.

    Args:
        rows: (N, C); the gradient flows here.
        targets: (N, C).
        lengths: False is 1 - cosine, which ignores lengths and leaves the contrast free. True is
            |x - y|² / (|x|² + |y|²), which equals 1 - cosine for equal lengths, and is larger for
            different ones.

    Returns:
        A scalar in float32 or better.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> x = torch.tensor([[3.0, 0.0]])
        >>> pairs_loss(x, 2 * x), pairs_loss(x, 2 * x, lengths=True)
        (tensor(0.), tensor(0.2000))
    """
    if rows.shape != targets.shape:
        raise InputError(
            f"{tuple(rows.shape)} vectors cannot be paired with {tuple(targets.shape)}"
        )
    x, y = at_least_float32(rows), at_least_float32(targets)
    # products instead of differences: autograd then stores no further tensor of size (N, C)
    xy, xx, yy = (torch.einsum("nc,nc->n", a, b) for a, b in ((x, y), (x, x), (y, y)))
    if lengths:
        return (1 - 2 * xy / (xx + yy).clamp_min(_EPS)).mean()
    return (1 - xy * (xx * yy).clamp_min(_EPS**2).rsqrt()).mean()
