"""``impasto encode``: encode style images as a style file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.cli import app, parsing
from impasto.cli.options import Device, Precision, Preset, Quiet, Settings, StyleSize, settings_of


@app.command()
def encode(
    paintings: Annotated[
        list[str],
        typer.Argument(
            metavar="PAINTING[:WEIGHT]...",
            help="Style pictures, or .style files of one method; several blend into one style.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The style: a .style file.")],
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", help="See 'impasto methods'.", show_default="that of fast"),
    ] = None,
    style_size: StyleSize = None,
    preset: Preset = "default",
    settings: Settings = None,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Save the encoding of paintings by a method as a file, for 'stylize --style FILE'."""
    from impasto.methods.style import check_target

    paths, weights = parsing.split_weights(paintings)
    check_target(output)
    style = impasto.encode(
        paths,
        method=method,
        weights=weights,
        size=style_size,
        preset=preset,
        settings=settings_of(settings, None),
        device=device,
        precision=precision,
    )
    style.save(output)
    if not quiet:
        count, size = len(style.parts), output.stat().st_size
        images = "1 picture" if count == 1 else f"{count} pictures"
        typer.echo(f"{output}  {style.method}, {images}, {max(1, round(size / 1e3))} kB", err=True)
