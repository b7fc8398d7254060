"""``impasto video``: stylize a video."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import impasto
from impasto.api.options import StylizeOptions
from impasto.cli import app, parsing
from impasto.cli.options import UNCHANGED, Quiet, Styles, with_stylize_options


@app.command()
@with_stylize_options("runtime", "regions", "seamless")
def video(
    source: Annotated[
        str,
        typer.Argument(metavar="IN", help="A video, or a folder of frames."),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A video (.mp4, .mkv, .webm, .mov, .gif, .webp, ...), or a folder."
        ),
    ],
    style: Styles,
    mask: Annotated[
        list[str] | None,
        typer.Option(help="White where a style goes, the same in all frames; or 'alpha'."),
    ] = None,
    options: StylizeOptions = UNCHANGED,
    smooth: Annotated[
        float,
        typer.Option(help="0 to below 1: weight of the last frame, moved along the motion."),
    ] = 0.8,
    steady: Annotated[
        bool,
        typer.Option("--steady/--no-steady", help="One normalisation for all frames of a shot."),
    ] = True,
    flicker: Annotated[
        bool,
        typer.Option(
            "--flicker", help="Also paint each frame by itself, to compare: twice as long."
        ),
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(help="Of FFmpeg: libx264, hevc, vp9, ...", show_default="what suits OUT"),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            help="Constant rate factor of the video: 0 is best.",
            show_default="18 for H.264, by codec",
            min=0,
        ),
    ] = None,
    audio: Annotated[
        str, typer.Option(help="copy: bit for bit; encode: as OUT's format has it; none.")
    ] = "copy",
    fps: Annotated[
        str | None,
        typer.Option(metavar="25|30000/1001", help="Of a folder of frames.", show_default="25"),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start again; deletes the frames that are there.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Paint a video, frame by frame, with little flicker. The sound stays as it is.

    The same command resumes an interrupted job.
    """
    from impasto.cli import console
    from impasto.errors import CancelledError

    paths, shares = parsing.split_weights(style)
    with console.run_measurement(quiet=quiet) as measuring:
        try:
            report = impasto.stylize_video(
                source,
                target,
                paths,
                weights=shares,
                masks=mask or (),
                callback=measuring.callback,
                smooth=smooth,
                steady=steady,
                flicker=flicker,
                resume=not restart,
                codec=codec,
                crf=crf,
                audio=audio,
                fps=fps,
                **options.arguments("runtime"),
            )
        except KeyboardInterrupt:
            raise CancelledError(
                "cancelled; the same command resumes with what is finished"
            ) from None
        measuring.interrupted = False  # the result is complete, so a late Ctrl-C is ignored
    if quiet:
        return
    made = report.frames - report.kept
    before = f" ({report.kept} more were there)" if report.kept else ""
    width, height = report.size
    pace = f"{report.seconds:.1f} s, {made / report.seconds:.2f} frames/s"
    typer.echo(f"{report.target}  {width}x{height}, {made} frames{before}  {pace}", err=True)
    if report.flicker is not None:
        typer.echo(report.flicker_text(), err=True)
    for note in report.notes:
        print(f"impasto: {note}", file=sys.stderr)
