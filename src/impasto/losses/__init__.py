"""Losses between images: content, style, smoothness; and distances between sets of vectors.

Example:
    >>> import torch
    >>> from impasto.losses import gram_matrix
    >>> gram_matrix(torch.rand(1, 8, 4, 4)).shape
    torch.Size([1, 8, 8])
"""

from impasto.losses.content import content_loss
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.mmd import Gaussian, Linear, Polynomial, mmd2
from impasto.losses.moments import Moments, moments, moments_distance
from impasto.losses.objective import Objective
from impasto.losses.self_similarity import self_similarity_divergence, self_similarity_loss
from impasto.losses.sliced import SlicedLoss, sliced_wasserstein
from impasto.losses.smoothness import total_variation
from impasto.losses.style import (
    GaussianLoss,
    GramLoss,
    LinearLoss,
    MomentsLoss,
    PatchLoss,
    PolynomialLoss,
    StyleLoss,
)
from impasto.losses.terms import Term, list_losses, parse, register_loss
from impasto.losses.two_sample import frechet_distance, permutation_test

__all__ = [
    "Gaussian",
    "GaussianLoss",
    "GramLoss",
    "Linear",
    "LinearLoss",
    "Moments",
    "MomentsLoss",
    "Objective",
    "PatchLoss",
    "Polynomial",
    "PolynomialLoss",
    "SlicedLoss",
    "StyleLoss",
    "Term",
    "content_loss",
    "frechet_distance",
    "gram_distance",
    "gram_matrix",
    "list_losses",
    "mmd2",
    "moments",
    "moments_distance",
    "parse",
    "permutation_test",
    "register_loss",
    "self_similarity_divergence",
    "self_similarity_loss",
    "sliced_wasserstein",
    "total_variation",
]
