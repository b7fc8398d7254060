"""Watch the page in Chromium while a job waits and runs."""

import re

from .chromium import (
    WAIT,
    drop,
    expect,
    needs_chromium,
    opened,
    painted,
    says,
    start_slowly,
    take,
)

pytestmark = needs_chromium


def test_a_slow_method_is_previewed_and_says_how_long_it_takes(page, pictures):
    start_slowly(page, pictures, steps=300)  # the network's preview stays for a tenth of them
    page.wait_for_function("document.querySelectorAll('#result img')[1].src.includes('preview')")
    first = painted(page)
    says(page, r"Step \d+ of \d+, about .* left")
    assert "level" not in page.inner_text("#status")
    page.wait_for_function(
        "old => document.querySelectorAll('#result img')[1].src !== old", arg=first
    )
    page.click("#stop")
    says(page, "Stopped: this is the result so far")
    expect(page.locator("#stop")).to_be_disabled()


def test_the_place_in_the_queue_is_said_and_waiting_can_be_stopped(page, browser, studio, pictures):
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96")
    take(page, "adele")
    page.click("#paint")
    says(page, "Done")
    with opened(browser, studio) as other:
        start_slowly(other, pictures)
        says(other, r"Step \d+ of")
        page.click("#paint")
        expect(page.locator("#download")).to_be_disabled()  # the result before this one
        says(page, "Waiting: 1 job before yours")
        page.click("#stop")
        says(page, "Stopped before it began")
        expect(page.locator("#stop")).to_be_disabled()
        page.click("#paint")
        says(page, "Waiting: 1 job before yours")
        other.click("#stop")
        says(other, "Stopped: this is the result so far")
    says(page, "Done")
    expect(page.locator("#download")).to_contain_text("144 × 96 pixels")


def test_a_full_queue_says_so_once(page, pictures):
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96")
    take(page, "adele")
    page.route(
        re.compile("/queue/join"),
        lambda route: route.fulfill(status=503, json={"detail": "20 jobs wait here already"}),
    )
    page.click("#paint")
    says(page, "Not started: .* the queue is full, .* try again in a few minutes")
    expect(page.get_by_test_id("toast-body")).to_have_count(1)
    expect(page.locator("#stop")).to_be_disabled()


PASTE = """name => {
  const canvas = document.createElement("canvas");
  canvas.width = 40; canvas.height = 30;
  canvas.toBlob(blob => {
    const files = new DataTransfer();
    files.items.add(new File([blob], "pasted.png", {type: "image/png"}));
    const event = name === "paste"
      ? new ClipboardEvent(name, {clipboardData: files, bubbles: true, cancelable: true})
      : new DragEvent(name, {dataTransfer: files, bubbles: true, cancelable: true});
    document.querySelector("#masthead").dispatchEvent(event);
  });
}"""


def test_a_photo_is_pasted_and_dropped_anywhere(page, pictures):
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.evaluate(PASTE, "paste")
    says(page, "40 × 30 pixels")
    page.reload()
    page.wait_for_selector("#paint")
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96 pixels")
    page.evaluate(PASTE, "drop")  # replaces it
    says(page, "40 × 30 pixels")


def test_styles_that_do_not_blend_are_grey(page):
    take(page, "adele")
    expect(page.locator("#blend")).to_contain_text("do not blend with adele")
    shades = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('#styles .grid-container > *')]
            .map(one => [one.innerText.trim(), getComputedStyle(one).opacity]))"""
    )
    assert shades["adele"] == "1"
    assert "0.35" in shades.values()
    take(page, "adele")
    expect(page.locator("#blend")).not_to_contain_text("blend")


def test_pictures_have_names_and_thumbnails_are_one_tab_stop(page):
    page.wait_for_function("document.querySelector('#styles button').ariaLabel === 'adele'")
    stops = page.locator("#styles .grid-container button[tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    page.keyboard.press("ArrowRight")
    expect(stops).to_have_count(1)
    assert page.evaluate("document.activeElement.ariaLabel") != "adele"
    after = page.locator("#result img").nth(1)
    expect(after).to_have_attribute("alt", "After: the painted photo", timeout=WAIT)
    assert "common." not in page.evaluate(
        "[...document.querySelectorAll('[aria-label]')].map(one => one.ariaLabel).join()"
    )


def test_paint_is_always_in_sight_and_the_slider_follows_the_handle(page):
    for height in (900, 700):
        page.set_viewport_size({"width": 1280, "height": height})
        expect(page.locator("#paint")).to_be_in_viewport(ratio=1, timeout=WAIT)
    page.wait_for_function(
        "[...document.querySelectorAll('#result img')]"
        ".every(one => one.complete && one.naturalWidth)"
    )
    handle = settled(page.locator("#result .outer"))
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(handle["x"] + 120, handle["y"] + handle["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_function("Number(document.querySelector('#reach input[type=range]').value) > 55")


def settled(element):
    """Return the bounding box of an element once it has stayed the same for half a second."""
    box = None
    while box != (box := element.bounding_box()):
        element.page.wait_for_timeout(500)
    return box


def test_help_can_be_read(page):
    """A contrast of 4.5 at least, WCAG 2.2, 1.4.3."""
    ratio = page.evaluate(
        """() => {
          const linear = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
          const light = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(linear)
            .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
          const words = [...document.querySelectorAll('#quality *')]
            .find(one => !one.children.length && /always fast/.test(one.textContent));
          return 1.05 / (light(getComputedStyle(words).color) + .05);
        }"""
    )
    assert ratio > 4.5
