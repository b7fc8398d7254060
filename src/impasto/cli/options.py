"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.errors import InputError

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where to write; - is standard output.", show_default=False
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Let the output replace a file that is read.")
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method", "-m", help="See 'impasto methods'.", show_default="what --quality says"
    ),
]
Quality = Annotated[
    str | None,
    typer.Option(
        help="fast (one pass), good or best (minutes), for a painting and no --method.",
        show_default="fast; best with --steps or --set",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        help="Long edge of the result.",
        show_default="the photo's; 512 at most for a painting, no limit for a network's own styles",
    ),
]
Styles = Annotated[
    list[str],
    typer.Option(
        "--style",
        "-s",
        metavar="PAINTING|NAME[:WEIGHT]",
        help="A style picture, a name of 'impasto styles', a .style or model file; repeatable.",
    ),
]
StyleScale = Annotated[float, typer.Option(help="Stroke size: 2 is twice as large.")]
Colors = Annotated[str, typer.Option(help="style, or keep the photo's: luminance, match.")]
Strength = Annotated[float, typer.Option(help="1 is the full style, 0 the photo.")]
Transport = Annotated[
    str | None,
    typer.Option(help="Of --method wct: monge, which changes the photo least, or wct."),
]
MatchHistogram = Annotated[
    bool, typer.Option("--match-histogram", help="Take the style's histogram at the end.")
]
Median = Annotated[bool, typer.Option("--median", help="3x3 median at the end, against specks.")]
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
Bits = Annotated[
    int, typer.Option("--bits", metavar="8|16", help="Bits a channel; 16 for PNG and TIFF.")
]
KeepMetadata = Annotated[
    bool,
    typer.Option("--keep-metadata", help="Keep the photo's EXIF (date, camera, place) and DPI."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Report as lines of JSON on standard output.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="4G", help="Above it, work in strips or tiles.", show_default="half of what is free"
    ),
]
Runtime = Annotated[
    str,
    typer.Option(help="torch; or onnx, which runs a trained network in ONNX Runtime."),
]
SaveEvery = Annotated[
    int, typer.Option(metavar="N", help="Write a preview beside the output every N steps.", min=0)
]


def changes(pairs: list[str] | None, steps: int | None, **others: Any) -> dict[str, Any]:
    """What ``--set``, ``--steps`` and options for one number ask for, by name."""
    asked = {"steps": steps, **others}
    settings = {name: value for name, value in asked.items() if value is not None}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set takes NAME=VALUE, not {pair!r}")
        settings[name.strip()] = value.strip()
    return settings
