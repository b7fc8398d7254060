"""A small network of three styles, a stand-in for onnxruntime-web, and the page that they make."""

import json

import pytest

from impasto.errors import InputError
from impasto.methods.multi_style.cin import Cin, CinConfig
from impasto.models import checkpoint
from impasto.web import folder, runtime_files

CACHED = runtime_files.cached


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """A folder for exported models, in place of the user's cache."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def own_cache(exports):
    """Exports go to that folder; onnxruntime-web is looked for where `impasto web` looks for it."""
    there = CACHED()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime_files, "cached", lambda: there)
        patch.setenv("IMPASTO_CACHE", str(exports))
        yield


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime_files, "cached", CACHED)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """A model file of three random styles, the second called `green`."""
    import torch

    torch.manual_seed(0)
    method = Cin(CinConfig(styles=3, width=4, blocks=1, inner=8))
    with torch.no_grad():
        method.module.gamma.normal_(1, 0.3)
        method.module.beta.normal_(0, 0.3)
    path = tmp_path_factory.mktemp("network") / "three.safetensors"
    card = {"kind": "style", "titles": {"green": "A green <picture>"}}
    checkpoint.save(method.model(method.module, ("red", "green", "blue"), card), path, bits=32)
    return path


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """A folder like that of the npm package, with empty files."""
    made = tmp_path_factory.mktemp("npm") / "onnxruntime-web"
    (made / "dist").mkdir(parents=True)
    (made / "package.json").write_text(json.dumps({"version": runtime_files.pinned()["version"]}))
    for name in (*runtime_files.PROCESSOR, *runtime_files.GRAPHICS):
        (made / "dist" / name).write_bytes(name.encode())
    return made


@pytest.fixture(scope="session")
def page(network, package, exports, tmp_path_factory):
    """A folder of the page for that network."""
    target = tmp_path_factory.mktemp("web") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_CACHE", str(exports))
        return folder.build(target, [str(network)], onnxruntime_web=package)


@pytest.fixture(scope="module")
def built(network, tmp_path_factory):
    """The folder of the page for that network, with the real onnxruntime-web."""
    try:
        runtime_files.find()
    except InputError:
        pytest.skip("no onnxruntime-web: impasto web OUT --npm lets npm download it")
    return folder.build(tmp_path_factory.mktemp("web") / "out", [str(network)]).path
