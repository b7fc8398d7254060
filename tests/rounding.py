"""How far apart two results may lie that differ in nothing but the order of their sums."""

import torch
from torch import nn


def rounding(expected, terms):
    """Return the tolerances of :func:`torch.testing.assert_close` for sums in any order.

    A sum of n products is off by at most n u Σ|ab|, whatever the order, with or without fused
    multiplication; u is half the distance of 1 from the next number, 2^-24 in float32 (Higham,
    "Accuracy and Stability of Numerical Algorithms", 2002, equation 3.5). Errors are of either
    sign, so that sqrt(n) u Σ|ab| is seldom exceeded (theorem 2.4 of Higham and Mary, "A New
    Approach to Probabilistic Rounding Error Analysis", 2019); and where signs are mixed, Σ|ab| is
    about sqrt(n) times as large as the sum. So each of two results is off by up to n u of the
    largest one. Relative errors of layers in a row add up.

    Args:
        expected: One of the two.
        terms: n, the number of products in a value: of a matrix product or a convolution, or the
            sum of these over layers, see :func:`products`.
    """
    unit = torch.finfo(expected.dtype).eps / 2
    return {"rtol": 0.0, "atol": 2 * terms * unit * float(expected.detach().abs().max())}


def products(*modules):
    """Return the number of products in a value, summed over all convolutions of networks."""
    layers = [layer for module in modules for layer in module.modules()]
    count = sum(x.weight[0].numel() for x in layers if isinstance(x, nn.Conv2d | nn.Linear))
    turned = (x for x in layers if isinstance(x, nn.ConvTranspose2d))
    return count + sum(x.weight[:, 0].numel() for x in turned)
