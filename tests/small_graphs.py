"""Write small ONNX files like those of an export, without tracing a network."""

from pathlib import Path

import numpy as np

from impasto.models import onnx_file


def write(path: Path, gain: float = 1.0, styles: int = 1, **metadata: object) -> Path:
    """Write a graph that convolves, normalises and clamps an image of any size.

    Args:
        path: Of the file.
        gain: Contrast of the result.
        styles: Number of styles, each of which adds its own colour.
        metadata: Entries to change.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    constants = {
        "kernel": random.standard_normal((3, 3, 3, 3)),
        "scale": np.full(3, 0.2 * gain),
        "shift": np.full(3, 0.5),
        "low": np.array(0),
        "high": np.array(1),
    }
    nodes = [
        helper.make_node("Conv", ["content", "kernel"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("InstanceNormalization", ["a", "scale", "shift"], ["b"]),
    ]
    if styles > 1:
        constants["tints"] = random.uniform(-0.4, 0.4, (styles, 3))
        nodes += [
            helper.make_node("MatMul", ["weights", "tints"], ["c"]),
            helper.make_node("Constant", [], ["axes"], value_ints=[2, 3]),
            helper.make_node("Unsqueeze", ["c", "axes"], ["d"]),
            helper.make_node("Add", ["b", "d"], ["e"]),
        ]
    nodes.append(helper.make_node("Clip", [nodes[-1].output[0], "low", "high"], ["painted"]))
    shape = [1, 3, "h", "w"]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("content", "painted")
    ]
    if styles > 1:
        ends.insert(1, helper.make_tensor_value_info("weights", TensorProto.FLOAT, [1, styles]))
    weights = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()]
    graph = helper.make_graph([*nodes], "g", ends[:-1], ends[-1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    told = {"impasto": onnx_file.FORMAT, "method": "johnson", "kind": "style", "card": {}}
    names = [f"{path.stem}{index or ''}" for index in range(styles)]
    told |= {"styles": names, "multiple": 4, "smallest": 4, "factor": 1, **metadata}
    helper.set_model_props(model, onnx_file.to_strings(told))
    onnx.save(model, path)
    return path
