"""What a stranger may set: names on a list, values in bounds, never a path of the server."""

import zipfile

import pytest

from impasto.errors import ImpastoError, InputError
from impasto.methods.spec import Ability
from impasto.nn import vgg_weights
from impasto.studio import jobs, options
from impasto.studio.job_queue import MethodCache
from impasto.studio.jobs import StylizeRequest
from impasto.studio.limits import Limits, error_text, without_paths
from impasto.studio.settings import STEPS, allowed, parse_permitted, split_settings

LIMITS = Limits(side=512, optimized=256, pixels=10**6)
PAINTERS = [*options.image_style_methods(), *options.image_style_methods(Ability.SYNTHESIZE)]


def stylize(pictures, **order):
    wanted = StylizeRequest(photo=pictures / "photo.jpg", names=["wave"], size="32", **order)
    return jobs.stylize(wanted, LIMITS, MethodCache(), lambda _: None)


def texture(source="sample:wave", **more):
    return jobs.texture(source, LIMITS, MethodCache(), lambda _: None, width=32, height=32, **more)


@pytest.fixture
def opened(monkeypatch):
    """The weights that anything tries to read."""
    tried = []

    def refuse(path, *_, **__):
        tried.append(str(path))
        raise AssertionError(path)

    monkeypatch.setattr(vgg_weights, "load", refuse)
    monkeypatch.setattr(vgg_weights.vgg_file, "read", refuse)
    return tried


def test_whether_a_path_exists_is_not_told_and_no_file_is_read(pictures, tmp_path, opened):
    there, absent = tmp_path / "there.npz", tmp_path / "gone.npz"
    with zipfile.ZipFile(there, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("conv1_1.npy", bytes(1 << 20))
    heard = set()
    for path in (there, absent, "/etc/passwd", "/no/such", "..", "", "vgg19_caffe"):
        for ask in (
            lambda text: stylize(pictures, method="gatys", settings=text),
            lambda text: stylize(pictures, quality="good", settings=text),
            lambda text: texture(method="texture", settings=text),
            lambda text: texture(settings=text),
        ):
            with pytest.raises(InputError) as error:
                ask(f"weights={path}")
            heard.add(error_text(error.value))
    assert heard == {f"weights go by name here: choose {', '.join(vgg_weights.ENTRIES)}"}
    assert opened == []


@pytest.mark.parametrize("method", sorted({entry.name for entry in PAINTERS}))
def test_no_method_takes_a_path_or_endless_work(method):
    for name, value in {
        "weights": "/etc/passwd",
        "steps": str(STEPS + 1),
        "coarse_steps": "100000",
        "levels": "1000",
        "history": "1000000",
        "scales": "100",
        "rotations": "100",
        "window": "1001",
        "windows": "1001",
        "passes": "1000",
        "rounds": "100000",
        "width": "4096",
        "encoder": "/etc/passwd",
        "losses": " + ".join(["gram"] * 200),
        "style_layers": ",".join(["relu1_1"] * 200),
        "__class__": "x",
        "": "x",
    }.items():
        with pytest.raises(InputError):
            parse_permitted(method, f"{name}={value}")


def test_what_the_list_has_goes_through():
    text = "steps=20; content_weight = 5\nstyle_layers=relu2_1;style_weights=1;optimizer=adam"
    assert parse_permitted("gatys", text)["style_layers"] == "relu2_1"
    assert parse_permitted("gatys", f"steps={STEPS}") == {"steps": str(STEPS)}
    assert parse_permitted("gatys", "weights=vgg19-caffe-q8") == {"weights": "vgg19-caffe-q8"}
    assert parse_permitted("gatys", "weights=none")
    assert parse_permitted("wct", "alpha=0.3;levels=relu2_1,relu1_1;transport=wct")
    assert parse_permitted("resample", "algorithm=wei-levoy; windows=7,5; passes=2")
    assert parse_permitted(None, " \n;") == {}
    for entry in PAINTERS:
        assert (
            "steps" in allowed(entry.name)
            or "alpha" in allowed(entry.name)
            or (entry.name in {"resample", "meta-network"})
        )


@pytest.mark.parametrize(
    ("method", "text", "words"),
    [
        ("gatys", "steps=1001", "steps is 1001: it must be 1 to 1000 here"),
        ("gatys", "steps=x", "no whole number"),
        ("gatys", "content_weight=nan", "finite"),
        ("gatys", "tv_weight=-1", "tv_weight is -1"),
        ("gatys", "pooling=/etc/passwd", "choose max"),
        ("cnnmrf", "style_layers=relu1_1", "cannot be changed here: cnnmrf takes"),
        ("adain", "width=3", "adain takes alpha, statistics"),
        (None, "steps=3", "leave them out"),
        ("gatys", "steps", "NAME=VALUE"),
        ("gatys", "x" * 3000, "2000 letters"),
    ],
)
def test_refusals(method, text, words):
    with pytest.raises(InputError) as error:
        parse_permitted(method, text)
    assert words in str(error.value)


def test_a_learned_style_takes_no_settings(pictures):
    with pytest.raises(InputError, match="leave them out"):
        texture("irises", settings="weights=/etc/passwd")
    wanted = StylizeRequest(
        photo=pictures / "photo.jpg", names=["adele"], settings=split_settings("weights=/x")
    )
    with pytest.raises(InputError, match="leave them out"):
        jobs.stylize(wanted, LIMITS, MethodCache(), lambda _: None)


def test_paths_of_the_server_are_not_told(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPASTO_CACHE", "/srv/cache of weights")
    paths = (tmp_path / "a b.png", vgg_weights.cache_dir() / "vgg.pth", jobs.__file__)
    for path in map(str, paths):
        words = error_text(ImpastoError(f"cannot read '{path}': it is damaged"))
        assert words.startswith("cannot read '")
        assert "/" not in words
        assert words.endswith("': it is damaged")
    assert without_paths("no style '/etc/passwd' here") == "no style '/etc/passwd' here"
