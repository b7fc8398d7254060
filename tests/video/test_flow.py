"""Motion between frames: found, carried along, and not believed where it is wrong."""

import sys

import pytest
import torch
import torch.nn.functional as F

from impasto.image import Image
from impasto.video.flicker import Flicker, difference
from impasto.video.flow import Motion, estimate_motion, warp
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


def test_warping_by_whole_pixels_moves_them():
    image, flow = torch.rand(1, 3, 9, 11), torch.zeros(1, 2, 9, 11)
    flow[:, 0], flow[:, 1] = 2, -1
    moved = warp(image, flow)
    torch.testing.assert_close(moved[..., 2:7, 2:7], image[..., 1:6, 4:9], rtol=1e-4, atol=1e-5)


@pytest.fixture(params=["OpenCV", "scikit-image"])
def library(request, monkeypatch):
    """The library that computes the flow: without OpenCV it is scikit-image."""
    if request.param == "OpenCV":
        pytest.importorskip("cv2")
    else:
        monkeypatch.setitem(sys.modules, "cv2", None)  # importing it raises ImportError
    return request.param


@pytest.mark.parametrize(("shift", "zoom"), [((5.0, -3.0), 1.0), ((0.0, 0.0), 1.03)])
def test_a_known_motion_is_found(library, shift, zoom):
    """Each pixel comes from ``zoom`` times its distance from the middle, plus ``shift``.

    The shift is 5.8 pixels long, and the zoom moves pixels by 3.9 on average and 7.9 at most. The
    flow is computed at half the size: the error allowed is an eighth of a pixel there.
    """
    height, width = 160, 512
    chance = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 20, 64, generator=chance)
    before = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    y, x = torch.meshgrid(torch.arange(height) - 79.5, torch.arange(width) - 255.5, indexing="ij")
    true = torch.stack([(zoom - 1) * x + shift[0], (zoom - 1) * y + shift[1]])[None]
    way = estimate_motion(warp(before, true).clamp(0, 1), before)
    error = (way.flow - true).square().sum(1).sqrt()[..., 16:-16, 16:-16]
    assert float(error.mean()) < 0.25
    assert float(way.confidence[..., 16:-16, 16:-16].mean()) > 0.9


def test_opencv_computes_the_flow_where_it_is_installed(frames, monkeypatch):
    pytest.importorskip("cv2")
    monkeypatch.setitem(sys.modules, "skimage.registration", None)
    assert float(estimate_motion(frames[1], frames[0]).flow[0, 0].median()) > 1.5


@pytest.mark.parametrize("size", [(4, 5), (7, 300), (11, 11), (1, 1)])
def test_a_picture_too_small_for_flow_stands_still(library, size):
    way = estimate_motion(torch.rand(1, 3, *size), torch.rand(1, 3, *size))
    assert float(way.flow.abs().max()) == 0


@pytest.mark.parametrize("size", [(8, 12), (12, 8), (8, 256), (300, 11)])
def test_the_smallest_pictures_with_flow_have_finite_flow(library, size):
    one, other = torch.rand(2, 1, 3, *size, generator=torch.Generator().manual_seed(0))
    way = estimate_motion(one, other)
    assert way.flow.shape == (1, 2, *size)
    assert bool(way.flow.isfinite().all())
    assert bool(way.confidence.isfinite().all())


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
