"""The page of the camera: what its server paints, what it refuses, and the page in Chromium."""

import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest

from impasto.api.controls import Controls
from impasto.api.resolve import StyleResolver
from impasto.api.stylize import paint
from impasto.errors import InputError
from impasto.image import Image, samples
from impasto.web import webcam

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def painter(network):
    return webcam.FramePainter(webcam.camera_styles([str(network) + "#green", "sample:gold"]))


@pytest.fixture(scope="module")
def url(painter):
    with webcam.serving(painter, 0, size=96) as address:
        yield address


@pytest.fixture(scope="module")
def frame():
    rgb = samples.photo("coffee").resized(48, 64).rgb[0].movedim(0, -1)
    return np.dstack([(rgb * 255).round().numpy(), np.full((48, 64), 200)]).astype(np.uint8)


def answer(url, path, body, **headers):
    """Post bytes as the page of that address does, unless a header says otherwise."""
    named = {"Origin": url.rstrip("/"), **{key.title(): one for key, one in headers.items()}}
    with urllib.request.urlopen(urllib.request.Request(url + path, body, named)) as given:
        return given.read()


def test_a_frame_is_painted_as_a_photo_is(url, network, frame):
    found = answer(url, "frame/0/64/48", frame.tobytes())
    content, style = Image.from_numpy(frame[..., :3]), StyleResolver()(f"{network}#green")
    expected = (
        paint(content, style, controls=Controls(shifts=1), dither=False)
        .rgb[0]
        .movedim(0, -1)
        .numpy()
    )
    painted = np.frombuffer(found, np.uint8).reshape(48, 64, 4)
    assert (painted[..., 3] == 255).all()
    assert np.abs(painted[..., :3] / 255.0 - expected).max() < 0.51 / 255
    assert np.abs(painted[..., :3] / 255 - frame[..., :3] / 255).mean() > 0.05


def test_styles_differ(url, frame):
    first, second = (answer(url, f"frame/{style}/64/48", frame.tobytes()) for style in (0, 1))
    assert first != second


def test_all_styles_of_a_model_are_offered():
    styles = webcam.camera_styles(["cin-narrow"])
    assert len(styles) == 16
    assert {"adele-lite", "wheat-field-lite"} < {one.name for one in styles}
    assert all(one.title and one.thumbnail.startswith(b"\xff\xd8") for one in styles)


def test_a_method_that_takes_minutes_is_refused():
    with pytest.raises(InputError, match="gatys optimises each image: choose a network"):
        webcam.camera_styles(["sample:gold"], method="gatys")


@pytest.mark.parametrize(
    ("path", "pixels", "headers", "code"),
    [
        ("frame/0/64/48", 64 * 48, {"origin": "http://example.org"}, 403),
        ("frame/0/64/48", 64 * 48, {"origin": "null"}, 403),
        ("frame/0/64/48", 64 * 48, {"host": "example.org", "origin": "http://example.org"}, 403),
        ("frame/0/64/48", 64 * 47, {}, 400),
        ("frame/2/64/48", 64 * 48, {}, 400),
        ("frame/-1/64/48", 64 * 48, {}, 400),
        ("frame/0/0/48", 0, {}, 400),
        ("frame/0/64", 64 * 48, {}, 400),
        ("frame/0/x/48", 64 * 48, {}, 400),
        ("elsewhere/0/64/48", 64 * 48, {}, 400),
        (f"frame/0/{webcam.MOST + 1}/1", webcam.MOST + 1, {}, 400),
    ],
)
def test_what_is_refused(url, path, pixels, headers, code):
    with pytest.raises(urllib.error.HTTPError) as raised:
        answer(url, path, bytes(4 * pixels), **headers)
    assert raised.value.code == code


@pytest.mark.parametrize("size", [63, webcam.MOST + 1])
def test_sizes_of_frames_have_bounds(painter, size):
    with (
        pytest.raises(InputError, match="choose 64 to 1280"),
        webcam.serving(painter, 0, size=size),
    ):
        pass


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
def test_the_page_shows_what_the_camera_sees(url):
    sync_api = pytest.importorskip("playwright.sync_api")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        failures = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if said.type == "error" else 0)
        page.goto(url)
        status = page.locator("#status")
        for name in ("green", "gold"):
            page.get_by_role("radio", name=name).check()
            said = sync_api.expect(status)
            said.to_contain_text(f"{name}: ", timeout=60_000)
            said.to_contain_text("frames a second at 96 × 72", timeout=60_000)
        with page.expect_download() as fetched:
            page.get_by_role("button", name="Save").click()
        assert fetched.value.suggested_filename == "camera-gold.png"
        page.get_by_role("button", name="Stop").click()
        sync_api.expect(status).to_have_text("Stopped")
        browser.close()
    assert failures == []
