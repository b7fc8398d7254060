"""A network over strips of a picture, with the instance norms of the whole: the same, in less room.

An instance norm needs the statistics of a whole map before the next convolution can begin. So the
network runs link by link: over all strips of rows of a link's map, sums for its norm are gathered,
and then the next link begins. Maps of a quarter of the picture's sides or less are kept; larger
ones are made anew from the last that was kept, for each link that wants them, which costs half as
much again as one pass. No map of the picture's own size is ever there, but for the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.core.memory import spare_memory
from impasto.nn import norm_statistics
from impasto.nn.blocks import valid_convolution
from impasto.nn.links import Chain, Link
from impasto.nn.upsampling import doubled

_KEPT = 4  # times smaller than the picture: maps that are kept
_ROWS = 1 << 18  # positions of a strip


def paint(
    image: Tensor,
    chain: Chain,
    *,
    dtype: torch.dtype,
    eps: float = 1e-5,
) -> Tensor:
    """Send one picture through a chain of links, strip by strip.

    Args:
        image: (1, 3, H, W), sides that all strides divide.
        chain: The links.
        dtype: Of the convolutions and of the maps that are kept.
        eps: Added to the variances.

    Returns:
        (1, 3, H, W), float32.
    """
    plain = torch.autocast(image.device.type, enabled=False)
    with torch.inference_mode(), plain, spare_memory():
        return _Strips(image, chain.links, dtype, eps).run(chain.finish)


class _Strips:
    """The maps and statistics of one picture on its way through the links."""

    def __init__(
        self, image: Tensor, links: Sequence[Link], dtype: torch.dtype, eps: float
    ) -> None:
        self.image, self.links, self.dtype, self.eps = image, links, dtype, eps
        self.kernels = [_laid_out(link.weight, dtype) for link in links]
        self.sizes = _sizes(links, image.shape[-2], image.shape[-1])
        self.norms: dict[int, list[Tensor]] = {}  # mean, variance, scale, shift, (C',) each
        self.kept: dict[int, Tensor] = {}
        self.lent: tuple[int, int, Tensor] | None = None  # rows that were overwritten

    def run(self, finish: Callable[[Tensor], Tensor]) -> Tensor:
        last = len(self.links) - 1
        for index in range(last):
            self._measure(index)
            self._forget(index)
        made = torch.empty(self.image.shape, dtype=torch.float32, device=self.image.device)
        statistics = _Statistics()
        for start, stop, rows in self._strips(last):
            made[..., start:stop, :] = rows
            statistics.add(rows)
        self._settle(last, statistics)
        for part in made.split(self._height(last), 2):
            part.copy_(finish(self._followed(last, part)))
        return made

    def _measure(self, index: int) -> None:
        """Gather a link's statistics, and keep its map if it is small."""
        height, width = self.sizes[index]
        statistics = _Statistics()
        small = self.image.shape[-1] >= _KEPT * width
        inside = small and self._last_use(index - 1) == index and self._fits(index)
        if small:
            shape = (1, self.links[index].weight.shape[0], height, width)
            device, last = self.image.device, torch.channels_last
            room = self.kept[index - 1] if inside else None
            if room is None:
                room = torch.empty(shape, dtype=self.dtype, device=device, memory_format=last)
        for start, stop, rows in self._strips(index):
            statistics.add(rows)
            if small:
                assert room is not None
                if inside:  # what the next strip still needs of what lies here now
                    before = self.links[index].borders[0]
                    keep = max(start, stop - before)
                    self.lent = keep, stop, room[..., keep:stop, :].clone()
                room[..., start:stop, :] = rows
        self._settle(index, statistics)
        self.lent = None
        if small:
            assert room is not None
            for start, stop in self._spans(index):
                part = self._followed(index, room[..., start:stop, :])
                back = self.links[index].shortcut
                if back:
                    part = part + self._rows(index - back, start, stop)
                room[..., start:stop, :] = part
            self.kept.pop(index - 1, None) if inside else None
            self.kept[index] = room

    def _fits(self, index: int) -> bool:
        """Whether a link's map may take the place of the one before."""
        link = self.links[index]
        plain = link.stride == 1 and link.enlarge is None
        return plain and index - 1 in self.kept and link.weight.shape[0] == link.weight.shape[1]

    def _last_use(self, index: int) -> int:
        """The last link that reads the map of another."""
        uses = [index + 1]
        for later, link in enumerate(self.links):
            if link.shortcut and later - link.shortcut == index:
                uses.append(later)
        if not self._stays(index + 1):  # which is made anew, whenever one after it is
            following = next(
                (i for i in range(index + 1, len(self.links)) if self._stays(i)), len(self.links)
            )
            uses.append(following)
        return max(uses)

    def _stays(self, index: int) -> bool:
        return index < len(self.links) and self.image.shape[-1] >= _KEPT * self.sizes[index][1]

    def _forget(self, index: int) -> None:
        for old in [old for old in self.kept if old < index and self._last_use(old) <= index]:
            del self.kept[old]

    def _settle(self, index: int, statistics: _Statistics) -> None:
        """Turn a norm into a scale and a shift of each channel, now that all is known."""
        link = self.links[index]
        if link.scale is None:
            return
        assert link.shift is not None
        mean, variance = (
            one[0] for one in norm_statistics.settled(*(m[None] for m in statistics.moments()))
        )
        parts = (mean, variance, link.scale, link.shift)
        self.norms[index] = [part.detach().float() for part in parts]

    def _height(self, index: int) -> int:
        """Of a strip: even, so that every strip begins on a row of the smaller map."""
        return max(16, _ROWS // self.sizes[index][1] // 16 * 16)

    def _spans(self, index: int) -> Iterator[tuple[int, int]]:
        height, step = self.sizes[index][0], self._height(index)
        for start in range(0, height, step):
            yield start, min(start + step, height)

    def _strips(self, index: int) -> Iterator[tuple[int, int, Tensor]]:
        for start, stop in self._spans(index):
            yield start, stop, self._convolved(index, start, stop)

    def _convolved(self, index: int, start: int, stop: int) -> Tensor:
        """Rows of a link's convolution, before its norm."""
        link = self.links[index]
        before, after = link.borders
        first, end = start * link.stride - before, (stop - 1) * link.stride + 1 + after
        height = (2 if link.enlarge else 1) * self._size(index - 1)
        top, bottom = max(0, -first), max(0, end - height)
        x = self._source(index - 1, first + top, end - bottom, link.enlarge)
        x = F.pad(x, (before, after, top, bottom), mode="reflect")
        bias = None if link.bias is None else link.bias.to(x.dtype)
        return valid_convolution(x, self.kernels[index], bias, link.stride)

    def _size(self, index: int) -> int:
        """The height of a map, or of the picture for -1."""
        return self.image.shape[2] if index < 0 else self.sizes[index][0]

    def _source(self, index: int, first: int, end: int, enlarge: str | None) -> Tensor:
        """Rows of a map, or of it at twice its size."""
        if enlarge is None:
            return self._rows(index, first, end)
        margin = 0 if enlarge == "nearest" else 1
        top = max(0, first // 2 - margin)
        bottom = min(self._size(index), (end + 1) // 2 + margin)
        x = doubled(self._rows(index, top, bottom), enlarge)
        return x[..., first - 2 * top : end - 2 * top, :]

    def _rows(self, index: int, start: int, stop: int) -> Tensor:
        """Rows of a map, after norm, ReLU and shortcut; of the picture itself for -1."""
        if index < 0:
            x = (self.image[..., start:stop, :] * 2 - 1).to(self.dtype)
            return x.contiguous(memory_format=torch.channels_last)
        if index in self.kept:
            rows = self.kept[index][..., start:stop, :]
            if self.lent is None or start >= self.lent[1]:
                return rows
            low, high, old = self.lent
            return torch.cat([old[..., start - low :, :], self.kept[index][..., high:stop, :]], 2)
        made = self._followed(index, self._convolved(index, start, stop))
        back = self.links[index].shortcut
        return made + self._rows(index - back, start, stop) if back else made

    def _followed(self, index: int, rows: Tensor) -> Tensor:
        """Norm and ReLU of a link's rows, in their own format."""
        if index in self.norms:
            mean, variance, scale, shift = self.norms[index]
            rows = F.batch_norm(rows, mean, variance, scale, shift, eps=self.eps)
        return F.relu(rows) if self.links[index].relu else rows


class _Statistics:
    """Means and variances of channels, gathered strip by strip in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())

    def add(self, rows: Tensor) -> None:
        """Take in (1, C, h, w)."""
        count, channels = rows.shape[2] * rows.shape[3], rows.shape[1]
        mean, variance = rows.new_zeros(2, channels, dtype=torch.float32)
        # of all that computes these, the kernel of batch norm is by far the fastest
        torch.batch_norm_update_stats(rows, mean, variance, 1.0)
        mean, variance = mean.double(), variance.double() * ((count - 1) / count)  # (C,)
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + count * (variance + apart.square() * self.count / total)
        self.mean = self.mean + apart * count / total
        self.count = total

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance, (C,) each."""
        return self.mean, self.squares / self.count


def _laid_out(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)


def _sizes(links: Sequence[Link], height: int, width: int) -> list[tuple[int, int]]:
    """Rows and columns of each link's map."""
    sizes = []
    for link in links:
        factor = 2 if link.enlarge else 1
        height, width = (side * factor // link.stride for side in (height, width))
        sizes.append((height, width))
    return sizes
