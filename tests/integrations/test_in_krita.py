"""The plug-in's layers in Krita itself, which runs without a window."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RUNNER = shutil.which("kritarunner")
SENT = (200, 100, 50, 255), (10, 220, 90, 128)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(RUNNER is None, reason="no Krita: apt-get install krita"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run `in_krita.py` in Krita and return what it prints."""
    home = tmp_path_factory.mktemp("home")
    paths = HERE, HERE.parents[1] / "integrations" / "krita"
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QT_QPA_PLATFORM": "offscreen",
    }
    command = [RUNNER, "-s", "in_krita", "-f", "main"]
    done = subprocess.run(
        command, env=own, check=False, capture_output=True, text=True, timeout=300
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[-1])


@pytest.mark.parametrize("kind", ["sRGB, 8 bits", "linear, 16 bits", "linear, half", "gray"])
def test_a_result_is_a_layer_with_its_colours_and_is_read_back(found, kind):
    one = found[kind]
    assert one["layer"] == ["Impasto: one", "RGBA", "U8"]
    # Qt scales colours that are multiplied by alpha, rounded: by at most 0.5 * 255 / 128
    for read, sent in zip(one["layer colors"], SENT, strict=True):
        assert max(abs(a - b) for a, b in zip(read, sent, strict=True)) <= 1
    opaque, mixed = one["colors"]  # over the white background of a new document
    assert mixed[3] == 255
    if kind == "gray":
        assert len({*opaque[:3]}) == 1
    else:
        assert max(abs(a - b) for a, b in zip(opaque, SENT[0], strict=True)) <= 1
