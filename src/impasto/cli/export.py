"""``impasto export``: export a trained model to ONNX or LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.cli import app
from impasto.cli.options import Quiet
from impasto.errors import CancelledError


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A model file, or a name of 'impasto styles'.")],
    output: Annotated[
        Path, typer.Argument(metavar="X.onnx", help="The file to write; X.tflite is for LiteRT.")
    ],
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size of the images of a LiteRT file. [256x256]"),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write MODEL as an ONNX graph or LiteRT file, for runtimes without PyTorch."""
    from impasto.cli import console
    from impasto.cli.parsing import parse_size

    try:
        with console.progress_bar(quiet=quiet) as callback:
            written = impasto.export(model, output, size=parse_size(size), callback=callback)
    except KeyboardInterrupt:
        raise CancelledError("cancelled, nothing written") from None
    for one in () if quiet else written:
        count = len(one.names)
        names = one.names[0] if count == 1 else f"{count} styles"
        sizes = " and ".join("x".join(map(str, shape[-2:][::-1])) for shape in one.shapes)
        typer.echo(
            f"{one.path}  {names}, {one.size / 1e6:.1f} MB, largest difference from PyTorch "
            f"{one.difference:.1e} at {sizes}",
            err=True,
        )
