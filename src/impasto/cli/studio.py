"""``impasto studio``: serve the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli import app, parsing


@app.command()
def studio(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 is any that is free.")] = 7860,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD",
            help="User and password; needed with a --host that others can reach.",
        ),
    ] = None,
    auth_file: Annotated[
        Path | None,
        typer.Option(help="A file with USER:PASSWORD, which the list of processes does not show."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:PORT]", help="Host name of a proxy, as browsers see it; repeatable."
        ),
    ] = None,
    queue: Annotated[int, typer.Option(help="Jobs that may wait; more are refused.")] = 20,
    jobs: Annotated[int, typer.Option(help="Jobs at a time.")] = 1,
    client_jobs: Annotated[
        int, typer.Option(help="Jobs of one client (an address) that wait or run.")
    ] = 4,
    max_minutes: Annotated[
        float, typer.Option(help="Time limit of a job; then the image so far is kept.")
    ] = 30,
    max_upload: Annotated[str, typer.Option(metavar="50M", help="Largest upload.")] = "50M",
    max_pixels: Annotated[
        str, typer.Option(metavar="50M", help="Most pixels of an upload.")
    ] = "50M",
    max_size: Annotated[int, typer.Option(help="Long edge of what a network paints.")] = 4096,
    max_disk: Annotated[
        str, typer.Option(metavar="4G", help="Disk space of all clients, in an hour.")
    ] = "4G",
    client_disk: Annotated[
        str, typer.Option(metavar="1G", help="Disk space of one client, in an hour.")
    ] = "1G",
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """Serve a web page: drop a photo, choose paintings, and watch the result develop.

    It listens on this machine only, and loads nothing from other hosts.
    """
    from impasto.studio import serve
    from impasto.studio.limits import Limits

    upload, disk, client_share = map(parsing.parse_memory, (max_upload, max_disk, client_disk))
    assert upload is not None
    assert disk is not None
    assert client_share is not None
    limits = Limits(
        upload=upload,
        pixels=parsing.parse_count(max_pixels),
        side=max_size,
        disk=disk,
        client_disk=client_share,
        job=60 * max_minutes,
    )
    serve.serve(
        serve.ServerOptions(
            host=host,
            port=port,
            auth=serve.credentials(auth, auth_file),
            queue=queue,
            jobs=jobs,
            client_jobs=client_jobs,
            limits=limits,
            allow_host=tuple(allow_host or ()),
            browser=browser,
        )
    )
