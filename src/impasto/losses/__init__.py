"""Losses between images: content, style, smoothness; and distances between sets of vectors.

Example:
    >>> import torch
    >>> from impasto.losses import gram_matrix
    >>> gram_matrix(torch.rand(1, 8, 4, 4)).shape
    torch.Size([1, 8, 8])
"""

from impasto.losses.content import content_loss
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.kernel_losses import GaussianLoss, PolynomialLoss
from impasto.losses.mmd import Gaussian, Linear, Polynomial, mmd2
from impasto.losses.moments import Moments, moments, moments_distance
from impasto.losses.objective import Objective
from impasto.losses.patch_loss import PatchLoss
from impasto.losses.registry import list_losses, register_loss
from impasto.losses.self_similarity import self_similarity_divergence, self_similarity_loss
from impasto.losses.sliced import SlicedLoss, sliced_wasserstein
from impasto.losses.smoothness import total_variation
from impasto.losses.style import GramLoss, LinearLoss, MomentsLoss, StyleLoss
from impasto.losses.terms import Term, parse
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
