"""``impasto add-style``: add a style to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.cli import app, parsing
from impasto.cli.options import (
    Content,
    Device,
    MaxTime,
    Precision,
    Quiet,
    Restart,
    Settings,
    Steps,
    settings_of,
)


@app.command("add-style")
def add_style(
    model: Annotated[Path, typer.Argument(help="A model of several styles, such as cin's.")],
    painting: Annotated[str, typer.Argument(help="The picture to learn from.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The larger model: a .safetensors file.")
    ],
    content: Content = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the style.", show_default="the painting's file name"),
    ] = None,
    settings: Settings = None,
    steps: Steps = None,
    max_time: MaxTime = None,
    restart: Restart = False,
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
