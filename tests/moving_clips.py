"""Clips of a crop that moves over a photo of scikit-image's, with noise and a sine as sound."""

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from skimage import data, transform

SOUND = 48000  # samples a second


def drawn(count, width=64, height=48, *, noise=0.03, seed=0, photo="coffee", speed=1.5):
    """Frames (H, W, 3) of uint8."""
    chance = np.random.default_rng(seed)
    whole = getattr(data, photo)()[..., :3] / 255
    for index in range(count):
        way = transform.SimilarityTransform(
            scale=250 / width, translation=(60 + 250 / width * speed * index, 40 + 2 * index)
        )
        seen = transform.warp(whole, way, output_shape=(height, width), order=3)
        seen = np.clip(seen + chance.normal(0, noise, seen.shape), 0, 1)
        yield (255 * seen).round().astype(np.uint8)


def write(
    path,
    frames,
    *,
    codec="libx264",
    sound="aac",
    rate=25,
    times=None,
    unit=None,
    turned=0,
    matrix=None,
    pixels="yuv420p",
    subtitles=False,
):
    """A video of these frames; times are in units, one a frame when None."""
    frames = list(frames)
    unit = unit or Fraction(1, rate)
    times = times or range(len(frames))
    with av.open(str(path), "w") as out:
        options = {"crf": "4"} if "264" in codec else {}
        stream = out.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = unit
        if matrix:
            stream.codec_context.colorspace = matrix
        if turned:
            stream.set_display_rotation(turned)
        voice = out.add_stream(sound, rate=SOUND, layout="stereo") if sound else None
        for pixels_, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels_, format="rgb24")
            if matrix:
                frame = frame.reformat(format=pixels, dst_colorspace=matrix)
            frame.pts, frame.time_base = time, unit
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if voice:
            _sing(out, voice, len(frames) / rate)


def _sing(out, voice, seconds):
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(SOUND * seconds)) / SOUND)
    for start in range(0, len(wave), 960):
        part = np.stack([wave[start : start + 960]] * 2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND, start, Fraction(1, SOUND)
        out.mux(voice.encode(frame))
    out.mux(voice.encode())


class Told(NamedTuple):
    """What a file says of itself."""

    times: list
    size: tuple
    seconds: float
    sound: list
    pixels: list


def read(path):
    """What a video holds: times of frames, its size and length, packets of sound, frames."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        shown = list(file.decode(stream))
        times = [frame.pts * frame.time_base for frame in shown]
        size, length = (shown[0].width, shown[0].height), file.duration
        pixels = [frame.to_ndarray(format="rgb24") for frame in shown]
    with av.open(str(path)) as file:
        voices = file.streams.audio
        packets = [bytes(p) for p in file.demux(voices) if p.size] if voices else []
    return Told(times, size, (length or 0) / 1e6, packets, pixels)
