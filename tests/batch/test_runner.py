"""Begun, gone on with, refused, done over: what a folder of results goes through."""

import pytest
from filelock import FileLock

from batch_pictures import draw, manifest_lines, results
from impasto.batch import local, run
from impasto.batch.worker import Outcome
from impasto.errors import InputError, MissingExtraError


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_the_manifest_says_what_got_what(make, folder, out, inline, networks):
    (folder / "a.jpg").write_text("dear diary")
    report = run(make(["great-wave", "starry-night"], strength=0.5, seed=7), out)
    assert (report.total, report.kept, report.painted, report.cancelled) == (8, 0, 6, False)
    assert [(one.picture, one.style) for one in report.failures] == [
        ("a.jpg", "great-wave"),
        ("a.jpg", "starry-night"),
    ]
    lines = manifest_lines(out)
    assert len(lines) == 8
    assert lines[0]["error"] == report.failures[0].error
    assert "output" not in lines[0]
    assert lines[1] | {"seconds": 0} == {
        "picture": "a.png",
        "styles": [networks["great-wave"]],
        "strength": 0.5,
        "seed": 7,
        "output": "great-wave/a.png",
        "seconds": 0,
    }
    assert {line["output"] for line in lines if "output" in line} == set(results(out))


def test_it_goes_on_where_it_stopped(make, folder, out, inline):
    def cancel(progress):
        if progress.step == 2:
            progress.cancel()

    (folder / "a.jpg").write_text("dear diary")
    first = run(make(), out, callback=cancel)
    assert (first.cancelled, first.painted, len(first.failures)) == (True, 1, 1)
    before = results(out)
    with (out / "manifest.jsonl").open("a") as file:
        file.write('{"picture": "sub/b.g')  # as a process that is killed leaves it
    draw(folder / "a.jpg", seed=9)  # mended
    draw(folder / "new.png", seed=8)
    inline.clear()
    second = run(make(), out)
    assert (second.total, second.kept, second.painted, second.failures) == (5, 1, 4, ())
    assert "a.png" not in inline
    assert results(out)["a.png"] == before["a.png"]
    assert sorted(line["output"] for line in manifest_lines(out)) == sorted(results(out))
    inline.clear()
    third = run(make(), out)
    assert (third.kept, third.painted, inline) == (5, 0, [])
    assert len(manifest_lines(out)) == 5


def test_a_result_that_was_lost_is_made_again_and_one_without_a_line_gets_it(make, out, inline):
    run(make(), out)
    (out / "a.png").unlink()
    lines = (out / "manifest.jsonl").read_text().splitlines(keepends=True)
    (out / "manifest.jsonl").write_text("".join(line for line in lines if "a.jpg" not in line))
    inline.clear()
    run(make(), out)
    assert inline == ["a.png"]
    seconds = {line["output"]: line["seconds"] for line in manifest_lines(out)}
    assert len(seconds) == 4
    assert seconds["a.jpg"] is None
    assert seconds["a.png"] > 0


def test_another_job_is_refused_in_words_unless_it_begins_anew(make, out, inline):
    run(make(), out)
    before = results(out)
    with pytest.raises(
        InputError, match=r"another job \(strength was 1\.0, is 0\.5\).*`restart=True`"
    ):
        run(make(strength=0.5), out)
    with pytest.raises(InputError, match="leave `method` out"):
        run(make(method="adain"), out, restart=True)  # makes no sense: nothing is thrown away
    assert results(out) == before
    draw(out / "mine.png")
    report = run(make(["great-wave"], ending=".jpg"), out, restart=True)
    assert report.painted == 4
    assert set(results(out)) == {
        *("a.jpg", "a~png.jpg", "sub/b~gif.jpg", "sub/deep/c~png.jpg"),
        "mine.png",  # no job's
    }
    assert len(manifest_lines(out)) == 4


def test_the_results_of_a_job_are_not_thrown_away_where_they_are_its_pictures(make, out, inline):
    run(make(), out)
    before = results(out)
    with pytest.raises(InputError, match="is a result of the job before"):
        run(make(folder=str(out / "sub")), out, restart=True)
    assert results(out) == before


def test_files_of_no_job_are_not_taken_for_results(make, out, inline):
    draw(out / "sub" / "deep" / "c.png")
    with pytest.raises(InputError, match="is there already, and of no job"):
        run(make(), out)
    assert run(make(), out, restart=True).painted == 4


def test_a_damaged_job_file_is_no_ones(make, out, inline):
    run(make(), out)
    (out / "batch.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as a job"):
        run(make(), out)


def test_what_was_half_written_is_swept_away(make, out, inline):
    run(make(), out)
    part = out / "sub" / ".impasto-0123.part"
    part.write_bytes(b"half")
    run(make(), out)
    assert not part.exists()


def test_one_at_a_time(make, out, inline):
    out.mkdir()
    with FileLock(out / ".impasto-batch.lock"), pytest.raises(InputError, match="another batch"):
        run(make(), out)
    assert run(make(), out).painted == 4


def test_what_an_engine_does_not_tell_of_has_failed(make, out, monkeypatch):
    monkeypatch.setattr(local, "paint", lambda *_: (one for one in [Outcome("a.jpg", 0.1)]))
    report = run(make(), out)
    assert report.painted == 1
    assert [one.picture for one in report.failures] == ["a.png", "sub/b.gif", "sub/deep/c.png"]
    assert "was ended" in manifest_lines(out)[1]["error"]


def test_progress_counts_what_is_left(make, out, inline):
    seen = []
    run(make(), out)
    (out / "a.png").unlink()
    run(make(), out, callback=seen.append)
    assert [(one.step, one.total) for one in seen] == [(1, 1)]
    assert seen[0].stage.endswith(" pictures/s")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "slurm"}, "unknown engine 'slurm'"),
        ({"workers": 0}, "workers is 0"),
        ({"address": "auto"}, 'needs `engine="ray"`'),
    ],
)
def test_what_makes_no_sense(make, out, options, words):
    with pytest.raises(InputError, match=words):
        run(make(), out, **options)
    assert not out.exists()


def test_a_missing_extra_is_named(make, out, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"impasto\[ray\]"):
        run(make(), out, engine="ray")
