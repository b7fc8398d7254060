"""Coarse coloured noise, which is picture enough for a network."""

import json

import numpy as np
from PIL import Image


def draw(path, width=32, height=24, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


def manifest_lines(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def results(out):
    """Each painted file with its bytes and the time when it was written."""
    return {
        path.relative_to(out).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in out.rglob("*")
        if path.suffix in {".png", ".jpg"}
    }
