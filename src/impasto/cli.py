"""The command line: parses, calls, prints. No logic lives here, and nothing heavy is imported."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto._version import __version__
from impasto.errors import InputError

app = typer.Typer(
    name="impasto",
    help="Neural style transfer: paint a photo in the style of a painting.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
weights_app = typer.Typer(help="Network weights: list, fetch, find, verify.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where to write; - is standard output.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a number of the method; repeatable."),
]
Preset = Annotated[str, typer.Option(help="Numbers to start from: default, paper or authors.")]
Steps = Annotated[int | None, typer.Option(help="Steps at full size.", show_default="the method's")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**63 - 1)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Precision = Annotated[
    str, typer.Option(help="auto, float32 or bfloat16; losses are float32 in any case.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Report as lines of JSON on standard output.")]
SaveEvery = Annotated[
    int, typer.Option(metavar="N", help="Write a preview beside the output every N steps.", min=0)
]


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


@app.command()
def stylize(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    style: Annotated[
        list[str],
        typer.Option(
            "--style", "-s", metavar="PAINTING[:WEIGHT]", help="A style picture; repeatable."
        ),
    ],
    output: Output = None,
    method: Annotated[str, typer.Option("--method", "-m", help="See 'impasto methods'.")] = "gatys",
    preset: Preset = "default",
    settings: Settings = None,
    steps: Steps = None,
    size: Annotated[
        int | None,
        typer.Option(help="Long edge of the result.", show_default="the photo's, 512 at most"),
    ] = None,
    style_scale: Annotated[float, typer.Option(help="Stroke size: 2 is twice as large.")] = 1.0,
    colors: Annotated[
        str, typer.Option(help="style, or keep the photo's: luminance, match.")
    ] = "style",
    mask: Annotated[
        list[str] | None,
        typer.Option(help="White where a style goes, in the order of --style; or 'alpha'."),
    ] = None,
    strength: Annotated[float, typer.Option(help="1 is the full style, 0 the photo.")] = 1.0,
    match_histogram: Annotated[
        bool, typer.Option("--match-histogram", help="Take the style's histogram at the end.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Paint PHOTO in the style of one or more paintings."""
    from impasto import console

    paths, shares = console.weighted(style)
    target = console.target(output, photo, paths[0])
    with console.job(target, quiet=quiet, json=json, save_every=save_every) as job:
        from impasto import pipeline

        job.finish(
            pipeline.stylize(
                photo,
                paths,
                method=method,
                weights=shares,
                masks=mask or (),
                preset=preset,
                settings=_settings(settings, steps),
                device=device,
                precision=precision,
                callback=job.callback,
                size=size,
                style_scale=style_scale,
                colors=colors,
                strength=strength,
                match_histogram=match_histogram,
                seed=seed,
            )
        )


@app.command()
def texture(
    sample: Annotated[str, typer.Argument(help="A picture of the texture, - for standard input.")],
    output: Output = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help="texture, cnnmrf or resample.")
    ] = "texture",
    preset: Preset = "default",
    settings: Settings = None,
    steps: Steps = None,
    size: Annotated[
        str | None, typer.Option(metavar="SIDE|WxH", help="Size of the result.")
    ] = None,
    sample_size: Annotated[
        int | None, typer.Option(help="Long edge to resize the sample to first.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    save_every: SaveEvery = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make more of a texture, at any size."""
    from impasto import console

    target = console.target(output, sample, "texture")
    with console.job(target, quiet=quiet, json=json, save_every=save_every) as job:
        from impasto import pipeline

        job.finish(
            pipeline.synthesize(
                sample,
                size=console.sides(size),
                method=method,
                sample_size=sample_size,
                preset=preset,
                settings=_settings(settings, steps),
                seed=seed,
                device=device,
                precision=precision,
                callback=job.callback,
            )
        )


@app.command()
def invert(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    output: Output = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="A layer to rebuild from; repeatable; relu4_2 if none is named."),
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
    """Show what a layer of the network keeps of a photo."""
    from impasto import console

    target = console.target(output, photo, "ladder" if ladder else "inverted")
    with console.job(target, quiet=quiet, json=json, save_every=save_every) as job:
        from impasto import inspection

        options: dict[str, Any] = {
            "kind": kind,
            "size": size,
            "seed": seed,
            "settings": _settings(settings, steps),
            "device": device,
            "precision": precision,
            "callback": job.callback,
        }
        if ladder:
            job.finish(inspection.ladder(photo, layers=layer or (), **options))
        else:
            job.finish(inspection.invert(photo, layer or "relu4_2", **options))


@app.command()
def demo(
    output: Output = Path("impasto-demo.png"),
    size: Annotated[int, typer.Option(help="Long edge of the result.")] = 384,
    quiet: Quiet = False,
) -> None:
    """Paint a photo that comes with the package, and say where the picture lies."""
    from impasto import console

    with console.job(console.target(output, "demo", "demo"), quiet=quiet) as job:
        from impasto import pipeline

        job.finish(
            pipeline.stylize("sample:astronaut", "sample:swirls", size=size, callback=job.callback)
        )


@app.command()
def methods(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the methods."""
    from impasto.methods.registry import methods as table

    rows = [
        {
            "name": row.name,
            "family": row.family,
            "abilities": row.abilities.words(),
            "summary": row.summary,
            "papers": [str(paper) for paper in row.papers],
        }
        for row in table()
    ]
    if json:
        typer.echo(json_format.dumps(rows, indent=2))
        return
    from impasto import console

    console.table(
        ("method", "can", "what it does"),
        ((str(row["name"]), str(row["abilities"]), str(row["summary"])) for row in rows),
    )


@weights_app.command("list")
def weights_list() -> None:
    """List the named weights, and which are here."""
    from impasto import console, weights

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
            for item in weights.ENTRIES.values()
        ),
    )


@weights_app.command("fetch")
def weights_fetch(name: str, quiet: Quiet = False) -> None:
    """Download named weights into the cache."""
    from impasto import console, weights

    with console.listening(quiet=quiet) as callback:
        path = weights.fetch(weights.entry(name), callback)
    typer.echo(path)


@weights_app.command("path")
def weights_path(name: str) -> None:
    """Print where named weights lie."""
    from impasto import weights

    typer.echo(weights.locate(name))


@weights_app.command("verify")
def weights_verify(name: str) -> None:
    """Check named weights against their SHA-256."""
    from impasto import weights

    item = weights.entry(name)
    weights.locate(name)
    if not weights.verify(item):
        raise InputError(f"{name}: {item.path} is damaged: delete it and fetch it again")
    typer.echo(f"{name}: ok")


def _settings(pairs: list[str] | None, steps: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {} if steps is None else {"steps": steps}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set takes NAME=VALUE, not {pair!r}")
        settings[name.strip()] = value.strip()
    return settings
