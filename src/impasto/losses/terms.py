"""Style losses as terms of a sum, and the short text that names such a sum.

``0.5 gram + 0.5 moments@relu1_1,relu2_1`` is half a Gram loss on the method's own layers and half a
moments loss on two. Options stand in brackets: ``polynomial(offset=1) + 0.1 gaussian(scale=2)``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.losses import mmd, patches
from impasto.losses.gram import gram_distance, gram_matrix, samples
from impasto.losses.moments import Moments, moments, moments_distance


class StyleLoss(Protocol):
    """What a style loss has: a target side, computed once, and a picture side for every step."""

    def target(self, features: Any) -> Any:
        """What to keep of the style picture's features (1, C, H, W), or of several views' list."""

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """The same of the picture in the making, within the region that ``guide`` weighs."""

    def distance(self, found: Any, target: Any) -> Tensor:
        """A scalar in float32 or better."""


@dataclass(frozen=True)
class GramLoss:
    """Squared distance of Gram matrices, see :mod:`impasto.losses.gram`."""

    normalization: str = "hw"
    reduction: str = "mean"

    def target(self, features: Tensor) -> Tensor:
        """The Gram matrix (1, C, C)."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The (guided) Gram matrix (1, C, C)."""
        return gram_matrix(features, normalization=self.normalization, guide=guide)

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Squared error of two Gram matrices."""
        return gram_distance(found, target, reduction=self.reduction)


@dataclass(frozen=True)
class MomentsLoss:
    """Squared distance of batch-norm statistics, see :mod:`impasto.losses.moments`."""

    def target(self, features: Tensor) -> Moments:
        """Mean and standard deviation, each (1, C)."""
        return moments(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Moments:
        """The (guided) mean and standard deviation, each (1, C)."""
        return moments(features, guide=guide)

    def distance(self, found: Moments, target: Moments) -> Tensor:
        """Mean over channels of the squared differences."""
        return moments_distance(found, target)


class _MMDLoss:
    """What the three kernels share: features as a set of vectors, compared by MMD²."""

    estimator: str
    subsample: int

    def __post_init__(self) -> None:
        """Refuse what can give no value as soon as it is written down."""
        _ = self.kernel
        if self.estimator not in mmd.ESTIMATORS:
            known = ", ".join(mmd.ESTIMATORS)
            raise InputError(f"unknown estimator {self.estimator!r}: choose {known}")
        if self.subsample < 2:
            raise InputError(f"a subsample of {self.subsample} vectors: it must be at least 2")

    @property
    def kernel(self) -> mmd.Kernel:
        raise NotImplementedError

    def target(self, features: Tensor) -> Tensor:
        """The feature vectors of the style picture, (H*W, C)."""
        return samples(features)[0].clone()

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The feature vectors of the picture, (H*W, C); of a region, drawn by its weights."""
        x = samples(features)[0]
        if guide is None:
            return x
        count = min(self.subsample, x.shape[0])
        return x[guide.flatten().float().multinomial(count, replacement=True)]

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """MMD² by the chosen estimator, on a fresh draw at every call."""
        return mmd.mmd2(
            found, target, self.kernel, estimator=self.estimator, subsample=self.subsample
        )


@dataclass(frozen=True)
class LinearLoss:
    """MMD² with k = x·y, which is the distance of means: exact, and cheap."""

    def target(self, features: Tensor) -> Tensor:
        """The mean of each channel (1, C)."""
        return self.describe(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The (guided) mean of each channel (1, C)."""
        return moments(features, guide=guide).mean

    def distance(self, found: Tensor, target: Tensor) -> Tensor:
        """Squared distance of the means."""
        return (found - target).square().sum()


@dataclass(frozen=True)
class PolynomialLoss(_MMDLoss):
    """MMD² with k = (x·y + offset)^degree; exact for degree 2, where it compares Gram matrices."""

    degree: int = 2
    offset: float = 0.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """The kernel with this loss's numbers."""
        return mmd.Polynomial(self.degree, self.offset)

    def target(self, features: Tensor) -> Any:
        """Gram matrix and means where these are all that counts, else the vectors themselves."""
        return self.describe(features) if self._exact else super().target(features)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Any:
        """The same of the picture."""
        if not self._exact:
            return super().describe(features, guide)
        gram = gram_matrix(features, normalization="hw", guide=guide)
        return gram, moments(features, guide=guide).mean if self.offset else None

    def distance(self, found: Any, target: Any) -> Tensor:
        """MMD², from the Gram matrices where that is exact."""
        if not self._exact:
            return super().distance(found, target)
        squared = gram_distance(found[0], target[0], reduction="sum")
        if not self.offset:
            return squared
        return squared + 2 * self.offset * (found[1] - target[1]).square().sum()

    @property
    def _exact(self) -> bool:
        return self.degree == 2 and self.estimator == "biased"


@dataclass(frozen=True)
class GaussianLoss(_MMDLoss):
    """MMD² with k = exp(-γ|x - y|²), γ in units of 1 / mean squared distance.

    All pairs of ``subsample`` vectors a side; ``estimator=linear`` with a large subsample is the
    authors' way, noisier for the same time.
    """

    scale: float = 1.0
    estimator: str = "biased"
    subsample: int = 2048

    @property
    def kernel(self) -> mmd.Kernel:
        """The kernel with this loss's numbers."""
        return mmd.Gaussian(self.scale)


@dataclass(frozen=True)
class PatchLoss:
    """Each patch to its nearest style patch, see :mod:`impasto.losses.patches`."""

    size: int = 3
    stride: int = 1
    style_stride: int = 1

    def target(self, features: Tensor | Sequence[Tensor]) -> patches.PatchTarget:
        """The patches and norms of one style map, or of several views of it."""
        return patches.patch_target(features, size=self.size, stride=self.style_stride)

    def describe(self, features: Tensor, guide: Tensor | None = None) -> Tensor:
        """The features themselves; patches know no guide."""
        if guide is not None:
            raise InputError("the patch loss takes no masks; the pipeline blends regions instead")
        return features

    def distance(self, found: Tensor, target: patches.PatchTarget) -> Tensor:
        """Mean squared distance of the patches to their matches."""
        return patches.patch_loss(found, target, stride=self.stride)


LOSSES: dict[str, type[Any]] = {
    "gram": GramLoss,
    "moments": MomentsLoss,
    "linear": LinearLoss,
    "polynomial": PolynomialLoss,
    "gaussian": GaussianLoss,
    "patches": PatchLoss,
}


@dataclass(frozen=True)
class Term:
    """One summand: a loss, its weight, and its layers (None: those of the method)."""

    loss: StyleLoss
    name: str
    weight: float = 1.0
    layers: tuple[str, ...] | None = None


_TERM = re.compile(
    r"\s*(?:(?P<weight>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*\*?\s*)?"
    r"(?P<name>[a-z]+)"
    r"(?:\((?P<options>[^)]*)\))?"
    r"(?:@(?P<layers>[a-z0-9_,]+))?\s*(?P<plus>\+|$)"
)


def parse(text: str) -> tuple[Term, ...]:
    """Read a weighted sum of style losses from its text form.

    Raises:
        InputError: The text does not parse, or names an unknown loss or option.

    Example:
        >>> [(t.weight, t.name, t.layers) for t in parse("0.5 gram + moments@relu1_1,relu2_1")]
        [(0.5, 'gram', None), (1.0, 'moments', ('relu1_1', 'relu2_1'))]
        >>> parse("2*polynomial(offset=1)")[0].loss
        PolynomialLoss(degree=2, offset=1.0, estimator='biased', subsample=2048)
    """
    terms: list[Term] = []
    position = 0
    while position < len(text) or not terms:
        match = _TERM.match(text, position)
        dangling = match is not None and match["plus"] == "+" and not text[match.end() :].strip()
        if match is None or dangling:
            raise InputError(
                f"cannot read the losses {text!r} from {text[position:].strip()!r} on; "
                f"write for example '0.5 gram + 0.5 moments@relu1_1,relu2_1'"
            )
        terms.append(_term(match))
        position = match.end()
    return tuple(terms)


def _term(match: re.Match[str]) -> Term:
    name = match["name"]
    if name not in LOSSES:
        raise InputError(f"unknown loss {name!r}: choose {', '.join(LOSSES)}")
    layers = tuple(match["layers"].split(",")) if match["layers"] else None
    loss = LOSSES[name](**_options(LOSSES[name], name, match["options"] or ""))
    weight = float(match["weight"] or 1.0)
    if not math.isfinite(weight):
        raise InputError(f"the weight {match['weight']} of the loss {name!r} is too large")
    return Term(loss, name, weight, layers)


def _options(kind: type[Any], name: str, text: str) -> dict[str, Any]:
    fields: dict[str, type[Any]] = {f.name: type(f.default) for f in dataclasses.fields(kind)}
    options: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"unknown option {key!r} of the loss {name!r}: it has {known}")
        try:
            options[key] = fields[key](value)
        except ValueError as error:
            raise InputError(f"{name}({key}=...): {value!r} is no number") from error
    return options


def guide_at(mask: Tensor, height: int, width: int) -> Tensor:
    """A soft mask as position weights with mean 1 at the resolution of a layer.

    Args:
        mask: (1, 1, H, W) in [0, 1].
        height: Of the layer.
        width: Of the layer.

    Raises:
        InputError: The mask is empty.
    """
    small = torch.nn.functional.interpolate(mask, (height, width), mode="area")
    if float(small.sum()) <= 0:
        raise InputError("a mask is black everywhere: paint its region white")
    return small / small.mean()
