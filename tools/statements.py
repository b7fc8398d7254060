"""Make the pictures that show the statements of the papers, listed in docs/guides/study.md.

`tools/gallery.py` makes them with all others, and by name. Each is what one command of the
documentation makes, reduced to the width of a page: sheets of `impasto compare`, with fewer numbers
and without those that depend on the machine, and the sheets of scripts in the folder `examples`.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

from PIL import Image as Pixels

import impasto
from impasto.image import samples
from impasto.image.contact_sheet import contact_sheet

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "docs" / "gallery" / "sources"
EXAMPLES = ROOT / "examples"
WIDTH, LARGEST = 1500, 250_000  # of a picture: pixels, bytes

Make = Callable[[], impasto.Image]


def sweep(
    photo: str,
    painting: str,
    methods: Mapping[str, str],
    *,
    size: int,
    steps: int,
    columns: int = 4,
) -> Make:
    """Return a function that stylizes a photo by several methods and draws a labelled sheet.

    Args:
        photo: Name of a sample photo.
        painting: Name of a sample to take the style of.
        methods: Candidates as for `impasto compare --methods`, with their labels.
        size: Long edge to stylize at, in pixels.
        steps: As for `impasto compare --steps`.
        columns: Images in a row of the sheet.
    """

    def make() -> impasto.Image:
        made = impasto.compare(
            f"sample:{photo}", f"sample:{painting}", list(methods), size=size, steps=steps
        )
        assert not made.numbers.failures, made.numbers.failures
        rows = {row.method: row.metrics for row in made.numbers.rows}
        tiles = [("photo", made.photo), ("painting", made.painting)]
        for method, label in methods.items():
            found = rows[method]
            numbers = f"style {found['style']:.2f}  content {found['content']:.2f}"
            tiles.append((f"{label}\n{numbers}", made.pictures[method]))
        return contact_sheet(tiles, columns=columns, height=made.photo.height)

    return make


def painted(painting: str, model: str, *photos: str, size: int) -> Make:
    """Return a function that stylizes sample photos by a model file of the folder `examples`."""

    def make() -> impasto.Image:
        images = [impasto.stylize(f"sample:{one}", EXAMPLES / model, size=size) for one in photos]
        tiles = [("painting", samples.load(painting)), *zip(photos, images, strict=True)]
        return contact_sheet(tiles, columns=2, height=size)

    return make


def example(script: str, *arguments: str, models: Sequence[str] = ()) -> Make:
    """Return a function that runs a script of the folder `examples` and loads its picture.

    Args:
        script: Name of the script.
        arguments: Its arguments before the picture.
        models: Its arguments after the picture.
    """

    def make() -> impasto.Image:
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder, "out.png"))
            with patch.object(sys, "argv", [script, *arguments, out, *models]):
                runpy.run_path(str(EXAMPLES / script), run_name="__main__")
            return impasto.load(out)

    return make


def stack(*rows: Make) -> Make:
    """Return a function that arranges images below each other, on white."""

    def make() -> impasto.Image:
        images = [Pixels.fromarray(row().numpy()[..., :3]) for row in rows]
        size = max(one.width for one in images), sum(one.height for one in images)
        sheet, y = Pixels.new("RGB", size, "white"), 0
        for one in images:
            sheet.paste(one, (0, y))
            y += one.height
        return impasto.Image.from_pil(sheet)

    return make


def save(image: impasto.Image, path: Path) -> None:
    """Save an image as JPEG with at most WIDTH pixels and LARGEST bytes."""
    if image.width > WIDTH:
        image = image.resized(round(image.height * WIDTH / image.width), WIDTH)
    for quality in range(90, 30, -4):
        image.save(path, quality=quality)
        if path.stat().st_size <= LARGEST:
            return


def values(setting: str, *choices: object) -> dict[str, str]:
    """Return candidates that differ in their last setting, labelled by it."""
    name = setting.rpartition(":")[2]
    return {f"{setting}={value}": f"{name}={value}" for value in choices}


KERNELS = ("linear", "polynomial", "gaussian", "moments")
PATCHES = {name: name for name in ("gatys", "cnnmrf")}
WEIGHTS = values("gatys:content_weight", 0.1, 1, 10, 100, 1000)
NOISE = values("mmd:start=noise:content_weight=0:losses", *KERNELS)
FROM_NOISE = {f"{name}:start=noise:content_weight=0": name for name in PATCHES}
TV = values("gatys:tv_weight", 0, 1000, 100000)

STATEMENTS: dict[str, Make] = {
    "gatys-alpha-beta": sweep("astronaut", "swirls", WEIGHTS, size=384, steps=60, columns=3),
    "gatys-tv": sweep("coffee", "pointillist", TV, size=384, steps=25, columns=3),
    "mmd-kernels": sweep(
        "chelsea", "gold", values("mmd:losses", *KERNELS), size=384, steps=25, columns=3
    ),
    "mmd-noise": sweep("chelsea", "mosaic", NOISE, size=384, steps=25, columns=3),
    "gram-mrf": stack(
        sweep("chelsea", "mosaic", PATCHES, size=384, steps=25, columns=2),
        sweep("astronaut", "chelsea", PATCHES, size=384, steps=25, columns=2),
    ),
    "gram-mrf-photo": sweep("coffee", "chelsea", FROM_NOISE, size=384, steps=25, columns=2),
    "texture-net-photos": painted(
        "swirls", "night-sky.safetensors", "astronaut", "chelsea", "coffee", size=384
    ),
    "adain-target": example("adain_target.py", "sample:chelsea", "sample:mosaic"),
    "wct-levels": example("wct_levels.py", "sample:chelsea", "sample:mosaic"),
    "stylebank-branches": example(
        "stylebank_branches.py", "sample:astronaut", "udnie", str(SOURCES / "udnie.jpg")
    ),
    "adabn": example("adabn_digits.py"),
    "superres-losses": example(
        "upscale_losses.py", "sample:chelsea", models=("upscale-x4-pixel", "upscale-x4")
    ),
}
