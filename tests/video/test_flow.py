"""Motion between frames: found, carried along, and not believed where it is wrong."""

import sys

import pytest
import torch

from impasto.errors import MissingExtraError
from impasto.image import Image
from impasto.video.flicker import Flicker, difference
from impasto.video.flow import Motion, estimate_motion, opencv, warp
from moving_clips import drawn


def picture(array):
    return Image.from_numpy(array).rgb


@pytest.fixture(scope="module")
def frames():
    return [picture(one) for one in drawn(2, 96, 64, noise=0.01, speed=2.0)]


def test_a_moving_crop_is_followed(frames):
    now, before = frames[1], frames[0]
    way = estimate_motion(now, before)
    assert float((way.flow[0, 0, 8:-8, 8:-8] - 2.0).abs().median()) < 0.3
    inner = way.confidence[..., 8:-8, 8:-8]
    assert float(inner.mean()) > 0.9
    still = (now - before).abs()[..., 8:-8, 8:-8].mean()
    carried = (now - warp(before, way.flow)).abs()[..., 8:-8, 8:-8].mean()
    assert float(carried) < 0.4 * float(still)


def test_what_comes_in_from_outside_is_not_believed(frames):
    way = estimate_motion(frames[1], frames[0])  # the crop moves to the right: new pixels there
    assert float(way.confidence[..., -1].max()) == 0


def test_another_picture_is_not_believed(frames):
    other = picture(next(drawn(1, 96, 64, photo="astronaut")))
    assert float(estimate_motion(frames[0], other).confidence.mean()) < 0.3


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    opencv.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[video\]'"):
        estimate_motion(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))


def test_warping_by_whole_pixels_moves_them():
    image, flow = torch.rand(1, 3, 9, 11), torch.zeros(1, 2, 9, 11)
    flow[:, 0], flow[:, 1] = 2, -1
    moved = warp(image, flow)
    torch.testing.assert_close(moved[..., 2:7, 2:7], image[..., 1:6, 4:9], rtol=1e-4, atol=1e-5)


def test_a_picture_too_small_for_flow_stands_still():
    way = estimate_motion(torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 5))
    assert float(way.flow.abs().max()) == 0


def test_flicker_is_the_mean_difference_where_motion_is_trusted():
    flow, agree = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    agree[..., :4] = 0
    way = Motion(flow, agree)
    now, before = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.25)
    now[..., :4] = 1.0  # does not count
    total, weight = difference(way, now, before)
    assert (total, weight) == (pytest.approx(8.0), 32.0)
    found = Flicker()
    found.add(way, "steady", now, before)
    assert found.value("steady") == pytest.approx(63.75)
    assert found.value("plain") is None


def test_nothing_is_trusted_beside_what_is_not():
    """A disc has moved on: where its rim was, and around it, the frame before says nothing."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    ground = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.3
    ground = torch.nn.functional.interpolate(ground, (96, 128), mode="bicubic").clamp(0, 1)

    def frame(centre):
        disc = (rows - 48).square() + (columns - centre).square() < 14**2
        return torch.where(disc, torch.tensor([0.9, 0.2, 0.1]).view(1, 3, 1, 1), ground)

    agree = estimate_motion(frame(80), frame(44)).confidence[0, 0]
    around = ((rows - 48).square() + (columns - 44).square()).sqrt()
    assert float(agree[(around > 12) & (around < 15)].max()) == 0
    assert float(agree[:, 112:].mean()) > 0.8
