"""The list of results in the visitor's browser, in Chromium."""

import shutil
import tempfile
from pathlib import Path

from PIL import Image

from impasto.studio import history

from .chromium import drop, expect, needs_chromium, opened, says, take

pytestmark = needs_chromium

ENTRIES = "#history button"


def paint(page, pictures, style):
    if page.locator("#photo input[type=file]").count():
        drop(page, pictures / "photo.jpg")
        says(page, "144 × 96")
    take(page, style)
    page.click("#paint")
    says(page, "Done")


def test_results_are_listed_after_a_reload_and_shown_again(page, pictures, tmp_path):
    paint(page, pictures, "adele")
    expect(page.locator(ENTRIES)).to_have_count(1)
    take(page, "adele")
    page.get_by_role("button", name="Strength, colours").click()
    page.get_by_label("number input for Strength").fill("0.6")
    page.keyboard.press("Tab")
    paint(page, pictures, "cafe-terrace")
    expect(page.locator(ENTRIES)).to_have_count(2)
    page.reload()
    expect(page.locator(ENTRIES)).to_have_count(2)
    expect(page.locator(ENTRIES).first).to_contain_text("cafe-terrace")
    expect(page.locator(ENTRIES).first).to_contain_text("144 × 96")
    expect(page.locator("#names")).not_to_contain_text("cafe-terrace")
    page.locator(ENTRIES).first.click()
    says(page, "Its settings are in the form again")
    expect(page.locator("#names")).to_contain_text("cafe-terrace")
    page.get_by_role("button", name="Strength, colours").click()
    expect(page.get_by_label("number input for Strength")).to_have_value("0.6")
    with page.expect_download() as fetched:
        page.click("#download")
    fetched.value.save_as(tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").size == (144, 96)
    page.click("#clear-history")
    expect(page.locator("#history")).to_contain_text("will be listed here")
    page.reload()
    expect(page.locator("#history")).to_contain_text("will be listed here")
    expect(page.locator(ENTRIES)).to_have_count(0)


def test_a_thumbnail_outlives_its_files(page, pictures):
    paint(page, pictures, "gold")
    expect(page.locator(ENTRIES)).to_have_count(1)
    (folder,) = Path(tempfile.gettempdir()).glob("impasto-studio-*/*/photo-gold.png")
    shutil.rmtree(folder.parent)
    page.locator(ENTRIES).first.click()
    says(page, "Only this thumbnail is left.*add photo.jpg and press Paint")
    assert "thumbnail" in page.locator("#result img").nth(1).get_attribute("src")
    page.click("#paint")  # the photo is still in the form
    says(page, "Done")


def test_another_visitor_does_not_see_it(page, browser, studio, pictures):
    paint(page, pictures, "adele")
    expect(page.locator(ENTRIES)).to_have_count(1)
    with opened(browser, studio) as other:  # each page has a browser profile of its own
        expect(other.locator("#history")).to_contain_text("will be listed here")
    assert page.evaluate(f"localStorage.getItem('{history.STORAGE}').length") < 100_000
