"""The folder of the page: what is in it, and what is refused."""

import gzip
import io
import json
import re
import subprocess
import tarfile
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from impasto.errors import CancelledError, InputError
from impasto.methods.per_style.johnson import Johnson, JohnsonConfig
from impasto.models import checkpoint, zoo
from impasto.web import folder, models, runtime_files, serve


def test_the_folder_holds_all_that_the_page_loads(page):
    table = json.loads((page.path / "models.json").read_text())
    assert [style["name"] for style in table["styles"]] == ["red", "green", "blue"]
    assert table["styles"][1]["title"] == "A green <picture>"
    (model,) = table["models"]
    assert model["styles"] == 3
    assert model["channels"] == 4 + 8 + 8 + 2 * 8 + 8 + 4 + 3
    for name in ("paint", "measure", "tile"):
        assert (page.path / model["folder"] / f"{name}.onnx.gz").is_file()
    for name in runtime_files.PROCESSOR:
        packed = page.path / "runtime" / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else None
        content = content or (page.path / "runtime" / name).read_bytes()
        assert content == name.encode()
    assert Image.open(page.path / "sample.jpg").size[0] >= 512
    assert page.total == sum(f.stat().st_size for f in page.path.rglob("*") if f.is_file())


def test_every_module_that_is_named_is_there(page):
    """Of scripts, styles and pictures that the page's own files name."""
    for one in page.path.iterdir():
        if one.suffix in {".js", ".mjs", ".html"}:
            named = re.findall(r'(?:from |src=|href=|importScripts\()"([^"#]+)"', one.read_text())
            assert [name for name in named if not (page.path / name).is_file()] == []


@pytest.mark.slow
def test_the_service_worker_keeps_the_page_and_notices_changes(page, network, package, tmp_path):
    def listed(path):
        return json.loads(re.search(r"{.*}", (path / "files.js").read_text(), re.S)[0])

    first = listed(page.path)
    assert {"index.html", "main.js", "painter.js", "models.json"} <= set(first["first"])
    assert not [name for name in first["first"] if not (page.path / name).is_file()]
    other = folder.build(tmp_path / "other", [f"{network}#red"], onnxruntime_web=package)
    again = folder.build(tmp_path / "again", [str(network)], onnxruntime_web=package)
    assert listed(other.path)["version"] != first["version"]
    assert listed(again.path)["version"] == first["version"]


def test_nothing_names_another_host(page):
    for one in page.path.iterdir():
        if one.suffix in {".js", ".mjs", ".html", ".css", ".json"}:
            found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", one.read_text())
            assert [url for url in found if "www.w3.org" not in url] == [], one.name
    policy = (page.path / "index.html").read_text()
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_tiles_with_the_statistics_of_the_whole_are_the_whole(page):
    """The three graphs share one file of weights, and paint the same picture."""
    table = json.loads((page.path / "models.json").read_text())
    (model,) = table["models"]
    place = page.path / model["folder"]
    weights = gzip.decompress((place / "weights.bin.gz").read_bytes())

    def run(name, **feeds):
        options = onnxruntime.SessionOptions()
        options.add_external_initializers_from_files_in_memory(
            ["weights.bin"], [weights], [len(weights)]
        )
        content = gzip.decompress((place / f"{name}.onnx.gz").read_bytes())
        (found,) = onnxruntime.InferenceSession(content, options).run(None, feeds)
        return found

    photo = np.random.default_rng(0).random((1, 3, 64, 160), np.float32)
    style = np.float32([[0, 1, 0]])
    whole = run("paint", content=photo, weights=style)
    statistics = run("measure", content=photo, weights=style)
    # float32 sums of ten thousand numbers in another order, through six norms
    tiled = run("tile", content=photo, weights=style, statistics=statistics)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    reach = model["reach"]
    assert 16 <= reach < 60
    left = run("tile", content=photo[..., : 80 + reach], weights=style, statistics=statistics)
    np.testing.assert_allclose(left[..., :80], tiled[..., :80], atol=1e-5)
    # crops are measured together: twice the same crop has the statistics of one
    both = run("measure", content=np.concatenate([photo, photo]), weights=style)
    np.testing.assert_allclose(both, statistics, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "channels"), [("instance", 4 + 8 + 16 + 2 * 16 + 8 + 4), ("batch", 0)]
)
def test_a_network_of_one_style_takes_no_weights(norm, channels, package, tmp_path):
    method = Johnson(JohnsonConfig(width=4, blocks=1, norm=norm))
    checkpoint.save(
        method.model(method.module, ("one",), {"kind": "style"}), tmp_path / "one.safetensors"
    )
    built = folder.build(
        tmp_path / "out", [str(tmp_path / "one.safetensors")], onnxruntime_web=package
    )
    table = json.loads((built.path / "models.json").read_text())
    (model,) = table["models"]
    assert (model["styles"], model["channels"]) == (0, channels)
    assert (built.path / model["folder"] / "tile.onnx.gz").is_file() == bool(channels)
    assert table["styles"] == [{"name": "one", "title": "one", "model": 0, "index": 0}]


def test_styles_are_chosen_by_name_by_model_and_by_file(network):
    chosen = models.choose(["adele-lite", "cin-narrow", "starry-night", f"{network}#blue"])
    names = {path.stem: [one.name for one in kept] for path, kept in chosen.items()}
    assert names["starry-night"] == ["starry-night"]
    assert names["three"] == ["blue"]
    assert len(names["cin-narrow"]) == 16
    adele = chosen[zoo.model_of("adele-lite")][0]
    assert "Klimt" in adele.title
    assert "narrow" not in adele.title
    assert Image.open(io.BytesIO(adele.thumbnail)).format == "JPEG"


@pytest.mark.parametrize(
    ("styles", "words"),
    [
        (["no-such"], "no style 'no-such'"),
        (["sample:wave"], "no style 'sample:wave'"),
        (["bricks"], "bricks has learned no style"),
        (["adain"], "adain has learned no style"),
        ([], "name at least one"),
    ],
)
def test_what_the_page_cannot_paint_is_refused(styles, words, package, tmp_path):
    with pytest.raises(InputError, match=words):
        folder.build(tmp_path / "out", styles, onnxruntime_web=package)
    assert not (tmp_path / "out").exists()


def test_only_its_own_folder_is_replaced(network, package, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="mine exists: name a folder that is not there"):
        folder.build(tmp_path / "mine", [str(network)], onnxruntime_web=package, overwrite=True)
    folder.build(tmp_path / "out", [str(network)], onnxruntime_web=package)
    with pytest.raises(InputError, match="add `overwrite`"):
        folder.build(tmp_path / "out", [str(network)], onnxruntime_web=package)
    (tmp_path / "out" / "old.js").write_text("")
    folder.build(tmp_path / "out", [str(network)], onnxruntime_web=package, overwrite=True)
    assert not (tmp_path / "out" / "old.js").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine", "out"]


def test_cancelling_writes_nothing(network, package, tmp_path):
    with pytest.raises(CancelledError):
        folder.build(
            tmp_path / "out",
            [str(network)],
            onnxruntime_web=package,
            callback=lambda progress: progress.cancel(),
        )
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_has_written_and_serves_it(
    impasto, network, package, tmp_path, monkeypatch
):
    served = []
    monkeypatch.setattr(
        serve, "until_interrupted", lambda: served.append((tmp_path / "out").exists())
    )
    options = ("--onnxruntime-web", package, "--serve", "--port", "0")
    done = impasto("web", tmp_path / "out", "--styles", f"{network}#red,{network}#blue", *options)
    assert (done.code, served) == (0, [True])
    assert "a first visit loads" in done.err
    assert "http://127.0.0.1:" in done.err
    table = json.loads((tmp_path / "out" / "models.json").read_text())
    assert [style["name"] for style in table["styles"]] == ["red", "blue"]


@pytest.mark.usefixtures("empty_cache")
def test_a_missing_runtime_is_named_with_what_to_do(impasto, tmp_path):
    done = impasto("web", tmp_path / "out", "--styles", "adele-lite")
    assert done.code == 2
    assert f"onnxruntime-web {runtime_files.pinned()['version']}" in done.err
    assert "--npm" in done.err
    assert "--onnxruntime-web" in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_version_is_refused(package, tmp_path):
    with pytest.raises(InputError, match="is no folder of the npm package"):
        runtime_files.find(tmp_path)
    (tmp_path / "package.json").write_text('{"version": "0.1.0"}')
    with pytest.raises(InputError, match=r"has onnxruntime-web 0\.1\.0"):
        runtime_files.find(tmp_path)
    (tmp_path / "package.json").write_text((package / "package.json").read_text())
    with pytest.raises(InputError, match=r"lacks dist/ort\.wasm\.min\.mjs"):
        runtime_files.find(tmp_path)


@pytest.mark.usefixtures("empty_cache")
def test_npm_is_asked_and_its_archive_checked(monkeypatch):
    monkeypatch.setattr(runtime_files.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="npm is not installed"):
        runtime_files.fetch()
    monkeypatch.setattr(runtime_files.shutil, "which", lambda _: "/usr/bin/npm")
    asked, outcome = [], SimpleNamespace(returncode=1, stderr="npm error E404\n")

    def run(command, **_):
        asked.append(command)
        if outcome.returncode == 0:
            with tarfile.open(f"{command[-1]}/x.tgz", "w:gz") as archive:
                for name in (*runtime_files.PROCESSOR, *runtime_files.GRAPHICS):
                    entry = tarfile.TarInfo(f"package/dist/{name}")
                    entry.size = len(name)
                    archive.addfile(entry, io.BytesIO(name.encode()))
        return outcome

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(InputError, match=r"npm could not download .*E404"):
        runtime_files.fetch()
    outcome.returncode = 0
    with pytest.raises(InputError, match="an archive that is not onnxruntime-web"):
        runtime_files.fetch()
    monkeypatch.setattr(runtime_files, "_hash", lambda _: runtime_files.pinned()["integrity"])
    found = runtime_files.fetch()
    assert runtime_files.find() == found
    assert (found / runtime_files.PROCESSOR[0]).read_bytes() == runtime_files.PROCESSOR[0].encode()
    assert f"onnxruntime-web@{runtime_files.pinned()['version']}" in asked[-1]
