"""Methods and losses of other packages: found by their entry points, refused in one line."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import impasto as package
import site_hooks
from impasto.image import samples
from impasto.losses import list_losses, terms
from impasto.losses import registry as loss_registry
from impasto.methods import registry
from impasto.studio import options

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "tests" / "plugin"


def install(folder, module, project=None):
    """Lay a module and its entry points where Python looks, as pip would."""
    told = tomllib.loads(project or (PLUGIN / "pyproject.toml").read_text())["project"]
    info = folder / f"{told['name'].replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: 1.0\n")
    lines = []
    for group, points in told["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    shutil.copy(module, folder)


def project(name, group, value):
    return f'[project]\nname = "{name}"\n[project.entry-points."{group}"]\n{name} = "{value}"\n'


def forget():
    for cached in (registry._import_own_methods, registry._discover, loss_registry._discover):
        cached.cache_clear()


@pytest.fixture
def anew(tmp_path, monkeypatch):
    """Let the tables look for plug-ins in an empty folder; leave them as they were."""
    registry.list_methods()
    methods, losses = dict(registry._REGISTERED), dict(loss_registry.LOSSES)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    path = os.pathsep.join([str(folder), str(ROOT / "src")])
    monkeypatch.setenv("PYTHONPATH", path)  # of the processes that a batch starts
    forget()
    yield folder
    for table, before in ((registry._REGISTERED, methods), (loss_registry.LOSSES, losses)):
        table.clear()
        table.update(before)
    for path in tmp_path.rglob("*.py"):  # the plug-ins alone: Ray cannot be imported twice
        sys.modules.pop(path.stem, None)
    forget()


@pytest.fixture
def posters(anew):
    install(anew, PLUGIN / "impasto_posters.py")
    return anew


@pytest.fixture
def pictures(tmp_path):
    """A content image, a style image, and a folder of two."""
    (tmp_path / "photos").mkdir()
    for name in ("photo.png", "painting.png", "photos/1.png", "photos/2.png"):
        drawn = samples.photo("chelsea") if "photo" in name else samples.painting("swirls")
        drawn.resized(48, 64).save(tmp_path / name)


@pytest.mark.usefixtures("posters")
def test_it_is_in_the_table_under_other(impasto):
    rows = json.loads(impasto("methods", "--json").out)
    (row,) = (row for row in rows if row["name"] == "poster")
    assert row["family"] == "other"
    assert rows[-1] == row, "other comes last"
    assert "poster" in impasto("methods").out.decode()


@pytest.mark.usefixtures("posters")
def test_the_studio_and_the_documentation_have_it():
    assert "poster" in [entry.name for entry in options.image_style_methods()]
    table = site_hooks.table_of_methods()
    assert re.search(r"## Of other packages\n\n.*\n.*\n\| `poster` \| few levels", table)


def test_the_documentation_has_no_empty_family():
    assert "Of other packages" not in site_hooks.table_of_methods()


@pytest.mark.usefixtures("posters", "pictures")
def test_it_paints_with_its_settings(impasto):
    told = ("stylize", "photo.png", "-s", "painting.png", "-m", "poster", "-o", "out.png")
    assert impasto(*told).code == 0
    assert impasto(*told, "--preset", "paper", "--set", "levels=3").code == 0
    assert "levels" in impasto(*told, "--set", "steps=3").err


@pytest.mark.usefixtures("posters", "pictures")
def test_its_loss_is_a_term(impasto):
    assert list_losses()[-1] == "means-of-channels"
    (term,) = terms.parse("2 means-of-channels(scale=3)@relu1_1")
    assert (term.weight, term.loss.scale, term.layers) == (2.0, 3.0, ("relu1_1",))
    losses = ("--set", "losses=means-of-channels@relu1_1", "--set", "levels=1")
    told = ("stylize", "photo.png", "-s", "painting.png", "-m", "mmd", "-o", "out.png")
    done = impasto(*told, *losses, "--steps", "1", "--set", "content_layers=relu1_1")
    assert done.code == 0, done.err


RAY = pytest.param("ray", marks=pytest.mark.slow)
# the method, and a method that takes the loss
METHOD = ("-m", "poster")
LOSS = ("-m", "mmd", "--set", "losses=means-of-channels@relu1_1", "--set", "levels=1", "--steps", 1)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", RAY])
@pytest.mark.parametrize("chosen", [METHOD, LOSS], ids=["method", "loss"])
@pytest.mark.usefixtures("posters", "pictures")
def test_a_batch_worker_has_it(impasto, engine, chosen):
    if engine == "ray":
        pytest.importorskip("ray.data")
    told = ("batch", "photos", "-s", "painting.png", *chosen, "-o", "out", "--workers", "2")
    done = impasto(*told, "--engine", engine)
    assert done.code == 0, done.err
    assert len(list(Path("out").glob("*.png"))) == 2


def test_a_broken_plugin_is_one_line_and_the_others_stay(anew, caplog):
    install(anew, PLUGIN / "impasto_posters.py")
    broken = anew / "site2" / "broken.py"
    broken.parent.mkdir()
    broken.write_text("raise RuntimeError('no\\nsuch device')\n")
    install(anew, broken, project("broken", "impasto.methods", "broken"))
    with caplog.at_level(logging.WARNING, "impasto"):
        names = [entry.name for entry in package.list_methods()]
    assert "poster" in names
    assert "gatys" in names
    (record,) = caplog.records
    told = "impasto: the plug-in broken (broken) is left out: no such device"
    assert record.getMessage() == told


@pytest.mark.parametrize(
    ("group", "name", "both"),
    [
        ("methods", "gatys", "impasto.methods.optimization.gatys.Gatys and impasto_posters.Poster"),
        ("losses", "gram", "impasto.losses.style.GramLoss and impasto_posters.MeansLoss"),
    ],
)
def test_a_name_that_is_taken_is_refused(anew, tmp_path, caplog, group, name, both):
    text = (PLUGIN / "impasto_posters.py").read_text()
    before = {"methods": '"poster"', "losses": '"means-of-channels"'}[group]
    (tmp_path / "impasto_posters.py").write_text(text.replace(before, f'"{name}"'))
    install(
        anew,
        tmp_path / "impasto_posters.py",
        project("posters", f"impasto.{group}", "impasto_posters"),
    )
    with caplog.at_level(logging.WARNING, "impasto"):
        package.list_methods() if group == "methods" else list_losses()
    (record,) = caplog.records
    assert f"two {group} are called '{name}': {both}; rename one" in record.getMessage()
    assert registry.get("gatys").build.__module__ == "impasto.methods.optimization.gatys"


@pytest.mark.parametrize("name", ["Gram", "a b", "2nd", ""])
def test_a_name_that_the_text_of_losses_cannot_hold(name):
    with pytest.raises(package.InputError, match="cannot name a loss"):
        package.register_loss(name)


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_the_example_of_contributing_passes_its_checks(anew, impasto, tmp_path):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (settings,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (line,) = re.findall(r"^impasto (stylize .* -m mine .*)$", page, re.MULTILINE)
    (tmp_path / "impasto_mine.py").write_text(code)
    install(anew, tmp_path / "impasto_mine.py", f'[project]\nname = "mine"\n{settings}')
    checks = ["-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "-k", "mine"]
    words = line.replace("photo.jpg", "photo.png").replace("painting.jpg", "painting.png").split()
    told = [sys.executable, *checks, str(ROOT / "tests/methods/test_registry.py")]
    run = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    done = impasto(*words, "--set", "steps=1", "--set", "levels=1")
    assert done.code == 0, done.err
    assert (tmp_path / "out.png").is_file()
