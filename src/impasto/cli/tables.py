"""``impasto methods`` and ``impasto styles``: list what is available."""

from __future__ import annotations

import json as json_format
from typing import Annotated, Any

import typer

import impasto
from impasto.cli import app
from impasto.cli.options import Device, Output, Precision, Quiet
from impasto.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def methods(
    json: Json = False,
) -> None:
    """List the methods."""
    rows = [
        {
            "name": row.name,
            "family": row.family,
            "abilities": row.abilities.describe(),
            "summary": row.summary,
            "papers": [str(paper) for paper in row.papers],
        }
        for row in impasto.list_methods()
    ]
    if json:
        typer.echo(json_format.dumps(rows, indent=2))
        return
    from impasto.cli import console

    console.table(
        ("method", "can", "what it does"),
        ((str(row["name"]), str(row["abilities"]), str(row["summary"])) for row in rows),
    )


@app.command()
def styles(
    sheet: Annotated[
        str | None,
        typer.Option(metavar="PHOTO", help="Draw every style on this photo, on a labelled sheet."),
    ] = None,
    output: Output = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Long edge of each picture of the sheet.", show_default="the photo's, 384 at most"
        ),
    ] = None,
    columns: Annotated[int, typer.Option(help="Pictures in a row of the sheet.")] = 4,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """List the shipped styles, textures and upscaling models; or draw every style on a photo."""
    from impasto.cli import console

    if sheet is not None:
        target = console.output_path(output, sheet, "styles")
        with console.run_image_job(target, quiet=quiet, json=json) as job:
            from impasto.api.visualize import styles as draw

            options: dict[str, Any] = {
                "device": device,
                "precision": precision,
                "callback": job.callback,
            }
            job.finish(draw(sheet, size=size, columns=columns, **options))
        return
    if output is not None:
        raise InputError("the list has no output: draw a sheet with --sheet PHOTO")
    rows = impasto.list_models()
    if json:
        rows_as_dicts = [
            {"name": r.name, "kind": r.kind, "method": r.method, "title": r.title} for r in rows
        ]
        typer.echo(json_format.dumps(rows_as_dicts, indent=2))
        return
    console.table(
        ("name", "for", "method", "what it is"),
        ((row.name, row.kind, row.method, row.title) for row in rows),
    )
