"""``impasto weights``: manage the encoders' weights."""

from __future__ import annotations

import typer

from impasto.cli.options import Quiet
from impasto.errors import InputError

app = typer.Typer(help="Network weights: list, fetch, find, verify.", no_args_is_help=True)


@app.command("list")
def weights_list() -> None:
    """List the named weights, and which are downloaded."""
    from impasto.cli import console
    from impasto.nn import vgg_weights

    console.table(
        ("name", "network", "here", "size", "licence"),
        (
            (
                item.name,
                f"{item.arch}, {item.flavor}",
                "yes" if item.path.is_file() else "no",
                f"{item.size / 1e6:.0f} MB" if item.size else "?",
                item.licence,
            )
            for item in vgg_weights.ENTRIES.values()
        ),
    )


@app.command("fetch")
def weights_fetch(name: str, quiet: Quiet = False) -> None:
    """Download named weights into the cache."""
    from impasto.cli import console
    from impasto.nn import vgg_weights

    with console.progress_bar(quiet=quiet) as callback:
        path = vgg_weights.fetch(vgg_weights.entry(name), callback)
    typer.echo(path)


@app.command("path")
def weights_path(name: str) -> None:
    """Print the path of named weights."""
    from impasto.nn import vgg_weights

    typer.echo(vgg_weights.locate(name))


@app.command("verify")
def weights_verify(name: str) -> None:
    """Check named weights against their SHA-256."""
    from impasto.nn import vgg_weights

    item = vgg_weights.entry(name)
    vgg_weights.locate(name)
    if not vgg_weights.verify(item):
        raise InputError(f"{name}: {item.path} is damaged: delete it and fetch it again")
    typer.echo(f"{name}: ok")
