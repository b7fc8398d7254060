"""``impasto web``: write a page that stylizes photos in the visitor's browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli import app
from impasto.cli.options import Quiet
from impasto.errors import CancelledError


@app.command()
def web(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    styles: Annotated[
        str,
        typer.Option(
            "--styles",
            metavar="A,B",
            help="Names of 'impasto styles' and model files, with commas between them; of a model "
            "all its styles are taken.",
        ),
    ] = "cin-narrow",
    onnxruntime_web: Annotated[
        Path | None,
        typer.Option(
            "--onnxruntime-web", help="A folder of the npm package onnxruntime-web.", metavar="DIR"
        ),
    ] = None,
    npm: Annotated[
        bool, typer.Option("--npm", help="Let npm download onnxruntime-web, if it is not here.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page that this command has written.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the page on this machine.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port to serve it on; 0 is any that is free.")] = 8000,
    isolated: Annotated[
        bool,
        typer.Option(help="Serve it with the headers COOP and COEP, which allow several threads."),
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Write OUT, a folder of static files: a page that stylizes photos in the visitor's browser.

    No server computes anything, and the page loads nothing from other hosts.
    """
    from impasto.cli import console
    from impasto.web import folder
    from impasto.web import serve as server

    names = [name.strip() for name in styles.split(",") if name.strip()]
    try:
        with console.progress_bar(quiet=quiet) as callback:
            built = folder.build(
                output,
                names,
                onnxruntime_web=onnxruntime_web,
                npm=npm,
                overwrite=overwrite,
                callback=callback,
            )
    except KeyboardInterrupt:
        raise CancelledError("cancelled, nothing written") from None
    if not quiet:
        typer.echo(
            f"{built.path}  {len(built.sizes)} files, {built.total / 1e6:.1f} MB, of which a first "
            f"visit loads {built.first_visit / 1e6:.1f} MB",
            err=True,
        )
    if serve:
        with server.serving(output, port, isolated=isolated) as url:
            typer.echo(f"{url}  Ctrl-C ends it", err=True)
            server.until_interrupted()
