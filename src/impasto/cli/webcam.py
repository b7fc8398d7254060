"""``impasto webcam``: paint what the camera sees."""

from __future__ import annotations

from typing import Annotated

import typer

from impasto.cli import app
from impasto.cli.options import Device, Precision


@app.command()
def webcam(
    style: Annotated[
        list[str] | None,
        typer.Option(
            "--style",
            "-s",
            metavar="PAINTING|NAME",
            help="A style picture, a name of 'impasto styles' or of a model; repeatable.",
            show_default="cin-narrow, all its styles",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="Network for style pictures.")
    ] = None,
    size: Annotated[int, typer.Option(help="Long edge of a frame in pixels.")] = 320,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 is any that is free.")] = 8000,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
    runtime: Annotated[
        str,
        typer.Option(help="auto measures which of torch, onnxruntime and openvino is fastest."),
    ] = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Paint what the camera sees, in a page of the browser; this machine paints the frames.

    It listens on this machine only.
    """
    import webbrowser

    from impasto.web import serve
    from impasto.web import webcam as camera

    typer.echo("loading the styles", err=True)
    styles = camera.camera_styles(
        style or ["cin-narrow"], method=method, runtime=runtime, device=device, precision=precision
    )
    with camera.serving(camera.FramePainter(styles), port, size=size) as url:
        typer.echo(f"{url}  Ctrl-C ends it", err=True)
        if browser:
            webbrowser.open(url)
        serve.until_interrupted()
