"""Drive the studio's page in Chromium."""

import re
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.slow,
]

WAIT = 60_000  # milliseconds; on a machine with other work


@contextmanager
def launched():
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@contextmanager
def opened(browser, studio):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page.set_default_timeout(WAIT)
    asked, failures = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    # what the page's own policy forbids is said there
    page.on("console", lambda said: failures.append(said.text) if "Policy" in said.text else None)
    page.goto(studio)
    page.wait_for_selector("#paint")
    yield page
    page.close()
    hosts = {urlsplit(url.removeprefix("blob:")).hostname for url in asked if url[:5] != "data:"}
    assert hosts == {"127.0.0.1"}
    assert not failures


def drop(page, path, where="#photo"):
    page.set_input_files(f"{where} input[type=file]", path)


def take(page, style):
    page.locator("#styles").get_by_role("button", name=style, exact=True).click()


def says(page, words):
    expect(page.locator("#status")).to_contain_text(re.compile(words), timeout=WAIT)


def painted(page):
    return page.locator("#result img").nth(1).get_attribute("src")


def fill_settings(page, numbers):
    page.get_by_role("button", name="Strength, colours").click()
    page.get_by_label("Hyperparameters of the method").fill(numbers)


def start_slowly(page, pictures, steps=1000):
    """Start a job of many steps."""
    drop(page, pictures / "photo.jpg")
    says(page, "144 × 96")
    take(page, "gold")
    page.get_by_label("Good").check()
    fill_settings(page, f"steps={steps}")
    page.click("#paint")
