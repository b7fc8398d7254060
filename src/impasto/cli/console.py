"""Share progress bars, previews, Ctrl-C, tables and output paths among the commands."""

from __future__ import annotations

import json as json_format
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.core.interrupts import interruptible, translate_errors
from impasto.core.progress import Callback, Progress, chain
from impasto.core.schemes import FILE, without_scheme
from impasto.errors import CancelledError, InputError, InterruptedRun

if TYPE_CHECKING:
    from impasto.api.train import Trained
    from impasto.image import Image

STREAM = Path("-")


def output_path(
    output: Path | None,
    photo: str,
    suffix: str,
    *others: str,
    overwrite: bool = False,
    depth: int = 8,
) -> Path:
    """Return the path to write to; by default a new file ``photo-suffix.png``.

    Args:
        output: The user's choice.
        photo: The input.
        suffix: The name of the operation, or a second input.
        others: Further inputs.
        overwrite: Whether an input may be replaced.
        depth: Bits per channel that the format must support.

    Raises:
        InputError: The target cannot be written, or is an input; raised before the work begins.
    """
    from impasto import image

    if output is None:
        output = Path(f"{stem(photo)}-{stem(suffix)}.png")
    image.check_target(output, depth=depth)
    if not overwrite and output != STREAM and output.exists():
        for source in (one.removeprefix(FILE) for one in (photo, suffix, *others)):
            if os.path.exists(source) and os.path.samefile(source, output):
                raise InputError(
                    f"{output} is read as well: --overwrite replaces it, or give another name"
                )
    return output


def stem(picture: str) -> str:
    """Return the name of an image for use in output file names."""
    return "picture" if picture == "-" else Path(without_scheme(picture)).stem


@dataclass
class ImageJob:
    """One job of a command, from its first step to its file.

    Attributes:
        callback: Receives the job's progress.
    """

    target: Path
    quiet: bool
    json: bool
    callback: Callback
    started: float = field(default_factory=time.perf_counter)
    last: Progress | None = None
    interrupted: bool = False

    def finish(self, picture: Image, *, depth: int = 8, keep_metadata: bool = False) -> None:
        """Write the image, as :func:`impasto.image.save` does, and print its path."""
        from impasto.image import transparency_note

        target = "-" if self.target == STREAM else self.target
        picture.save(target, depth=depth, keep_metadata=keep_metadata)
        seconds = time.perf_counter() - self.started
        if self.json:
            print(
                json_format.dumps(
                    {
                        "output": str(self.target),
                        "width": picture.width,
                        "height": picture.height,
                        "seconds": round(seconds, 2),
                        "cancelled": self.interrupted,
                    }
                ),
                file=self.lines,
            )
        elif not (self.quiet or self.interrupted):
            size = f"{picture.width}x{picture.height}"
            print(f"{self.target}  {size}  {seconds:.1f} s", file=sys.stderr)
        for note in filter(None, (picture.note, transparency_note(picture, self.target))):
            if not self.quiet:
                print(f"impasto: {note}", file=sys.stderr)

    @property
    def lines(self) -> Any:
        """Return the stream for JSON lines: standard output, unless the image is written there."""
        return sys.stderr if self.target == STREAM else sys.stdout


@contextmanager
def run_image_job(
    target: Path, *, quiet: bool = False, json: bool = False, save_every: int = 0
) -> Iterator[ImageJob]:
    """Run a job with a progress bar and previews; the first Ctrl-C keeps the result so far.

    If the optimisation diverges, the last good image is written beside the target.
    """
    this = ImageJob(target, quiet, json, callback=lambda _: None)

    def note(progress: Progress) -> None:
        this.last = progress

    with (
        interruptible(this) as interrupts,
        progress_bar(quiet=quiet or json) as bar,
        translate_errors(),
    ):
        lines = _json_lines(this) if json else None
        this.callback = chain(note, interrupts, bar, lines, _previews(target, save_every))
        try:
            yield this
        except InterruptedRun as error:
            raise type(error)(f"{error}{_save_last_good(error, target)}") from error
    if this.interrupted:
        raise CancelledError(f"cancelled; the result so far is in {target}")


@dataclass
class Measurement:
    """A command that measures many items, where Ctrl-C keeps the finished ones.

    Attributes:
        callback: Receives the progress.
        written: Where the results are written, as text for a message; empty before that.
    """

    callback: Callback
    written: str = ""
    interrupted: bool = False


@contextmanager
def run_measurement(*, quiet: bool = False) -> Iterator[Measurement]:
    """Run it with a progress bar; the first Ctrl-C cancels, the second ends the process at once."""
    this = Measurement(callback=lambda _: None)
    with interruptible(this) as interrupts, translate_errors(), progress_bar(quiet=quiet) as bar:
        this.callback = chain(interrupts, bar)
        yield this
    if this.interrupted:
        ending = (
            f"; what was finished is in {this.written}" if this.written else ", nothing written"
        )
        raise CancelledError(f"cancelled{ending}")


@dataclass
class TrainingJob:
    """A training of a command; Ctrl-C stops it after the current step and writes the model."""

    quiet: bool
    callback: Callback
    interrupted: bool = False
    finished: bool = False

    def finish(self, trained: Trained) -> None:
        """Print what was written, and whether training is finished."""
        self.finished = trained.result.finished
        from impasto.training import sources

        result = trained.result
        pace = f"{result.seconds / max(1, result.steps):.2f} s a step"
        lines = [f"{trained.path}  {result.steps} steps, {pace}"]
        if result.skipped:
            names = ", ".join(result.skipped[:3]) + (" ..." if len(result.skipped) > 3 else "")
            lines.append(f"impasto: {len(result.skipped)} pictures could not be read: {names}")
        if trained.passed:
            lines.append(f"impasto: passed over: {sources.describe_skipped(trained.passed)}")
        if not (result.finished or self.interrupted):
            lines.append("impasto: not all steps are done: the same command resumes")
        if not self.quiet:
            print(*lines, sep="\n", file=sys.stderr)


@contextmanager
def run_training(*, quiet: bool = False) -> Iterator[TrainingJob]:
    """Run a training with a progress bar; the first Ctrl-C stops it with a checkpoint."""
    this = TrainingJob(quiet, callback=lambda _: None)
    with interruptible(this) as interrupts, progress_bar(quiet=quiet) as bar:
        this.callback = chain(interrupts, bar)
        try:
            yield this
        except KeyboardInterrupt:
            raise CancelledError("cancelled; the last checkpoint is kept") from None
    if this.interrupted and not this.finished:
        raise CancelledError("cancelled; the checkpoint is kept, and the same command resumes")


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callback]:
    """Show a bar with loss and remaining time on standard error, unless quiet or no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None, loss="")

        def show(progress: Progress) -> None:
            loss = progress.losses.get("total")
            bar.update(
                task,
                total=progress.total,
                completed=progress.step,
                description=progress.stage or "working",
                loss="" if loss is None else f"loss {loss:.4g}",
            )

        yield show


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output, 160 characters wide if that is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    columns = (Column(name, overflow="fold") for name in header)  # wide cells wrap, none is cut
    grid = Table(*columns, box=box.SIMPLE, collapse_padding=True)
    for row in rows:
        grid.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(grid)


def _json_lines(this: ImageJob) -> Callable[[Progress], None]:
    def write(progress: Progress) -> None:
        line = {
            "step": progress.step,
            "total": progress.total,
            "stage": progress.stage,
            "losses": dict(progress.losses),
        }
        print(json_format.dumps(line), file=this.lines, flush=True)

    return write


def _previews(target: Path, every: int) -> Callback | None:
    if not every:
        return None
    if target == STREAM:
        raise InputError("--save-every needs an output file to put the previews beside")

    def write(progress: Progress) -> None:
        if progress.step % every == 0 and progress.preview is not None:
            from impasto import image

            name = f"{target.stem}-{progress.step:05d}{target.suffix}"
            image.save(progress.preview(), target.with_name(name))

    return write


def _save_last_good(error: InterruptedRun, target: Path) -> str:
    """Write the last good image of a failed run, and return a note with its path."""
    if error.picture is None or target == STREAM:
        return ""
    from impasto import image

    path = target.with_name(f"{target.stem}-last-good{target.suffix}")
    image.save(error.picture, path)
    return f"; the last good picture is in {path}"
