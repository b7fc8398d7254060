"""Frames that hang together: what was painted is carried along with the motion of the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.nn.norm_statistics import DRIFT, Shot
from impasto.video.flicker import Flicker
from impasto.video.flow import Motion, motion, warp

SMOOTH = 0.8

_CALM = 0.75  # of the smoothness: how much of the photo comes from the frame before
_LEVELS, _GAIN, _WINDOW = 4, 1.6, 15  # bands of detail; by how much each is raised; pixels
_SAME, _OTHER = 0.04, 0.12  # mean differences of colours that are strokes, and that are things
_CUT, _CHANGED, _BINS = 0.1, 0.5, 8
_FLAT = 0.01  # deviation of each channel below which a frame is of one colour

Paint = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class _Before:
    """The frame before: (1, 3, H, W) each, rounded to 16 bits, as a file keeps them.

    Attributes:
        photo: As it came.
        calm: With its noise taken out: what was painted.
        painted: What the method made of it.
        result: With what came before it.
        tones: The photo that the shot began with.
    """

    photo: Tensor
    calm: Tensor
    painted: Tensor
    result: Tensor
    tones: Tensor


class Steady:
    """Paints frames one after another.

    Three things keep them together. The statistics that the networks normalise by are those of the
    shot (:mod:`impasto.nn.norm_statistics`). The photo is blended with the one before, carried
    along by the motion, so that its noise does not become strokes. And so is what was painted:
    where the motion can be trusted, a share of the last result stays. Blending blurs, so the detail
    of the result is raised to the strength that it has in the frame as painted, band by band.

    Args:
        paint: Gives the painted picture of a photo (1, 3, H, W), and of the photo that its shot
            began with, whose colours count for the styles.
        steady: Whether the statistics are the shot's.
        smooth: 0 to below 1: the share of the last result where the motion can be trusted.
        plain: Paints a photo as it is, to measure what all this is worth; None leaves it.

    Attributes:
        flicker: What was measured.

    Raises:
        InputError: ``smooth`` is out of range.
    """

    def __init__(
        self,
        paint: Paint,
        *,
        steady: bool = True,
        smooth: float = SMOOTH,
        plain: Paint | None = None,
    ) -> None:
        if not 0 <= smooth < 1:
            raise InputError(f"smooth is {smooth}: it must be 0 to below 1, such as {SMOOTH}")
        self._paint, self._plain, self._smooth = paint, plain, smooth
        self._shot = Shot(DRIFT if steady else 1.0)
        self._before: _Before | None = None
        self.flicker = Flicker()
        self.shots = 0

    def __call__(self, photo: Tensor) -> Tensor:
        """The next frame, painted: (1, 3, H, W) to the same, on the CPU.

        Where painting it breaks off, all is as it was before.
        """
        photo = _rounded(photo)
        before = self._before
        way = None if before is None else motion(photo, before.photo)
        if way is None or before is None or _cut(photo, before.photo, way):
            return self._first(photo)
        if _flat(before.tones):
            return self._first(photo, another=False)
        calm = _rounded(_carried(photo, before.calm, way, _CALM * self._smooth))
        start = _carried(calm, before.result, way, 1.0) if self._smooth else None
        with self._shot.frame(start):
            painted = _rounded(self._paint(calm, before.tones))
        if not bool(painted.isfinite().all()):  # its statistics are of another kind of picture
            return self._first(photo)
        result = painted
        if self._smooth:
            old = warp(before.result, way.flow).clamp(0, 1)
            share = self._smooth * way.agree * _same_colour(painted, old)
            blended = torch.lerp(painted, old, share)
            result = _rounded(_with_detail(blended, painted, share / self._smooth))
        plain = None if self._plain is None else _rounded(self._plain(photo, photo))
        self.flicker.add(way, "steady", result, before.result)
        self.flicker.add(way, "painted", painted, before.painted)
        if plain is not None:
            self.flicker.add_plain(way, plain)
        self._before = _Before(photo, calm, painted, result, before.tones)
        return result

    def _first(self, photo: Tensor, *, another: bool = True) -> Tensor:
        """The first frame of a shot, be it another one or the same begun anew."""
        shot = Shot(self._shot.drift)
        with shot.frame():
            painted = _rounded(self._paint(photo, photo))
        self._shot = shot
        if self._plain is not None:
            self.flicker.begin_plain(painted)
        self.shots += another
        self._before = _Before(photo, photo, painted, painted, photo)
        return painted

    def state(self) -> dict[str, Tensor]:
        """All that the next frame depends on, by name."""
        if self._before is None:
            return {}
        pictures = {f"picture.{name}": one.half() for name, one in vars(self._before).items()}
        statistics = {f"shot.{name}": one for name, one in self._shot.state().items()}
        return {**pictures, **statistics, **self.flicker.state()}

    def restore(self, state: Mapping[str, Tensor], shots: int) -> None:
        """Go on from what :meth:`state` gave."""
        pictures = _under("picture.", state)
        self._before = _Before(**{name: one.float() for name, one in pictures.items()})
        self._shot.restore(_under("shot.", state))
        self.flicker.restore(state)
        self.shots = shots


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _rounded(picture: Tensor) -> Tensor:
    """In [0, 1], to the 16 bits that a state is kept in: who goes on later has the same numbers."""
    return picture.cpu().clamp(0, 1).half().float()


def _carried(now: Tensor, before: Tensor, way: Motion, share: float) -> Tensor:
    """A picture with a share of the one before, carried along, where that can be trusted."""
    if not share:
        return now
    return torch.lerp(now, warp(before, way.flow).clamp(0, 1), share * way.agree)


def _same_colour(painted: Tensor, old: Tensor) -> Tensor:
    """(1, 1, H, W), 1 to 0: less where two paintings differ by more than strokes.

    What a network paints around a thing goes where the thing goes, which the motion of the photo
    does not tell: without this it leaves a trail.
    """
    apart = F.avg_pool2d(painted - old, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
    apart = apart.abs().mean(1, keepdim=True)
    return ((_OTHER - apart) / (_OTHER - _SAME)).clamp(0, 1)


def _cut(now: Tensor, before: Tensor, way: Motion) -> bool:
    """Whether another shot begins."""
    agree = float(way.agree.mean())
    if agree < _CUT:
        return True
    counts = [_histogram(one) for one in (now, before)]
    return agree < _CHANGED and float((counts[0] - counts[1]).abs().sum()) / 2 > _CHANGED


def _flat(photo: Tensor) -> bool:
    """Whether a frame is of one colour, as before a fade: nothing can be normalised by it."""
    return float(photo.std(dim=(2, 3)).max()) < _FLAT


def _histogram(picture: Tensor) -> Tensor:
    """Shares of the colours, with so many bins a channel together: a sum of 1."""
    bins = (picture[0] * _BINS).long().clamp(0, _BINS - 1)  # (3, H, W)
    place = (bins[0] * _BINS + bins[1]) * _BINS + bins[2]
    return torch.bincount(place.flatten(), minlength=_BINS**3) / place.numel()


def _with_detail(blended: Tensor, painted: Tensor, agree: Tensor) -> Tensor:
    """Raise the detail of a blend to the strength that it has in a painted frame.

    Strokes that lie a little apart cancel in a mean, and carrying a picture along blurs it. The
    bands of a Laplacian pyramid (Burt and Adelson, 1983) show by how much, each in the
    neighbourhood of every pixel.
    """
    bands, low = _pyramid(blended)
    wanted, _ = _pyramid(painted)
    for band, other in zip(reversed(bands), reversed(wanted), strict=True):
        gain = ((_power(other) + 1e-6) / (_power(band) + 1e-6)).sqrt().clamp(1, _GAIN)
        here = F.interpolate(agree, band.shape[-2:], mode="bilinear", antialias=True)
        low = F.interpolate(low, band.shape[-2:], mode="bilinear") + band * torch.lerp(
            torch.ones_like(gain), gain, here.clamp(0, 1)
        )
    return low


def _pyramid(picture: Tensor) -> tuple[list[Tensor], Tensor]:
    """Bands (1, 3, h, w) from fine to coarse, and what is left."""
    bands = []
    for _ in range(_LEVELS):
        height, width = picture.shape[-2:]
        if min(height, width) < 2 * _WINDOW:
            break
        small = F.interpolate(picture, (height // 2, width // 2), mode="bilinear", antialias=True)
        bands.append(picture - F.interpolate(small, (height, width), mode="bilinear"))
        picture = small
    return bands, picture


def _power(band: Tensor) -> Tensor:
    """(1, 1, h, w): the mean square around each pixel."""
    around = F.avg_pool2d(band.square(), _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
    return around.mean(1, keepdim=True)
