"""Measure a stylized photo: style, colours, content, layout, edges, lattice.

The metrics compare methods on the same images; they do not measure beauty. A method that
minimises nearly the same quantity, as Gatys' does the distance of Gram matrices, has an advantage.
No method minimises the sliced distance, the colours, the layout or the lattice as measured here;
but NNST has a related loss for the layout, and sets mean and covariance of the chroma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import InputError, check_choice
from impasto.evaluation import distributions
from impasto.evaluation.artifacts import worst_lattice
from impasto.image.color_transfer import luminance
from impasto.losses.content import content_loss
from impasto.losses.gram import gram_distance, gram_matrix
from impasto.losses.moments import Moments, moments, moments_distance
from impasto.losses.self_similarity import self_similarity_divergence
from impasto.nn.features import at_least_float32, feature_vectors
from impasto.nn.vgg import Encoder

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu4_2",)
LAYOUT_LAYER = "relu3_1"
KINDS = ("moments", "gram", "sliced")

_GRID = 32  # most rows and columns of positions whose layout is compared
_WINDOW = 7  # side of the windows of the structural similarity, in pixels
_FLAT = 1e-9  # an edge map whose standard deviation is less counts as constant


class Edges(NamedTuple):
    """Agreement of the edges of two images; 1 is complete.

    Attributes:
        correlation: Of the gradients' magnitudes, -1 to 1.
        similarity: Structural similarity (SSIM) of the gradients' magnitudes, -1 to 1.
    """

    correlation: float
    similarity: float


@dataclass(frozen=True, eq=False)
class View:
    """The features of an image that the metrics need, from one pass through each encoder.

    Attributes:
        moments: The channel moments of each style layer.
        grams: The Gram matrix of each style layer, (1, C, C), divided by the number of positions.
        content: The features of each content layer, (1, C, h, w).
        edges: The magnitude of the luminance's gradient, (H, W), 0 to 1.
        sliced: The projections of each layer's features, see
            :func:`~impasto.evaluation.distributions.feature_projections`.
        colors: The same of the colours.
        layout: The features of relu3_1, averaged to a grid of 32x32 positions at most, (N, C).
        lattice: The worst lattice; None where the image is smaller than 208 pixels.
    """

    moments: Mapping[str, Moments]
    grams: Mapping[str, Tensor]
    content: Mapping[str, Tensor]
    edges: NDArray[np.float64]
    sliced: Mapping[str, Tensor]
    colors: Tensor
    layout: Tensor
    lattice: float | None = None


@dataclass(frozen=True)
class Scores:
    """The measurements of one image.

    Attributes:
        moments: Style distance of channel means and standard deviations, layer by layer.
        gram: Style distance of Gram matrices, layer by layer.
        content: Content distance, layer by layer.
        edges: Agreement with the photo's edges.
        sliced: Style distance of the distributions of features, layer by layer.
        color: Distance of the colours from the style's, in hundredths of OKLab's units.
        layout: Divergence of the self-similarity from the photo's.
        lattice: See :func:`impasto.evaluation.artifacts.worst_lattice`; None if not measured.
    """

    moments: Mapping[str, float]
    gram: Mapping[str, float]
    content: Mapping[str, float]
    edges: Edges
    sliced: Mapping[str, float]
    color: float
    layout: float
    lattice: float | None

    def means(self) -> dict[str, float]:
        """Return one value for each metric that was measured; of layers, their mean."""
        lattice = {} if self.lattice is None else {"lattice": self.lattice}
        return {
            "style": fmean(self.moments.values()),
            "gram": fmean(self.gram.values()),
            "content": fmean(self.content.values()),
            "edges": self.edges.correlation,
            "edge_ssim": self.edges.similarity,
            "sliced": fmean(self.sliced.values()),
            "color": self.color,
            "layout": self.layout,
            **lattice,
        }


@torch.inference_mode()
def encode_view(
    encoder: Encoder,
    picture: Tensor,
    content: Sequence[str] = CONTENT_LAYERS,
    other: Encoder | None = None,
) -> View:
    """Compute the features of an image once, for any number of comparisons.

    Args:
        encoder: VGG-19; in float32, so that results are comparable.
        picture: (1, 3, H, W), RGB in [0, 1], 16 pixels a side at least.
        content: Layers whose features are stored; none for a style image, which saves memory.
        other: VGG-16 for the sliced distance, see :mod:`~impasto.evaluation.distributions`; None
            takes layers of ``encoder``.

    Raises:
        InputError: The image is too small, or a layer is unknown.
    """
    picture = picture.to(encoder.mean.device)
    sliced = distributions.SLICED_LAYERS[(other or encoder).arch]
    features = encoder(picture, [*STYLE_LAYERS, *content, *(() if other else sliced)])
    slices = other(picture, sliced) if other else features
    height, width = (min(side, _GRID) for side in features[LAYOUT_LAYER].shape[-2:])
    lattice = None
    with suppress(InputError):  # the image is too small
        lattice = worst_lattice(picture)
    return View(
        {layer: moments(features[layer]) for layer in STYLE_LAYERS},
        {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS},
        {layer: features[layer] for layer in content},
        edge_map(picture),
        {layer: distributions.feature_projections(slices[layer]) for layer in sliced},
        distributions.color_projections(picture),
        feature_vectors(F.adaptive_avg_pool2d(features[LAYOUT_LAYER], (height, width)))[0],
        lattice,
    )


def edge_map(picture: Tensor) -> NDArray[np.float64]:
    """Compute the gradient magnitude of an image's luminance by Sobel's filter.

    Args:
        picture: (1, 3, H, W) in [0, 1].

    Returns:
        (H, W), 0 to 1; a step from black to white gives 2^-1/2.
    """
    from skimage.filters import sobel

    light = luminance(picture.cpu().double())[0, 0].numpy()
    edges: NDArray[np.float64] = sobel(light)  # type: ignore[no-untyped-call]
    return edges


def style_distance(view: View, style: View, photo: View, kind: str = "moments") -> dict[str, float]:
    """Compute the distance of an image from a style: 1 for the unchanged photo, 0 for the style.

    For each layer |m(image) - m(style)|² / |m(photo) - m(style)|², where m are the means and
    standard deviations of the channels, or the entries of the Gram matrix; or the mean square
    difference of the sorted projections of both images' features.

    Args:
        view: The stylized image.
        style: The style image, at the scale that was used for stylizing.
        photo: The photo that was stylized.
        kind: ``moments``, ``gram`` or ``sliced``.

    Raises:
        InputError: The kind is unknown, or photo and style are equal at some layer, so that the
            distance has no unit.
    """
    check_choice("kind of style distance", kind, KINDS)
    distances = {}
    for layer in style.sliced if kind == "sliced" else STYLE_LAYERS:
        unit = _distance(photo, style, layer, kind)
        if not unit > 0:
            raise InputError(f"photo and style are the same at {layer}: choose another style")
        distances[layer] = _distance(view, style, layer, kind) / unit
    return distances


def _distance(one: View, other: View, layer: str, kind: str) -> float:
    if kind == "gram":
        return float(gram_distance(one.grams[layer], other.grams[layer]))
    if kind == "sliced":
        return distributions.sliced_distance(one.sliced[layer], other.sliced[layer])
    return float(moments_distance(one.moments[layer], other.moments[layer]))


def content_distance(view: View, photo: View) -> dict[str, float]:
    """Compute the mean square distance of an image's features from the photo's, in units of theirs.

    Args:
        view: The stylized image.
        photo: The photo, of the same size.

    Returns:
        For each content layer of the photo: 0 for the photo itself, 1 for an image whose features
        are all 0.

    Raises:
        InputError: The sizes differ.
    """
    distances = {}
    for layer, target in photo.content.items():
        power = float(at_least_float32(target).square().mean())
        distance = float(content_loss(view.content[layer], target))
        distances[layer] = distance / max(power, torch.finfo(torch.float32).tiny)
    return distances


def edge_agreement(view: View, photo: View) -> Edges:
    """Compute the agreement of an image's edges with the photo's.

    Args:
        view: The stylized image.
        photo: The photo, of the same size, 7 pixels a side at least.

    Returns:
        Correlation and similarity. If one of the two has no edges the correlation is 0; if neither
        has, it is 1.

    Raises:
        InputError: The sizes differ, or are too small.
    """
    from skimage.metrics import structural_similarity

    one, other = view.edges, photo.edges
    if one.shape != other.shape:
        sizes = ["x".join(map(str, edges.shape[::-1])) for edges in (one, other)]
        raise InputError(f"a picture of {sizes[0]} cannot be compared with a photo of {sizes[1]}")
    if min(one.shape) < _WINDOW:
        raise InputError(f"edges are compared from {_WINDOW} pixels a side on: give larger ones")
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, win_size=_WINDOW, data_range=1.0
    )
    flat = [edges.std() < _FLAT for edges in (one, other)]
    if any(flat):  # the correlation is undefined
        correlation = float(all(flat))
    else:
        correlation = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
    return Edges(correlation, float(similarity))


def measure(view: View, photo: View, style: View) -> Scores:
    """Compute all metrics of a stylized photo.

    Raises:
        InputError: Result and photo differ in size, or photo and style do not differ.
    """
    return Scores(
        style_distance(view, style, photo, "moments"),
        style_distance(view, style, photo, "gram"),
        content_distance(view, photo),
        edge_agreement(view, photo),
        style_distance(view, style, photo, "sliced"),
        distributions.color_distance(view.colors, style.colors),
        float(self_similarity_divergence(view.layout, photo.layout)),
        view.lattice,
    )
