"""``impasto stylize``, ``texture``, ``upscale``, ``invert``, ``demo``: write one image."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

import impasto
from impasto.api.options import StylizeOptions
from impasto.cli import app, parsing
from impasto.cli.options import (
    UNCHANGED,
    Bits,
    Device,
    Json,
    KeepMetadata,
    Output,
    Overwrite,
    Precision,
    Preset,
    Quiet,
    Runtime,
    SaveEvery,
    Seed,
    Settings,
    Steps,
    Styles,
    settings_of,
    with_stylize_options,
)


@app.command()
@with_stylize_options()
def stylize(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    style: Styles,
    output: Output = None,
    overwrite: Overwrite = False,
    mask: Annotated[
        list[str] | None,
        typer.Option(help="White where a style goes, in the order of --style; or 'alpha'."),
    ] = None,
    options: StylizeOptions = UNCHANGED,
    bits: Bits = 8,
    keep_metadata: KeepMetadata = False,
    save_every: SaveEvery = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print about how long it takes, and how much memory; stop."),
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Paint PHOTO in the style of one or more paintings."""
    from impasto.cli import console

    paths, weights = parsing.split_weights(style)
    sources = (photo, *paths, *(mask or ()))
    target = console.output_path(output, *sources, overwrite=overwrite, depth=bits)
    if dry_run:
        from impasto.api.estimate import estimate

        how = options.arguments()
        found = estimate(photo, paths, weights=weights, masks=mask or (), **how)
        typer.echo(dumps(found.as_dict()) if json else found)
        return
    with console.run_image_job(target, quiet=quiet, json=json, save_every=save_every) as job:
        job.finish(
            impasto.stylize(
                photo,
                paths,
                weights=weights,
                masks=mask or (),
                callback=job.callback,
                **options.arguments(),
            ),
            depth=bits,
            keep_metadata=keep_metadata,
        )


@app.command()
def texture(
    sample: Annotated[
        str,
        typer.Argument(
            help="A picture of the texture, - for standard input, a name of 'impasto styles' or a "
            "model file."
        ),
    ],
    output: Output = None,
    overwrite: Overwrite = False,
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", help="texture, cnnmrf or resample.", show_default="texture"),
    ] = None,
    preset: Preset = "default",
    settings: Settings = None,
    steps: Steps = None,
    size: Annotated[
        str | None, typer.Option(metavar="SIDE|WxH", help="Size of the result.")
    ] = None,
    sample_size: Annotated[
        int | None, typer.Option(help="Long edge to resize the sample to first.")
    ] = None,
    seamless: Annotated[
        bool, typer.Option("--seamless", help="Make a texture that tiles without a seam.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = "torch",
    save_every: SaveEvery = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Synthesize a texture from a sample, at any size."""
    from impasto.cli import console

    target = console.output_path(output, sample, "texture", overwrite=overwrite)
    with console.run_image_job(target, quiet=quiet, json=json, save_every=save_every) as job:
        job.finish(
            impasto.synthesize(
                sample,
                size=parsing.parse_size(size),
                method=method,
                sample_size=sample_size,
                seamless=seamless,
                preset=preset,
                settings=settings_of(settings, steps),
                seed=seed,
                device=device,
                precision=precision,
                runtime=runtime,
                callback=job.callback,
            )
        )


@app.command()
def invert(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    output: Output = None,
    overwrite: Overwrite = False,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="A layer to reconstruct from; repeatable; relu4_2 by default."),
    ] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="One layer after another, on a labelled sheet.")
    ] = False,
    kind: Annotated[
        str, typer.Option(help="content (features) or style (their Gram matrices).")
    ] = "content",
    settings: Settings = None,
    steps: Steps = None,
    size: Annotated[
        int | None, typer.Option(help="Long edge.", show_default="the photo's, 256 at most")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Reconstruct a photo from a layer of the network, to show what the layer represents."""
    from impasto.cli import console

    suffix = "ladder" if ladder else "inverted"
    target = console.output_path(output, photo, suffix, overwrite=overwrite)
    with console.run_image_job(target, quiet=quiet, json=json, save_every=save_every) as job:
        options: dict[str, Any] = {
            "kind": kind,
            "size": size,
            "seed": seed,
            "settings": settings_of(settings, steps),
            "device": device,
            "precision": precision,
            "callback": job.callback,
        }
        if ladder:
            job.finish(impasto.ladder(photo, layers=layer or (), **options))
        else:
            job.finish(impasto.invert(photo, layer or "relu4_2", **options))


@app.command()
def upscale(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    output: Output = None,
    overwrite: Overwrite = False,
    model: Annotated[
        str, typer.Option("--model", help="A name of 'impasto styles' or a model file.")
    ] = "upscale-x4",
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = "torch",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Enlarge PHOTO, four times as shipped."""
    from impasto.cli import console

    target = console.output_path(output, photo, "large", overwrite=overwrite)
    with console.run_image_job(target, quiet=quiet, json=json) as job:
        job.finish(
            impasto.upscale(
                photo,
                model=model,
                device=device,
                precision=precision,
                runtime=runtime,
                callback=job.callback,
            )
        )


@app.command()
def demo(
    output: Output = Path("impasto-demo.png"),
    size: Annotated[int, typer.Option(help="Long edge of the result.")] = 384,
    quiet: Quiet = False,
) -> None:
    """Paint a photo that is shipped with the package, and print the path of the result."""
    from impasto.cli import console

    with console.run_image_job(console.output_path(output, "demo", "demo"), quiet=quiet) as job:
        job.finish(
            impasto.stylize(
                "sample:astronaut",
                "sample:swirls",
                quality="good",  # a newcomer waits for it
                size=size,
                callback=job.callback,
            )
        )
