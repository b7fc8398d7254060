"""``impasto video`` from the command line."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from impasto.cli import app
from impasto.errors import CancelledError, ImpastoError


def run(*arguments):
    result = CliRunner().invoke(app, ["video", *map(str, arguments)])
    if isinstance(result.exception, ImpastoError):
        raise result.exception
    return result


def test_a_video_in_one_command(clip, tmp_path):
    result = run(clip, tmp_path / "out.mkv", "--style", "joyfulness-lite", "--crf", 20)
    assert result.exit_code == 0
    assert "64x48, 8 frames" in result.stderr
    assert "flicker" in result.stderr
    assert (tmp_path / "out.mkv").is_file()


def test_quiet_is_quiet(clip, tmp_path):
    result = run(clip, tmp_path / "frames", "-s", "joyfulness-lite", "-q", "--no-steady")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.slow
def test_notes_are_told(clip, tmp_path):
    result = run(clip, tmp_path / "out.gif", "-s", "joyfulness-lite", "--smooth", 0)
    assert "holds no sound" in result.stderr


def test_bad_input_is_exit_code_2(tmp_path):
    (tmp_path / "text.mp4").write_text("dear diary")
    with pytest.raises(ImpastoError) as caught:
        run(tmp_path / "text.mp4", tmp_path / "out.mp4", "-s", "joyfulness-lite")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("fps", ["0", "x", "1/0", "9999"])
def test_a_rate_that_is_none(tmp_path, fps):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(ImpastoError, match="frames a second"):
        run(tmp_path, tmp_path / "out.mp4", "-s", "joyfulness-lite", "--fps", fps)


def test_a_second_ctrl_c_says_how_to_go_on(clip, tmp_path, monkeypatch):
    from impasto.video.frame_stylizer import FrameStylizer

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(FrameStylizer, "frame", interrupt)
    with pytest.raises(CancelledError, match="the same command resumes"):
        run(clip, tmp_path / "out.mp4", "-s", "joyfulness-lite")
