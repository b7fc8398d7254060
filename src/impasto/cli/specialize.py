"""``impasto specialize``: write a small network for one style."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.cli import app, parsing
from impasto.cli.options import Device, Precision, Quiet, StyleSize


@app.command()
def specialize(
    model: Annotated[
        str, typer.Argument(help="A model of meta-network: its file, or the name of a shipped one.")
    ],
    paintings: Annotated[
        list[str],
        typer.Argument(
            metavar="PAINTING[:WEIGHT]...",
            help="Style pictures, or .style files of the model; several blend into one style.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The small network: a .safetensors file.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the style.", show_default="the painting's file name"),
    ] = None,
    style_size: StyleSize = None,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Write a small network of one painting to a file, for 'stylize --style FILE'."""
    paths, weights = parsing.split_weights(paintings)
    made = impasto.specialize(
        model,
        paths,
        output,
        weights=weights,
        size=style_size,
        name=name,
        device=device,
        precision=precision,
    )
    if not quiet:
        count = sum(value.numel() for value in made.state.values())
        size = output.stat().st_size
        typer.echo(f"{output}  {made.styles[0]}, {count:,} weights, {size / 1e3:.0f} kB", err=True)
