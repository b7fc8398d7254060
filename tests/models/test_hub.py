"""Models of a hub: the real client against a small hub on this machine."""

import hashlib
import json
import sys

import pytest
import yaml

import impasto
from impasto.errors import InputError, MissingExtraError, WeightsError
from impasto.models import checkpoint, hub, pulled, zoo

from . import fake_hub

MODEL = zoo.model_of("starry-night")


@pytest.fixture
def repositories(tmp_path, monkeypatch):
    """Serve a hub, and yield its repositories; pulled models go to an empty folder."""
    held = {}
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_TOKEN", "hf_ada")
    with fake_hub.serving(held) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield held


def files(model=MODEL, **changes):
    """The files of a repository."""
    data = model if isinstance(model, bytes) else model.read_bytes()
    facts = {"sha256": hashlib.sha256(data).hexdigest(), **changes}
    return {hub.MODEL: data, hub.FACTS: json.dumps(facts).encode()}


def test_a_pushed_model_comes_back_and_is_found_by_the_name_of_its_repository(repositories):
    url = hub.push("starry-night", "ada/night", licence="mit")
    assert url.endswith("/ada/night")
    sent = repositories["ada/night"]["main"]
    assert set(sent) == {hub.MODEL, hub.CARD, hub.FACTS}
    path = hub.pull("ada/night")
    assert path == pulled.folder() / "ada" / "night.safetensors"
    assert path.read_bytes() == MODEL.read_bytes()
    assert [one.name for one in path.parent.iterdir()] == ["night.safetensors"]
    assert zoo.find("ada/night").path == zoo.model_of("ada/night") == path
    assert zoo.find("ada/night#starry-night").name == "starry-night"
    assert pulled.names() == ["ada/night"]
    picture = impasto.stylize("sample:chelsea", "ada/night", size=48)
    assert (picture.rgb == impasto.stylize("sample:chelsea", "starry-night", size=48).rgb).all()


def test_a_model_for_any_style_is_found_where_a_method_stands(repositories):
    repositories["ada/any"] = {"main": files(zoo.model_of("adain"))}
    path = hub.pull("ada/any")
    assert zoo.find_arbitrary("ada/any").path == path
    assert zoo.method_of("ada/any") == "adain"
    with pytest.raises(InputError, match="not for 'stylize'"):
        zoo.find("ada/any")


def test_the_card_has_the_header_of_the_hub_and_the_text_of_the_package(repositories):
    hub.push("starry-night", "ada/night", licence="mit")
    _, head, body = repositories["ada/night"]["main"][hub.CARD].decode().split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["license"] == "mit"
    assert told["library_name"] == "impasto"
    assert {"style-transfer", "johnson"} <= set(told["tags"])
    assert "known faults" in body
    assert "docs/gallery" not in body
    assert "impasto stylize photo.jpg -s ada/night -o out.png" in body
    facts = json.loads(repositories["ada/night"]["main"][hub.FACTS])
    assert facts["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert (facts["method"], facts["styles"]) == ("johnson", ["starry-night"])


def test_a_model_without_a_card_gets_one_from_its_header(repositories, tmp_path):
    made = checkpoint.load(MODEL)
    many = checkpoint.Model("cin", {}, made.state, ("a", "b"), {"command": "impasto train cin"})
    checkpoint.save(many, tmp_path / "mine.safetensors")
    hub.push(tmp_path / "mine.safetensors", "ada/mine", licence="mit")
    card = repositories["ada/mine"]["main"][hub.CARD].decode()
    for words in ("| method | cin |", "`a`, `b`", "`impasto train cin`", "-s ada/mine#a"):
        assert words in card


def test_a_revision_is_pulled(repositories):
    repositories["ada/wave"] = {"main": files(), "v1": files(zoo.model_of("adain"))}
    assert checkpoint.load(hub.pull("ada/wave@v1"), weights=False).method == "adain"
    assert checkpoint.load(hub.pull("ada/wave"), weights=False).method == "johnson"
    at = fake_hub.commit("ada/wave", "v1")
    assert checkpoint.load(hub.pull(f"ada/wave@{at}"), weights=False).method == "adain"


def test_a_file_with_another_hash_is_not_installed(repositories):
    repositories["ada/wave"] = {"main": files(sha256="0" * 64)}
    with pytest.raises(WeightsError, match=r"SHA-256 [0-9a-f]{64}, but impasto.json states 0{64}"):
        hub.pull("ada/wave")
    assert pulled.names() == []
    assert list(pulled.path_of("ada/wave").parent.iterdir()) == []


def test_what_stood_there_before_stays_if_the_pull_fails(repositories):
    repositories["ada/wave"] = {"main": files(), "bad": files(sha256="0" * 64)}
    before = hub.pull("ada/wave").read_bytes()
    with pytest.raises(WeightsError):
        hub.pull("ada/wave@bad")
    assert pulled.path_of("ada/wave").read_bytes() == before


@pytest.mark.parametrize(
    ("held", "asked", "words"),
    [
        ({}, "ada/none", "no repository ada/none; if it is private, log in"),
        ({"main": files(b"x")}, "ada/wave@v9", "no such revision"),
        ({"main": {"README.md": b""}}, "ada/wave", "no model of Impasto: it lacks impasto.json"),
        ({"main": {hub.FACTS: b"{"}}, "ada/wave", "impasto.json is broken"),
        ({"main": files(b"x")}, "ada/wave", "model.safetensors cannot be read as a model"),
        ({}, "wave", "it looks like owner/name or owner/name@revision"),
        ({}, "ada/../wave", "no repository"),
        ({}, "ada/wave@", "no repository"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(repositories, held, asked, words):
    if held:
        repositories["ada/wave"] = held
    with pytest.raises(InputError, match=words) as error:
        hub.pull(asked)
    assert "\n" not in str(error.value)
    assert pulled.names() == []


def test_safetensors_of_others_are_no_model(repositories, tmp_path):
    from safetensors.torch import save_file

    save_file(dict(checkpoint.load(MODEL).state), tmp_path / "other.safetensors")
    repositories["ada/other"] = {"main": files(tmp_path / "other.safetensors")}
    with pytest.raises(WeightsError, match=r"ada/other: model\.safetensors is no model of Impasto"):
        hub.pull("ada/other")


def test_pushing_needs_a_login_a_name_and_a_licence(repositories, monkeypatch):
    with pytest.raises(InputError, match=r"refuses the card .*license"):
        hub.push("starry-night", "ada/night", licence="my-own")
    for name, licence, words in (
        ("ada", "mit", "owner/name"),
        ("ada/night@v1", "mit", "owner/name"),
        ("ada/night", "as you like", "name it as the hub does"),
    ):
        with pytest.raises(InputError, match=words):
            hub.push("starry-night", name, licence=licence)
    with pytest.raises(InputError, match="no model 'nothing'"):
        hub.push("nothing", "ada/night", licence="mit")
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    with pytest.raises(InputError, match=r"401.*hf auth login"):
        hub.push("starry-night", "ada/night", licence="mit")


def test_without_the_client_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"impasto\[hub\]"):
        hub.pull("ada/wave")


def test_a_hub_that_does_not_answer(repositories, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="cannot be reached"):
        hub.pull("ada/wave")


def test_nothing_is_fetched_that_was_not_asked_for(repositories):
    repositories["ada/wave"] = {"main": files()}
    assert zoo.find("ada/wave") is None
    with pytest.raises(InputError):
        impasto.stylize("sample:chelsea", "ada/wave", size=48)


def test_an_existing_file_wins_unless_a_model_is_meant(repositories, tmp_path, monkeypatch):
    repositories["ada/wave"] = {"main": files()}
    hub.pull("ada/wave")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "wave").write_bytes(b"a picture")
    assert zoo.find("ada/wave") is None
    assert zoo.find("model:ada/wave").method == "johnson"


def test_the_commands(repositories, impasto):
    repositories["ada/wave"] = {"main": files()}
    done = impasto("models", "pull", "ada/wave")
    assert (done.code, done.out.decode().strip()) == (0, str(pulled.path_of("ada/wave")))
    assert b"ada/wave" in impasto("models", "list").out
    done = impasto("models", "push", "adain", "ada/any", "--licence", "mit")
    assert done.code == 0
    assert done.out.strip().endswith(b"/ada/any")
    done = impasto("models", "pull", "ada/none")
    assert done.code == 2
    assert done.err.startswith("impasto: no repository ada/none")
    done = impasto("stylize", "sample:chelsea", "-s", "ada/wave", "--size", "32", "-q")
    assert done.code == 0
