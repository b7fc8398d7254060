"""The page by the keyboard alone."""

import pytest

from .chromium import drop, expect, needs_chromium, says, take

pytestmark = needs_chromium


def test_a_keyboard_is_enough(page, pictures):
    drop(page, pictures / "photo.jpg")  # the dialog for files is the system's
    says(page, "144 × 96 pixels")
    page.locator("#styles button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#names")).to_contain_text("adele")
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.type"))
        if page.evaluate("document.activeElement.id") == "paint":
            break
    assert {"paint", "radio"} <= reached
    page.keyboard.press("Enter")
    says(page, "Done")
    handle = page.locator("#result .outer")
    at = handle.get_attribute("style")
    page.locator("#reach input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(handle).not_to_have_attribute("style", at)


@pytest.mark.parametrize("button", ["Clear", "Remove"])
def test_the_focus_stays_in_the_list_of_styles_when_its_last_entry_is_removed(page, button):
    take(page, "adele")
    names = page.locator("#names")
    expect(names).to_contain_text("adele")
    names.locator(f"[title^='{button}']").focus()
    page.keyboard.press("Enter")
    expect(names.locator(".token")).to_have_count(0)
    expect(names.get_by_role("combobox")).to_be_focused()
