"""Texture synthesis by non-parametric sampling (Efros & Leung, ICCV 1999).

The texture is modelled as a Markov random field. The distribution of an unknown pixel, given the
known pixels around it, is estimated by the pixels of the sample with similar neighbourhoods, one of
which is drawn at random. The image grows outward from a small square of the sample.

The paper fills one pixel after the other. Here pixels are searched in batches, with exactly the
same result: pixel ``j`` depends on an earlier pixel ``i`` of the list only if ``i`` lies in the
window of ``j``, so all pixels that depend on no unfinished one are searched at once
(:func:`independent_batches`). ``batch=1`` searches them one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.core.progress import Callback
from impasto.errors import InputError
from impasto.methods.optimization.resampling import (
    MAX_PRODUCT,
    Ticker,
    check_request,
    check_window,
    gather_picture,
    square,
    threads_for,
    to_palette,
)

TIE = (0.25 / 255) ** 2
"""Errors that differ by less than this (a quarter of an 8-bit step) count as equal; smaller
differences between identical windows may come from rounding in float32."""


@dataclass(frozen=True)
class EfrosLeungConfig:
    """Hyperparameters of the method.

    Attributes:
        window: Side of the neighbourhood in pixels, odd, 5 to 25. It should span the texture's
            largest regular feature; larger windows keep more structure and copy larger pieces
            unchanged.
        sigma_ratio: The Gaussian weight's standard deviation is ``window / sigma_ratio`` pixels.
        error_threshold: A window is a candidate if its error is at most ``1 + error_threshold``
            times the least error; 0 always takes a best one.
        max_error: A pixel is accepted if the error of its drawn window is below this: the weighted
            mean squared difference of colours in [0, 1] over the known neighbours and the channels.
        growth: Factor on ``max_error`` whenever no pixel was accepted.
        seed_size: Side of the square that is first copied from the sample, in pixels.
        batch: Most pixels in one search; it does not change the result.
    """

    window: int = 11  # section 3, figure 2: 5, 11, 15 and 23 on the same samples
    sigma_ratio: float = 6.4  # authors' page "Algorithm details": Sigma = WindowSize/6.4
    error_threshold: float = 0.1  # same page: ErrThreshold
    max_error: float = 0.3  # same page: MaxErrThreshold; rarely reached with colours in [0, 1]
    growth: float = 1.1  # same page: MaxErrThreshold * 1.1 when a pass makes no progress
    seed_size: int = 3  # section 2.2; same page: SeedSize
    batch: int = 1024  # ours

    def __post_init__(self) -> None:
        check_window("window", self.window, 5, 25)
        if self.sigma_ratio <= 0 or self.max_error <= 0 or self.growth <= 1:
            raise InputError("sigma_ratio and max_error must be above 0, growth above 1")
        if self.error_threshold < 0:
            raise InputError(f"error_threshold must not be negative, not {self.error_threshold}")
        if not 1 <= self.seed_size <= self.window or self.batch < 1:
            raise InputError("seed_size must be from 1 to the window's size, batch at least 1")

    @classmethod
    def paper(cls) -> EfrosLeungConfig:
        """Return the paper's hyperparameters, which are the defaults."""
        return cls()


def efros_leung(
    sample: Tensor,
    height: int,
    width: int,
    config: EfrosLeungConfig | None = None,
    *,
    seed: int = 0,
    callback: Callback | None = None,
) -> Tensor:
    """Synthesise a texture by growing it pixel by pixel from a small square of the sample.

    Source: Efros & Leung, "Texture Synthesis by Non-parametric Sampling", ICCV 1999, section 2, and
    the authors' page "Algorithm details". The error is the mean over the three channels, so that a
    grey sample has the same result as in the paper. Windows must lie inside the sample; pixels
    outside the output are unknown.

    Args:
        sample: The texture, (1, 3, h, w) in [0, 1], at least as large as the window.
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        config: Hyperparameters; None is the default.
        seed: Of all random numbers; the same seed gives the same image.
        callback: Called after about every hundredth of the work. If it cancels, the unknown pixels
            of the result have the sample's mean colour.

    Returns:
        (1, 3, height, width), each pixel a copy of a sample pixel.

    Raises:
        InputError: The sample or the size cannot be used.
    """
    config = config or EfrosLeungConfig()
    values = 4 * config.window**2  # three colours and their squares
    check_request(sample, height, width, config.window, values)
    growth = _Growth(sample, height, width, config, seed)
    ticker = Ticker(height * width, callback)
    ticker.done = int(growth.known.sum())
    max_error = config.max_error
    with threads_for(sample, values):
        while not ticker.cancelled and not growth.known.all():
            filled, least_error = growth.grow_layer(max_error, ticker)
            while not filled and least_error >= max_error:
                max_error *= config.growth  # all that the paper's passes without success do
    return growth.picture()


def independent_batches(
    points: NDArray[np.intp], reach: int, batch: int
) -> Iterator[NDArray[np.intp]]:
    """Divide an ordered list of pixels into batches that can be searched at once.

    A pixel is in a batch after those of all earlier pixels of the list within its window, so that
    the result is that of a search in the order of the list.

    Args:
        points: Positions (y, x) in the order of the list, (n, 2).
        reach: Half the window: pixels with a larger Chebyshev distance do not depend on each other.
        batch: Most pixels in a batch; 1 yields the list in its order.

    Yields:
        Indices into ``points``, each index once.

    Example:
        >>> line = np.array([[0, 0], [0, 9], [0, 1], [0, 8]])
        >>> [part.tolist() for part in independent_batches(line, 2, 100)]
        [[0, 1], [2, 3]]
    """
    waiting = np.arange(len(points))
    pairs = np.empty((0, 2), dtype=np.intp)  # (earlier, later)
    if batch > 1:
        from scipy.spatial import cKDTree

        tree = cKDTree(points)
        pairs = np.sort(tree.query_pairs(reach + 0.5, p=np.inf, output_type="ndarray"), axis=1)
    while waiting.size:
        blocked = np.zeros(len(points), dtype=bool)
        blocked[pairs[:, 1]] = True
        ready = waiting[~blocked[waiting]]
        yield from (ready[i : i + batch] for i in range(0, ready.size, batch))
        waiting = waiting[blocked[waiting]]
        pairs = pairs[blocked[pairs[:, 0]]]


class _Growth:
    """The growing image, as a source map with a border of unknown pixels half a window wide."""

    def __init__(
        self, sample: Tensor, height: int, width: int, config: EfrosLeungConfig, seed: int
    ) -> None:
        self.sample, self.config = sample, config
        self.half = config.window // 2
        self.known = np.zeros((height, width), dtype=bool)
        self.stride = width + 2 * self.half
        size = (height + 2 * self.half) * self.stride
        self.source = torch.full((size,), -1, device=sample.device)
        random = torch.Generator().manual_seed(seed)
        # one random number for each pixel, so that the result does not depend on the batches
        self.priority = torch.rand(height, width, generator=random).numpy()
        self.draw = torch.rand(height * width, generator=random).to(sample.device)
        self._plant_seed(random)
        self._tabulate()

    def _plant_seed(self, random: torch.Generator) -> None:
        """Copy a random square of the sample to the middle of the image."""
        (h, w), (height, width) = self.sample.shape[2:], self.known.shape
        rows, columns = min(self.config.seed_size, height), min(self.config.seed_size, width)
        y0, x0 = (height - rows) // 2, (width - columns) // 2
        top = int(torch.randint(h - rows + 1, (), generator=random))
        left = int(torch.randint(w - columns + 1, (), generator=random))
        numbers = torch.arange(h * w, device=self.source.device).view(h, w)
        inner = self.source.view(-1, self.stride)[self.half :, self.half :]
        inner[y0 : y0 + rows, x0 : x0 + columns] = numbers[top : top + rows, left : left + columns]
        self.known[y0 : y0 + rows, x0 : x0 + columns] = True

    def _tabulate(self) -> None:
        """Store every window of the sample, with its squares, in a table for matrix products."""
        window, half, device = self.config.window, self.half, self.sample.device
        (h, w), palette = self.sample.shape[2:], to_palette(self.sample)
        grid = palette.T.reshape(1, 3, h, w)
        squares = grid.square().sum(dim=1, keepdim=True)
        planes = torch.cat([-2 * grid, squares], dim=1) / 3  # (1, 4, h, w)
        self.table = F.unfold(planes, window)[0]  # (4*window^2, N)
        centers = torch.arange(h * w, device=device).view(h, w)
        self.centers = centers[half : h - half, half : w - half].flatten()  # (N,)
        self.palette = torch.cat([palette, palette.new_zeros(1, 3)])  # index -1 is the zero row
        offsets = square(window, device)  # (window^2, 2)
        self.shifts = offsets[:, 0] * self.stride + offsets[:, 1]
        sigma = window / self.config.sigma_ratio
        self.gauss = torch.exp(-offsets.square().sum(dim=1) / (2 * sigma**2))  # (window^2,)

    def grow_layer(self, max_error: float, ticker: Ticker) -> tuple[int, float]:
        """Try to fill each unknown pixel next to a known one, most known neighbours first.

        Args:
            max_error: See :class:`EfrosLeungConfig`.
            ticker: Counts the pixels.

        Returns:
            The number of pixels that were filled, and the least error of all drawn windows.
        """
        points = self._frontier()
        filled, least_error = 0, float("inf")
        rows = max(1, min(self.config.batch, MAX_PRODUCT // len(self.centers)))
        for part in independent_batches(points, self.half, rows):
            chosen, errors = self._draw(points[part])
            least_error = min(least_error, float(errors.min()))
            accepted = (errors < max_error).cpu().numpy()
            y, x = points[part][accepted].T
            self.source[self._place(y, x)] = chosen[errors < max_error]
            self.known[y, x] = True
            filled += len(y)
            if ticker.tick(len(part), len(y), "growing", self.picture):
                break
        return filled, least_error

    def _frontier(self) -> NDArray[np.intp]:
        """Return the unknown pixels next to known ones, (n, 2), in the paper's order."""
        from scipy.ndimage import binary_dilation

        border = binary_dilation(self.known, np.ones((3, 3))) & ~self.known
        y, x = np.nonzero(border)
        known = self.source[self._place(y, x)[:, None] + self.shifts] >= 0  # (n, window^2)
        crowd = known.sum(dim=1).cpu().numpy()
        order = np.lexsort((self.priority[y, x], -crowd))
        return np.stack([y, x], axis=1)[order]

    def _place(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> Tensor:
        """Return indices into the flattened source map with its border, (n,)."""
        flat = (y + self.half) * self.stride + x + self.half
        return torch.from_numpy(flat).to(self.source.device)

    def _draw(self, points: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Draw a sample pixel for each output pixel.

        The error of window b for neighbourhood a is ``sum_k v_k |a_k - b_k|^2 / 3`` with
        ``v = gauss * known / sum(gauss * known)``. Expanded to ``v|a|^2 + v|b|^2 - 2vab``, it is
        computed for all a and b by one matrix product.

        Returns:
            Indices of the drawn sample pixels, and their errors, (n,) each.
        """
        y, x = points.T
        around = self.source[self._place(y, x)[:, None] + self.shifts]  # (n, window^2)
        weight = self.gauss * (around >= 0)
        weight = weight / weight.sum(dim=1, keepdim=True)
        colors = self.palette[around] * weight[:, :, None]  # (n, window^2, 3)
        squares = (colors * self.palette[around]).sum(dim=(1, 2)) / 3  # (n,)
        query = torch.cat([colors.transpose(1, 2).flatten(1), weight], dim=1)
        error = (query @ self.table + squares[:, None]).clamp_(min=0)  # (n, N)
        best = error.amin(dim=1, keepdim=True)
        fits = (error <= best * (1 + self.config.error_threshold) + TIE).cumsum(
            dim=1, dtype=torch.int32
        )
        numbers = torch.from_numpy(y * self.known.shape[1] + x).to(self.draw.device)
        rank = (self.draw[numbers].double() * fits[:, -1]).long()  # below the count: draw < 1
        index = (fits <= rank[:, None]).sum(dim=1)  # the first index whose count exceeds the rank
        return self.centers[index], error.gather(1, index[:, None])[:, 0]

    def picture(self) -> Tensor:
        """Return the current image, (1, 3, H, W)."""
        half, (height, width) = self.half, self.known.shape
        source = self.source.view(-1, self.stride)
        return gather_picture(source[half : half + height, half : half + width], self.sample)
