"""``impasto inspect``: visualize what the parts of a trained model have learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli import app
from impasto.cli.options import Device, Json, Output, Precision, Quiet


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="A model with parts to show, such as stylebank's.")],
    output: Output = None,
    style: Annotated[
        str | None,
        typer.Option("--style", "-s", help="One of its styles.", show_default="the first"),
    ] = None,
    photo: Annotated[
        str, typer.Option(help="What the parts respond to: a picture file.")
    ] = "sample:astronaut",
    size: Annotated[
        int | None,
        typer.Option(help="Long edge of the photo.", show_default="its own, 512 at most"),
    ] = None,
    columns: Annotated[int, typer.Option(help="Pictures in a row.")] = 16,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw what each filter of a style has learned, on a labelled sheet, the strongest first."""
    from impasto.cli import console

    target = console.output_path(output, str(model), style or "inspected")
    with console.run_image_job(target, quiet=quiet, json=json) as job:
        from impasto.api.visualize import inspect as sheet

        job.finish(
            sheet(
                model,
                style,
                photo=photo,
                size=size,
                columns=columns,
                callback=job.callback,
                device=device,
                precision=precision,
            )
        )
