"""Build the wheel of impasto-light, the learned styles without PyTorch.

    python tools/build_light.py OUT [MODEL ...]

The models are exported to ONNX (or taken from the user's cache), with their weights in float16 as
in the models themselves, and put beside the code of ``light/``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import onnx
from impasto.models import onnx_file, zoo
from impasto.onnx.exporter import cached_export
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parents[1]
MODELS = ("starry-night", "great-wave", "composition-vii", "cin", "cin-narrow", "stylebank")
_SMALL = 256  # weights in a tensor, below which it stays in float32


def build(output: Path, exports: Iterable[Path]) -> Path:
    """Build the wheel with these exported models, and return its path."""
    with tempfile.TemporaryDirectory() as folder:
        project = stage(Path(folder) / "light", exports)
        line = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
        subprocess.run([sys.executable, "-m", *line, str(output), str(project)], check=True)
    return max(output.glob("impasto_light-*.whl"), key=lambda path: path.stat().st_mtime)


def stage(project: Path, exports: Iterable[Path]) -> Path:
    """Copy the project to a folder, with the version and the models, and return the folder."""
    shutil.copytree(ROOT / "light", project, ignore=shutil.ignore_patterns("__pycache__", "models"))
    package = project / "impasto_light"
    shutil.copy(ROOT / "src" / "impasto" / "_version.py", package)
    shutil.copy(ROOT / "LICENSE", project)
    (package / "models").mkdir()
    table: dict[str, Any] = {}
    for path in exports:
        facts = onnx_file.read_metadata(path)
        onnx.save(with_half_weights(onnx.load(path)), package / "models" / path.name)
        for learned in zoo.learned_in(path):
            table[learned.name] = {
                "title": learned.title,
                "file": path.name,
                "index": learned.index,
                "count": len(facts["styles"]),
                "multiple": facts["multiple"],
                "smallest": facts["smallest"],
            }
    text = json.dumps(dict(sorted(table.items())), indent=1, ensure_ascii=False)
    (package / "models" / "styles.json").write_text(text, "utf-8")
    return project


def with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights of a graph in float16 where that is exact; it computes in float32."""
    casts = []
    for weights in model.graph.initializer:
        whole = numpy_helper.to_array(weights)
        if whole.dtype != np.float32 or whole.size < _SMALL:
            continue
        with np.errstate(over="ignore"):
            half = whole.astype(np.float16)
        if np.array_equal(half.astype(np.float32), whole):
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            casts.append(helper.make_node("Cast", [weights.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), [cached_export(name) for name in sys.argv[2:] or MODELS]))
