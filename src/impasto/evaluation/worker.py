"""Run one method in its own process, and measure its time and peak memory.

Peak memory is not measured in the caller's process, where it would include everything else done
there. ``python -m impasto.evaluation.worker`` reads a worker run as JSON from standard input and
writes a line of JSON for each pair.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from impasto.errors import ImpastoError, InputError

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.models.zoo import Learned

POLL_INTERVAL = 0.25  # seconds


@dataclass(frozen=True)
class WorkerRequest:
    """A worker run: the pairs of images for one method.

    Attributes:
        name: Of a method that stylizes, of a learned style, or of a model.
        settings: Hyperparameters of the method to change, as text, by name.
        pairs: Paths of photo, style image and result (PNG).
        size: Long edge of the results, in pixels.
        seed: Seed of all random numbers.
        flicker: Whether to measure flicker, which stylizes each photo twice more.
        device: See :func:`impasto.core.device.choose`.
        precision: See :func:`impasto.core.device.choose`.
    """

    name: str
    settings: Mapping[str, str]
    pairs: tuple[tuple[str, str, str], ...]
    size: int
    seed: int = 0
    flicker: bool = False
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class PairOutcome:
    """The outcome of one pair.

    Attributes:
        seconds: From reading the two files to the result; the first pair of a method also loads its
            networks.
        memory: Peak main memory of the process so far, in bytes; None where the system does not
            report it.
        device_memory: The same of a CUDA device.
        error: Why there is no result; empty if there is one.
        flicker: See :func:`impasto.evaluation.artifacts.flicker`; None if it was not asked for.
    """

    seconds: float | None = None
    memory: int | None = None
    device_memory: int | None = None
    error: str = ""
    flicker: float | None = None


def run(request: WorkerRequest) -> Generator[PairOutcome | None, None, None]:
    """Stylize the pairs of a worker run in another process, one after another.

    Yields:
        One outcome for each pair, in order, also if the process dies. In between, None every
        :data:`POLL_INTERVAL`, so that the caller can cancel. Closing the iterator ends the process.
    """
    left = len(request.pairs)
    command = [sys.executable, "-m", "impasto.evaluation.worker"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018 (no test)
        try:
            with suppress(BrokenPipeError):  # it died at once: the log has the reason
                process.stdin.write(json.dumps(asdict(request)))
                process.stdin.close()
            for line in _lines(process.stdout):
                if line is None:
                    yield None
                    continue
                left -= 1
                yield PairOutcome(**json.loads(line))
            if left:
                why = describe_exit(process.wait(), log)
                yield from [PairOutcome(error=why)] * left
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _lines(stream: IO[str]) -> Iterator[str | None]:
    """Yield the lines of a pipe; None after each interval without a line.

    A thread reads them, since polling a pipe is not portable.
    """
    found: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with suppress(ValueError):  # closed while reading: the result is not needed
            for line in stream:
                found.put(line)
        found.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while True:
        try:
            line = found.get(timeout=POLL_INTERVAL)
        except queue.Empty:
            yield None
            continue
        if not line:
            break
        yield line
    reader.join()


def describe_exit(code: int, log: Any) -> str:
    """Describe why a process ended early.

    Args:
        code: Its exit code; a negative one is the signal that ended it.
        log: The open file of its standard error.
    """
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = " (out of memory?)" if code == -9 else ""
    return f"its process {ended}{hint}" + (f": {lines[-1].strip()}" if lines else "")


def stylize_pairs(request: WorkerRequest, report: Callable[[PairOutcome], None]) -> None:
    """Stylize the pairs of a worker run in this process; failures are reported as outcomes."""
    from impasto.api.load import get_method
    from impasto.api.stylize import stylize
    from impasto.methods.spec import Ability

    device_options: dict[str, Any] = {"device": request.device, "precision": request.precision}
    try:
        method, known = None, find_learned(request.name)
        if known is None:
            method = get_method(
                request.name, Ability.STYLIZE, settings=request.settings, **device_options
            )
    except ImpastoError as error:
        for _ in request.pairs:
            report(PairOutcome(error=str(error)))
        return
    options = {"method": method, "size": request.size, "seed": request.seed, **device_options}
    for photo, style, target in request.pairs:
        start = time.perf_counter()
        try:
            used = request.name if known else style
            picture = stylize(photo, used, **options)
            cost = (time.perf_counter() - start, peak_memory(), peak_device_memory())
            picture.save(target)
            flicker = _measure_flicker(photo, used, options) if request.flicker else None
        except Exception as error:  # the other pairs are still tried
            message = str(error) if isinstance(error, ImpastoError) else repr(error)
            report(PairOutcome(error=" ".join(message.split())))
        else:
            report(PairOutcome(*cost, flicker=flicker))


def _measure_flicker(photo: str, style: str, options: Mapping[str, Any]) -> float:
    """Return the flicker of a method on a photo, resized as in stylizing."""
    from impasto.api.inputs import read_image, resize_long_edge
    from impasto.api.stylize import stylize
    from impasto.evaluation.artifacts import flicker
    from impasto.image import Image

    def paint(rgb: Tensor) -> Tensor:
        return stylize(Image(rgb), style, **{**options, "size": max(rgb.shape[-2:])}).rgb

    return flicker(paint, resize_long_edge(read_image(photo), options["size"], None).rgb)


def find_learned(name: str) -> Learned | None:
    """Return the learned style of a name or file; None for the name of a method or unknown names.

    Raises:
        InputError: It is a model for something else than stylizing.
    """
    from impasto.methods.registry import list_methods
    from impasto.models import zoo

    if name in {entry.name for entry in list_methods()}:
        return None
    with suppress(InputError):  # a model of one style, which the next line finds
        if zoo.find_arbitrary(name) is not None:
            return None
    return zoo.find(name)


def peak_memory() -> int | None:
    """Return the peak main memory of this process in bytes; None if the system does not report it.

    On Linux, ``VmHWM`` is preferred, since a process inherits the value of ``getrusage`` from the
    process that started it.
    """
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_memory() -> int | None:
    """Return the peak memory of this process on a CUDA device in bytes; None without one."""
    import torch

    return (torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0) or None


def main() -> None:
    """Read a worker run from standard input, and write its outcomes to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller's process handles Ctrl-C
    data = json.load(sys.stdin)
    request = WorkerRequest(**{**data, "pairs": tuple(map(tuple, data["pairs"]))})
    # other output goes to the log, where it is not taken for an outcome
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stylize_pairs(
        request, lambda painted: print(json.dumps(asdict(painted)), file=channel, flush=True)
    )


if __name__ == "__main__":
    main()
