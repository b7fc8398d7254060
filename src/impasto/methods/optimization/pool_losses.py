"""The losses of NNST between an image and the vectors of the style images matched to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.losses.neighbors import pairs_loss, rows_of, sample_positions
from impasto.losses.self_similarity import self_similarity_loss
from impasto.methods.optimization.pool import GRID_BLOCK, Pool
from impasto.nn.vgg import Encoder, Features
from impasto.nn.vgg_layers import block_of

_LONGEST_STEP = 2  # between compared vectors; 4 leaves a grain, since Adam moves pixels too rarely
_STRUCTURE_SAMPLES = 32  # most rows and columns of positions whose self-similarity is compared


class MatchedLoss:
    """The loss of all phases but the last, with fixed matches.

    Each evaluation compares every vector of a layer, or every second along each axis in layers
    finer than the grid and one of the grid positions that share a vector in coarser ones, at an
    offset that is drawn at random for each layer.

    Args:
        pool: Feature vectors of the style images.
        places: Indices (H, W) of :meth:`Pool.match`.
        extra: Computes further losses from the features.
    """

    def __init__(
        self, pool: Pool, places: Tensor, extra: Callable[[Features], Mapping[str, Tensor]]
    ) -> None:
        self.pool, self.extra = pool, extra
        device = places.device
        grids = pool.grids
        owner = torch.cat(
            [torch.full((h * w,), i, device=device) for i, (h, w) in enumerate(grids)]
        )
        y = torch.cat([torch.arange(h, device=device).repeat_interleave(w) for h, w in grids])
        x = torch.cat([torch.arange(w, device=device).repeat(h) for h, w in grids])
        self._view, self._y, self._x = owner[places], y[places], x[places]

    def __call__(self, image: Tensor) -> Mapping[str, Tensor]:
        """Compute ``total`` and its terms for an image (1, 3, H, W)."""
        features = self.pool.encoder(image, self.pool.layers)
        lengths = self.pool.matching.lengths
        losses = [
            pairs_loss(*self.pairs(layer, features[layer]), lengths=lengths)
            for layer in self.pool.layers
        ]
        return total(torch.stack(losses).mean(), self.extra(features))

    def pairs(
        self, layer: str, features: Tensor, offset: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return vectors of the image at a layer and those that they are matched to, (N, C) each.

        Args:
            layer: Name of the layer.
            features: Features of the image at the layer, (1, C, h, w).
            offset: Row and column of the first compared vector; at layers coarser than the grid,
                of the grid position within a position of the layer. None draws one.
        """
        block = block_of(layer)
        step = 1 << abs(GRID_BLOCK - block)
        view, y, x = self._view, self._y, self._x
        if block <= GRID_BLOCK:
            stride = min(step, _LONGEST_STEP)
            oy, ox = offset or tuple(torch.randint(stride, (2,)).tolist())
            each = step // stride  # compared vectors along an axis of a position of the grid
            view, y, x = (m.repeat_interleave(each, 0) for m in (view, y, x))
            view, y, x = (m.repeat_interleave(each, 1) for m in (view, y, x))
            image = features[..., oy::stride, ox::stride][..., : view.shape[0], : view.shape[1]]
            inner = [torch.arange(side, device=view.device) % each * stride for side in view.shape]
            y, x = y * step + oy + inner[0].unsqueeze(1), x * step + ox + inner[1]
        else:
            oy, ox = offset or tuple(torch.randint(step, (2,)).tolist())
            height, width = features.shape[2:]
            view, y, x = (m[oy::step, ox::step][:height, :width] for m in (view, y, x))
            image = features[..., : view.shape[0], : view.shape[1]]
            y, x = y // step, x // step
        sizes = self.pool.sizes[layer]
        areas = sizes.prod(1)
        limit = sizes[view] - 1  # pooling of an odd size drops the last row or column
        y, x = torch.minimum(y, limit[..., 0]), torch.minimum(x, limit[..., 1])
        indices = (areas.cumsum(0) - areas)[view] + y * sizes[view][..., 1] + x
        return rows_of(image), self.pool.rows[layer][indices.flatten()]


class SplitLoss:
    """The loss of the last phase: each layer is matched on its own, in every evaluation.

    No gradient is taken through the match: the gradient of the distance to the nearest vector is
    that of the minimum over all vectors.

    Args:
        pool: Feature vectors of the style images.
        image_tones: Lightness and local contrast of the content image, (1, 2, H, W).
        owners: Index of the style image of each position, (1, 1, H, W); None without regions.
        extra: Computes further losses from the features.
    """

    def __init__(
        self,
        pool: Pool,
        image_tones: Tensor,
        owners: Tensor | None,
        extra: Callable[[Features], Mapping[str, Tensor]],
    ) -> None:
        self.pool, self.tones, self.owners, self.extra = pool, image_tones, owners, extra

    def __call__(self, image: Tensor) -> Mapping[str, Tensor]:
        """Compute ``total`` and its terms for an image (1, 3, H, W)."""
        features = self.pool.encoder(image, self.pool.layers)
        losses = [self._layer(layer, features[layer]) for layer in self.pool.layers]
        return total(torch.stack(losses).mean(), self.extra(features))

    def _layer(self, layer: str, features: Tensor) -> Tensor:
        pool, count = self.pool, self.pool.matching.samples
        marks = [self.tones] if self.owners is None else [self.tones, self.owners]
        image, image_tones, *owners = sample_positions(
            features, count, *marks, longest_step=_LONGEST_STEP
        )
        rows = image.float() - features.mean((2, 3), keepdim=True, dtype=torch.float32)
        center = pool.means[layer].view(1, -1, 1, 1)
        with torch.no_grad():
            views = [
                sample_positions(pool.map(layer, view), count, view_tones)
                for view, view_tones in enumerate(pool.tones)
            ]
            keys = [key.float() - center for key, _ in views]
            found = pool.nearest(
                F.normalize(rows.detach(), dim=1),
                image_tones,
                [F.normalize(key, dim=1) for key in keys],
                [tone for _, tone in views],
                owners[0].flatten() if owners else None,
            )
            targets = torch.cat([rows_of(key) for key in keys])[found]
        return pairs_loss(rows_of(rows), targets, lengths=pool.matching.lengths)


@torch.no_grad()
def structure_loss(
    encoder: Encoder, content: Tensor, layer: str, weight: float
) -> Callable[[Features], Mapping[str, Tensor]]:
    """Return the content loss of an image's features, the weighted difference of self-similarity.

    Args:
        encoder: Of the features.
        content: Content image (1, 3, H, W).
        layer: Name of the layer.
        weight: 0 is no loss.
    """
    if not weight:
        return lambda _: {}
    target = encoder(content, [layer])[layer]

    def loss(features: Features) -> Mapping[str, Tensor]:
        image, original = sample_positions(features[layer], _STRUCTURE_SAMPLES, target)
        return {"content": weight * self_similarity_loss(rows_of(image), rows_of(original))}

    return loss


def total(style: Tensor, extra: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the losses by name, with their sum as ``total``."""
    losses = {"style": style, **extra}
    return {"total": torch.stack(list(losses.values())).sum(), **losses}
