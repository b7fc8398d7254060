"""The teaching notebooks: what is stored, the names that they use, and a run of every cell."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

import impasto
import site_hooks
from test_public_api import PACKAGES

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
FOREIGN = {"matplotlib", "matplotlib_inline", "torch"}
MOST_SECONDS = 60  # of one core, for a cell
MOST_BYTES = 400_000

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def sources(path, kind):
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def documented():
    """The packages that export names, and the modules on the pages of the API."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/api").glob("*.md"))
    modules = re.findall(r"^::: (impasto\S*)", pages, re.MULTILINE)
    return {"impasto", *modules, *(f"impasto.{package}" for package in PACKAGES)}


def imported(tree):
    """(module, name) of each import; the name is None for a whole module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def attributes(tree):
    """The names that are taken from `impasto` itself: `impasto.stylize`."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in found if ast.unparse(node.value) == "impasto"}


def test_it_uses_public_names_only(path):
    tree, public = ast.parse("\n".join(sources(path, "code"))), documented()
    own = [(module, name) for module, name in imported(tree) if module.startswith("impasto")]
    assert ("impasto", None) in own
    for module, name in own:
        assert module in public
        if name is not None:
            made = importlib.import_module(module)
            assert name in getattr(made, "__all__", [n for n in vars(made) if n[0] != "_"])
    assert attributes(tree) <= set(impasto.__all__)
    others = {module.split(".")[0] for module, _ in imported(tree)} - {"impasto"}
    assert others <= FOREIGN, "say in the notebook that it needs this package, then add it here"


def test_what_is_stored_holds_for_every_machine(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in outputs} <= {"stream", "display_data"}
    texts = [cell.source for cell in notebook.cells] + [out.get("text", "") for out in outputs]
    assert not re.findall(r"file:|[\"'\s(](?:/[\w.]+){2,}|\b[A-Z]:\\", "\n".join(texts))
    assert path.stat().st_size < MOST_BYTES


def test_each_section_has_an_equation_and_a_question(path):
    texts = sources(path, "markdown")
    for section in re.split(r"^## ", "\n".join(texts), flags=re.MULTILINE)[1:-1]:
        assert "$$" in section
        assert "**Question.**" in section
    for display, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", "\n".join(texts), re.DOTALL):
        assert "<math" in site_hooks.mathml(display or inline)


def test_its_page_has_all_pictures(path):
    page, pictures = site_hooks.notebook_page(path)
    assert page.startswith("# ")
    assert f"({path.name})" in page
    assert sorted(re.findall(r"!\[.*?\]\((\S+)\)", page)) == sorted(pictures)
    assert all(name.startswith(path.stem) for name in pictures)


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    seconds, begun = {}, {}

    def used():
        times = psutil.Process(client.km.provisioner.process.pid).cpu_times()
        return times.user + times.system

    def start(cell, cell_index):
        begun[cell_index] = used()

    def end(cell, cell_index, execute_reply):
        seconds[cell_index] = used() - begun[cell_index]

    client = NotebookClient(
        read(path),
        kernel_name="python3",
        timeout=600,  # other processes may take the core meanwhile
        resources={"metadata": {"path": str(tmp_path)}},
        on_cell_execute=start,
        on_cell_executed=end,
    )
    client.execute()
    assert len(seconds) == len(sources(path, "code"))
    assert {i: s for i, s in seconds.items() if s > MOST_SECONDS} == {}
