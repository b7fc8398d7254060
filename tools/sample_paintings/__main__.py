"""Draw the sample paintings into the package: ``PYTHONPATH=tools python -m sample_paintings``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from PIL import Image

MODULES = {
    "swirls": "oils",
    "wave": "woodblock",
    "mosaic": "tiles",
    "pointillist": "dots",
    "cubist": "facets",
    "ink": "wash",
    "fjord": "oils",
    "gold": "gilt",
}
TARGET = Path(__file__).parents[2] / "src/impasto/data/paintings"
SIZE, QUALITY = 768, 82


def main() -> None:
    """Draw all paintings; about half a minute."""
    for name, module in MODULES.items():
        pixels = getattr(import_module(f"sample_paintings.{module}"), name)(SIZE)
        drawn = Image.fromarray((pixels.clip(0, 1) * 255).round().astype("uint8"))
        drawn.save(TARGET / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
