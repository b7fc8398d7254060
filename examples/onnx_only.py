"""Stylize with an exported model, without Impasto and without PyTorch.

    impasto export starry-night night.onnx
    pip install numpy pillow onnxruntime
    python onnx_only.py night.onnx photo.jpg out.png

A model of several styles takes --weights, one number for each of them, or the name of a style; one
for any style takes --style painting.jpg. The file's metadata describe its inputs, see docs/onnx.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def open_graph(path):
    """Return a session and the file's metadata, whose numbers and lists are JSON."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    numbers = {"multiple", "smallest", "factor", "style_smallest", "styles", "noise"}
    return session, {k: json.loads(v) if k in numbers else v for k, v in metadata.items()}


def read(path, size=None, least=1):
    """Load an image as (1, 3, H, W), float32, RGB in [0, 1], at most `size` pixels a side."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if size:
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    picture = picture.resize([max(side, least) for side in picture.size])
    return np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255


def padded(picture, multiple, smallest):
    """Pad an image at its right and lower edges by mirroring, to sides that the graph supports."""
    sides = picture.shape[-2:]
    down, right = (max(smallest, -(-side // multiple) * multiple) - side for side in sides)
    mode = "reflect" if down < sides[0] and right < sides[1] else "edge"
    return np.pad(picture, [(0, 0), (0, 0), (0, down), (0, right)], mode=mode)


def shares(text, names):
    """Return the weight of each style, (1, N), from numbers with commas or one style's name."""
    if text in names:
        numbers = [float(name == text) for name in names]
    else:
        numbers = [float(part) for part in text.split(",")] if text else [1.0]
    if len(numbers) > len(names):
        raise SystemExit(f"there are {len(names)} styles: {', '.join(names)}")
    row = np.zeros((1, len(names)), np.float32)
    row[0, : len(numbers)] = numbers
    return row / row.sum()


def paint(model, photo, *, style=None, weights="", alpha=1.0, size=None):
    """Return the stylized photo, uint8 (H, W, 3)."""
    graph, metadata = open_graph(model)
    content = read(photo, size)
    height, width = (side * metadata["factor"] for side in content.shape[-2:])
    feeds = {"content": padded(content, metadata["multiple"], metadata["smallest"])}
    takes = {one.name for one in graph.get_inputs()}
    if "content" not in takes:
        raise SystemExit(f"{model} makes textures of noise and takes no photo")
    if takes & {"style", "embedding"} and style is None:
        raise SystemExit(f"{model} paints in any style: give one with --style")
    if "weights" in takes:
        feeds["weights"] = shares(weights, metadata["styles"])
    if "alpha" in takes:
        feeds["alpha"] = np.array([alpha], np.float32)
    if "style" in takes:
        feeds["style"] = read(style, size, metadata["style_smallest"])
    if "embedding" in takes:  # a second file computes it from the style image
        predictor, its = open_graph(Path(model).with_name(metadata["predictor"]))
        painting = read(style, size, its["style_smallest"])
        feeds["embedding"] = predictor.run(None, {"style": painting})[0]
    random = np.random.default_rng(0)
    for scale, one in enumerate(sorted(takes - set(feeds))):  # noise0 is the coarsest
        divisor = metadata["multiple"] >> scale
        sides = [side // divisor for side in feeds["content"].shape[-2:]]
        feeds[one] = random.random((1, metadata["noise"][1], *sides), np.float32)
    (painted,) = graph.run(None, feeds)
    pixels = painted[0, :, :height, :width].transpose(1, 2, 0)
    return np.round(pixels * 255).astype(np.uint8)


def main():
    """Parse the command line, stylize, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="what 'impasto export' wrote")
    parser.add_argument("photo")
    parser.add_argument("output")
    parser.add_argument("--style", help="a painting, for a model of any style")
    parser.add_argument("--weights", default="", help="0.5,0.5 or a name, of several styles")
    parser.add_argument("--alpha", type=float, default=1.0, help="how much of the style")
    parser.add_argument("--size", type=int, help="long edge of the pictures, at most")
    given = parser.parse_args()
    options = {"style": given.style, "weights": given.weights, "alpha": given.alpha}
    pixels = paint(given.model, given.photo, size=given.size, **options)
    Image.fromarray(pixels).save(given.output)


if __name__ == "__main__":
    main()
