"""Define the command line, which parses options, calls the package and prints results.

Nothing heavy is imported here, so that ``--help`` is fast.
"""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from impasto._version import __version__

app = typer.Typer(
    name="impasto",
    help="Neural style transfer: paint a photo in the style of a painting.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"impasto {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# each module adds its commands to the app
for _module in (
    "stylize",
    "encode",
    "train",
    "add_style",
    "specialize",
    "export",
    "inspect",
    "batch",
    "video",
    "evaluate",
    "gap",
    "tables",
    "studio",
    "web",
    "webcam",
):
    importlib.import_module(f"impasto.cli.{_module}")
app.add_typer(importlib.import_module("impasto.cli.weights").app, name="weights")
app.add_typer(importlib.import_module("impasto.cli.models").app, name="models")
