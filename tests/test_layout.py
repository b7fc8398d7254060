"""The packages: each imports only from those before it, and no circle of modules is closed."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import impasto

ROOT = Path(impasto.__file__).parent
ORDER = [
    "core",
    "image",
    "nn",
    "losses",
    "alignment",
    "models",
    "training",
    "methods",
    "onnx",
    "api",
    "evaluation",
    "batch",
    "video",
    "studio",
    "web",
    "cli",
]
MODULES = {
    ".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__")
    for path in ROOT.rglob("*.py")
}


def imports(module):
    """The modules of this package that a module imports, wherever in it, but not for types only."""
    path = ROOT / module.replace(".", "/")
    tree = ast.parse(
        (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    )
    typing = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
    ]
    skipped = {id(inner) for outer in typing for inner in ast.walk(outer)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            base = (node.module or "").removeprefix("impasto").lstrip(".")
            if (node.module or "").split(".")[0] == "impasto":
                names = {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
                found |= {name if name in MODULES else base for name in names}
    return found - {module}


GRAPH = {module: imports(module) for module in MODULES}


def test_the_packages_are_those_of_the_plan():
    assert {module.split(".")[0] for module in MODULES if "." in module} == set(ORDER)
    files = {path.stem for path in ROOT.glob("*.py")}
    assert files == {"__init__", "__main__", "_version", "errors"}


def test_a_package_imports_only_from_those_before_it():
    wrong = [
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        for other in others
        for package, used in [(module.split(".")[0], other.split(".")[0])]
        if package in ORDER and used in ORDER and ORDER.index(used) > ORDER.index(package)
    ]
    assert not wrong


def test_no_circle_of_modules():
    TopologicalSorter(GRAPH).prepare()  # raises CycleError with the circle


def test_no_file_is_longer_than_a_reader_takes_in():
    long = {p.name: len(p.read_text().splitlines()) for p in ROOT.rglob("*.py")}
    assert not {name: lines for name, lines in long.items() if lines > 300}
