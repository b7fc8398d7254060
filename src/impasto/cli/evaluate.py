"""``impasto evaluate`` and ``impasto compare``: measure methods, and show them side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import impasto
from impasto.cli import app
from impasto.cli.options import Device, JsonFile, Precision, Quiet, Seed
from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from impasto.evaluation.folder_distance import Gap
    from impasto.evaluation.results import Comparison


@app.command()
def evaluate(
    contents: Annotated[str, typer.Argument(help="Photos: a folder, a list file or a picture.")],
    styles: Annotated[str, typer.Argument(help="Style pictures, in the same way.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME[:SETTING=VALUE...],...",
            help="Methods, learned styles (with their own painting among STYLES), 'all'.",
        ),
    ] = "gatys",
    size: Annotated[int, typer.Option(help="Long edge to paint and measure at.")] = 384,
    json: JsonFile = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Save the painted pictures here.")
    ] = None,
    flicker: Annotated[
        bool,
        typer.Option(
            "--flicker", help="Also paint each photo shifted by a pixel: 3 times the work."
        ),
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Paint every photo in every style by every method; print distances, artifacts and cost.

    Style, sliced, colour: distance from the painting. Content, layout: distance from the photo.
    Edges: the untouched photo is 1. The photo and the painting themselves are in the table to
    compare with. Ctrl-C keeps what is finished.
    """
    from impasto.cli import console
    from impasto.evaluation import candidates

    check_json(json)
    with console.run_measurement(quiet=quiet) as job:
        found = impasto.evaluate(
            contents,
            styles,
            candidates.split(methods),
            size=size,
            seed=seed,
            folder=keep,
            flicker=flicker,
            device=device,
            precision=precision,
            callback=job.callback,
        )
        if found.rows or not job.interrupted:
            job.written = _report_results(found, json, quiet)


@app.command()
def compare(
    photo: Annotated[str, typer.Argument(help="A picture file, - for standard input.")],
    style: Annotated[
        str, typer.Option("--style", "-s", metavar="PAINTING", help="A style picture.")
    ],
    methods: Annotated[
        str,
        typer.Option(
            metavar="NAME[:SETTING=VALUE...],...",
            help="Methods, learned styles or model files; 'all' that can paint this painting.",
        ),
    ] = "all",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER|FILE",
            help="A folder for all files; or NAME.html for the page, NAME.png for the sheet.",
            show_default="a new folder",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Long edge to paint at.", show_default="the photo's, 512 at most"),
    ] = None,
    quality: Annotated[
        str,
        typer.Option(help="Preset of methods that optimise: good, best; fast leaves them out."),
    ] = "good",
    steps: Annotated[
        int | None, typer.Option(help="Their steps at full size.", show_default="the quality's")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Paint PHOTO by every method: a labelled sheet, and a page with a slider for each.

    A method that fails is listed, and the others continue. Ctrl-C keeps what is finished.
    """
    from impasto.cli import console

    target = output or Path(f"{console.stem(photo)}-{console.stem(style)}-compared")
    with console.run_measurement(quiet=quiet) as job:
        from impasto.evaluation import candidates
        from impasto.evaluation.compare import check_target

        check_target(target)
        found = impasto.compare(
            photo,
            style,
            candidates.split(methods),
            size=size,
            quality=quality,
            steps=steps,
            seed=seed,
            device=device,
            precision=precision,
            callback=job.callback,
        )
        if found.pictures:
            found.write(target)
            job.written = str(target)
        if found.numbers.rows or not job.interrupted:
            _report_results(found.numbers, None, quiet)
        if not (quiet or job.interrupted):
            print(target, file=sys.stderr)


def _report_results(found: Comparison, json: Path | None, quiet: bool) -> str:
    """Print or write the measurements and failures; return where they are, for a message."""
    from impasto.cli.parsing import as_options
    from impasto.evaluation import labels

    lines = list(found.table())
    short = labels.shorten_labels(line[0] for line in lines)
    write_results(found, [(short[label], *rest) for label, *rest in lines], json, quiet=quiet)
    for one in found.failures:
        why = as_options(one.error)
        print(f"impasto: {one.method}, {one.content}, {one.style}: {why}", file=sys.stderr)
    failed = {one.method for one in found.failures} - {row.method for row in found.rows}
    if not found.rows or (failed and all(row.sentinel for row in found.rows)):
        raise ImpastoError("nothing could be measured")
    return "the table" if json in {None, Path("-")} else str(json)


def check_json(path: Path | None) -> None:
    """Check before the work that measurements can be written to a path; ``-`` prints them."""
    from impasto.cli import console
    from impasto.image import files

    if path not in {None, console.STREAM}:
        files.check(path)


def write_results(
    found: Comparison | Gap, rows: Iterable[Sequence[str]], json: Path | None, *, quiet: bool
) -> None:
    """Print measurements as a table, write them as JSON, and say which files were passed over."""
    from impasto.cli import console
    from impasto.image import files
    from impasto.training.sources import describe_skipped

    if json == console.STREAM:
        typer.echo(found.json())
    elif json is not None:
        files.write(f"{found.json()}\n".encode(), json)
    if json != console.STREAM and not quiet:
        console.table(found.header, rows)
    if found.passed and not quiet:
        print(f"impasto: passed over: {describe_skipped(found.passed)}", file=sys.stderr)
