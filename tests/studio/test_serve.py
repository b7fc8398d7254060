"""Where the studio listens, whom it lets in, and how it ends."""

import builtins
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from gradio_client import Client, handle_file

from impasto.errors import InputError, MissingExtraError
from impasto.studio import serve
from impasto.studio.limits import Limits
from impasto.studio.serve import ServerOptions


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org", ""])
def test_listening_wider_asks_for_a_password(impasto, host):
    outcome = impasto("studio", "--host", host, "--no-browser")
    assert outcome.code == 2
    assert "add --auth USER:PASSWORD" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_alone_needs_none(host):
    assert ServerOptions(host=host).auth is None
    assert serve.is_loopback(host)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--auth", "ada"], "--auth is USER:PASSWORD"),
        (["--auth", ":x"], "--auth is USER:PASSWORD"),
        (["--auth-file", "no-such"], "cannot read no-such"),
        (["--auth", "a:b", "--auth-file", "x"], "give one of them"),
        (["--port", "70000"], "port is 70000"),
        (["--queue", "0"], "queue is 0"),
        (["--jobs", "0"], "jobs is 0"),
        (["--client-jobs", "0"], "client_jobs is 0"),
        (["--max-minutes", "0"], "max-minutes is 0"),
        (["--max-minutes", "nan"], "max-minutes is nan"),
        (["--max-upload", "much"], "memory 'much'"),
        (["--max-pixels", "-3"], "number '-3'"),
    ],
)
def test_options_that_make_no_sense(impasto, options, words):
    outcome = impasto("studio", "--no-browser", *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_password_from_a_file_or_a_variable(tmp_path, monkeypatch):
    (tmp_path / "auth").write_text("ada:lace\n")
    assert serve.credentials(None, tmp_path / "auth") == "ada:lace"
    monkeypatch.setenv("IMPASTO_STUDIO_AUTH", "bob:x")
    assert serve.credentials(None, None) == "bob:x"
    assert serve.credentials("eve:y", None) == "eve:y"


def test_a_port_that_is_taken_is_said(impasto):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = impasto("studio", "--port", port, "--no-browser")
    assert outcome.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in outcome.err
    assert "--port" in outcome.err


def test_without_gradio_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "gradio":
            raise ImportError(name)
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.partition(".")[0] == "gradio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(serve.importlib, "import_module", without)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'impasto\[studio\]'"),
        serve.serving(ServerOptions(port=0)),
    ):
        pass


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("end", "during"),
    [(signal.SIGINT, False), (signal.SIGTERM, True)],
)
def test_the_command_serves_and_ends_quietly(tmp_path, pictures, end, during):
    # what runs in the background of a shell is started deaf to Ctrl-C
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listening}; from impasto.__main__ import main; main()"
    command = [sys.executable, "-c", program, "studio", "--port", "0", "--no-browser"]
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place
    ) as running:
        try:
            address = running.stdout.readline().split()[0]
            with urllib.request.urlopen(address, timeout=60) as page:
                text = page.read().decode()
            if during:
                _start_a_job(address, pictures / "photo.jpg")
            running.send_signal(end)
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert "Impasto" in text
    assert errors == ""
    assert running.returncode == 0
    deadline = time.monotonic() + 5
    while _left(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _left(tmp_path) == []  # nobody's pictures stay


def _left(folder):
    """What is left in a folder, besides the cache of PyTorch's compiler."""
    return [path for path in folder.iterdir() if not path.name.startswith("torchinductor")]


def _start_a_job(address, photo):
    job = Client(address, verbose=False).submit(
        photo=handle_file(photo),
        styles=["sample:wave"],
        method="gatys",
        settings="steps=1000",
        api_name="/stylize",
    )
    while not any("step" in (output[1] or "") for output in job.outputs()):
        assert not job.done()
        time.sleep(0.1)


def test_files_are_measured_before_they_are_read(tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(2000))
    with pytest.raises(InputError, match=r"large\.png is larger than 0 MB"):
        Limits(upload=1000).picture(tmp_path / "large.png")
    with pytest.raises(InputError, match=r"gone\.png is not there any more"):
        Limits().picture(tmp_path / "gone.png")
