"""The page in a real Chromium, as people use it: with a mouse, a keyboard, a telephone."""

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from skimage import data

from impasto.studio import serve
from impasto.studio.serve import ServerOptions

from .chromium import (
    WAIT,
    drop,
    expect,
    fill_settings,
    needs_chromium,
    opened,
    painted,
    says,
    start_slowly,
    take,
)

pytestmark = needs_chromium


def test_a_photo_is_painted_and_fetched_in_full_size(page, pictures, tmp_path):
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96 pixels")
    take(page, "cafe-terrace")
    expect(page.locator("#names")).to_contain_text("cafe-terrace")
    before = painted(page)
    page.click("#paint")
    says(page, "Done, 144 × 96 pixels")
    assert painted(page) != before
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(tmp_path / "out.png")
    assert fetched.value.suggested_filename == "photo-cafe-terrace.png"
    assert Image.open(tmp_path / "out.png").size == (144, 96)


def test_the_picture_comes_into_being_and_is_kept_when_stopped(page, pictures, tmp_path):
    drop(page, pictures / "photo.jpg")
    drop(page, pictures / "painting.png", "#own")
    says(page, "144 × 96")
    expect(page.locator("#own")).to_contain_text("painting")
    page.get_by_label("Good").check()
    fill_settings(page, "steps=1000")
    page.click("#paint")
    says(page, r"tep \d+ of \d+")
    page.wait_for_function("document.querySelectorAll('#result img')[1].src.includes('preview')")
    first = painted(page)
    page.wait_for_function(
        "old => document.querySelectorAll('#result img')[1].src !== old", arg=first
    )
    page.click("#stop")
    says(page, "Stopped: this is the result so far")
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(tmp_path / "kept.png")
    assert Image.open(tmp_path / "kept.png").size == (144, 96)


def test_closing_the_page_frees_the_place(browser, studio, pictures):
    with opened(browser, studio) as page:
        start_slowly(page, pictures)
        says(page, r"tep \d+ of \d+")
    with opened(browser, studio) as page:
        drop(page, pictures / "photo.jpg")
        says(page, "144 × 96")
        take(page, "adele")
        page.click("#paint")
        says(page, "Done")


def test_what_is_no_photo_is_refused_in_words_and_the_next_one_works(page, pictures):
    refused = {"broken.jpg": "broken.jpg is a damaged", "huge.png": "more pixels .* than the limit"}
    for name, words in refused.items():
        drop(page, pictures / name)
        says(page, words)
        expect(page.get_by_test_id("toast-body").last).to_contain_text(name)
        assert "Traceback" not in page.content()
        assert "/tmp" not in page.inner_text("#status")
        expect(page.locator("#photo")).to_contain_text("Drop Image Here")
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96 pixels")


def test_a_file_that_is_too_large_never_arrives(used, tmp_path):
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3 << 20))
    drop(used, tmp_path / "large.png")
    expect(used.locator("body")).to_contain_text(re.compile("exceed the maximum"))


def test_what_is_missing_is_said(page, pictures):
    page.click("#paint")
    says(page, "No photo: drop one first")
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96 pixels")
    page.click("#paint")
    says(page, "No painting: choose a style")


def test_only_what_the_brush_has_touched_is_painted(page, pictures, tmp_path):
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96")
    take(page, "starry-night")
    page.get_by_role("button", name="Paint only a part").click()
    canvas = page.locator("#mask canvas").first
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # the editor fits the photo into its frame
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 20)
    page.mouse.down()
    page.mouse.move(x, y + 20, steps=8)
    page.mouse.up()
    page.click("#paint")
    says(page, "Done")
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(tmp_path / "part.png")
    before = Image.open(pictures / "photo.jpg").convert("RGB")
    after = Image.open(tmp_path / "part.png").convert("RGB")
    assert after.getpixel((2, 2)) == before.getpixel((2, 2))
    assert after.getpixel((72, 48)) != before.getpixel((72, 48))


def test_a_person_is_found_and_painted(page, pictures, tmp_path):
    Image.fromarray(data.astronaut()).resize((256, 256)).save(tmp_path / "astronaut.png")
    drop(page, tmp_path / "astronaut.png")
    says(page, "256 × 256 pixels")
    take(page, "cafe-terrace")
    page.get_by_role("button", name="Paint only a part").click()
    page.get_by_role("button", name="Person", exact=True).click()
    says(page, "[Ff]ound, and marked")
    page.wait_for_timeout(1500)  # the editor draws the strokes
    page.click("#paint")
    says(page, "Done")
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(tmp_path / "part.png")
    before, after = (
        Image.open(tmp_path / name).convert("RGB") for name in ("astronaut.png", "part.png")
    )
    assert after.getpixel((230, 40)) == before.getpixel((230, 40))  # the wall
    assert after.getpixel((128, 200)) != before.getpixel((128, 200))  # the suit


def test_a_photo_without_people_says_so(page, pictures):
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96 pixels")
    page.get_by_role("button", name="Paint only a part").click()
    page.get_by_role("button", name="All but faces").click()
    says(page, "[Nn]o person found: brush over")


def test_every_control_has_a_name(used):
    unnamed = used.evaluate(
        """() => [...document.querySelectorAll('button, input:not([type=file]), textarea')]
            .filter(e => e.offsetParent !== null)
            .filter(e => !(e.getAttribute('aria-label') || e.title || e.innerText.trim()
                || e.labels?.length || e.getAttribute('aria-labelledby')))
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []


def test_a_narrow_screen_never_scrolls_sideways(used):
    used.get_by_role("tab", name="Photo").click()
    for name in ("Strength, colours", "Paint only a part"):
        used.get_by_role("button", name=name).click()
    for width in (768, 390):
        used.set_viewport_size({"width": width, "height": 844})
        for tab in ("Texture", "Compare", "Photo"):
            used.get_by_role("tab", name=tab).click()
            used.wait_for_timeout(200)
            assert used.evaluate("document.documentElement.scrollWidth") <= width
    used.set_viewport_size({"width": 1280, "height": 900})


def test_a_texture_grows(used):
    used.get_by_role("tab", name="Texture").click()
    for label in ("Width", "Height"):
        used.get_by_label(f"number input for {label}").fill("96")
        used.keyboard.press("Tab")
    used.click("#grow")
    expect(used.locator("#texture-status")).to_contain_text("Done, 96 × 96", timeout=WAIT)


def test_methods_are_compared(used, pictures, tmp_path):
    used.get_by_role("tab", name="Compare").click()
    drop(used, pictures / "photo.jpg", "#compare-photo")
    drop(used, pictures / "painting.png", "#compare-painting")
    for name in ("wct", "meta-network", "style-prediction"):
        used.locator("#compare-methods").get_by_label(name).uncheck()
    used.locator("#compare-size input[type=number]").fill("128")
    used.keyboard.press("Tab")
    used.click("#compare")
    expect(used.locator("#compare-status")).to_contain_text("Done", timeout=4 * WAIT)
    with used.expect_download() as fetched:
        used.get_by_role("button", name="Download the page").click()
    fetched.value.save_as(tmp_path / "page.html")
    assert "adain" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.skipif(find_spec("impasto.video") is None, reason="there is no impasto.video here")
def test_a_video_is_painted(used, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as clip:
        stream = clip.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in (40, 120, 200):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), "rgb24")
            clip.mux(stream.encode(frame))
        clip.mux(stream.encode())
    used.get_by_role("tab", name="Video").click()
    drop(used, tmp_path / "clip.mp4", "#film")
    expect(used.locator("#film")).to_contain_text("clip")
    used.locator("#film-size input[type=number]").fill("128")
    used.keyboard.press("Tab")
    used.click("#paint-film")
    expect(used.locator("#film-status")).to_contain_text("Done", timeout=4 * WAIT)
    assert used.locator("#film-result video").get_attribute("src")


EVIL = """<!doctype html><iframe id="frame" src="STUDIO"></iframe><script>
const form = new FormData();
form.append("files", new Blob(["x"]), "x.png");
const asks = [
  fetch("STUDIOconfig", {credentials: "include"}).then(answer => answer.text()),
  fetch("STUDIOgradio_api/upload", {method: "POST", body: form}).then(answer => answer.text()),
  fetch("STUDIOgradio_api/upload", {method: "POST", body: form, mode: "no-cors"}),
];
Promise.allSettled(asks).then(all => { document.title = all.map(one => one.status).join(" "); });
</script>"""


def test_a_page_of_another_site_cannot_use_the_studio(browser, studio, tmp_path):
    (tmp_path / "index.html").write_text(EVIL.replace("STUDIO", studio))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        page = browser.new_page()
        answers, said = {}, []
        page.on("response", lambda got: answers.setdefault(got.url, got.status))
        page.goto(f"http://localhost:{site.server_port}/")
        page.wait_for_function("document.title.includes('ed')")
        assert page.title().split()[:2] == ["rejected", "rejected"]
        assert {status for url, status in answers.items() if url.startswith(studio)} == {403}
        assert not page.frames[1].locator("#paint").count()
        page.goto(studio)
        page.on("console", lambda heard: said.append(heard.text))
        page.evaluate("fetch('https://example.org').catch(() => null)")
        expect(page.locator("#paint")).to_be_visible(timeout=WAIT)
        assert any("Policy" in words for words in said)
        page.close()
        site.shutdown()


def test_people_log_in_and_out(browser):
    with serve.serving(ServerOptions(port=0, auth="ada:secret")) as url:
        page = browser.new_page()
        page.set_default_timeout(WAIT)
        for _ in range(2):
            page.goto(url)
            page.locator("input").first.fill("ada")
            page.locator("input[type=password]").fill("secret")
            page.get_by_role("button", name="Login").click()
            page.wait_for_selector("#paint")
            page.click("#leave")
            page.wait_for_selector("input[type=password]")
        page.close()
