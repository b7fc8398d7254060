"""The packages: each imports only from those before it, and no circle of modules is closed."""

import ast
import re
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


def test_no_test_file_is_longer_either():
    tests = Path(__file__).parent
    long = {p.name: len(p.read_text().splitlines()) for p in tests.rglob("*.py")}
    assert not {name: lines for name, lines in long.items() if lines > 400}


def body_lines(function):
    """Lines of a function's body, without its signature and its docstring."""
    first = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - first[0].lineno + 1 if first else 0


def test_no_function_is_longer_than_a_reader_takes_in():
    functions = {
        f"{path.name}:{one.lineno} {one.name}": body_lines(one)
        for path in ROOT.rglob("*.py")
        for one in ast.walk(ast.parse(path.read_text()))
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: lines for name, lines in functions.items() if lines > 40}


def test_a_paper_is_read_in_ten_files():
    page = (ROOT.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (`api/.*`) \|", page, re.MULTILINE)
    assert [method for method, _ in rows] == ["adain", "gatys", "johnson"]
    for method, told in rows:
        files = []
        for name in re.findall(r"`([^`]+)`", told):
            folder, _, stems = name.partition("{")
            files += [folder + stem for stem in stems.rstrip("}").split(",")]
        paths = [ROOT / (name if "." in name else f"{name}.py") for name in files]
        assert len(paths) <= 10, method
        assert sum(len(path.read_text().splitlines()) for path in paths) <= 1500, method
