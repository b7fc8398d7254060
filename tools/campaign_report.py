"""Measure a trained model on images that it has not seen: losses, lattice, flicker, a sheet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

import impasto
from impasto import image
from impasto.api import recipes, stylize, train
from impasto.api.inputs import read_image, resize_long_edge
from impasto.core.device import choose
from impasto.evaluation import artifacts
from impasto.image import Image
from impasto.image.contact_sheet import contact_sheet
from impasto.methods.registry import get
from impasto.methods.spec import Ability
from impasto.models import checkpoint, zoo
from impasto.training.data import BatchLoader
from impasto.training.task import Batch

SIZE = 384  # long edge of the results, in pixels
PHOTOS, PAINTINGS = 10, 6
BATCHES, BATCH = 8, 4  # of held-out photos


def measure(
    path: Path, entry: Mapping[str, Any], data: Path, held: Sequence[str], sheet: Path
) -> dict[str, Any]:
    """Measure a model and write its contact sheet.

    Args:
        path: The model.
        entry: Its training in campaign.toml.
        data: The folder with ``photos``, ``paintings`` and ``validation``.
        held: Names of the paintings that no network has seen.
        sheet: The path of the sheet.

    Returns:
        JSON values: images seen, seconds per step, losses, lattice, flicker, bytes.
    """
    made = checkpoint.load(path, weights=False)
    card, kind = made.card, str(made.card.get("kind", "style"))
    photos = spread(sorted((data / "validation").iterdir()), PHOTOS)
    paintings = spread([data / "paintings" / name for name in held], PAINTINGS)
    rows = painted(path, kind, photos, paintings)
    columns, shown = max(map(len, rows)), [one for row in rows for one in row]
    image.save(contact_sheet(shown, columns=columns, height=288), sheet, quality=90)
    lattices = [artifacts.worst_lattice(one.rgb) for row in rows for _, one in row[1:]]
    return {
        "commit_of_the_package": card["version"],
        "steps": card["steps"],
        "finished": card["finished"],
        "images": card["steps"] * card["recipe"]["plan"]["batch"],
        "paper_images": entry.get("paper_images", 0),
        "seconds_per_step": card["seconds"] / max(1, card["steps"]),
        "threads": card.get("threads"),
        "losses": held_back_losses(path, entry, data, held),
        "lattice": fmean(lattices) if lattices else None,
        "flicker": shifted(path, kind, photos[:3], paintings[0]),
        "bytes": path.stat().st_size,
    }


def spread(files: Sequence[Path], number: int) -> list[Path]:
    """Return a number of files at even distances."""
    return [files[len(files) * i // number] for i in range(min(number, len(files)))]


Row = list[tuple[str, Image]]


def painted(path: Path, kind: str, photos: Sequence[Path], paintings: Sequence[Path]) -> list[Row]:
    """Return a row for each photo: the model's inputs, then its results, with their labels."""
    if kind == "texture":
        blank = Image(torch.ones(1, 3, SIZE, SIZE))
        return [[("", blank), ("texture", impasto.synthesize(str(path), size=(SIZE, SIZE)))]]
    rows = []
    for photo in photos[: PAINTINGS if kind == "any" else PHOTOS]:
        small = resize_long_edge(read_image(photo), SIZE // 4 if kind == "upscale" else SIZE, None)
        row = [(photo.stem[-16:], small)]
        if kind == "upscale":
            row.append(("enlarged", impasto.upscale(small, model=str(path))))
        else:
            for style, arguments in styles_of(path, kind, paintings):
                row.append((style, stylize.stylize(small, **arguments)))
        rows.append(row)
    return rows


def styles_of(path: Path, kind: str, paintings: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Return the arguments of `stylize` for each style, with the style's label; for one pass."""
    if kind == "any":
        named = {"method": str(path), "shifts": 1}
        return [(one.stem[-16:], {"style": one, **named}) for one in paintings]
    known = zoo.learned_in(path)
    return [(one.name, {"style": f"{path}#{one.name}", "shifts": 1}) for one in known]


def shifted(path: Path, kind: str, photos: Sequence[Path], painting: Path) -> float | None:
    """Return the mean flicker when photos move by one pixel, in 8-bit levels."""
    if kind not in {"any", "style"}:
        return None
    _, arguments = styles_of(path, kind, [painting])[0]

    def paint(photo: Tensor) -> Tensor:
        return stylize.stylize(Image(photo), **arguments).rgb

    fitted = [resize_long_edge(read_image(photo), SIZE, None).rgb for photo in photos]
    return fmean(artifacts.flicker(paint, one) for one in fitted)


def held_back_losses(
    path: Path, entry: Mapping[str, Any], data: Path, held: Sequence[str]
) -> dict[str, float]:
    """Return the mean losses of the training's task on images that it was not trained on."""
    made = checkpoint.load(path)
    build = get(made.method, Ability.TRAIN).build
    runtime = choose("auto", "float32")
    method = build.open(made, runtime)
    files = entry.get("styles", ())
    styles = [] if files == "paintings" else [data / "paintings" / file for file in files]
    task = method.task(method.config, [read_image(one).rgb for one in styles], runtime)
    recipe = recipes.load(made.method).change(card_cut(made))
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "held.txt")
        listed.write_text("\n".join(str(data / "paintings" / name) for name in held))
        style_list = listed if files == "paintings" else None
        sources = train.open_sources(recipe, task.sources, data / "validation", style_list)
        feed = BatchLoader(sources, batch=BATCH, start=0, steps=BATCHES, seed=1, workers=0)
        series: dict[str, list[float]] = {}
        with torch.no_grad(), feed as batches:
            for step, pictures in enumerate(batches):
                torch.manual_seed(step)
                batch = Batch(step, BATCH, pictures, BATCHES)
                for name, value in task.loss(method.module.eval(), batch).items():
                    series.setdefault(name, []).append(float(value))
    return {name: fmean(values) for name, values in series.items()}


def card_cut(made: checkpoint.Model) -> Mapping[str, Any]:
    """Return the crop settings that a model was trained with, as settings of a recipe."""
    cut: Mapping[str, Any] = made.card.get("recipe", {}).get("cut", {})
    return cut
