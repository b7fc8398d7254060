"""Weights that are fetched: checked, installed whole or not at all."""

import hashlib
import http.client
import io
import socket
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from helpers import one_line
from impasto.errors import WeightsError
from impasto.nn import vgg_weights
from impasto.nn.vgg import Encoder


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """An entry at a file:// address, to be fetched into an empty cache; and what it holds."""
    content = bytes(range(256)) * 40
    source = tmp_path / "remote" / "some weights.pth"
    source.parent.mkdir()
    source.write_bytes(content)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vgg_weights, "_CHUNK_BYTES", 1024)
    item = replace(
        vgg_weights.entry("vgg16-caffe"),
        url=source.as_uri(),
        sha256=hashlib.sha256(content).hexdigest(),
        size=0,
    )
    return item, content


def left_behind(item):
    folder = item.path.parent
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_fetch(remote):
    item, content = remote
    heard = []
    path = vgg_weights.fetch(item, lambda p: heard.append((p.step, p.total, p.stage)))
    assert path == item.path
    assert path.read_bytes() == content
    assert vgg_weights.verify(item)
    assert left_behind(item) == [path.name]
    assert [step for step, _, _ in heard] == [1024 * n for n in range(1, 11)]
    assert {(total, stage) for _, total, stage in heard} == {(10240, "fetching vgg16-caffe")}


def test_eight_digits_of_the_hash_are_enough(remote):
    item, _ = remote
    assert vgg_weights.fetch(replace(item, sha256=item.sha256[:8])).is_file()


def test_what_is_there_is_not_fetched_again(remote, monkeypatch):
    item, _ = remote
    vgg_weights.fetch(item)
    monkeypatch.setattr(urllib.request, "urlopen", None)
    assert vgg_weights.fetch(item) == item.path


def test_a_damaged_file_is_fetched_again(remote):
    item, content = remote
    vgg_weights.fetch(item)
    item.path.write_bytes(content[:-1])
    assert not vgg_weights.verify(item)
    assert vgg_weights.fetch(item).read_bytes() == content


def test_a_wrong_hash_is_not_installed(remote):
    item, content = remote
    wrong = replace(item, sha256="0" * 64)
    with pytest.raises(WeightsError, match="not installed") as caught:
        vgg_weights.fetch(wrong)
    one_line(caught)
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert left_behind(item) == []


def test_cancelling_leaves_nothing(remote):
    item, _ = remote
    heard = []

    def listen(progress):
        heard.append(progress.step)
        if len(heard) == 3:
            progress.cancel()

    with pytest.raises(WeightsError, match="cancelled") as caught:
        vgg_weights.fetch(item, listen)
    one_line(caught)
    assert len(heard) == 3
    assert left_behind(item) == []


def test_a_listener_that_fails_leaves_nothing(remote):
    item, _ = remote

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vgg_weights.fetch(item, interrupt)
    assert left_behind(item) == []


def test_an_address_without_a_file(remote):
    item, _ = remote
    gone = replace(item, url=item.url + ".gone")
    with pytest.raises(WeightsError, match=r"could not fetch file://.*by path") as caught:
        vgg_weights.fetch(gone)
    one_line(caught)
    assert left_behind(item) == []


class Answer(io.BytesIO):
    """Imitate a response without a length, which may fail at its end."""

    headers: dict = {}  # noqa: RUF012

    def __init__(self, content, failure=None):
        super().__init__(content)
        self.failure = failure

    def read(self, size=-1):
        chunk = super().read(size)
        if not chunk and self.failure:
            raise self.failure
        return chunk


@pytest.mark.parametrize(
    "failure",
    [
        urllib.error.HTTPError("https://example.org", 404, "Not Found", None, None),
        urllib.error.URLError(socket.gaierror(-2, "Name or service not known")),
        TimeoutError("timed out"),
        ConnectionResetError("reset by peer"),
        http.client.BadStatusLine("what?"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_network_that_fails_is_told_in_words(remote, monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(WeightsError, match="vgg16-caffe: could not fetch") as caught:
        vgg_weights.fetch(remote[0])
    one_line(caught)
    assert left_behind(remote[0]) == []


@pytest.mark.parametrize(
    "failure", [http.client.IncompleteRead(b"", 5), ConnectionResetError(), TimeoutError()]
)
def test_a_network_that_fails_halfway_leaves_nothing(remote, monkeypatch, failure):
    answer = Answer(remote[1][:3000], failure)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: answer)
    with pytest.raises(WeightsError, match="could not fetch") as caught:
        vgg_weights.fetch(remote[0])
    one_line(caught)
    assert left_behind(remote[0]) == []


def test_a_short_answer_is_not_installed(remote, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(remote[1][:3000]))
    with pytest.raises(WeightsError, match="not installed"):
        vgg_weights.fetch(remote[0])
    assert left_behind(remote[0]) == []


def test_a_server_that_gives_no_length(remote, monkeypatch):
    heard = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(remote[1]))
    vgg_weights.fetch(replace(remote[0], size=10240), lambda progress: heard.append(progress.total))
    assert set(heard) == {10240}


def test_a_cache_that_cannot_be_written(remote, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="could not fetch") as caught:
        vgg_weights.fetch(remote[0])
    one_line(caught)


def test_nothing_is_fetched_silently(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    vgg_weights.load("vgg19-caffe-q8")
    for name, item in vgg_weights.ENTRIES.items():
        if item.url:
            with pytest.raises(WeightsError, match=f"impasto weights fetch {name}"):
                vgg_weights.load(name)
            with pytest.raises(WeightsError, match=f"impasto weights fetch {name}"):
                Encoder(item.arch, flavor=item.flavor, weights=name)
    assert list(tmp_path.iterdir()) == []
