"""Two hundred hostile inputs: no traceback, no hang, no half of a result."""

import io
import json
import os
import signal
import threading

import pytest

import hostile
from helpers import fresh_johnson
from impasto import image
from impasto.errors import ImpastoError
from impasto.image import files

pytestmark = pytest.mark.slow  # many whole commands

resource = pytest.importorskip("resource")  # of POSIX, as are the signals

SECONDS = 20  # for one input; they take hundredths


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of johnson's that has learned nothing and is quick."""
    return fresh_johnson(tmp_path_factory.mktemp("network") / "quick.safetensors", "quick")


class Hangs(BaseException):
    """None that a program would catch."""


@pytest.fixture
def hurry(monkeypatch):
    """Whoever hangs is interrupted."""
    monkeypatch.setattr(files, "PIPE_TIMEOUT", 0.2)

    def late(*_):
        raise Hangs

    before = signal.signal(signal.SIGALRM, late)
    yield lambda seconds=SECONDS: signal.alarm(seconds)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # GiB


def check(path, code, err, out):
    words = f"{path.name!r}: {err[-500:]}"
    assert code in {0, 2}, words
    assert "Traceback" not in err, words
    assert (path.parent / "pwned").exists() is False
    if code == 0:
        image.load(out)  # whole
    else:
        assert err.startswith("impasto: "), words
        assert len(err.strip().splitlines()) == 1, words
        assert not out.exists(), words


def test_each_is_read_or_refused_in_a_line(tmp_path, hurry):
    before, refused = memory(), 0
    for path in hostile.write(tmp_path / "in"):
        hurry()
        try:
            found = image.load(path)
        except ImpastoError as error:
            words = str(error)
            assert len(words.splitlines()) == 1, words
            refused += 1
        else:
            assert found.rgb.shape[:2] == (1, 3), path.name
    assert 60 < refused < 180  # neither all nor none of them
    assert memory() - before < 1.5


def chosen(paths):
    """Every fifth, and all whose name, kind or shape is what is hostile in them."""
    flawed = ("cut-", "longer-", "head-of-", "flipped-")
    own = [path for path in paths if not path.name.startswith(flawed)]
    return own + [path for path in paths if path not in own][::5]


def test_stylize_many(impasto, tmp_path, network, hurry):
    before, results, refused = memory(), tmp_path / "out", 0
    results.mkdir()
    paths = chosen(hostile.write(tmp_path / "in"))
    for number, path in enumerate(paths):
        hurry()
        out = results / f"{number}.png"
        found = impasto("stylize", path, "-s", network, "--size", 32, "-o", out, "--quiet")
        check(path, found.code, found.err, out)
        refused += found.code == 2
        assert {p.suffix for p in results.iterdir()} <= {".png"}  # nothing half written
    assert 0.3 * len(paths) < refused < 0.9 * len(paths)
    assert memory() - before < 1.5


def test_some_as_a_style(impasto, tmp_path, hurry):
    out = tmp_path / "out.png"
    for path in hostile.write(tmp_path / "in")[::10]:
        hurry()
        out.unlink(missing_ok=True)
        options = ("--method", "adain", "--size", 32, "-o", out, "--quiet")
        found = impasto("stylize", "sample:astronaut", "-s", path, *options)
        check(path, found.code, found.err, out)


def test_batch_of_some(impasto, tmp_path, network, hurry):
    """An eighth of them: each by itself is tested above."""
    made, out = hostile.write(tmp_path / "in"), tmp_path / "out"
    for number, path in enumerate(made):
        if number % 8:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    hurry(8 * SECONDS)
    found = impasto("batch", tmp_path / "in", "-s", network, "--size", 32, "-o", out, "--quiet")
    assert found.code in {1, 2}
    assert "Traceback" not in found.err
    lines = (out / "manifest.jsonl").read_text().splitlines()
    outcomes = [json.loads(line) for line in lines]
    assert len(outcomes) > hostile.COUNT / 16
    for path in (p for p in out.rglob("*") if p.is_file() and p.suffix in {".png", ".jpg", ".tif"}):
        image.load(path)
    assert len(made) == hostile.COUNT


def test_a_pipe_that_is_filled_is_a_picture(impasto, tmp_path, network, photo, hurry):
    hurry()
    pipe, out = tmp_path / "pipe", tmp_path / "out.png"
    os.mkfifo(pipe)
    image.save(image.Image(photo(24, 32)), buffer := io.BytesIO(), format="PNG")
    writer = threading.Thread(target=pipe.write_bytes, args=(buffer.getvalue(),))
    writer.start()
    found = impasto("stylize", pipe, "-s", network, "--size", 32, "-o", out, "--quiet")
    writer.join()
    assert found.code == 0, found.err
    assert image.load(out).size == (32, 24)
