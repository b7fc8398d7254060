"""Make every image of docs/gallery from the package's samples and docs/gallery/sources.

`make gallery` makes all, with those of `tools/statements.py`; with names,
`python tools/gallery.py texture-ihc` makes only those entries. All entries call public functions
only, so that each shows how its image is made.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image as Pixels

import impasto
import statements
from impasto.core.progress import Progress
from impasto.image import samples
from impasto.image.contact_sheet import contact_sheet

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
SOURCES = GALLERY / "sources"
SIDE = 320
STRIP_WIDTH, STRIP_GAP, STRIP_SIDE = 1500, 6, 480
STRIP_QUALITY = 61  # below 150 kB each


class Falls:
    """Record the first and last loss of each level, to measure how far the objective fell."""

    def __init__(self) -> None:
        self.stages: dict[str, list[float]] = {}

    def __call__(self, progress: Progress) -> None:
        """Record the loss of a step."""
        if "total" in progress.losses:
            self.stages.setdefault(progress.stage, []).append(progress.losses["total"])

    @property
    def factor(self) -> float | None:
        """Return the smallest fall of a level, first loss over last."""
        return min((losses[0] / losses[-1] for losses in self.stages.values()), default=None)


def stylized(photo: str, painting: str, **options: object) -> Callable[..., impasto.Image]:
    """Return a function that stylizes a sample photo in the style of a sample painting."""
    return lambda callback: impasto.stylize(
        f"sample:{photo}", f"sample:{painting}", size=SIDE, callback=callback, **options
    )


def texture(sample: str, **options: object) -> Callable[..., impasto.Image]:
    """Return a function that synthesizes a sample texture."""
    return lambda callback: impasto.synthesize(f"sample:{sample}", callback=callback, **options)


def ladder(photo: str, kind: str) -> Callable[..., impasto.Image]:
    """Return a function that reconstructs a photo from each layer."""
    return lambda callback: impasto.ladder(
        f"sample:{photo}", kind=kind, size=160, settings={"steps": 80}, callback=callback
    )


def source(name: str) -> impasto.Image:
    """Load a picture of docs/gallery/sources, or else the sample of this name."""
    path = SOURCES / f"{name}.jpg"
    return impasto.load(path) if path.exists() else samples.load(name)


def strip(
    photo: str, painting: str, *, style: str = "", entry: str = ""
) -> Callable[..., impasto.Image]:
    """Return a function that puts a photo, a painting and the stylized photo in a row.

    Args:
        photo: As for :func:`source`.
        painting: As for :func:`source`.
        style: Name of a shipped style that was learned from the painting and paints the result;
            otherwise the painting itself does, or
        entry: Key of an entry before, whose file is the result.
    """

    def make(callback: Callable[[Progress], None]) -> impasto.Image:
        content = source(photo)
        result = (
            impasto.load(GALLERY / f"{entry}.jpg")
            if entry
            else impasto.stylize(
                content, style or source(painting), size=STRIP_SIDE, callback=callback
            )
        )
        return in_a_row([content, source(painting), result])

    return make


def shifts(photo: str, style: str) -> Callable[..., impasto.Image]:
    """Return a function that paints at 1, 4 and 8 shifts, and shows a part enlarged twice."""

    def make(_: Callable[[Progress], None]) -> impasto.Image:
        parts = []
        for number in (1, 4, 8):
            painted = impasto.stylize(
                f"sample:{photo}", style, size=512, shifts=number, sharpen=0, kuwahara=0
            )
            part = Pixels.fromarray(painted.numpy()[..., :3]).crop((256, 60, 448, 252))
            parts.append(impasto.Image.from_pil(part.resize((384, 384), Pixels.Resampling.NEAREST)))
        return in_a_row(parts)

    return make


def in_a_row(images: Sequence[impasto.Image], width: int = STRIP_WIDTH) -> impasto.Image:
    """Arrange images of equal height from left to right, `width` pixels in all, on white."""
    room = width - STRIP_GAP * (len(images) - 1)
    height = round(room / sum(image.width / image.height for image in images))
    sheet, x = Pixels.new("RGB", (width, height), "white"), 0
    for index, image in enumerate(images):
        last = index == len(images) - 1  # takes the pixels that rounding has left
        wide = width - x if last else round(height * image.width / image.height)
        sheet.paste(Pixels.fromarray(image.resized(height, wide).numpy()[..., :3]), (x, 0))
        x += wide + STRIP_GAP
    return impasto.Image.from_pil(sheet)


ENTRIES: dict[str, Callable[..., impasto.Image]] = {
    "good-astronaut-swirls": lambda callback: impasto.stylize(
        "sample:astronaut", "sample:swirls", size=512, quality="good", callback=callback
    ),
    "gatys-astronaut-swirls": stylized("astronaut", "swirls"),
    "gatys-chelsea-fjord": stylized("chelsea", "fjord"),
    "gatys-coffee-mosaic": stylized("coffee", "mosaic"),
    "gatys-rocket-wave": stylized("rocket", "wave", settings={"content_weight": 100.0}),
    "gatys-luminance": stylized("coffee", "swirls", colors="luminance"),
    "gatys-match": stylized("coffee", "swirls", colors="match"),
    "mmd-polynomial-moments": stylized("chelsea", "gold", method="mmd"),
    "mmd-moments": stylized("chelsea", "gold", method="mmd", settings={"losses": "moments"}),
    "mmd-linear": stylized("chelsea", "gold", method="mmd", settings={"losses": "linear"}),
    "mmd-gaussian": stylized(
        "chelsea",
        "gold",
        method="mmd",
        settings={"losses": "gaussian", "optimizer": "adam", "learning_rate": 0.02},
    ),
    "cnnmrf-chelsea-swirls": stylized("chelsea", "swirls", method="cnnmrf"),
    "cnnmrf-texture-mosaic": texture("mosaic", method="cnnmrf", size=256, sample_size=256),
    "texture-ihc": texture("ihc", size=256, sample_size=256),
    "texture-gravel": texture("gravel", size=256, sample_size=256),
    "resample-efros-leung": texture("brick", method="resample", size=128, sample_size=64),
    "resample-wei-levoy": texture(
        "gravel", method="resample", size=128, sample_size=64, settings={"algorithm": "wei-levoy"}
    ),
    "invert-content": ladder("coffee", "content"),
    "invert-style": ladder("coffee", "style"),
    "shifts": shifts("astronaut", "starry-night"),
    "strip-astronaut-swirls": strip("astronaut", "swirls", entry="good-astronaut-swirls"),
    "strip-coffee-mosaic": strip("coffee", "mosaic", entry="gatys-coffee-mosaic"),
    "strip-chelsea-fjord": strip("chelsea", "fjord"),
    "strip-rocket-wave": strip("rocket", "wave", entry="gatys-rocket-wave"),
    "strip-colosseum-cezanne": strip(
        "colosseum", "mont-sainte-victoire", style="mont-sainte-victoire"
    ),
    "strip-lake-shower": strip("lake", "sudden-shower", style="sudden-shower"),
}


def main() -> None:
    """Make the images, the sheet of samples, and the table of how far each objective fell."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    if not sys.argv[1:]:
        paintings = [(name, samples.painting(name, 384)) for name in samples.PAINTINGS]
        contact_sheet(paintings, columns=4, height=256).save(GALLERY / "paintings.jpg", quality=88)
    record = GALLERY / "falls.json"
    table = json.loads(record.read_text()) if record.exists() else {}
    for name, make in ENTRIES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        falls, start = Falls(), time.perf_counter()
        quality = STRIP_QUALITY if name.startswith("strip-") else 90
        make(falls).save(GALLERY / f"{name}.jpg", quality=quality)
        seconds = round(time.perf_counter() - start, 1)
        if falls.factor is None:  # no objective of its own
            continue
        table[name] = {"seconds": seconds, "objective fell by": falls.factor}
        print(name, table[name], flush=True)
        record.write_text(json.dumps(table, indent=2) + "\n")
    for name, draw in statements.STATEMENTS.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            statements.save(draw(), GALLERY / f"{name}.jpg")
            print(name, flush=True)


if __name__ == "__main__":
    main()
