"""Fast forms of instance normalisation, and of convolutions from and to three channels.

They equal ``torch.nn.functional.instance_norm`` and ``torch.nn.Conv2d``, whose kernels are slower
on CPUs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from impasto.nn.exporting import is_exporting
from impasto.nn.norm_statistics import Settle

_FEW = 8  # channels
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
    if settle is not None and not exported:
        return _settled_norm(x, weight, bias, eps, settle)
    if x.shape[1] <= _FEW and not exported and not x.is_contiguous():
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


def _settled_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, settle: Settle) -> Tensor:
    mean, variance = settle(*_statistics(x))
    rows = zip(x.split(1), mean, variance, _rows(weight, x), _rows(bias, x), strict=True)
    return _joined([F.batch_norm(p, m, v, w, b, False, eps=eps) for p, m, v, w, b in rows])


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
    found = [torch.batch_norm_update_stats(one, unused, unused, 0.0) for one in x.split(1)]
    means, variances = zip(*found, strict=True)
    return torch.stack(means), torch.stack(variances)


def _rows(table: Tensor, x: Tensor) -> list[Tensor]:
    return [table] * x.shape[0] if table.ndim == 1 else list(table)


class OfColours(nn.Conv2d):
    """A convolution from or to three channels, computed by :func:`valid_convolution`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if is_exporting():  # the optimisation is for torch's kernels
            return super()._conv_forward(input, weight, bias)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=mode)
        return valid_convolution(padded, weight, bias, self.stride[0])


def valid_convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> Tensor:
    """Compute a convolution without padding, faster than torch from or to three channels.

    On CPUs, three input channels are padded with zeros to four: in 16 bits that takes half the
    time. A convolution to three channels is computed as one of stride 2 to twelve channels, with
    the kernel at each of four offsets, and the results are interleaved: CPU kernels always compute
    a multiple of sixteen channels. The results are the same.

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
    if weight.shape[1] == 3 and x.device.type == "cpu":
        x, weight = (F.pad(one, (0, 0, 0, 0, 0, 1)) for one in (x, weight))
    even = all((side - weight.shape[2] + 1) % 2 == 0 for side in x.shape[2:])
    if weight.shape[0] != 3 or stride != 1 or not even:
        return F.conv2d(x, weight, bias, stride)
    shifted = [F.pad(weight, (right, 1 - right, down, 1 - down)) for down, right in _PLACES]
    kernel = torch.stack(shifted, 1).flatten(0, 1)  # (4*C', C, k + 1, k + 1)
    four = None if bias is None else bias.repeat_interleave(4)
    return F.pixel_shuffle(F.conv2d(x, kernel, four, stride=2), 2)
