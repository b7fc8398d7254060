"""Extend the MkDocs build of the site: tables of the registry, more files, notebooks, equations.

Equations become MathML, which browsers draw without a script; nothing is downloaded, neither by
the build nor by readers of the site.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
import sys
from pathlib import Path
from typing import Any

from griffe import Docstring, DocstringSectionAttributes
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

from impasto.methods.config import PRESETS, preset
from impasto.methods.registry import Entry, list_methods
from impasto.methods.spec import Ability

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import as_markdown

ROOT = Path(__file__).parents[1]
FAMILIES = {
    "optimization": "The picture itself is optimised",
    "per_style": "One network, one style",
    "multi_style": "One network, many styles",
    "arbitrary": "One network, any style",
    "other": "Of other packages",
}
# files outside docs/, and their paths on the site
MOVED = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/onnx_only.py": "examples/onnx_only.py",
}
CARDS = "src/impasto/models"
NOTEBOOKS = "docs/notebooks"

_LINK = re.compile(r"\]\(((?:\.\./)+(?:[^)\s#]+)|docs/[^)\s#]+)(#[^)\s]*)?\)")
_MATH = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the model cards, the files of the repository's root and the pages of the notebooks."""
    pages = {str(card.relative_to(ROOT)): f"models/{card.name}" for card in _cards()} | MOVED
    for source, uri in pages.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=_relink(content, source, uri)))
    for source, uri in _notebooks().items():
        page, pictures = notebook_page(ROOT / source)
        files.append(File.generated(config, uri, content=page))
        for name, data in pictures.items():
            path = str(Path(uri).with_name(name))
            files.append(File.generated(config, path, content=data))
    return files


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Convert a notebook to a page in Markdown, with a link to its file below the title.

    Returns:
        The page, and the stored pictures by the file name that it has for them.
    """
    names = {"output_files_dir": ".", "unique_key": path.stem}
    text, found = MarkdownExporter().from_filename(str(path), resources=names)
    title, rest = text.lstrip().split("\n", 1)
    link = f"[Download the notebook]({path.name}) to run it."
    pictures = {name.removeprefix("./"): data for name, data in found["outputs"].items()}
    return f"{title}\n\n{link}\n{rest.replace('![jpeg](./', '![Output of the cell](')}", pictures


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert what the registry knows, and point links to the files' paths on the site."""
    uri = page.file.src_uri
    if uri == "methods/index.md":
        return markdown.replace("<!-- methods -->", table_of_methods())
    entries = {f"methods/{entry.name}.md": entry for entry in list_methods()}
    if uri in entries:
        return method_page(markdown, entries[uri])
    return markdown if page.file.generated_by else _relink(markdown, f"docs/{uri}", uri)


def on_page_content(html_text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Convert the equations to MathML."""
    return _MATH.sub(lambda found: mathml(html.unescape(found["tex"]), found["tag"]), html_text)


def mathml(tex: str, tag: str = "span") -> str:
    """Convert an equation to MathML; a div is a displayed equation.

    Raises:
        PluginError: It has a command that the converter does not know, or a prime, which it would
            render as a separate power.
    """
    if "'" in tex:
        raise PluginError(f"name it otherwise instead of by a prime: {tex.strip()}")
    made = convert(tex.strip(), display="block" if tag == "div" else "inline")
    unknown = re.search(r">(\\\w+|&)<", made)
    if unknown:
        raise PluginError(f"{unknown[1]} is unknown to latex2mathml, in {tex.strip()}")
    return f'<div class="math">{made}</div>' if tag == "div" else made


def table_of_methods() -> str:
    """Return a table of every method by family, with its papers and abilities."""
    lines = []
    families = {entry.family for entry in list_methods()}
    for family, title in FAMILIES.items():
        if family not in families:
            continue
        lines += [f"## {title}", "", "| name | what it does | papers | can |", "|---|---|---|---|"]
        for entry in list_methods():
            if entry.family == family:
                page = f"{entry.name}.md"
                there = (ROOT / "docs" / "methods" / page).exists()
                name = f"[`{entry.name}`]({page})" if there else f"`{entry.name}`"
                papers = "; ".join(f"{p.authors}, {p.venue} {p.year}" for p in entry.papers)
                can = entry.abilities.describe()
                lines.append(f"| {name} | {entry.summary} | {papers} | {can} |")
        lines.append("")
    return "\n".join(lines)


def method_page(markdown: str, entry: Entry) -> str:
    """Add the papers to a method's page below the title, and its config and code at the end."""
    title, rest = markdown.split("\n", 1)
    if not title.startswith("# "):
        raise PluginError(f"the page of {entry.name} does not begin with a title")
    if "<!-- seconds -->" in rest:
        rest = rest.replace("<!-- seconds -->", seconds(entry.name))
    module = entry.build.__module__
    return "\n".join(
        [
            title,
            "",
            head(entry),
            rest,
            "## Numbers",
            "",
            '<div class="numbers" markdown>',
            "",
            numbers(entry),
            "",
            "</div>",
            "",
            "## In code",
            "",
            f"::: {module}.{entry.build.__name__}",
            "    options:",
            "      heading_level: 3",
            "",
        ]
    )


def head(entry: Entry) -> str:
    """Return the papers, the abilities and the source file of a method."""
    papers = [
        f"- {p.authors}, "
        + (f"[{p.title}]({p.url})" if p.url else f"*{p.title}*")
        + f", {p.venue} {p.year}"
        for p in entry.papers
    ]
    source = f"src/{entry.build.__module__.replace('.', '/')}.py"
    can = entry.abilities.describe()
    details = f"Can: {can}. Family: {FAMILIES[entry.family].lower()}. Code: `{source}`."
    return "\n".join(
        [f"*{entry.summary[0].upper()}{entry.summary[1:]}.*", "", *papers, "", details]
    )


def numbers(entry: Entry) -> str:
    """Return a table of a config's fields by preset: the method's own, then inherited ones.

    Inherited fields whose presets differ are listed among the own ones.
    """
    kind = entry.build.Config
    presets = {word: preset(kind, word) for word in PRESETS if _has(kind, word)}
    meanings = _meanings(kind)
    own, shared = [], []
    for field in dataclasses.fields(kind):
        values = [getattr(config, field.name) for config in presets.values()]
        cells = [_cell(value) for value in values]
        cells[1:] = ["" if cell == cells[0] else cell for cell in cells[1:]]
        row = f"| `{field.name}` | {' | '.join(cells)} | {meanings.get(field.name, '')} |"
        inherited = field.name not in vars(kind).get("__annotations__", {})
        (shared if inherited and len({str(v) for v in values}) == 1 else own).append(row)
    header = f"| number | {' | '.join(presets)} | what it is |\n|---|{'---|' * (len(presets) + 1)}"
    only_python = entry.abilities == Ability.RECONSTRUCT
    taken = f"`{kind.__name__}.paper()` in Python" if only_python else "`--preset`"
    text = f"Change one with `--set name=value`; a column is taken with {taken}. "
    text += "An empty cell is as the default."
    if "authors" not in presets:
        text += " There is no preset of the authors' code."
    parts = [text, "", header, *own]
    if shared:
        rows = "\n".join([header, *shared]).replace("\n", "\n    ")
        parts += ["", '??? note "Hyperparameters that its family shares"', "", f"    {rows}"]
    return "\n".join(parts)


def seconds(name: str) -> str:
    """Return a table of how long the gallery's images of a method took.

    Raises:
        PluginError: The gallery has none.
    """
    falls = json.loads((ROOT / "docs" / "gallery" / "falls.json").read_text(encoding="utf-8"))
    found = {key: fall for key, fall in falls.items() if key.split("-", 1)[0] == name}
    if not found:
        raise PluginError(f"the gallery has no seconds of {name}")
    rows = [f"| `{key}` | {fall['seconds']:.0f} |" for key, fall in found.items()]
    said = "Of the [gallery](../gallery.md)'s pictures, on two cores:"
    return "\n".join([said, "", "| picture | seconds |", "|---|---|", *rows])


def _has(kind: type, word: str) -> bool:
    return word == "default" or hasattr(kind, word)


def _meanings(kind: type) -> dict[str, str]:
    """Return the description of each field in the docstrings of a config and its parents."""
    meanings: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if dataclasses.is_dataclass(one) and one.__doc__:
            docstring = Docstring(as_markdown(one.__doc__), lineno=1)
            sections = docstring.parse("google", warnings=False)
            for section in sections:
                if isinstance(section, DocstringSectionAttributes):
                    for item in section.value:
                        text = " ".join(item.description.split())
                        meanings[item.name] = text.replace("|", "\\|")
    return meanings


def _cell(value: Any) -> str:
    if value is None:
        return "`none`"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    if isinstance(value, tuple):
        return " ".join(_cell(item) for item in value)
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _cards() -> list[Path]:
    return sorted((ROOT / CARDS).glob("*.md"))


def _notebooks() -> dict[str, str]:
    """Return the path of each notebook, and of its page on the site."""
    found = sorted((ROOT / NOTEBOOKS).glob("*.ipynb"))
    return {str(path.relative_to(ROOT)): f"notebooks/{path.stem}.md" for path in found}


def _relink(markdown: str, source: str, uri: str) -> str:
    """Convert links between files of the repository to links between pages of the site."""
    pages = {str(card.relative_to(ROOT)): f"models/{card.name}" for card in _cards()} | MOVED
    pages |= _notebooks()
    up = "../" * uri.count("/")

    def lead(found: re.Match[str]) -> str:
        target = (ROOT / source).parent.joinpath(found[1]).resolve()
        if not target.is_relative_to(ROOT):
            return found[0]
        path = target.relative_to(ROOT).as_posix()
        page = pages.get(path) or path.removeprefix("docs/")
        return f"]({up}{page}{found[2] or ''})"

    return _LINK.sub(lead, markdown)
