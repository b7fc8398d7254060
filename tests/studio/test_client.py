"""The studio's endpoints, through gradio_client and with bare hands."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from impasto.studio import serve
from impasto.studio.serve import ServerOptions

EXAMPLE = Path(__file__).parents[2] / "examples" / "studio_client.py"


@pytest.fixture(scope="module")
def client(studio, tmp_path_factory):
    return Client(studio, verbose=False, download_files=tmp_path_factory.mktemp("fetched"))


def refused(client, **arguments):
    """The words with which /stylize refuses."""
    with pytest.raises(AppError) as error:
        client.predict(**arguments, api_name="/stylize")
    words = str(error.value)
    assert "Traceback" not in words
    assert "\n" not in words
    return words


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(studio, pictures, tmp_path):
    out = tmp_path / "out.png"
    styles = [pictures / "painting.png"]
    done = subprocess.run(
        [sys.executable, EXAMPLE, studio, pictures / "photo.jpg", *styles, out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done in")
    assert Image.open(out).size == (256, 171)


def test_what_there_is_can_be_asked_for(client):
    told = client.predict(api_name="/styles")
    assert "starry-night" in told["styles"]
    assert "bricks" in told["textures"]
    assert {"gatys", "wct"} <= set(told["methods"])


@pytest.mark.slow
def test_two_styles_blend_with_weights_and_a_mask(client, pictures, tmp_path):
    mask = Image.new("L", (144, 96))
    mask.paste(255, (0, 0, 72, 96))
    mask.save(tmp_path / "left.png")
    photo = handle_file(pictures / "photo.jpg")
    picture, words = client.predict(
        photo=photo, styles=["adele", "gray-tree"], weights=[1, 0.5], size="96", api_name="/stylize"
    )
    assert words.startswith("done")
    assert Image.open(picture).size == (96, 64)
    picture, _ = client.predict(
        photo=photo, styles=["adele"], mask=handle_file(tmp_path / "left.png"), api_name="/stylize"
    )
    before = Image.open(pictures / "photo.jpg").convert("RGB")
    after = Image.open(picture).convert("RGB")
    assert after.getpixel((140, 48)) == before.getpixel((140, 48))
    assert after.getpixel((4, 48)) != before.getpixel((4, 48))


def test_a_texture(client):
    picture, _ = client.predict(name="bricks", width=80, height=64, api_name="/texture")
    assert Image.open(picture).size == (80, 64)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "no painting"),
        ({"styles": ["no-such"]}, "no style 'no-such' here"),
        ({"styles": ["/etc/passwd"]}, "no style '/etc/passwd' here"),
        ({"styles": ["sample:astronaut"]}, "no style"),
        ({"styles": "adele"}, "styles is a list, not str"),
        ({"styles": [["adele"]]}, "no style"),
        ({"styles": ["adele"] * 7}, "more than 6 paintings"),
        ({"styles": ["adele"], "weights": ["a"]}, "weight is a number, not str"),
        ({"styles": ["adele", "gray-tree"], "weights": [-1, 1]}, "must not be negative"),
        ({"styles": ["adele"], "strength": 2}, "strength is 2"),
        ({"styles": ["adele"], "size": "99999"}, "up to 1024 pixels"),
        ({"styles": ["adele"], "size": "nan"}, "size 'nan'"),
        ({"styles": ["adele"], "size": "-4"}, "size is -4"),
        ({"styles": ["adele"], "seed": -1}, "seed is -1"),
        ({"styles": ["sample:wave"], "quality": "superb"}, "no quality 'superb'"),
        ({"styles": ["sample:wave"], "method": "/nowhere/x.safetensors"}, "no method"),
        ({"styles": ["sample:wave"], "method": "gatys", "size": "800"}, "gatys in this studio"),
        ({"styles": ["sample:wave"], "method": "gatys", "settings": "steps=x"}, "no whole number"),
        ({"styles": ["sample:wave"], "settings": "steps"}, "NAME=VALUE"),
        (
            {"styles": ["sample:wave"], "method": "gatys", "settings": "weights=/etc/passwd"},
            "weights go by name",
        ),
        (
            {"styles": ["sample:wave"], "method": "gatys", "settings": "steps=100000"},
            "1 to 1000 here",
        ),
        ({"styles": ["adele", "starry-night"]}, "adele and starry-night do not blend"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(client, pictures, arguments, words):
    photo = handle_file(pictures / "photo.jpg")
    assert words in refused(client, photo=photo, **arguments)


def test_what_is_no_picture_is_refused_in_words(client, pictures, tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("<script>alert(1)</script>")
    for path in (pictures / "broken.jpg", tmp_path / "empty.png", tmp_path / "text.png"):
        assert path.name in refused(client, photo=handle_file(path), styles=["adele"])
    assert "no photo" in refused(client, photo=None, styles=["adele"])


def post(studio, path, body, kind="application/json"):
    request = urllib.request.Request(f"{studio}gradio_api/{path}", body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_requests_that_make_no_sense_are_answered(studio, client):
    bodies = [
        b"",
        b"[]",
        b"{",
        b'{"fn_index": 9999, "data": [], "session_hash": "x"}',
        b'{"fn_index": -1, "data": "x", "session_hash": ["x"]}',
        b'{"data": null}',
        json.dumps(
            {"fn_index": 0, "data": [{"path": "/etc/passwd"}], "session_hash": "y"}
        ).encode(),
        b'{"component_id": "x", "fn_name": "__init__", "data": 1, "session_hash": "z"}',
    ]
    for path in (
        "queue/join",
        "run/predict",
        "api/stylize",
        "component_server",
        "upload",
        "cancel",
    ):
        for body in bodies:
            status, text = post(studio, path, body)
            assert status < 500, (path, body, text)
            assert "Traceback" not in text
    assert client.predict(api_name="/styles")


def test_files_of_the_server_are_not_given_away(studio, pictures):
    for path in ("/etc/passwd", "../../../etc/passwd", str(pictures / "photo.jpg")):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{studio}gradio_api/file={path}", timeout=20)
        assert error.value.code in {403, 404}
    rest = [None, None, None, "fast", "", "", "auto", 1, 1, "style", 0]
    for path in (str(pictures / "photo.jpg"), "https://example.org/x.png", ""):
        stolen = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [stolen, ["adele"], *rest]}).encode()
        status, text = post(studio, "call/stylize", body)
        assert status == 200
        event = json.loads(text)["event_id"]
        with urllib.request.urlopen(f"{studio}gradio_api/call/stylize/{event}", timeout=20) as news:
            told = news.read().decode()
        assert "event: error" in told
        assert "upload the file" in told


def test_a_body_without_end_is_refused(studio):
    status, text = post(studio, "queue/join", b'{"data": ["' + b"x" * (9 << 20) + b'"]}')
    assert status == 413
    assert "larger than 8 MB" in text


@pytest.mark.slow
def test_a_full_queue_refuses_in_words_and_loses_nothing(studio, pictures):
    """One job runs, four wait; what comes then is refused at once."""
    slow = {
        "photo": handle_file(pictures / "photo.jpg"),
        "styles": ["sample:wave"],
        "method": "gatys",
        "settings": "steps=12; levels=1",
        "api_name": "/stylize",
    }
    clients = [Client(studio, verbose=False) for _ in range(8)]
    answers = []

    def ask(one):
        try:
            answers.append(one.submit(**slow).result(timeout=120)[1])
        except Exception as error:
            answers.append(f"refused: {error}")

    threads = [threading.Thread(target=ask, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [words for words in answers if words.startswith("done")]
    full = [words for words in answers if "queue is full" in words.lower()]
    assert len(kept) + len(full) == 8, [repr(words) for words in answers]
    assert len(kept) >= 4
    assert full


@pytest.mark.slow
def test_a_job_that_nobody_waits_for_stops(studio, pictures):
    """Else the next user would wait for all its steps."""
    gone = Client(studio, verbose=False)
    job = gone.submit(
        photo=handle_file(pictures / "photo.jpg"),
        styles=["sample:wave"],
        method="gatys",
        settings="steps=1000",
        api_name="/stylize",
    )
    while not any("step" in (output[1] or "") for output in job.outputs()):
        assert not job.done(), job.outputs()
        time.sleep(0.1)
    job.cancel()
    next_one = Client(studio, verbose=False)
    words = next_one.submit(
        photo=handle_file(pictures / "photo.jpg"), styles=["adele"], api_name="/stylize"
    ).result(timeout=30)[1]
    assert words.startswith("done")


@pytest.mark.slow
def test_a_studio_with_a_password_asks_for_it(pictures):
    with serve.serving(ServerOptions(port=0, auth="ada:secret")) as url:
        for path in ("config", "gradio_api/info"):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(url + path, timeout=20)
            assert error.value.code == 401
        assert Client(url, auth=("ada", "secret"), verbose=False).predict(api_name="/styles")
