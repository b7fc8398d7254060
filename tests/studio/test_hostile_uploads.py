"""The hostile inputs, uploaded: words or a picture for each, and the studio goes on serving."""

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import hostile

SECONDS = 30  # for one input; they take tenths


@pytest.fixture(scope="module")
def client(studio, tmp_path_factory):
    return Client(studio, verbose=False, download_files=tmp_path_factory.mktemp("fetched"))


def test_every_hostile_upload_is_answered(client, pictures, tmp_path, capfd):
    found = [path for path in hostile.write(tmp_path / "in") if path.is_file()]
    uploads = [path for path in found if path.name.isprintable() or path.name.isascii()]
    assert len(uploads) > hostile.COUNT - 12  # no pipes, devices, names that are no text
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
    assert painted > 20
    assert refused > 60
    photo = handle_file(pictures / "photo.jpg")
    picture, _ = client.predict(photo=photo, styles=["adele"], size="32", api_name="/stylize")
    assert Image.open(picture).size == (32, 21)
    assert "Traceback" not in capfd.readouterr().err
