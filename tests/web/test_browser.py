"""The page in a real Chromium: what it paints, what it asks for, how it looks on a telephone."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from skimage import data

from impasto.onnx import exporter
from impasto.web import runtime_files
from impasto.web.serve import serving

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")

WAIT = 60_000  # milliseconds; on a machine with other work
SIZE = (96, 64)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(data.chelsea()).resize(SIZE).save(path)
    return path


@pytest.fixture
def opened(built):
    """The page, which must log no error and ask nobody else for anything."""
    with serving(built, 0) as url, sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        page.set_default_timeout(WAIT)
        asked, failures = [], []
        page.context.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if said.type == "error" else 0)
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        yield page
        browser.close()
    own = urlsplit(url).netloc
    hosts = {urlsplit(one.removeprefix("blob:")).netloc for one in asked if one[:5] != "data:"}
    assert hosts == {own}
    assert failures == []


def says(page, words):
    expect(page.locator("#status")).to_contain_text(words, timeout=WAIT)


def noise(x, y):
    """The noise that the page adds, see pixels.js; of places (H, W)."""
    x, y = x.astype(np.uint32), y.astype(np.uint32)
    h = x * np.uint32(0x9E3779B1) ^ y * np.uint32(0x85EBCA77)
    h = (h ^ h >> np.uint32(15)) * np.uint32(0x2C1B3C6D)
    h = (h ^ h >> np.uint32(12)) * np.uint32(0x297A2D39)
    return (h ^ h >> np.uint32(15)) / 2**32 - 0.5


@pytest.mark.slow
def test_a_photo_is_painted_as_onnx_runtime_paints_it(opened, network, photo, tmp_path):
    opened.set_input_files("#file", photo)
    opened.get_by_role("radio", name="A green <picture>").check()
    says(opened, f"green, {SIZE[0]} × {SIZE[1]} in")
    with opened.expect_download() as fetched:
        opened.click("#download")
    assert fetched.value.suggested_filename == "photo-green.png"
    fetched.value.save_as(tmp_path / "out.png")
    found = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    pixels = np.asarray(Image.open(photo).convert("RGB"), np.float32)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    content = ((pixels + noise(columns, rows)[..., None]) / 255).clip(0, 1)
    exporter.export(network, tmp_path / "three.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "three.onnx"))
    feeds = {
        "content": content.astype(np.float32).transpose(2, 0, 1)[None],
        "weights": np.float32([[0, 1, 0]]),
    }
    expected = session.run(None, feeds)[0][0].transpose(1, 2, 0)
    # rounding to 8 bits is at most half a level, a quarter on average
    assert np.abs(found / 255 - expected).mean() < 0.5 / 255
    assert np.abs(found / 255 - pixels / 255).mean() > 0.05
    check_a_narrow_screen(opened)
    check_that_it_works_offline(opened, photo)


def check_a_narrow_screen(page):
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#split").focus()
    before = page.locator("#frame").get_attribute("style")
    page.keyboard.press("ArrowRight")
    assert page.locator("#frame").get_attribute("style") != before
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, progress, canvas')]
            .filter(e => !(e.getAttribute('aria-label') || e.innerText.trim() || e.labels?.length))
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []


def check_that_it_works_offline(page, photo):
    page.context.set_offline(True)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.set_input_files("#file", photo)
    says(page, "in")
    page.context.set_offline(False)


GIVEN = """async ({ kind, name, bytes }) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/png" }));
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
  document.body.dispatchEvent(event);
}"""


@pytest.mark.slow
def test_a_photo_is_dropped_or_pasted_anywhere(opened, tmp_path):
    for kind, size in (("drop", (80, 48)), ("paste", (64, 72))):
        path = tmp_path / f"{kind}.png"
        Image.fromarray(data.chelsea()).resize(size).save(path)
        opened.evaluate(GIVEN, {"kind": kind, "name": path.name, "bytes": list(path.read_bytes())})
        says(opened, f"{size[0]} × {size[1]} in")
        with opened.expect_download() as fetched:
            opened.click("#download")
        assert fetched.value.suggested_filename == f"{kind}-red.png"


IN_TILES = """async ({ pixels, width, height, limits }) => {
  const { Engine } = await import("./engine.js");
  const engine = new Engine("wasm");
  await engine.start(() => {});
  const [model] = (await (await fetch("models.json")).json()).models;
  const found = [];
  for (const limit of limits) {
    const image = new ImageData(Uint8ClampedArray.from(pixels), width, height);
    const photo = await createImageBitmap(image);
    const weights = Float32Array.from([0, 0, 1]);
    const given = { photo, model: { ...model, strokes: width }, weights, height, width, limit };
    found.push([...(await engine.ask("paint", given)).data]);
  }
  engine.close();
  return found;
}"""


@pytest.mark.slow
def test_tiles_of_a_large_photo_have_no_seams(opened):
    """The tiles differ from the whole by the same slight change of colours everywhere."""
    width, height = 800, 48  # the first tile ends at 768
    image = Image.fromarray(data.astronaut()).resize((width, height)).convert("RGBA")
    given = {"pixels": list(image.tobytes()), "width": width, "height": height}
    given["limits"] = [10**6, width * height - 1]
    whole, tiled = (
        np.float32(one).reshape(height, width, 4)[..., :3]
        for one in opened.evaluate(IN_TILES, given)
    )
    apart = tiled - whole
    assert np.abs(apart).mean() < 6
    step = np.abs(np.diff(apart, axis=1)).mean((0, 2))  # (width - 1,)
    assert step[767] < 2 * step[740:790].mean() + 0.5


def test_the_files_that_the_wheel_carries():
    lock = json.loads((Path(runtime_files.__file__).parent / "npm/package.json").read_text())
    assert lock["dependencies"]["onnxruntime-web"] == runtime_files.pinned()["version"]
