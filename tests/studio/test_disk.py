"""Clients that fill the disk, and uploads that break off."""

import http.client
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import gradio as gr
import pytest
import torch

from impasto.errors import InputError
from impasto.image import Image
from impasto.studio import disk as disk_module
from impasto.studio import job_queue, serve
from impasto.studio.disk import DiskQuota
from impasto.studio.job_queue import JobQueue
from impasto.studio.limits import Limits
from impasto.studio.serve import ServerOptions
from impasto.studio.widgets import JobOwner, Studio

GREEDY, OTHER, THIRD = "203.0.113.1", "203.0.113.2", "203.0.113.3"
LIMITS = Limits(upload=1 << 20, pixels=10**6, disk=3 << 20, client_disk=2 << 20)


@pytest.fixture
def studio(pictures):
    """(address, folder) of a studio with a small disk; pictures first, which it finds too large."""
    with serve.serving(ServerOptions(port=0, limits=LIMITS)) as url:
        yield url, Path(os.environ["GRADIO_TEMP_DIR"])


def multipart(*files, end=b"--x--\r\n", field="files"):
    head = 'Content-Disposition: form-data; name="{}"; filename="{}.png"\r\n\r\n'
    parts = [
        b"--x\r\n" + head.format(field, index).encode() + content + b"\r\n"
        for index, content in enumerate(files)
    ]
    return b"".join(parts) + end


def send(url, body, who=GREEDY, path="/gradio_api/upload", chunked=False):
    """(status, text) of an upload."""
    place = urlsplit(url)
    line = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    heads = {"Content-Type": "multipart/form-data; boundary=x", "X-Forwarded-For": who}
    line.request("POST", path, iter([body]) if chunked else body, heads, encode_chunked=chunked)
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer.status, text


def broken_off(url, path="/gradio_api/upload", size=300_000):
    """Begin an upload, and go away in the middle of it."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as line:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {2 * size}\r\n"
            f"X-Forwarded-For: {GREEDY}\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        line.sendall(head.encode() + multipart(os.urandom(size), end=b""))
        time.sleep(0.3)


def left(folder):
    """Files below a folder, besides those of the page itself; once uploads have ended."""
    deadline = time.monotonic() + 10
    while True:
        found = [p for p in folder.rglob("*") if p.is_file() and "styles" not in p.parts]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


@pytest.mark.slow
def test_one_client_fills_its_own_share_only(studio):
    url, folder = studio
    megabyte = os.urandom(900_000)
    assert send(url, multipart(megabyte))[0] == 200
    assert send(url, multipart(megabyte + b"2"))[0] == 200
    for chunked in (False, True):  # whether the length is told before or not
        status, text = send(url, multipart(megabyte + b"3"), chunked=chunked)
        assert status == 413, text
        assert "more than 2 MB here, the most for one client" in text
    assert send(url, multipart(megabyte + b"4"), OTHER)[0] == 200
    status, text = send(url, multipart(megabyte + b"5"), THIRD)
    assert status == 413
    assert "the studio's disk is full" in text
    assert len([path for path in folder.rglob("*.png") if "styles" not in path.parts]) == 3
    assert not list(folder.glob("tmp*"))


@pytest.mark.slow
def test_many_small_files_count(studio):
    url, _ = studio
    statuses = [send(url, multipart(*[b"%d" % n] * 100))[0] for n in range(4)]
    assert statuses[0] == 200
    assert statuses[-1] == 413  # 400 files of a byte take three megabytes


def test_results_count_and_jobs_are_refused_when_the_share_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(
        job_queue, "REPORT_INTERVAL", 0.05
    )  # seconds to the first report of a silent job
    disk = DiskQuota(tmp_path, most=10**6, each=300_000)
    studio = Studio(JobQueue(), LIMITS, tmp_path, disk)
    greedy, other = JobOwner("a", "stylize", GREEDY), JobOwner("b", "stylize", OTHER)
    noise = Image(torch.rand(1, 3, 200, 200))  # 120 kB as a PNG
    for _ in range(3):
        assert (
            next(studio.work(greedy, lambda *_: time.sleep(0.5), lambda report: "begun")) == "begun"
        )
        studio.save_image(greedy, noise, "result.png")
    with pytest.raises(gr.Error, match="the most for one client"):
        next(studio.work(greedy, lambda *_: None, lambda report: "begun"))
    assert next(studio.work(other, lambda *_: time.sleep(0.5), lambda report: "begun")) == "begun"


def test_of_previews_few_are_kept(tmp_path):
    keep = Studio(JobQueue(), LIMITS, tmp_path, DiskQuota(tmp_path)).previews("preview.jpg")
    made = [Path(keep(Image(torch.rand(1, 3, 8, 8)))) for _ in range(50)]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(made[-10:])
    assert len(list(tmp_path.iterdir())) == 10


def test_uploads_that_break_off_leave_nothing_and_do_not_count(studio):
    url, folder = studio
    for _ in range(4):
        broken_off(url)
    assert left(folder) == []
    for end in (b"", b"--", b"--x"):  # bodies that are whole and yet have no end
        send(url, multipart(os.urandom(90_000), end=end))
    assert send(url, multipart(os.urandom(90_000), field="other"))[0] == 200
    assert left(folder) == []
    assert send(url, multipart(os.urandom(900_000)))[0] == 200


@pytest.mark.slow
def test_what_the_brush_sends_leaves_nothing_either(studio, tmp_path, monkeypatch):
    url, folder = studio
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken_off(url, "/gradio_api/component_server")
    for end in (b"", b"--x--\r\n"):
        send(url, multipart(b"y" * 9000, end=end), path="/gradio_api/component_server")
    assert left(folder) == []
    assert left(tmp_path) == []


def test_what_is_counted_is_forgotten_when_the_files_are_gone(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(disk_module.time, "monotonic", lambda: now[0])
    disk = DiskQuota(Path("nowhere"), most=100, each=60)
    disk.add("ada", 50)
    disk.check("ada", 10)
    with pytest.raises(InputError, match="the most for one client"):
        disk.check("ada", 11)
    disk.check("bob", 50)
    with pytest.raises(InputError, match="disk is full"):
        disk.check("bob", 51)
    now[0] += disk_module.MAX_AGE + disk_module.SWEEP_INTERVAL
    with pytest.raises(InputError):
        disk.check("ada", 11)
    now[0] += 3 * disk_module.SWEEP_INTERVAL
    disk.check("ada", 60)


def test_what_is_old_is_deleted_and_the_rest_stays(tmp_path, monkeypatch):
    for name in ("styles/a.jpg", "old/a.png", "new/a.png", "tmpold"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    disk = DiskQuota(tmp_path)
    disk.sweep()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4
    monkeypatch.setattr(disk_module, "MAX_AGE", -1.0)
    (tmp_path / "new").rename(tmp_path.parent / "kept")
    disk.sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["styles"]
