"""Fast forms of instance normalisation and of convolutions, with the results of torch's.

``torch.nn.functional.instance_norm`` and ``torch.nn.Conv2d`` are slower on CPUs, most of all with
few channels: kernels compute multiples of sixteen. Here a block of positions is read as channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.nn.exporting import is_exporting
from impasto.nn.norm_statistics import Settle

_FEW = 16  # channels, up to which a block of positions is read as channels
_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


def instance_norm(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5, settle: Settle | None = None
) -> Tensor:
    """Normalise each channel of each image, then scale and shift it.

    Args:
        x: (B, C, H, W) in any float format.
        weight: Scales, (C,) for all images, or (B, C).
        bias: Shifts, shaped like ``weight``.
        eps: Added to the variance.
        settle: Returns the means and variances to normalise by, (B, C) each, from those of ``x``;
            None uses those of ``x``. See :mod:`impasto.nn.norm_statistics`.

    Returns:
        (B, C, H, W) in the format of ``x``, never a view of an input.
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(instance_norm, (x,), x, weight, bias, eps, settle)
        return made
    if x.dtype is torch.float64:  # its kernels require one format; those for 16 bits do not
        weight, bias = weight.double(), bias.double()
    if x.shape[-1] * x.shape[-2] == 1:  # a single position has variance 0
        # a sum, not a view: a ReLU in place would change the bias
        return torch.zeros_like(x) + bias.to(x.dtype).view(-1, x.shape[1], 1, 1)
    exported = is_exporting()
    if settle is None and not exported and _is_thin(x):
        settle = _own
    if settle is not None and not exported:
        return _settled_norm(x, weight, bias, eps, settle)
    if x.shape[1] <= _FEW // 2 and not exported and not x.is_contiguous():
        # with few channels, the channels_last kernel is slow
        made = instance_norm(x.contiguous(), weight, bias, eps)
        return made.contiguous(memory_format=torch.channels_last)
    # ONNX has an instance norm, but no batch norm that takes the statistics of its own batch.
    if weight.ndim == 1 and (exported or x.device.type != "cpu"):
        return F.instance_norm(x, weight=weight.to(x.dtype), bias=bias.to(x.dtype), eps=eps)
    # For a single image batch norm equals instance norm, and on CPUs with channels_last its kernel
    # is several times faster than torch's instance norm, forward and backward.
    images = [x] if x.shape[0] == 1 else x.split(1)  # litert-torch knows no split into one part
    rows = zip(images, _rows(weight, x), _rows(bias, x), strict=True)
    norm = F.instance_norm if exported else F.batch_norm
    return _joined([norm(p, None, None, w, b, True, eps=eps) for p, w, b in rows])


def _own(*statistics: Tensor) -> tuple[Tensor, ...]:
    return statistics


def _blocks(x: Tensor) -> Tensor:
    """View a map (1, C, H, W) of few channels as (1, 16*C, H/4, W/4), without a copy.

    Channel i is a part of channel i modulo C; which positions are in a block is of no account.
    """
    _, channels, height, width = x.shape
    if height % 4 or width % 4 or not _is_thin(x):
        return x
    rows = x.permute(0, 2, 3, 1).reshape(1, height // 4, width // 4, 16 * channels)
    return rows.permute(0, 3, 1, 2)


def _settled_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, settle: Settle) -> Tensor:
    mean, variance = settle(*_statistics(x))
    made = []
    for one, *row in zip(x.split(1), mean, variance, _rows(weight, x), _rows(bias, x), strict=True):
        blocks = _blocks(one)
        m, v, w, b = (value.repeat(blocks.shape[1] // len(value)) for value in row)
        normed = F.batch_norm(blocks, m, v, w, b, False, eps=eps).permute(0, 2, 3, 1)
        made.append(normed.reshape(1, *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2))
    return _joined(made)


def _joined(images: list[Tensor]) -> Tensor:
    """Return a batch of maps (1, C, H, W); a single one without copying it."""
    return images[0] if len(images) == 1 else torch.cat(images)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means and variances (B, C) of maps (B, C, H, W), in float32 or better.

    On CPUs the kernel of batch norm takes a tenth of the time of ``torch.var_mean``.
    """
    if x.device.type != "cpu":
        variance, mean = torch.var_mean(x.float(), (2, 3), correction=0)
        return mean, variance
    exact = torch.promote_types(x.dtype, torch.float32)
    unused = torch.zeros(x.shape[1], dtype=exact)  # the result has the format of this
    found = []
    for one in map(_blocks, x.split(1)):
        zeros = unused.repeat(one.shape[1] // len(unused))
        parts = torch.batch_norm_update_stats(one, zeros, zeros, 0.0)
        mean, variance = (part.view(-1, len(unused)) for part in parts)  # of each position
        found.append((mean.mean(0), variance.mean(0) + mean.var(0, correction=0)))
    means, variances = zip(*found, strict=True)
    return torch.stack(means), torch.stack(variances)


def _rows(table: Tensor, x: Tensor) -> list[Tensor]:
    return [table] * x.shape[0] if table.ndim == 1 else list(table)


def pad_map(x: Tensor, around: Sequence[int], mode: str) -> Tensor:
    """Pad a map in its own format: autocast would convert it to float32 and back.

    With few channels torch's kernel is slow: the map is copied, and then its borders.

    Args:
        x: (B, C, H, W).
        around: Left, right, above and below.
        mode: As for ``torch.nn.functional.pad``.
    """
    reach = around[0]
    even = mode == "reflect" and set(around) == {reach}
    if even and 0 < reach < min(x.shape[2:]) and _is_thin(x):
        rows = x.permute(0, 2, 3, 1)
        batch, height, width, channels = rows.shape
        made = rows.new_empty(batch, height + 2 * reach, width + 2 * reach, channels)
        middle = made[:, reach:-reach]
        middle[:, :, reach:-reach] = rows
        middle[:, :, :reach] = rows[:, :, 1 : reach + 1].flip(2)
        middle[:, :, -reach:] = rows[:, :, -reach - 1 : -1].flip(2)
        made[:, :reach] = middle[:, 1 : reach + 1].flip(1)
        made[:, -reach:] = middle[:, -reach - 1 : -1].flip(1)
        return made.permute(0, 3, 1, 2)
    if not torch.is_autocast_enabled(x.device.type):
        return F.pad(x, around, mode=mode)
    with torch.autocast(x.device.type, enabled=False):
        return F.pad(x, around, mode=mode)


def _is_thin(x: Tensor) -> bool:
    """Check whether a map has channels so few that other kernels than torch's are faster."""
    return (
        x.shape[1] <= _FEW
        and x.device.type == "cpu"
        and not (has_torch_function_unary(x) or x.requires_grad)
        and x.is_contiguous(memory_format=torch.channels_last)
    )


class Convolution(nn.Conv2d):
    """A convolution that pads in the format of the map, and from or to three channels is faster."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        colours = 3 in {self.in_channels, self.out_channels}
        if is_exporting() or (self.padding_mode == "zeros" and not colours):
            return super()._conv_forward(input, weight, bias)  # in other runtimes that is faster
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        padded = pad_map(input, self._reversed_padding_repeated_twice, mode)
        return valid_convolution(padded, weight, bias, self.stride[0])


def valid_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> Tensor:
    """Compute a convolution without padding, faster than torch from or to three channels.

    On CPUs, three input channels are padded with zeros to four: in 16 bits that takes half the
    time. Where a side of the kernel is odd and those of the result are even, a convolution to three
    channels, or from three to sixteen at most, is computed at every second position, with the
    kernel at each of four offsets, and the results are interleaved. The results are the same.

    Args:
        x: (B, C, H, W).
        weight: (C', C, k, k).
        bias: (C',), or None.
        stride: Stride of the convolution.

    Returns:
        (B, C', (H - k) / stride + 1, (W - k) / stride + 1), rounded down.
    """
    if has_torch_function_unary(x):  # a map in strips
        made: Tensor = handle_torch_function(valid_convolution, (x,), x, weight, bias, stride)
        return made
    colours = weight.shape[1] == 3 and x.device.type == "cpu"
    if colours:
        x, weight = (F.pad(one, (0, 0, 0, 0, 0, 1)) for one in (x, weight))
    side = weight.shape[2]
    even = side % 2 and not any((length - side + 1) % 2 for length in x.shape[2:])
    thin = weight.shape[0] == 3 or (colours and weight.shape[0] <= _FEW and side > 3)
    if not (thin and even and stride == 1):
        return F.conv2d(x, weight, bias, stride)
    # (4*C', C, k + 1, k + 1), where the offset comes before the channel
    kernel = torch.cat(
        [F.pad(weight, (right, 1 - right, down, 1 - down)) for down, right in _PLACES]
    )
    four = None if bias is None else bias.repeat(4)
    if colours:  # the positions of a square are sixteen channels
        return interleaved(F.conv2d(_squares(x), _squares(kernel), four))
    return interleaved(F.conv2d(x, kernel, four, stride=2))


def _squares(x: Tensor) -> Tensor:
    """Make the four positions of each square of a map channels: (B, 4*C, H/2, W/2)."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2 * channels)
    packed = rows.transpose(2, 3).reshape(batch, height // 2, width // 2, 4 * channels)
    return packed.permute(0, 3, 1, 2)


def interleaved(x: Tensor) -> Tensor:
    """Return (B, C, 2*H, 2*W) from (B, 4*C, H, W), whose channels are those of four positions."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height, width, 2, channels // 2)
    made = rows.transpose(2, 3).reshape(batch, 2 * height, 2 * width, channels // 4)
    return made.permute(0, 3, 1, 2)
