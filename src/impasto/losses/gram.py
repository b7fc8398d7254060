"""Gram matrices of features: correlations between channels.

Gatys, Ecker and Bethge, "Texture Synthesis Using Convolutional Neural Networks", NIPS 2015,
equations 2 to 4, and "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016,
equations 3 to 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impasto.core.device import matrix_products
from impasto.errors import check_choice
from impasto.losses.batches import reduced
from impasto.nn.features import feature_vectors

NORMALIZATIONS = ("none", "hw", "chw")


class _SelfProduct(torch.autograd.Function):
    """Computes XᵀX; its gradient takes one matrix product, where autograd would take two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fast: bool) -> Tensor:  # (B, N, C) -> (B, C, C)
        ctx.save_for_backward(x)
        ctx.fast = fast
        with torch.autocast(x.device.type, enabled=False), matrix_products(fast=fast):
            # one image at a time: a batched product would first copy the transpose
            return torch.stack([picture.T @ picture for picture in x])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        with torch.autocast(x.device.type, enabled=False), matrix_products(fast=ctx.fast):
            both = grads[0] + grads[0].mT
            return torch.stack([p @ g for p, g in zip(x, both, strict=True)]), None


def gram_matrix(
    features: Tensor, *, normalization: str = "hw", guide: Tensor | None = None
) -> Tensor:
    """Compute the Gram matrix of each feature map of a batch.

    Args:
        features: (B, C, H, W) in any float format; computed in float32 or better.
        normalization: Divisor of the sum over positions: ``none`` is 1 (Gatys' papers), ``hw`` is
            the number of positions (Gatys' PyTorch code), ``chw`` is positions times channels
            (Johnson et al. 2016, equation 4; Texture Networks).
        guide: (B or 1, 1, H, W) position weights with mean 1, or None: the guided Gram matrix of a
            region, Gatys et al., CVPR 2017, section 4.1.

    Returns:
        (B, C, C), symmetric.

    Raises:
        InputError: The normalisation is unknown.

    Example:
        >>> gram_matrix(torch.ones(1, 2, 4, 4), normalization="none")
        tensor([[[16., 16.],
                 [16., 16.]]])
    """
    by = divisor(normalization, features.shape[1], features.shape[2] * features.shape[3])
    x = feature_vectors(features)  # (B, H*W, C)
    if guide is not None:
        x = x * guide.to(x.dtype).flatten(1).unsqueeze(2).sqrt()  # the product squares it
    # products of bfloat16 features are exact in float32, so the fast way is as precise
    fast = features.dtype is torch.bfloat16 and guide is None
    gram: Tensor = _SelfProduct.apply(x, fast)  # type: ignore[no-untyped-call]
    return gram / by


def divisor(normalization: str, channels: int, positions: int) -> int:
    """Return the number that the sum over positions is divided by.

    Args:
        normalization: ``none``, ``hw`` or ``chw``, see :func:`gram_matrix`.
        channels: C.
        positions: H * W.

    Raises:
        InputError: The normalisation is unknown.
    """
    check_choice("Gram normalisation", normalization, NORMALIZATIONS)
    return {"none": 1, "hw": positions, "chw": positions * channels}[normalization]


def gram_distance(gram: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Compute the squared distance of Gram matrices from a target.

    Args:
        gram: (B, C, C).
        target: (B or 1, C, C).
        reduction: ``sum`` or ``mean`` over the entries of a matrix.

    Returns:
        (B,).

    Raises:
        InputError: The reduction is unknown.
    """
    return reduced((gram - target).square(), reduction)
