"""Hostile inputs, uploaded: words or a picture for each, and the studio goes on serving.

How each of the two hundred is decoded is tested on the command line. What the studio adds is the
way to it: names that stand in addresses, and words without paths.
"""

import os

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import hostile

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and sockets of POSIX")

SECONDS = 30  # for one input; they take tenths


@pytest.fixture(scope="module")
def client(studio, tmp_path_factory):
    return Client(studio, verbose=False, download_files=tmp_path_factory.mktemp("fetched"))


@pytest.mark.slow
def test_every_hostile_upload_is_answered(client, pictures, tmp_path, capfd):
    found = [path for path in hostile.write(tmp_path / "in") if path.is_file()]
    sayable = [path for path in found if path.name.isprintable() or path.name.isascii()]
    named = [path for path in sayable if path.name in hostile.NAMES]
    uploads = named + [path for path in sayable if path not in named][::12]
    assert len(named) > 15
    painted, refused = 0, 0
    for path in uploads:
        job = client.submit(
            photo=handle_file(path), styles=["adele"], size="32", api_name="/stylize"
        )
        try:
            picture, words = job.result(timeout=SECONDS)
        except AppError as error:
            words = str(error)
            refused += 1
        else:
            with Image.open(picture) as made:
                made.load()
            painted += 1
        assert words, path.name
        assert "Traceback" not in words, path.name
        assert "\n" not in words, path.name
    assert painted > 15
    assert refused > 5
    photo = handle_file(pictures / "photo.jpg")
    picture, _ = client.predict(photo=photo, styles=["adele"], size="32", api_name="/stylize")
    assert Image.open(picture).size == (32, 21)
    assert "Traceback" not in capfd.readouterr().err
