"""What a release carries: every file of the package, and in the sdist what its tests need."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from setuptools import Distribution

from impasto._version import __version__

ROOT = Path(__file__).parents[1]
NEEDED = ("tests", "docs", "tools", "examples", "benchmarks", "integrations", "light")
TOP = {
    *("ARCHITECTURE.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile"),
    *("README.md", "SECURITY.md", "constraints.txt", "mkdocs.yml", "pyproject.toml"),
}


def files(folder):
    """All files below a folder of the repository but those that Python makes, relative to it."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.suffix != ".pyc" and path.name[0] != "."
    }


@pytest.fixture
def release(tmp_path, monkeypatch):
    """The project as setuptools sees it; what it writes about it goes elsewhere."""
    monkeypatch.chdir(ROOT)
    made = Distribution({"script_name": "setup.py"})
    made.parse_config_files()
    made.get_command_obj("egg_info").egg_base = str(tmp_path)
    return made


def test_a_wheel_holds_every_file_of_the_package(release):
    command = release.get_command_obj("build_py")
    command.ensure_finalized()
    command.build_lib = ""
    outputs = {Path("src", path).as_posix() for path in command.get_outputs(include_bytecode=False)}
    assert outputs == files("src/impasto")


def test_an_sdist_holds_what_its_tests_need(release, tmp_path):
    release.run_command("egg_info")
    held = set((tmp_path / "impasto.egg-info/SOURCES.txt").read_text("utf-8").splitlines())
    assert held >= files("src/impasto").union(*map(files, NEEDED))
    assert held >= TOP
    assert not [path for path in held if path.endswith(".pyc")]


def test_the_citation_is_of_this_version():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert told["version"] == __version__
    assert " AND ".join(told["license"]) == project["license"]
    assert [one["name"] for one in told["authors"]] == [one["name"] for one in project["authors"]]
