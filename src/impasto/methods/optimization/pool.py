"""The feature vectors of the style images in NNST, and the match of an image to them.

Positions are matched on a grid with the resolution of VGG's block 3, one for 4x4 pixels. Every
layer uses these matches at its own resolution: a finer layer takes the vector at the same offset
within the 4x4 pixels, a coarser layer the vector of the position that covers the matched one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.neighbors import (
    hypercolumn_directions,
    match_vectors,
    principal_directions,
    rows_of,
    tones,
    with_tones,
)
from impasto.nn.vgg import Encoder, Features

GRID_BLOCK = 3
_TRAINING_ROWS = 2048  # number of vectors that principal directions are estimated from


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Hyperparameters of the comparison of vectors.

    Attributes:
        tone_weight: Weight of lightness and local contrast against the cosine of the features.
        directions: Number of principal directions in which hypercolumns are compared; 0 is all.
        samples: Most rows and columns of positions in an evaluation of the split loss.
        lengths: Whether the lengths of paired vectors are compared as well.
        fast: Whether products are computed in 16 bits, if the processor supports it.
    """

    tone_weight: float
    directions: int
    samples: int
    lengths: bool
    fast: bool


class Pool:
    """Feature vectors of the views (rotated copies) of P style images.

    Args:
        encoder: Encodes the views.
        layers: Names of the layers whose features are stored.
        paintings: The views (1, 3, h, w) of each style image.
        shares: Weight of each style image, (P,), with a sum of 1.
        matching: Hyperparameters of the comparison.

    Attributes:
        rows: For each layer the vectors of all views, (N, C), in bfloat16 to save memory.
        grids: Height and width of the grid of positions of each view.
        sizes: For each layer height and width of the features of each of the V views, (V, 2).
    """

    @torch.no_grad()
    def __init__(
        self,
        encoder: Encoder,
        layers: Sequence[str],
        paintings: Sequence[Sequence[Tensor]],
        shares: Tensor,
        matching: Matching,
    ) -> None:
        self.encoder, self.layers, self.shares, self.matching = encoder, layers, shares, matching
        views = [view for painting in paintings for view in painting]
        self.owners = [i for i, painting in enumerate(paintings) for _ in painting]
        self.grids = [grid_of(*view.shape[2:]) for view in views]
        self.tones = [tones(view, *grid) for view, grid in zip(views, self.grids, strict=True)]
        maps = [encoder(view, layers) for view in views]
        self.sizes = {
            layer: torch.tensor([one[layer].shape[2:] for one in maps], device=views[0].device)
            for layer in layers
        }
        rows = {layer: [rows_of(one[layer]) for one in maps] for layer in layers}
        self.rows = {
            layer: torch.cat([one.to(torch.bfloat16) for one in r]) for layer, r in rows.items()
        }
        means = {
            layer: torch.stack([r.mean(0, dtype=torch.float32) for r in rows[layer]])
            for layer in layers
        }
        owned = torch.tensor(self.owners, device=views[0].device)
        parts = shares[owned] / owned.bincount()[owned]  # the weight of each view
        self.means = {layer: (parts.unsqueeze(1) * m).sum(0) for layer, m in means.items()}

    def map(self, layer: str, view: int) -> Tensor:
        """Return the features of one view at a layer, (1, C, h, w)."""
        height, width = self.sizes[layer][view].tolist()
        first = int(self.sizes[layer][:view].prod(1).sum())
        rows = self.rows[layer][first : first + height * width]
        return rows.T.reshape(1, -1, height, width)

    @torch.no_grad()
    def match(self, features: Features, image_tones: Tensor, owners: Tensor | None) -> Tensor:
        """Find the nearest hypercolumn of all views for each position of an image's grid.

        Args:
            features: Features of the image by layer.
            image_tones: Its lightness and local contrast on the grid, (1, 2, H, W).
            owners: Index of the style image of each position, (1, 1, H, W); None without regions.

        Returns:
            (H, W), indices into the positions of all views' grids, one view after another.
        """
        grid = tuple(image_tones.shape[2:])
        layers = [features[layer] for layer in self.layers]
        projection = self._projection()
        query = hypercolumn_directions(layers, *grid, projection=projection)
        keys = [self._directions(view, projection=projection) for view in range(len(self.grids))]
        marked = None if owners is None else owners.flatten()
        found = self.nearest(query, image_tones, keys, self.tones, marked)
        return found.view(grid)

    def nearest(
        self,
        query: Tensor,
        query_tones: Tensor,
        keys: Sequence[Tensor],
        key_tones: Sequence[Tensor],
        owners: Tensor | None,
    ) -> Tensor:
        """Find the nearest of the unit vectors ``keys`` of all views for each query vector.

        Returns:
            Indices into the keys of all views, one view after another.
        """
        weight = self.matching.tone_weight
        if weight:
            query = with_tones(query, query_tones, weight)
            pairs = zip(keys, key_tones, strict=True)
            keys = [with_tones(key, tone, weight) for key, tone in pairs]
        groups: list[list[Tensor]] = [[] for _ in self.shares]
        for owner, key in zip(self.owners, keys, strict=True):
            groups[owner].append(key)
        return match_vectors(
            query, groups, shares=self.shares, owners=owners, fast=self.matching.fast
        )

    def _directions(
        self, view: int, *, projection: Tensor | None = None, positions: Tensor | None = None
    ) -> Tensor:
        return hypercolumn_directions(
            [self.map(layer, view) for layer in self.layers],
            *self.grids[view],
            projection=projection,
            positions=positions,
        )

    def _projection(self) -> Tensor | None:
        """Estimate the principal directions of all views' vectors from a random sample."""
        if not self.matching.directions:
            return None
        count = -(-_TRAINING_ROWS // len(self.grids))
        rows = []
        for view, (height, width) in enumerate(self.grids):
            positions = torch.randperm(height * width)[:count].to(self.shares.device)
            rows.append(self._directions(view, positions=positions)[0, :, :, 0].T)
        return principal_directions(torch.cat(rows), self.matching.directions)


def grid_of(height: int, width: int) -> tuple[int, int]:
    """Return the height and width of the grid of positions for an image of this size in pixels."""
    return height >> GRID_BLOCK - 1, width >> GRID_BLOCK - 1
