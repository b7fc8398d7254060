"""The documentation: every command in it is one that there is, and every method has its page."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer.main
import yaml
from griffe import Docstring
from mkdocs.exceptions import PluginError
from PIL import Image
from skimage import data

import docstrings
import impasto
import site_hooks
from impasto.cli import app
from impasto.methods.config import change, preset
from impasto.methods.registry import get, list_methods

ROOT = Path(__file__).parents[1]

MODELS = ROOT / "src" / "impasto" / "models"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
CARDS = sorted((ROOT / "src/impasto/models").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS, *CARDS]


def fences(text, *languages):
    """The fenced blocks of a page in these languages."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [match[2] for match in found if match[1] in languages]


def commands(text):
    """The arguments of each ``impasto`` command in the fenced blocks of a page."""
    for block in fences(text, "", "sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r"(^|\s)#.*", "", line))
            if "impasto" in words and (words[0] == "impasto" or "-m" in words):
                yield tuple(words[words.index("impasto") + 1 :])


def mentioned(text):
    """The ``impasto`` commands within sentences, which may leave arguments out."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for found in re.findall(r"`impasto\s([^`]+)`", plain):
        yield tuple(shlex.split(found.replace("...", "")))


def named(pages, find):
    return [
        pytest.param(found, id=f"{page.name}: {' '.join(found)}")
        for page in pages
        for found in dict.fromkeys(find(page.read_text(encoding="utf-8")))
    ]


command_line = cache(typer.main.get_command)


def parse(arguments):
    """The context of a command as the real command line makes it; nothing runs."""
    command, context, rest = command_line(app), None, list(arguments)
    while True:
        context = command.make_context("impasto", rest, parent=context)
        if not hasattr(command, "resolve_command"):
            return context
        rest = [*context._protected_args, *context.args]
        _, command, rest = command.resolve_command(context, rest)


@pytest.mark.parametrize("arguments", named(PAGES, commands))
def test_commands_parse(arguments):
    parsed = parse(arguments)
    options = parsed.params
    name = options.get("recipe") if parsed.info_name == "train" else options.get("method")
    known = {entry.name for entry in list_methods()}
    if parsed.command.name == "stylize" and name in known:
        numbers = preset(get(name).build.Config, options["preset"])
        change(numbers, dict(pair.split("=", 1) for pair in options["settings"] or ()))
    elif name is not None:
        assert name in {*known, "mine"} or Path(name).suffix in {".safetensors", ".onnx", ".toml"}


@pytest.mark.parametrize("arguments", named(PAGES, mentioned))
def test_mentioned_commands_are_there(arguments):
    group, words = command_line(app), list(arguments)
    while words and not words[0].startswith("-") and hasattr(group, "commands"):
        assert words[0] in group.commands
        group = group.commands[words.pop(0)]
    there = {option for parameter in group.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= there


def test_commands_are_found_and_refused():
    text = "```\nfor x in y; do\n  impasto stylize a#b -s \\\n c # d\ndone\n"
    text += "torchrun -m impasto demo\n```"
    assert list(commands(text)) == [("stylize", "a#b", "-s", "c"), ("demo",)]
    for wrong in (("stylise", "a.jpg"), ("stylize", "a.jpg", "-s", "b", "--colours", "match")):
        with pytest.raises(Exception, match=r"No such"):
            parse(wrong)
    assert len({found for page in PAGES for found in commands(page.read_text("utf-8"))}) > 50


QUICK = (
    "impasto methods",
    "impasto styles",
    "impasto weights list",
    "impasto stylize photo.jpg --style painting.jpg -o out.png",
    "impasto stylize photo.jpg -s starry-night -o out.png",
    "impasto stylize photo.jpg -s adele -s gray-tree:0.5 -o out.png",
    "impasto stylize photo.jpg -s painting.jpg -m adain -o out.png",
    "impasto stylize photo.jpg -s painting.jpg --mask part.png -o part-painted.png",
    "impasto stylize photo.jpg -s sample:swirls -o out.png",
    "impasto upscale small.jpg -o large.png",
    "impasto encode painting.jpg -m gatys -o x.style",
    pytest.param("impasto gap photos/ paintings/", marks=pytest.mark.slow),
)


@pytest.fixture
def workplace(tmp_path):
    """Tiny pictures by the names that the documentation gives them."""
    photo = Image.fromarray(data.astronaut()).crop((170, 20, 266, 92))
    painting = Image.fromarray(data.coffee()).resize((80, 64))
    for name, picture in (("photo.jpg", photo), ("painting.jpg", painting)):
        picture.save(tmp_path / name)
    photo.resize((24, 18)).save(tmp_path / "small.jpg")
    Image.new("L", photo.size, 255).save(tmp_path / "part.png")
    for folder, picture in (("photos", photo), ("paintings", painting)):
        (tmp_path / folder).mkdir()
        for number in range(3):
            picture.rotate(7 * number).save(tmp_path / folder / f"{number}.jpg")
    return tmp_path


@pytest.mark.parametrize("command", QUICK)
def test_quick_commands_run(impasto, workplace, command):
    told = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert command in told, "the documentation no longer has it: choose another"
    words = shlex.split(command)[1:]
    ended = impasto(*words)
    assert ended.code == 0, ended.err
    if "-o" in words:
        assert (workplace / words[-1]).stat().st_size > 0
    else:
        assert ended.out


def blocks(page):
    return fences(page.read_text(encoding="utf-8"), "python")


def deep(code):
    """Return the names that an example imports although no package exports them."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("impasto.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "impasto":
            public = getattr(importlib.import_module(node.module), "__all__", ())
            packages = [] if node.module.count(".") else PACKAGES
            names = [a.name for a in node.names if a.name not in {*public, *packages}]
            found += [node.module] * (node.module.count(".") > 1) + names
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            home = {"impasto": impasto, **PACKAGES}.get(node.value.id)
            found += [node.attr] * (home is not None and node.attr not in home.__all__)
    return found


PACKAGES = {name: importlib.import_module(f"impasto.{name}") for name in ("losses", "models")}
EXAMPLES = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name == "batch.md" else [])
    for page in PAGES
    if blocks(page)
]


@pytest.mark.parametrize("page", EXAMPLES)
def test_examples_import_public_names_only(page):
    assert [name for block in blocks(page) for name in deep(block)] == []


def test_deep_imports_are_found():
    assert deep("import impasto.nn.vgg") == ["impasto.nn.vgg"]
    assert deep("from impasto.losses.gram import gram_matrix")[:1] == ["impasto.losses.gram"]
    assert deep("from impasto.losses import squared") == ["squared"]
    assert deep("import impasto\nimpasto.paint(1)") == ["paint"]
    assert deep("from impasto import models\nmodels.load('x')") == []


class Anything:
    """What a verb that takes hours would return."""

    def __getattr__(self, name):
        return name


@pytest.mark.parametrize(
    "page",
    [page for page in EXAMPLES if page.id not in {"product.md", "studio.md", "CONTRIBUTING.md"}],
)
def test_python_runs(workplace, monkeypatch, page):
    monkeypatch.chdir(workplace)
    for name, ending in (("mine", ""), ("wave", ""), ("wave", ".jpg")):
        source = "painting.jpg" if ending else MODELS / "starry-night.safetensors"
        (workplace / f"{name}{ending or '.safetensors'}").symlink_to(workplace / source)
    for slow in ("train", "stylize_video", "stylize_folder"):
        shape = inspect.signature(getattr(impasto, slow))

        def checked(*given, shape=shape, **named):
            shape.bind(*given, **named)
            return Anything()

        monkeypatch.setattr(impasto, slow, checked, raising=False)
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), {})


def test_the_loop_over_a_folder(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    (workplace / "mine.safetensors").symlink_to(MODELS / "starry-night.safetensors")
    (block,) = blocks(ROOT / "docs/guides/product.md")
    (workplace / "photos" / "broken.jpg").write_text("no picture")
    exec(compile(block, "product.md", "exec"), {})
    assert sorted(path.name for path in (workplace / "painted").iterdir()) == [
        "0.png",
        "1.png",
        "2.png",
    ]


def leaves(nav):
    for item in nav:
        value = next(iter(item.values())) if isinstance(item, dict) else item
        yield from leaves(value) if isinstance(value, list) else [value]


def test_every_method_has_a_page_in_the_navigation():
    nav = list(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    wanted = {f"methods/{entry.name}.md" for entry in list_methods()}
    assert {page for page in nav if page.startswith("methods/")} - {"methods/index.md"} == wanted
    assert {f"methods/{page.name}" for page in (ROOT / "docs/methods").glob("*.md")} == wanted | {
        "methods/index.md"
    }
    there = {page.relative_to(ROOT / "docs").as_posix() for page in DOCS}
    assert there <= set(nav), "a page that no one finds"


@pytest.mark.parametrize("entry", list_methods(), ids=lambda entry: entry.name)
def test_a_method_page_says_it_all(entry):
    text = (ROOT / "docs/methods" / f"{entry.name}.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert sections == ["The idea", "The equations", "Paper and code", "Pictures", "Cost"]
    for tex in re.findall(r"\$\$(.*?)\$\$", text, re.DOTALL):
        assert "<math" in site_hooks.mathml(tex, "div")
    page = site_hooks.method_page(text, entry)
    assert all(paper.title in page for paper in entry.papers)
    assert entry.summary[1:] in page
    rows = re.findall(r"^ *(\| `.*)", site_hooks.numbers(entry), re.MULTILINE)
    assert [row for row in rows if row.endswith("|  |")] == [], "numbers that nobody explains"
    assert len(rows) == len(dataclasses.fields(entry.build.Config))


def test_numbers_show_where_the_presets_differ():
    rows = site_hooks.numbers(get("gatys")).splitlines()
    (weight,) = (row for row in rows if row.startswith("| `content_weight`"))
    assert [cell.strip() for cell in weight.split("|")[2:5]] == ["`10`", "`0.001`", "`1`"]
    (start,) = (row for row in rows if row.startswith("| `start`"))
    assert [cell.strip() for cell in start.split("|")[2:5]] == ["`content`", "`noise`", ""]
    (style,) = (row for row in rows if row.startswith("| `style_weight`"))
    assert [cell.strip() for cell in style.split("|")[2:5]] == ["`1`", "", ""]


def test_equations_that_would_be_drawn_wrong_are_refused():
    assert site_hooks.mathml("x^2").startswith("<math")
    for wrong in (r"\nonsense", r"\arg", "x'"):
        with pytest.raises(PluginError):
            site_hooks.mathml(wrong)


def test_docstrings_become_markdown():
    table = "=====  =======\n``a``  one |x|\n       more\n=====  =======\n"
    text = f"A.\n\n{table}\nExample:\n    >>> f()\n    [1]\n"
    made = docstrings.as_markdown(text)
    assert "| ``a`` | one \\|x\\| more |" in made
    assert "    ```pycon\n    >>> f()\n    [1]\n    ```" in made
    assert Docstring(made).parse("google")


def test_links_lead_into_the_site():
    text = "[a](../src/impasto/models/cin.md) [b](../CONTRIBUTING.md#x) [c](models.md)"
    assert site_hooks._relink(text, "docs/guides.md", "guides.md") == (
        "[a](models/cin.md) [b](contributing.md#x) [c](models.md)"
    )


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_repository_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]
