"""Measure the seconds to stylize an image in any style, against a plain eager float32 version.

    python -m benchmarks.any_style adain|wct ours|kept|plain SIDE

Both encode the style image and the photo and decode the result, with the same weights; `kept` is
ours with a cached encoding of the style image, as for every photo after the first. The plain
version is a typical port of the papers: float32, channels first, both images encoded again for
every level; for `wct` whitening and colouring by full singular value decompositions of the
covariances, one after the other.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from impasto.api import load
from impasto.image import samples
from impasto.methods.arbitrary.adain import AdaIn
from impasto.methods.arbitrary.base import AnyStyleMethod
from impasto.methods.arbitrary.wct import Wct
from impasto.methods.spec import Ability
from impasto.nn.vgg import Encoder

REPEATS = 3


def main(name: str, which: str, side: int) -> None:
    """Print the median seconds of several runs after one that is not timed."""
    method = load.build(name, Ability.STYLIZE)
    assert isinstance(method, AnyStyleMethod)
    photo = samples.load("astronaut").resized(side, side).rgb
    painting = samples.load("swirls").resized(side, side).rgb

    def ours() -> Tensor:
        return method.stylize(photo, method.encode(painting))

    def kept() -> Tensor:
        return method.stylize(photo, known)

    if which == "kept":
        known = method.encode(painting)
    paints = {"ours": ours, "kept": kept}
    paint = paints.get(which) or _plain(method, photo, painting)
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        with torch.inference_mode():
            paint()
        times.append(time.perf_counter() - start)
    print(f"seconds {statistics.median(times[1:]):.4f}")


def _plain(method: AnyStyleMethod, photo: Tensor, painting: Tensor) -> Callable[[], Tensor]:
    config = method.config
    layers = method.module.scales.layers
    encoder = method.module.scales.applied_to(
        Encoder("vgg19", flavor=config.flavor, padding=config.padding, depth=layers[-1])
    ).float()
    decoders = method.module.float().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def adain() -> Tensor:
        assert isinstance(method, AdaIn)
        layer = method.config.layer
        content, style = encoder(photo, [layer])[layer], encoder(painting, [layer])[layer]
        mean, std = style.mean((2, 3), keepdim=True), style.std((2, 3), keepdim=True)
        own = content.mean((2, 3), keepdim=True), content.std((2, 3), keepdim=True)
        return decoders((content - own[0]) / (own[1] + 1e-5) * std + mean, layer).clamp(0, 1)

    def wct() -> Tensor:
        assert isinstance(method, Wct)
        picture = photo
        for layer in method.config.levels:
            content, style = encoder(picture, [layer])[layer], encoder(painting, [layer])[layer]
            target = _textbook(content, style)
            mixed = method.config.alpha * target + (1 - method.config.alpha) * content
            picture = decoders(mixed, layer)
        return picture.clamp(0, 1)

    return adain if isinstance(method, AdaIn) else wct


def _textbook(content: Tensor, style: Tensor, floor: float = 1e-5) -> Tensor:
    """Whiten and colour features as in section 3.2 of the paper, step by step."""
    x, y = content[0].flatten(1), style[0].flatten(1)  # (C, N)
    mean, goal = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    x, y = x - mean, y - goal
    vectors, values, _ = torch.linalg.svd(x @ x.T / (x.shape[1] - 1))
    retained = values > floor
    vectors, values = vectors[:, retained], values[retained]
    white = vectors @ (values.rsqrt()[:, None] * (vectors.T @ x))
    vectors, values, _ = torch.linalg.svd(y @ y.T / (y.shape[1] - 1))
    retained = values > floor
    vectors, values = vectors[:, retained], values[retained]
    coloured = vectors @ (values.sqrt()[:, None] * (vectors.T @ white))
    return (coloured + goal).view_as(content)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
