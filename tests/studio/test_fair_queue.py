"""One client floods the queue; the others must not notice much of it."""

import json
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from types import SimpleNamespace

import pytest
from gradio_client import Client, handle_file

from impasto.studio import fair_queue, serve
from impasto.studio.serve import ServerOptions

GREEDY, OTHER = "203.0.113.1", "203.0.113.2"  # as a proxy on this machine names them
SLOW = [["sample:wave"], None, None, None, "", "gatys", "steps=1000", "auto", 1, 1, "style", 0]


@pytest.fixture(scope="module")
def studio():
    with serve.serving(ServerOptions(port=0, queue=6, client_jobs=3)) as url:
        yield url


def send(url, path, who, body):
    request = urllib.request.Request(
        f"{url}gradio_api/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-Forwarded-For": who},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def listening(url, who):
    return Client(url, verbose=False, headers={"X-Forwarded-For": who})


@pytest.mark.slow
def test_21_jobs_that_nobody_listens_to_lock_nobody_out(studio, pictures, monkeypatch):
    body = b"\r\n".join(
        [
            b"--x",
            b'Content-Disposition: form-data; name="files"; filename="photo.jpg"',
            b"",
            (pictures / "photo.jpg").read_bytes(),
            b"--x--",
            b"",
        ]
    )
    request = urllib.request.Request(
        f"{studio}gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        (path,) = json.loads(answer.read())
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    answers = [send(studio, "call/stylize", GREEDY, {"data": [photo, *SLOW]}) for _ in range(21)]
    assert [status for status, _ in answers].count(200) == 3
    refused = [told["detail"] for status, told in answers if status == 503]
    assert len(refused) == 18
    assert "3 jobs of yours wait or run here" in refused[0]
    monkeypatch.setattr(fair_queue, "FETCH_TIMEOUT", 2.0)
    # the other client's turn is the next one, before the two that wait
    words = (
        listening(studio, OTHER)
        .submit(photo=handle_file(pictures / "photo.jpg"), styles=["adele"], api_name="/stylize")
        .result(timeout=60)[1]
    )
    assert words.startswith("done")
    # and the greedy one's jobs are gone soon after
    deadline = time.monotonic() + 30
    while send(studio, "call/stylize", GREEDY, {"data": [photo, *SLOW]})[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    # whoever comes for the news of such a job hears what became of it
    event = answers[0][1]["event_id"]
    with urllib.request.urlopen(f"{studio}gradio_api/call/stylize/{event}", timeout=20) as news:
        assert "nobody fetched the progress" in news.read().decode()


@pytest.mark.slow
def test_a_job_with_a_listener_goes_on(studio, pictures, monkeypatch):
    monkeypatch.setattr(fair_queue, "FETCH_TIMEOUT", 1.0)
    job = listening(studio, GREEDY).submit(
        photo=handle_file(pictures / "photo.jpg"),
        styles=["sample:wave"],
        method="gatys",
        settings="steps=1000",
        api_name="/stylize",
    )
    heard = ""
    while "step" not in heard:
        assert not job.done()
        heard = " ".join(output[1] or "" for output in job.outputs())
        time.sleep(0.1)
    time.sleep(3)
    assert not job.done()
    job.cancel()


def test_the_order_of_those_who_wait():
    queue = object.__new__(fair_queue.FairQueue)
    queue._last_turn = OrderedDict({GREEDY: 5.0})
    jobs = [
        SimpleNamespace(request=SimpleNamespace(client=SimpleNamespace(host=host)), n=n)
        for n, host in enumerate([GREEDY, GREEDY, OTHER, OTHER])
    ]
    assert [job.n for job in queue._in_turn(jobs)] == [2, 0, 3, 1]
