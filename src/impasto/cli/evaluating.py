"""``impasto evaluate``: methods compared in numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli import app
from impasto.cli.options import Device, Precision, Quiet, Seed
from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from impasto.comparison import Comparison


@app.command()
def evaluate(
    contents: Annotated[str, typer.Argument(help="Photos: a folder, a list file or a picture.")],
    styles: Annotated[str, typer.Argument(help="Style pictures, likewise.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME[:SETTING=VALUE...],...",
            help="Methods, learned styles (with their own painting among STYLES), 'photo', 'all'.",
        ),
    ] = "photo,gatys",
    size: Annotated[int, typer.Option(help="Long edge to paint and measure at.")] = 384,
    json: Annotated[
        Path | None, typer.Option(help="Where to write every number, as JSON; - prints it.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to keep the painted pictures.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Paint every photo in every style by every method; print style, content, edges and cost.

    Style distance: the untouched photo is 1, the painting 0. Edges: the untouched photo is 1.
    Ctrl-C keeps what is finished.
    """
    from impasto import console, evaluation
    from impasto.image import files

    if json not in {None, console.STREAM}:
        files.check(json)
    with console.measuring(quiet=quiet) as job:
        found = evaluation.evaluate(
            contents,
            styles,
            [name for name in methods.split(",") if name.strip()],
            size=size,
            seed=seed,
            folder=keep,
            device=device,
            precision=precision,
            callback=job.callback,
        )
        if found.rows or not job.interrupted:
            job.kept = _tell(found, json, quiet)


def _tell(found: Comparison, json: Path | None, quiet: bool) -> str:
    """Print or write the numbers, and what failed; returns where they are, in words."""
    from impasto import comparison, console
    from impasto.image import files

    if json == console.STREAM:
        typer.echo(found.json())
    elif json is not None:
        files.write(f"{found.json()}\n".encode(), json)
    if json != console.STREAM and not quiet:
        console.table(comparison.HEADER, found.table())
    for one in found.failures:
        print(f"impasto: {one.method}, {one.content}, {one.style}: {one.error}", file=sys.stderr)
    if not found.rows:
        raise ImpastoError("nothing could be measured")
    return "the table" if json in {None, console.STREAM} else str(json)
