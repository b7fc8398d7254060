"""Stylize every image of a folder: a job and its engine in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from impasto.api.options import Controls, merge_controls
from impasto.batch.job import Job, styles
from impasto.batch.runner import Report, run
from impasto.core.progress import Callback, silent


def stylize_folder(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    style: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    engine: str = "local",
    workers: int = 1,
    address: str | None = None,
    restart: bool = False,
    callback: Callback = silent,
    controls: Controls | None = None,
    **options: Any,
) -> Report:
    """Stylize every image of a folder in every style; a repeated call resumes the job.

    Args:
        folder: The images, including all subfolders.
        output: The folder of the results, see :func:`impasto.batch.run`.
        style: One or more of what :func:`impasto.batch.styles` takes.
        engine: See :func:`impasto.batch.run`.
        workers: See :func:`impasto.batch.run`.
        address: See :func:`impasto.batch.run`.
        restart: See :func:`impasto.batch.run`.
        callback: Called after every image; cancelling keeps what is finished.
        controls: As for :func:`impasto.stylize`; or give its fields as ``options``: ``size=512``.
        options: Fields of :class:`impasto.batch.Job`, such as ``method`` or ``random``, and of
            :class:`impasto.Controls`.

    Returns:
        A report; images that fail are listed, and the others continue.

    Raises:
        InputError: An argument cannot be used, or the folder of the results holds another job.
        ImpastoError: The engine cannot continue; what is finished is kept.
    """
    own = {name: options.pop(name) for name in tuple(options) if name in Job.__dataclass_fields__}
    sources = [style] if isinstance(style, (str, os.PathLike)) else style
    job = Job(
        folder=str(Path(folder).absolute()),
        styles=styles(sources),
        controls=merge_controls(controls, options),
        **own,
    )
    return run(
        job,
        output,
        engine=engine,
        workers=workers,
        address=address,
        restart=restart,
        callback=callback,
    )
