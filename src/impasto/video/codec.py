"""Choose how a video is encoded: encoder, pixel format, quality, time base."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from impasto.errors import InputError, check_choice
from impasto.video.decoder import library

PALETTE = "pal8"  # 256 colours
AUDIO = ("copy", "encode", "none")

# preferred encoders of codecs that have several
_ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
}
_DEFAULTS = {
    **dict.fromkeys((".ts", ".m2ts", ".flv"), "h264"),
    **dict.fromkeys((".mpg", ".mpeg"), "mpeg2video"),
}
_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libvpx": 10, "libsvtav1": 24}
# a constant quality without a bit rate; no output on standard error
_ENCODER_OPTIONS = {"libvpx-vp9": {"b": "0"}, "libx265": {"x265-params": "log-level=error"}}
_SCALE = 3  # default quality of the other encoders: 1 is best, 31 worst
_LAMBDA = 118  # FF_QP2LAMBDA
_PIXELS = ("yuv420p", "yuvj420p", "yuv422p", "yuv422p10le", "rgb24", "bgra", "rgba", "rgb8")
# WebP has its own RGB-to-YUV matrix, so it gets RGB and converts itself
_OWN_PIXELS = {"gif": PALETTE, "mjpeg": "yuvj420p", "webp": "bgra"}
_ALPHA_PIXELS = ("bgra", "rgba", "argb", "yuva444p10le", "yuva420p", "gbrap", PALETTE)
# endings whose default codec has no alpha, while another codec has it
_ALPHA_CODECS = {".mov": "prores", ".mkv": "vp9"}
_VPX_ALPHA = ("matroska", "webm")  # in these containers, VP8 and VP9 store alpha in a second stream
_WEBP_QUALITY = 90  # of 100
_RATED = (
    "mpeg",
    "msmpeg",
    "wmv",
    "h261",
    "h263",
    "flv",
    "dv",
)  # codecs with a constant frame rate
_CLOCKED = ("mp4", "mov", "ipod", "matroska", "webm", "gif", "apng", "webp", "mpegts")


@dataclass(frozen=True)
class Coding:
    """Options of the encoding of a video.

    Attributes:
        codec: FFmpeg's name, such as ``libx264`` or ``vp9``; None is the default of the ending.
        crf: Constant quality, lower is better; None is one at which hardly any loss is visible.
        audio: ``copy`` copies the sound packet by packet; ``encode`` encodes it in the format's
            default codec; ``none`` leaves it out.

    Raises:
        InputError: ``audio`` is unknown or ``crf`` out of range.
    """

    codec: str | None = None
    crf: int | None = None
    audio: str = "copy"

    def __post_init__(self) -> None:
        """Check ``audio`` and ``crf``."""
        check_choice("audio", self.audio, AUDIO)
        if self.crf is not None and not 0 <= self.crf <= 63:
            raise InputError(f"crf is {self.crf}: it must be 0 (best) to 63")


@dataclass(frozen=True)
class Plan:
    """The encoding of one file.

    Attributes:
        format: FFmpeg's name of the file format.
        encoder: FFmpeg's name of the encoder.
        pixels: The pixel format.
        options: Options of the encoder.
        clocked: Whether frames may have any time stamps; else they have a constant rate.
        alpha: Whether the pixels have alpha.
    """

    format: str
    encoder: str
    pixels: str
    options: dict[str, str]
    clocked: bool
    alpha: bool = False

    @property
    def even(self) -> bool:
        """Check whether the encoder needs even sides because of chroma subsampling."""
        shared = "420" in self.pixels or "422" in self.pixels
        return shared and not self.encoder.startswith("libvpx")

    @property
    def full(self) -> bool:
        """Check whether luminance has the full range 0 to 255, not 16 to 235."""
        return self.pixels.startswith("yuvj")


def plan(target: Path, coding: Coding, *, alpha: bool = False) -> Plan:
    """Plan the encoding of a file.

    Args:
        target: The file.
        coding: What the user wants.
        alpha: Whether frames have transparent pixels; the plan keeps them if the format can.

    Raises:
        InputError: The ending is not that of a video format, the encoder is unknown, or the format
            does not support it.
        MissingExtraError: PyAV is not installed.
    """
    name, default = _format(target)
    ending = target.suffix.lower()
    default = _DEFAULTS.get(ending, default)
    wanted = coding.codec or (_ALPHA_CODECS.get(ending, default) if alpha else default)
    encoder = _ENCODERS.get(wanted, wanted)
    av = library()
    try:
        codec = av.Codec(encoder, "w")
    except ValueError as error:  # UnknownCodecError
        raise InputError(f"this PyAV has no encoder {wanted!r}: leave `codec` out") from error
    if codec.type != "video":
        raise InputError(f"{wanted} is no codec of moving pictures: choose one such as libx264")
    pixels, has_alpha = _pixels(codec, name, alpha=alpha)
    clocked = name in _CLOCKED and not codec.canonical_name.startswith(_RATED)
    options = _options(encoder, coding.crf)
    if has_alpha and encoder == "libvpx":
        options["auto-alt-ref"] = "0"  # does not work with alpha
    return Plan(name, encoder, pixels, options, clocked, has_alpha)


def _pixels(codec: Any, container: str, *, alpha: bool) -> tuple[str, bool]:
    """Return the pixel format for a codec in a container, and whether it has alpha."""
    formats = [one.name for one in codec.video_formats or ()]
    kind = codec.canonical_name
    lost = kind == "hevc" or (kind in {"vp8", "vp9"} and container not in _VPX_ALPHA)
    if alpha and not lost:
        found = next((one for one in _ALPHA_PIXELS if one in formats), None)
        if found:
            return found, True
    pixels = next((one for one in _PIXELS if one in formats), formats[0] if formats else "yuv420p")
    return _OWN_PIXELS.get(kind, pixels), False


def container_options(plan: Plan, lasts: Fraction) -> dict[str, str]:
    """Return the options to open a container with.

    Args:
        plan: The encoding of the file.
        lasts: The duration of its last frame, in seconds.
    """
    found = {"fflags": "+bitexact"}  # no dates, no random numbers
    if plan.format == "avi":  # would else insert a frame into a gap at the beginning
        found["avoid_negative_ts"] = "disabled"
    if plan.format in {"webp", "gif"}:  # repeat without end
        found["loop"] = "0"
    if plan.format == "gif":  # in hundredths of a second
        found["final_delay"] = str(max(1, round(lasts * 100)))
    if plan.format == "apng":
        found |= {"plays": "0", "final_delay": str(lasts.limit_denominator(1000))}
    return found


def _options(encoder: str, crf: int | None) -> dict[str, str]:
    if encoder in _CRF:
        return {
            "crf": str(_CRF[encoder] if crf is None else crf),
            **_ENCODER_OPTIONS.get(encoder, {}),
        }
    if "webp" in encoder:
        return {"quality": str(_WEBP_QUALITY if crf is None else round(100 - crf * 100 / 63))}
    scale = _SCALE if crf is None else max(1, min(31, crf // 2))
    return {"flags": "+qscale", "global_quality": str(scale * _LAMBDA)}


def _format(target: Path) -> tuple[str, str]:
    """Return the name of a target's format and its default codec."""
    av = library()
    with tempfile.TemporaryDirectory() as folder:
        try:
            with av.open(str(Path(folder) / f"name{target.suffix}"), "w") as out:
                name, default = out.format.name, out.default_video_codec
        except (av.FFmpegError, ValueError, OSError) as error:
            ending = f"the ending {target.suffix}" if target.suffix else "no ending"
            raise InputError(
                f"{target} has {ending}: name a video .mp4, .mkv, .webm, .mov or .gif, or a folder"
            ) from error
    if default in {"none", "png"}:  # PNG is for the covers of music
        raise InputError(f"{target.suffix} holds no moving pictures: name the video .mp4")
    return name, default


def time_base(plan: Plan, own: Fraction, rate: Fraction) -> Fraction:
    """Return the time base of the frames: the source's own where the format allows any."""
    if plan.format == "gif":  # fine enough to separate frames that are close together
        return Fraction(1, 100)
    return own if plan.clocked else 1 / rate
