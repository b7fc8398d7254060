"""Stylize frames with temporal consistency, by blending with the warped previous result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.base import Frame
from impasto.nn.norm_statistics import DRIFT, StatisticsStore
from impasto.video.flicker import Flicker
from impasto.video.flow import Motion, by_planes, estimate_motion, opencv, warp, window_mean

SMOOTH = 0.8

_DENOISE_FRACTION = (
    0.75  # fraction of ``smooth`` at which the previous photo is blended into the photo
)
_LEVELS, _GAIN, _WINDOW = 4, 1.6, 15  # pyramid levels; largest gain of a level; window, in pixels
# mean colour differences that still count as strokes, and that count as another object
_STROKE_DIFFERENCE, _OBJECT_DIFFERENCE = 0.04, 0.12
_CUT, _CHANGED, _BINS = 0.1, 0.5, 8
_FLAT = 0.01  # standard deviation of each channel below which a frame is uniform

Paint = Callable[[Tensor, Tensor, Frame | None], Tensor]


@dataclass(frozen=True, eq=False)
class _PreviousFrame:
    """State of the previous frame: (1, 3, H, W) each, rounded to float16, as they are saved.

    Attributes:
        photo: The source frame.
        calm: The photo after temporal denoising, which was stylized.
        painted: The stylized frame before blending.
        result: Returns the stylized frame after blending.
        tones: The first photo of the shot.
    """

    photo: Tensor
    calm: Tensor
    painted: Tensor
    result: Callable[[], Tensor]
    tones: Tensor


class TemporalStylizer:
    """Stylize frames one after another, with temporal consistency.

    Three measures reduce flicker. The statistics that the networks normalise by are those of the
    shot (:mod:`impasto.nn.norm_statistics`). Each photo is blended with the previous one, warped by
    the motion, so that its noise does not become strokes. The stylized frame is blended with the
    warped previous result where the motion is reliable. Blending blurs, so the detail of the result
    is amplified to the strength that it has in the frame before blending, band by band.

    Args:
        paint: Stylizes a photo (1, 3, H, W). The second argument is the first photo of the shot,
            whose colours the styles take; the third is the input from the frames before.
        steady: Whether the statistics are the shot's.
        smooth: 0 to below 1: the blending weight of the previous result where motion is reliable.
        plain: Stylizes a photo independently, to measure flicker without these measures; None
            skips this.
        starts: Whether stylizing starts from the frame before; if not, blending can wait.

    Attributes:
        flicker: The measurements.

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
        starts: bool = True,
    ) -> None:
        if not 0 <= smooth < 1:
            raise InputError(f"smooth is {smooth}: it must be 0 to below 1, such as {SMOOTH}")
        self._paint, self._plain, self._smooth, self._starts = paint, plain, smooth, starts
        self._shot = StatisticsStore(DRIFT if steady else 1.0)
        self._before: _PreviousFrame | None = None
        self.flicker = Flicker()
        self.shots = 0

    def __call__(self, photo: Tensor, motion: Motion | None = None) -> Tensor:
        """Stylize the next frame and blend it, see :meth:`begin`."""
        return self.begin(photo, motion)()

    def begin(self, photo: Tensor, motion: Motion | None = None) -> Callable[[], Tensor]:
        """Stylize the next frame, (1, 3, H, W); return a function that blends it to the same.

        Blending needs no network: another thread may do it while the next frame is stylized. If
        stylizing raises an exception, the state is unchanged.

        Args:
            photo: The frame.
            motion: From the frame before, both :func:`rounded`; estimated if None.
        """
        photo = rounded(photo)
        before = self._before
        if motion is None and before is not None:
            motion = estimate_motion(photo, before.photo)
        if motion is None or before is None or _is_new_shot(photo, before.photo, motion):
            return self._first(photo)
        if _is_uniform(before.tones):
            return self._first(photo, another=False)
        calm, start = photo, None
        if self._smooth:
            earlier = warp(before.calm, motion.flow).clamp_(0, 1)
            calm = rounded(_blended(photo, earlier, motion, _DENOISE_FRACTION * self._smooth))
            if self._starts:
                start = _blended(calm, _warped(before.result(), motion), motion, 1.0)
        with self._shot.frame():
            painted = rounded(self._paint(calm, before.tones, Frame(self._shot, start)))
        if bool(painted.sum().isnan()):  # the statistics come from a very different image
            return self._first(photo)
        plain = None if self._plain is None else rounded(self._plain(photo, photo, None))
        blend = Once(partial(self._blend, painted, before, motion, plain))
        self._before = _PreviousFrame(photo, calm, painted, blend, before.tones)
        return blend

    def _blend(
        self, painted: Tensor, before: _PreviousFrame, motion: Motion, plain: Tensor | None
    ) -> Tensor:
        """Blend a stylized frame with the previous result, and measure flicker."""
        result, old = painted, _warped(before.result(), motion)
        if self._smooth:
            weight = self._smooth * motion.confidence * _color_agreement(painted, old)
            blended = torch.lerp(painted, old, weight)
            result = rounded(_with_detail(blended, painted, weight / self._smooth))
        self.flicker.add(motion, "steady", result, old)
        self.flicker.add(motion, "painted", painted, warp(before.painted, motion.flow))
        if plain is not None:
            self.flicker.add_plain(motion, plain)
        return result

    def _first(self, photo: Tensor, *, another: bool = True) -> Callable[[], Tensor]:
        """Stylize the first frame of a shot, which is a new one or the current one restarted."""
        shot = StatisticsStore(self._shot.drift)
        with shot.frame():
            painted = rounded(self._paint(photo, photo, Frame(shot)))
        self._shot = shot
        if self._before is not None:
            self._before.result()  # flicker is measured in the order of the frames
        if self._plain is not None:
            self.flicker.begin_plain(painted)
        self.shots += another
        self._before = _PreviousFrame(photo, photo, painted, lambda: painted, photo)
        return self._before.result

    def state(self) -> dict[str, Tensor]:
        """Return the state that the next frame depends on, by name."""
        if self._before is None:
            return {}
        found = {**vars(self._before), "result": self._before.result()}
        pictures = {f"picture.{name}": one.half() for name, one in found.items()}
        statistics = {f"shot.{name}": one for name, one in self._shot.state().items()}
        return {**pictures, **statistics, **self.flicker.state()}

    def restore(self, state: Mapping[str, Tensor], shots: int) -> None:
        """Restore the state from :meth:`state`."""
        pictures = {k: v.float() for k, v in _without_prefix("picture.", state).items()}
        result = pictures.pop("result")
        self._before = _PreviousFrame(**pictures, result=lambda: result)
        self._shot.restore(_without_prefix("shot.", state))
        self.flicker.restore(state)
        self.shots = shots


def _without_prefix(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


class Once:
    """A function without arguments that is called once, by the first of several threads."""

    def __init__(self, compute: Callable[[], Tensor]) -> None:
        self._compute: Callable[[], Tensor] | None = compute
        self._lock = Lock()

    def __call__(self) -> Tensor:
        """Return the result; it is computed if it is not there."""
        with self._lock:
            if self._compute is not None:
                self._result, self._compute = self._compute(), None  # which holds frames
        return self._result


def rounded(picture: Tensor) -> Tensor:
    """Round to float16 in [0, 1], the precision of saved states: resuming changes nothing."""
    return picture.cpu().clamp(0, 1).half().float()


def _warped(result: Tensor, motion: Motion) -> Tensor:
    """Return the previous result where the motion has brought it."""
    return warp(result, motion.flow).clamp_(0, 1)


def _blended(now: Tensor, old: Tensor, motion: Motion, weight: float) -> Tensor:
    """Blend an image with the warped previous one, weighted by the motion's confidence."""
    return torch.lerp(now, old, weight * motion.confidence)


def _color_agreement(painted: Tensor, old: Tensor) -> Tensor:
    """Return (1, 1, H, W), 1 to 0: less where two stylized images differ by more than strokes.

    What a network draws around an object moves with the object, while the motion of the photo at
    these pixels is that of the background: without this weight, a trail remains.
    """
    apart = window_mean(painted - old, _WINDOW).abs().mean(1, keepdim=True)
    return ((_OBJECT_DIFFERENCE - apart) / (_OBJECT_DIFFERENCE - _STROKE_DIFFERENCE)).clamp(0, 1)


def _is_new_shot(now: Tensor, before: Tensor, motion: Motion) -> bool:
    """Check whether a new shot begins."""
    confidence = float(motion.confidence.mean())
    if not _CUT <= confidence < _CHANGED:
        return confidence < _CUT
    counts = [_histogram(one) for one in (now, before)]
    return float((counts[0] - counts[1]).abs().sum()) / 2 > _CHANGED


def _is_uniform(photo: Tensor) -> bool:
    """Check whether a frame is uniform, so that its statistics cannot normalise others."""
    return float(photo.numpy().std(axis=(2, 3)).max()) < _FLAT  # torch takes ten times as long


def _histogram(picture: Tensor) -> Tensor:
    """Return the normalized histogram of the colours, with ``_BINS`` bins per channel."""
    bins = (picture[0] * _BINS).long().clamp(0, _BINS - 1)  # (3, H, W)
    index = (bins[0] * _BINS + bins[1]) * _BINS + bins[2]
    return torch.bincount(index.flatten(), minlength=_BINS**3) / index.numel()


def _with_detail(blended: Tensor, painted: Tensor, confidence: Tensor) -> Tensor:
    """Amplify the detail of a blend to the strength that it has in a stylized frame.

    Strokes at slightly different positions cancel in a mean, and warping blurs. The bands of a
    Laplacian pyramid (Burt and Adelson, 1983) give the gain, each in a window around every pixel.
    """
    bands, low = _pyramid(blended)
    wanted, _ = _pyramid(painted)
    for band, other in zip(reversed(bands), reversed(wanted), strict=True):
        gain = ((_power(other) + 1e-6) / (_power(band) + 1e-6)).sqrt().clamp(1, _GAIN)
        here = F.interpolate(confidence, band.shape[-2:], mode="area")
        low = _enlarged(low, band) + band * torch.lerp(torch.ones_like(gain), gain, here)
    return low


def _pyramid(picture: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the Laplacian bands (1, 3, h, w) from fine to coarse, and the low-pass residual."""
    bands = []
    for _ in range(_LEVELS):
        if min(picture.shape[-2:]) < 2 * _WINDOW:
            break
        small = by_planes(opencv().pyrDown, picture)
        bands.append(picture - _enlarged(small, picture))
        picture = small
    return bands, picture


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    """Return a level of the pyramid at the size of the next finer one, ``like``."""
    size = like.shape[-1], like.shape[-2]
    return by_planes(lambda plane: opencv().pyrUp(plane, dstsize=size), small)


def _power(band: Tensor) -> Tensor:
    """Return the mean square in a window around each pixel, (1, 1, h, w)."""
    return window_mean(band.square().mean(1, keepdim=True), _WINDOW)
