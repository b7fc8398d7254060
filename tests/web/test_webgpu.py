"""The graphics card by WebGPU: it must paint what the processor paints, or it is not used."""

import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from skimage import data

from impasto.web.serve import serving

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]

WAIT = 400_000  # milliseconds; a processor that imitates a graphics card compiles for a minute
# Chromium's own imitation of a graphics card, SwiftShader, where there is none
ADAPTER = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]


@contextmanager
def opened(place, *arguments):
    with serving(place, 0) as url, sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *arguments]
        )
        page = browser.new_page()
        page.set_default_timeout(WAIT)
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        yield page
        browser.close()


def choose_the_card(page):
    page.locator("[name=backend][value=webgpu]").evaluate("e => e.closest('details').open = true")
    page.locator("[name=backend][value=webgpu]").check()


def painted(page, path):
    """Download the painting that is shown."""
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(path)
    return np.asarray(Image.open(path).convert("RGB"), np.float32) / 255


def test_the_card_paints_what_the_processor_paints(built, tmp_path):
    place = shutil.copytree(built, tmp_path / "page")
    script = place / "main.js"
    script.write_text(script.read_text().replace("PATIENCE = 60_000", f"PATIENCE = {WAIT}"))
    # as large as the picture of the page's own comparison, for which shaders are compiled
    Image.fromarray(data.chelsea()).resize((64, 64)).save(tmp_path / "photo.png")
    with opened(place, *ADAPTER) as page:
        if not page.evaluate("(async () => !!await navigator.gpu?.requestAdapter())()"):
            pytest.skip("this Chromium has no adapter for WebGPU")
        page.set_input_files("#file", tmp_path / "photo.png")
        expect(page.locator("#status")).to_contain_text("64 × 64 in", timeout=WAIT)
        by_processor = painted(page, tmp_path / "processor.png")
        choose_the_card(page)
        machine = page.locator("#machine")
        expect(machine).to_contain_text("Graphics card; its colours differ", timeout=WAIT)
        assert float(re.search(r"by ([\d.e+-]+)\.$", machine.inner_text())[1]) <= 1 / 255
        expect(page.locator("#status")).to_contain_text("64 × 64 in", timeout=WAIT)
        by_card = painted(page, tmp_path / "card.png")
    # float32 in another order: numbers that differ little may be rounded to neighbouring levels
    assert np.abs(by_card - by_processor).max() <= 1.01 / 255
    assert by_card.std() > 0.02


WRONG = """
export const env = { wasm: {} };
export class Tensor { constructor(type, data) { this.data = data; } }
export const InferenceSession = { create: async () => ({
  run: async ({ content }) => ({ painted: { getData: async () => content.data, dispose() {} } }),
}) };
"""


def test_a_card_that_paints_something_else_is_not_used(built, tmp_path):
    """The imitation returns the photo as it is."""
    place = shutil.copytree(built, tmp_path / "page")
    (place / "runtime" / "ort.webgpu.min.mjs").write_text(WRONG)
    worker = place / "worker.js"
    adapter = (
        "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => 1 } });"
    )
    worker.write_text(f"{worker.read_text()}\n{adapter}\n")
    with opened(place) as page:
        choose_the_card(page)
        said = "The graphics card is not used: its colours differ by"
        expect(page.locator("#status")).to_contain_text(said, timeout=WAIT)
        assert page.locator("[name=backend]:checked").get_attribute("value") == "wasm"
        expect(page.locator("#machine")).to_contain_text("Processor")
