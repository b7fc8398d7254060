"""``impasto batch``: stylize a folder of images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import impasto
from impasto.api.options import StylizeOptions
from impasto.cli import app, parsing
from impasto.cli.options import UNCHANGED, Bits, KeepMetadata, Quiet, with_stylize_options
from impasto.errors import CancelledError, ImpastoError, PassedOverError

if TYPE_CHECKING:
    from impasto.batch import Report

_LISTED = 50  # failures to print; the manifest has all


@app.command()
@with_stylize_options()
def batch(
    pictures: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of pictures, with all folders in it.")
    ],
    style: Annotated[
        list[str],
        typer.Option(
            "--style",
            "-s",
            metavar="PAINTING|FOLDER|NAME",
            help="A style picture, a folder of them, a name of 'impasto styles', a .style or model "
            "file; repeatable.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the results.")],
    random: Annotated[
        bool,
        typer.Option("--random", help="One style for each picture, drawn by --seed, not all."),
    ] = False,
    ending: Annotated[
        str,
        typer.Option("--format", help="png, jpg, webp or tif.", show_default="each picture's own"),
    ] = "",
    options: StylizeOptions = UNCHANGED,
    bits: Bits = 8,
    keep_metadata: KeepMetadata = False,
    workers: Annotated[int, typer.Option(metavar="N", help="Processes that paint.")] = 1,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Address of Ray: auto, HOST:PORT.", show_default="one for this job"),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete an earlier job's results; start again.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Paint every picture of a folder in every style. The same command resumes a stopped job."""
    from impasto.cli import console
    from impasto.core.interrupts import signals_as_interrupt

    try:
        with signals_as_interrupt(), console.progress_bar(quiet=quiet) as callback:
            report = impasto.stylize_folder(
                pictures,
                output,
                style,
                random=random,
                ending=f".{ending.lower().lstrip('.')}" if ending else "",
                bits=bits,
                keep_metadata=keep_metadata,
                engine=engine,
                workers=workers,
                address=address,
                restart=restart,
                callback=callback,
                **options.arguments(),
            )
    except KeyboardInterrupt:
        raise CancelledError(
            f"cancelled; what is finished is in {output}, and the same command resumes"
        ) from None
    _print_report(report, output, quiet=quiet)


def _print_report(report: Report, output: Path, *, quiet: bool) -> None:
    """Print the outcome of a job.

    Raises:
        ImpastoError: Pictures failed.
        PassedOverError: None failed, but files of the folder were passed over.
    """
    from impasto.training.sources import HIDDEN, describe_skipped

    if not quiet:
        before = f" ({report.kept} more were there)" if report.kept else ""
        pace = report.painted / report.seconds if report.painted else 0
        typer.echo(
            f"{output}  {report.painted} pictures{before}  {report.seconds:.1f} s, "
            f"{pace:.2f} pictures/s",
            err=True,
        )
    over = describe_skipped(report.passed)
    serious = report.passed.keys() - {HIDDEN}
    if over and (report.failures or not serious) and not quiet:
        print(f"impasto: passed over: {over}", file=sys.stderr)
    for one in report.failures[:_LISTED]:
        print(
            f"impasto: {one.picture}, {one.style}: {parsing.as_options(one.error)}", file=sys.stderr
        )
    if report.failures:
        failed = f"{len(report.failures)} of {report.total} pictures failed"
        raise ImpastoError(f"{failed}: see {output / 'manifest.jsonl'}")
    if serious:
        raise PassedOverError(f"all pictures are painted; passed over: {over}")
