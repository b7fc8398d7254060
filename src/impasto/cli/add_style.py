"""``impasto add-style``: add a style to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.cli import app, parsing
from impasto.cli.options import Device, Precision, Quiet, Settings, Steps, settings_of


@app.command("add-style")
def add_style(
    model: Annotated[Path, typer.Argument(help="A model of several styles, such as cin's.")],
    painting: Annotated[str, typer.Argument(help="The picture to learn from.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The larger model: a .safetensors file.")
    ],
    content: Annotated[
        str | None,
        typer.Option(help="Photographs: a folder, a list file, or shards (x-{000..009}.tar)."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the style.", show_default="the painting's file name"),
    ] = None,
    settings: Settings = None,
    steps: Steps = None,
    max_time: Annotated[
        str | None,
        typer.Option(metavar="90s|20m|8h", help="Stop after this time; the next run resumes."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start again instead of resuming.")
    ] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Add a style to a model of several styles; the others keep their weights exactly."""
    from impasto.cli import console

    with console.run_training(quiet=quiet) as job:
        job.finish(
            impasto.add_style(
                model,
                painting,
                output,
                content=content,
                name=name,
                settings=settings_of(settings, steps),
                resume=not restart,
                max_seconds=parsing.parse_seconds(max_time),
                device=device,
                precision=precision,
                callback=job.callback,
            )
        )
