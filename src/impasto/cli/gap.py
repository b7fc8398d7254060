"""``impasto gap``: measure the distance of two folders of images."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from impasto.cli import app
from impasto.cli.evaluate import check_json, write_results
from impasto.cli.options import Device, JsonFile, Quiet, Seed


@app.command()
def gap(
    first: Annotated[
        str, typer.Argument(metavar="DIR_A", help="Pictures: a folder or a list file.")
    ],
    second: Annotated[str, typer.Argument(metavar="DIR_B", help="Pictures to compare with.")],
    after: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="A third set, such as DIR_A stylized: how far it is from DIR_B."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Layers of VGG-19.",
            show_default="relu1_1, relu2_1 ... relu5_1",
        ),
    ] = None,
    kernel: Annotated[
        str,
        typer.Option(help="linear (means), polynomial (and covariances) or gaussian (everything)."),
    ] = "gaussian",
    permutations: Annotated[
        int, typer.Option(metavar="N", help="Permutations for the p-value.", min=1)
    ] = 1000,
    size: Annotated[int, typer.Option(help="Long edge that pictures are resized to.")] = 256,
    json: JsonFile = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure the gap between two sets of pictures: MMD² with its p-value, Fréchet distance.

    Each picture is one sample: the means and standard deviations of its channels at a layer.
    """
    from impasto.cli import console

    check_json(json)
    with console.run_measurement(quiet=quiet) as job:
        from impasto.evaluation import folder_distance as gaps
        from impasto.evaluation.metrics import STYLE_LAYERS

        names = STYLE_LAYERS if layers is None else tuple(map(str.strip, layers.split(",")))
        found = gaps.gap(
            first,
            second,
            after,
            layers=names,
            kernel=kernel,
            permutations=permutations,
            size=size,
            seed=seed,
            device=device,
            callback=job.callback,
        )
        for error in found.skipped.values():
            print(f"impasto: skipped: {error}", file=sys.stderr)
        write_results(found, found.table(), json, quiet=quiet)
        job.written = "the table"
