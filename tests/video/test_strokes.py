"""The size of strokes in a video: as in a photo of the size of a frame."""

import pytest
import torch

from impasto import video
from impasto.image import Image, load
from moving_clips import drawn, write
from stripes import PERIOD, Stripes, wavelength


@pytest.mark.parametrize(
    ("width", "options", "factor"),
    [
        (64, {}, 1),
        (256, {}, 4),
        (256, {"style_scale": 0.5}, 2),
        (128, {"style_scale": 2.0}, 4),
        (256, {"strokes": "absolute"}, 1),
        (256, {"strokes": "absolute", "style_scale": 2.0}, 2),
    ],
)
def test_frames_have_the_strokes_of_a_photo(tmp_path, width, options, factor):
    clip, frames = tmp_path / "clip.mp4", tmp_path / "frames"
    write(clip, drawn(2, width, width // 2), sound=None)
    style = Image(torch.full((1, 3, 64, 64), 0.5))
    video.stylize_video(clip, frames, style, method=Stripes(), smooth=0, **options)
    found = [wavelength(load(path).rgb) for path in sorted(frames.glob("*.png"))]
    assert found == pytest.approx([factor * PERIOD] * 2, rel=0.1)
