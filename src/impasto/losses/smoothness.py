"""Total variation: the differences between neighbouring pixels."""

from __future__ import annotations

from torch import Tensor

from impasto.errors import check_choice
from impasto.losses.batches import REDUCTIONS

KINDS = ("squared", "beta", "anisotropic")


def total_variation(
    image: Tensor, *, kind: str = "squared", beta: float = 2.0, reduction: str = "sum"
) -> Tensor:
    """Compute the total variation of an image.

    ========================  ==============================================================
    ``squared``               sum of (x[i+1,j] - x[i,j])² and (x[i,j+1] - x[i,j])²: Johnson et
                              al. 2016, section 3.2; CNNMRF, equation 5
    ``beta``                  sum of (dx² + dy²)^(beta/2): Mahendran and Vedaldi, CVPR 2015,
                              equation 2; the last row and column have no pair and are left out
    ``anisotropic``           sum of |dx| + |dy|
    ========================  ==============================================================

    Args:
        image: (B, C, H, W).
        kind: One of the table above.
        beta: The exponent of ``beta``; below 2 the gradient is kept finite by a small floor.
        reduction: ``sum``, or ``mean`` (the sum divided by the number of values).

    Returns:
        A scalar.

    Raises:
        InputError: The kind or the reduction is unknown.

    Example:
        A checkerboard of 0 and 1 differs by 1 across every edge: 2 * H * (W - 1) = 24 for 4x4.

        >>> import torch
        >>> board = (torch.arange(4).view(4, 1) + torch.arange(4)).remainder(2).float()
        >>> board = board.view(1, 1, 4, 4)
        >>> total_variation(board), total_variation(board, kind="beta")
        (tensor(24.), tensor(18.))
    """
    check_choice("total variation", kind, KINDS)
    check_choice("reduction", reduction, REDUCTIONS)
    down = image[..., 1:, :] - image[..., :-1, :]
    right = image[..., :, 1:] - image[..., :, :-1]
    if kind == "squared":
        value = down.square().sum() + right.square().sum()
    elif kind == "anisotropic":
        value = down.abs().sum() + right.abs().sum()
    else:
        squares = down[..., :-1].square() + right[..., :-1, :].square()
        floor = 0.0 if beta >= 2 else 1e-12  # below 2 the gradient of x^(beta/2) is infinite at 0
        value = (squares + floor).pow(beta / 2).sum()
    return value / image.numel() if reduction == "mean" else value
