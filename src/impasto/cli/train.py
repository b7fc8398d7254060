"""``impasto train``: train a model."""

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
    Preset,
    Quiet,
    Restart,
    Settings,
    Steps,
    settings_of,
)


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A method that can 'train', or a recipe's .toml file.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model: a .safetensors file.")],
    style: Annotated[
        list[str] | None,
        typer.Option("--style", "-s", help="A picture to learn from; repeatable."),
    ] = None,
    content: Content = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of a style; repeatable.", show_default="its file's name"),
    ] = None,
    preset: Preset = "default",
    settings: Settings = None,
    steps: Steps = None,
    start: Annotated[
        Path | None, typer.Option(help="A model of the same shape to start from.")
    ] = None,
    max_time: MaxTime = None,
    restart: Restart = False,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default="all, fewer beside other work",
            help="Processor threads to compute with.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on photographs and write it as a model."""
    from impasto.cli import console

    with console.run_training(quiet=quiet) as job:
        job.finish(
            impasto.train(
                recipe,
                output,
                style=style or (),
                content=content,
                names=name or (),
                preset=preset,
                settings=settings_of(settings, steps),
                start=start,
                resume=not restart,
                max_seconds=parsing.parse_seconds(max_time),
                device=device,
                precision=precision,
                threads=threads,
                callback=job.callback,
            )
        )
