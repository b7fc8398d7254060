"""Small clips, and a way to paint them in no time."""

import pytest
import torch

from impasto import video
from moving_clips import drawn, write


@pytest.fixture(autouse=True)
def one_thread():
    """Threads for so little only wait for each other, the longer the busier the machine is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Eight frames of 64x48 with sound, as MP4."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    write(path, drawn(8))
    return path


@pytest.fixture
def paint():
    """paint(source, target) with a narrow network that is shipped."""

    def call(source, target, style="joyfulness-lite", **options):
        options.setdefault("precision", "float32")
        return video.stylize_video(source, target, style, **options)

    return call
