"""Show a preview by a fast network while a slow method begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from impasto.api.controls import Controls, ResolvedStyle
from impasto.api.inputs import resize_long_edge
from impasto.api.stylize import paint
from impasto.core.progress import Callback, Progress
from impasto.errors import ImpastoError
from impasto.image import Image

_EDGE = 320  # long edge in pixels
_HELD = 0.1  # fraction of the steps during which the preview of the network is shown


def quick_preview(
    photo: Image,
    styles: Callable[[], Sequence[ResolvedStyle]],
    masks: Sequence[Any],
    controls: Controls,
    callback: Callback,
) -> Callback:
    """Report a preview by a fast network; a failure of the network is ignored.

    Args:
        photo: The photo.
        styles: Returns the styles, resolved for the fast network.
        masks: As for :func:`impasto.api.stylize.paint`.
        controls: As for :func:`impasto.api.stylize.paint`.
        callback: Receives the preview.

    Returns:
        The callback for the slow method. It leaves out the method's previews of the first steps,
        in which the image is still much like the photo.
    """
    callback(Progress(0, 1, stage="a quick preview"))
    try:
        small = resize_long_edge(photo, _EDGE, None) if max(photo.size) > _EDGE else photo
        quick = replace(controls, size=None, shifts=1)
        made = paint(small, styles(), masks=masks, controls=quick).rgb
    except ImpastoError:
        return callback
    callback(Progress(0, 1, stage="painting", preview=lambda: made))

    def later(progress: Progress) -> None:
        plain = progress.preview
        if progress.step < _HELD * progress.total:
            progress.preview = None
        callback(progress)
        progress.preview = plain

    return later
