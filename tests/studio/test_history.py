"""The list of results that a browser keeps, and what a browser may send instead."""

import pytest
import torch

from impasto.image import Image
from impasto.studio import history, history_events
from impasto.studio.files import save_image

FORM = {"names": ["adele"], "quality": "good", "size": "512", "seed": 7, "weights": [0.5]}


def result(folder, text="adele, good", edge=600):
    torch.manual_seed(edge)
    picture = Image(torch.rand(1, 3, edge, edge))
    paths = [save_image(picture, folder, name) for name in ("a.webp", "b.webp", "photo-adele.png")]
    return history.entry(picture, text, "photo.jpg", ["own.png"], FORM, paths)


@pytest.mark.slow
def test_the_newest_is_first_and_the_list_is_bounded(tmp_path):
    entries = []
    for number in range(25):
        entries = history.add(result(tmp_path, f"number {number}"), entries)
    assert [one["text"] for one in entries] == [f"number {n}" for n in range(24, 4, -1)]
    assert len(str(entries)) < history._BYTES
    assert history.add(None, entries) == history.add(entries[0], entries) == entries


def test_its_bytes_are_bounded(tmp_path, monkeypatch):
    entries = history.add(result(tmp_path), [])
    monkeypatch.setattr(history, "_BYTES", 2 * len(str(entries)) + 100)
    for _ in range(3):
        entries = history.add(result(tmp_path), entries)
    assert len(entries) == 2


def test_a_file_that_is_gone_is_noticed(tmp_path):
    found = result(tmp_path)
    paths = history.stored_files(found, tmp_path)
    assert [path.name for path in paths] == ["a.webp", "b.webp", "photo-adele.png"]
    paths[1].unlink()
    assert history.stored_files(found, tmp_path) is None
    assert history.thumbnail_bytes(found)[:2] == b"\xff\xd8"


def test_what_a_browser_invents_is_left_out(tmp_path):
    good = result(tmp_path)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    bad = [
        None,
        "x",
        {},
        {**good, "files": ["../secret.png"] * 3},
        {**good, "files": [str(secret)] * 3},
        {**good, "files": ["0" * 32 + "/../secret.png"] * 3},
        {**good, "thumbnail": "https://example.org/x.jpg"},
        {**good, "thumbnail": 'data:image/jpeg;base64,x" onload="alert(1)'},
        {**good, "text": "x" * 300},
        {**good, "own": [1]},
        {**good, "form": []},
    ]
    assert history.checked([*bad, good]) == [good]
    assert history.checked({"0": good}) == history.checked(None) == []
    assert history.as_html("nonsense") == history.EMPTY


def test_names_with_markup_are_inert(tmp_path):
    found = {**result(tmp_path), "photo": "<img src=x onerror=alert(1)>${alert(1)}{{x}}.jpg"}
    html = history.as_html([found])
    assert "<img src=x" not in html
    assert "${" not in html
    assert "{{" not in html
    assert 'data-index="0"' in html


def test_settings_that_do_not_exist_become_the_defaults():
    values = dict(zip(history_events.FORM, history_events.form_values(FORM), strict=False))
    assert values["names"] == ["adele"]
    assert (values["quality"], values["size"], values["seed"]) == ("good", "512", 7)
    odd = {
        "names": [["adele"], "/etc/passwd", {}],
        "quality": {},
        "method": "rm",
        "size": "9" * 9,
        "strength": float("nan"),
        "seed": "x",
        "weights": "x",
    }
    values = history_events.form_values(odd)
    assert values == [[], "fast", "", "", "auto", 1, 1, "style", 0, False, False] + [1] * 6
