"""Texture synthesis by a deterministic scan of a pyramid (Wei & Levoy, SIGGRAPH 2000).

The output starts as noise. Level by level from coarse to fine, and row by row, each pixel takes the
colour of the sample pixel whose neighbourhood is nearest. The neighbourhood consists of the
L-shaped part of a window that the scan has already finished, and of the whole window around the
parent pixel in the next coarser level. The paper finds an approximate nearest neighbour by
tree-structured vector quantisation; here the search is exact, by matrix products.

The image is a torus: a neighbour beyond an edge is read on the opposite side, so the result tiles.
As in the paper, neighbours that the scan has not reached are noise: those left of the first pixel
of a row, and above the first rows. This leaves a seam where the end of the scan meets its start; a
second pass with the whole window (``passes``) removes it.

On a torus a row may start at any column. Row ``y`` starts at column ``half * y`` (mod W), half a
window further right than the row above it. A pixel then depends on no pixel of the row above that
is more than ``2 * half`` steps ahead, so that pixels on a diagonal (:func:`fronts`) are independent
of each other. They are searched at once, with exactly the result of a sequential scan.
If all rows started at column 0, as in the paper, the first pixel of a row would depend on the last
pixel of the row above, and no two pixels would be independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.progress import Callback
from impasto.errors import InputError, check_range
from impasto.methods.optimization.resampling import (
    MAX_PRODUCT,
    Ticker,
    causal,
    check_request,
    check_window,
    gather_picture,
    nearest,
    square,
    threads_for,
    to_palette,
)


@dataclass(frozen=True)
class WeiLevoyConfig:
    """Hyperparameters of the method.

    Attributes:
        windows: Side of the neighbourhood in pixels at each level, finest first, odd, 1 to 25;
            one for each level. Coarse levels for which the sample is too small are left out. With
            a side of 1 the coarsest level stays noise.
        passes: Number of scans of each level. The first one is causal; each further one uses the
            whole window, which removes the seam where the torus closes. 1 is the paper's.
    """

    windows: tuple[int, ...] = (9, 9, 7)  # ours, chosen by eye on 64x64 samples
    passes: int = 2  # ours; section 5.1 uses a pass with the whole window to edit textures

    def __post_init__(self) -> None:
        if not self.windows:
            raise InputError("windows needs one number for each level of the pyramid")
        for window in self.windows:
            check_window("windows", window, 1, 25)
        check_range(1, passes=self.passes)

    @classmethod
    def paper(cls) -> WeiLevoyConfig:
        """Return the paper's: {1x1,1}, {3x3,2}, {5x5,2}, {7x7,2} from coarse to fine, one pass."""
        return cls(windows=(7, 5, 3, 1), passes=1)  # caption of figure 9


def parent_window(window: int) -> int:
    """Return the side of the window in the coarser level: half as large, and odd (figure 5)."""
    return window // 2 | 1


def wei_levoy(
    sample: Tensor,
    height: int,
    width: int,
    config: WeiLevoyConfig | None = None,
    *,
    seed: int = 0,
    callback: Callback | None = None,
) -> Tensor:
    """Synthesise a texture that tiles, by searching a pyramid from coarse to fine.

    Source: Wei & Levoy, "Fast Texture Synthesis using Tree-structured Vector Quantization",
    SIGGRAPH 2000, sections 2 and 3. It differs from the paper in the exact search, in the order of
    the rows, in the second pass (see the module), and in the noise: here the noise of each level
    has the histogram of the sample at that level; in the paper that of the finest level does, and
    the pyramid of the noise becomes grey.

    Args:
        sample: The texture, (1, 3, h, w) in [0, 1], at least as large as the finest window.
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        config: Hyperparameters; None is the default.
        seed: Of the noise; the same seed gives the same image.
        callback: Called after about every hundredth of the work. If it cancels, pixels that are
            not finished have the colours of the coarser level.

    Returns:
        (1, 3, height, width), each pixel a copy of a sample pixel; it tiles.

    Raises:
        InputError: The sample or the size cannot be used.
    """
    config = config or WeiLevoyConfig()
    values = max(3 * (w**2 + parent_window(w) ** 2) for w in config.windows)
    check_request(sample, height, width, config.windows[0], values)
    pyramid = build_pyramid(sample, config.windows)
    sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(len(pyramid))]
    random = torch.Generator().manual_seed(seed)
    ticker = Ticker(config.passes * sum(h * w for h, w in sizes), callback)
    level: _Level | None = None
    steps = [(depth, turn) for depth in range(len(pyramid))[::-1] for turn in range(config.passes)]
    with threads_for(sample, values):
        for depth, turn in steps:
            if turn == 0:
                level = _Level(pyramid[depth], sizes[depth], config.windows[depth], level, random)
                level.enlarged = (2**depth, height, width)
            assert level is not None
            level.scan(turn == 0, ticker, f"level {len(pyramid) - depth} of {len(pyramid)}")
            if ticker.cancelled:
                break
    assert level is not None
    return level.picture()


def build_pyramid(sample: Tensor, windows: tuple[int, ...]) -> list[Tensor]:
    """Compute the sample's Gaussian pyramid, with all levels into which the windows fit.

    Each level is the one before it, blurred with the binomial filter (1, 4, 6, 4, 1)/16 along both
    axes, with reflected edges, at every second pixel.

    Args:
        sample: (1, 3, h, w).
        windows: Side of the window at each level, the finest first.

    Returns:
        The levels from fine to coarse, (1, 3, ceil(h / 2**i), ceil(w / 2**i)).
    """
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=sample.device) / 16
    kernel = (taps[:, None] * taps).expand(3, 1, 5, 5)
    pyramid = [sample.float()]
    for finer, window in pairwise(windows):
        side = (min(pyramid[-1].shape[2:]) + 1) // 2
        if side < max(window, parent_window(finer) + 1):
            break
        padded = F.pad(pyramid[-1], (2, 2, 2, 2), mode="reflect")
        pyramid.append(F.conv2d(padded, kernel, stride=2, groups=3))
    return pyramid


def fronts(height: int, width: int, half: int) -> Iterator[Tensor]:
    """Divide the scan of a torus into fronts of pixels that do not depend on each other.

    The scan goes row by row; row ``y`` starts at column ``half * y`` and goes once around. For any
    neighbourhood within ``half`` of the pixel, to search front after front, each at once, has the
    same result as to search pixel after pixel.

    Args:
        height: Rows of the torus.
        width: Columns of the torus.
        half: Half the window in pixels.

    Yields:
        Positions (y, x), (n, 2); over all fronts, each position once.

    Example:
        >>> [front.tolist() for front in fronts(1, 3, 1)]
        [[[0, 0]], [[0, 1]], [[0, 2]]]
    """
    rows_apart = height - 2 * half + 1  # from the last rows to those below them, around the torus
    lag = min(width, max(2 * half + 1, -(-width // rows_apart))) if rows_apart > 0 else width
    for time in range(lag * (height - 1) + width):
        first = max(0, -((width - 1 - time) // lag))
        y = torch.arange(first, min(height - 1, time // lag) + 1)
        yield torch.stack([y, (time - lag * y + half * y) % width], dim=1)


class _Level:
    """One level of the output pyramid, as a source map that starts as noise."""

    def __init__(
        self,
        sample: Tensor,
        size: tuple[int, int],
        window: int,
        coarser: _Level | None,
        random: torch.Generator,
    ) -> None:
        self.sample, self.size, self.window, self.coarser = sample, size, window, coarser
        self.enlarged = (1, *size)
        device = sample.device
        self.palette = to_palette(sample)  # (h*w, 3)
        self.parents = square(parent_window(window) if coarser else 0, device)  # (m, 2)
        # every sample pixel occurs equally often, so that the noise has the sample's histogram
        count, pixels = size[0] * size[1], len(self.palette)
        rounds = [torch.randperm(pixels, generator=random) for _ in range(-(-count // pixels))]
        shuffle = torch.randperm(count, generator=random)
        self.source = torch.cat(rounds)[:count][shuffle].view(size).to(device)
        self.done = torch.zeros(size, dtype=torch.bool, device=device)

    def scan(self, is_first: bool, ticker: Ticker, stage: str) -> None:
        """Search every pixel once, with the causal window in the first pass, then the whole one."""
        whole = square(self.window, self.sample.device)
        near = causal(self.window, self.sample.device)
        if not is_first:
            near = whole[whole.any(dim=1)]
        if len(near) + len(self.parents) == 0:  # no neighbours to compare: the noise stays
            self.done[:] = True
            ticker.tick(self.done.numel(), self.done.numel(), stage, self.picture)
            return
        table, norms, centers = self._tabulate(near, is_first)
        rows = max(1, MAX_PRODUCT // len(centers))
        for front in fronts(*self.size, self.window // 2):
            for part in torch.split(front.to(self.source.device), rows):
                y, x = part.T
                self.source[y, x] = centers[nearest(self._look(part, near), table, norms)]
                self.done[y, x] = True
            if ticker.tick(len(front), len(front), stage, self.picture):
                return

    def _tabulate(self, near: Tensor, is_first: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Store all neighbourhoods that lie inside the sample in a table.

        Returns:
            Neighbourhoods b, (N, D); ``|b|^2``, (N,); indices of their sample pixels, (N,).
        """
        half, (h, w) = self.window // 2, self.sample.shape[2:]
        device = self.sample.device
        y = torch.arange(half, h if is_first else h - half, device=device)
        x = torch.arange(half, w - half, device=device)
        if self.coarser:
            (rows, columns), reach = self.coarser.sample.shape[2:], parent_window(self.window) // 2
            y = y[(y // 2 >= reach) & (y // 2 < rows - reach)]
            x = x[(x // 2 >= reach) & (x // 2 < columns - reach)]
        centers = (y[:, None] * w + x).flatten()  # (N,)
        table = self.palette.new_empty(len(centers), 3 * (len(near) + len(self.parents)))
        for i, (dy, dx) in enumerate(near.tolist()):
            table[:, 3 * i : 3 * i + 3] = self.palette[centers + dy * w + dx]
        for i, (dy, dx) in enumerate(self.parents.tolist(), start=len(near)):
            assert self.coarser is not None
            indices = ((y // 2 + dy)[:, None] * columns + x // 2 + dx).flatten()
            table[:, 3 * i : 3 * i + 3] = self.coarser.palette[indices]
        return table, torch.linalg.vector_norm(table, dim=1).square(), centers

    def _look(self, points: Tensor, near: Tensor) -> Tensor:
        """Return the current neighbourhoods of output pixels on the torus, (n, D)."""
        y, x = (points[:, None] + near).unbind(dim=2)  # (n, k)
        H, W = self.size
        seen = self.palette[self.source[y % H, x % W]].flatten(1)
        if self.coarser is None:
            return seen
        y, x = (points[:, None] // 2 + self.parents).unbind(dim=2)  # (n, m)
        H, W = self.coarser.size
        above = self.coarser.palette[self.coarser.source[y % H, x % W]].flatten(1)
        return torch.cat([seen, above], dim=1)

    def picture(self) -> Tensor:
        """Return the current image (1, 3, height, width), each pixel enlarged to a square."""
        picture = gather_picture(torch.where(self.done, self.source, -1), self.sample)
        if self.coarser and not self.done.all():
            below = gather_picture(self.coarser.source, self.coarser.sample)
            below = _enlarge(below, 2, *self.size)
            picture = torch.where(self.done, picture, below)
        return _enlarge(picture, *self.enlarged)


def _enlarge(picture: Tensor, factor: int, height: int, width: int) -> Tensor:
    """Repeat each pixel ``factor`` times along both axes, and crop to height and width."""
    large = picture.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    return large[:, :, :height, :width]
