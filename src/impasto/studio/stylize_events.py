"""Handle the events of the tab that stylizes a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.areas import EMPTY, area
from impasto.api.controls import Controls
from impasto.api.inputs import resize_long_edge
from impasto.errors import InputError
from impasto.image import Image
from impasto.studio import files as image_files
from impasto.studio import jobs
from impasto.studio.job_queue import Report
from impasto.studio.jobs import StylizeRequest
from impasto.studio.settings import split_settings
from impasto.studio.widgets import JobOwner, Studio, finished_status, owner_of, show_error, status

HINT = "Drop a photo, choose a painting, and press Paint."

# what can be found in a photo to be painted
FINDS = {
    "person": Controls(only="person"),
    "background": Controls(only="background"),
    "all but faces": Controls(keep="face"),
}

_PREVIEW_EDGE = 768  # long edge of the photo beside previews, in pixels


class StylizeEvents:
    """Handle the events of the tab."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def load_photo(self, path: str | None, request: gr.Request) -> Iterator[Any]:
        """Load a new photo into the brush editor; report a broken file at once."""
        if path is None:
            yield gr.skip(), None, status(HINT)
            return
        try:
            picture = self._studio.limits.picture(path)
            self._studio.disk.check(owner_of(request, "look").client)
            brushed = image_files.resize_for_editor(picture)
            small = self._studio.save_image(owner_of(request, "look"), brushed, "photo.png")
        except Exception as error:
            yield None, None, show_error(error)
            return
        text = f"{picture.width} × {picture.height} pixels"
        said = status(f"{text}. {picture.note}" if picture.note else text)
        yield gr.skip(), {"background": str(small), "layers": [], "composite": None}, said

    def finder(self, what: str) -> Callable[[str | None, gr.Request], tuple[Any, str]]:
        """Return a function that finds what is to be painted, and marks it as by the brush.

        Args:
            what: A key of :data:`FINDS`.
        """

        def find(path: str | None, request: gr.Request) -> tuple[Any, str]:
            try:
                return self._found(what, path, owner_of(request, "find"))
            except Exception as error:
                return gr.skip(), show_error(error)

        return find

    def _found(self, what: str, path: str | None, owner: JobOwner) -> tuple[Any, str]:
        if path is None:
            raise InputError("no photo: drop one first")
        self._studio.disk.check(owner.client)
        picture = self._studio.limits.picture(path)
        small = image_files.resize_for_editor(picture)
        found = area(picture, small, FINDS[what])
        if found.weight is None:
            raise InputError(f"{EMPTY}: brush over what is to be painted")
        shown = self._studio.save_image(owner, small, "photo.png")
        marks = self._studio.save_image(owner, image_files.as_strokes(found.weight), "found.png")
        value = {"background": str(shown), "layers": [str(marks)], "composite": None}
        return value, status("found, and marked: mend it with the brush or the eraser")

    def paint(
        self,
        path: str | None,
        chosen: list[str],
        files: list[str] | None,
        edited: dict[str, Any] | None,
        wanted: str | None,
        method: str | None,
        settings: str,
        size: str,
        strength: float,
        scale: float,
        colors: str,
        seed: float,
        histogram: bool,
        median: bool,
        request: gr.Request,
        *shares: float,
    ) -> Iterator[Any]:
        """Stylize the photo, and show the progress."""
        try:
            wanted_job = make_request(
                path,
                chosen,
                files,
                shares,
                mask=_mask(edited),
                quality=wanted,
                method=method,
                settings=settings,
                size=size,
                controls=Controls(
                    strength=strength,
                    style_scale=scale,
                    colors=colors,
                    seed=int(seed),
                    match_histogram=histogram,
                    median=median,
                ),
            )
            yield gr.skip(), status("waiting", 0.0), gr.skip(), gr.Button(interactive=True)
            owner = owner_of(request, "stylize")
            done = yield from self._studio.work(
                owner,
                lambda cache, callback: jobs.stylize(
                    wanted_job, self._studio.limits, cache, callback
                ),
                self._show_reports(wanted_job, owner),
            )
            painted = done.result
            keep = self._studio.save_image
            full = keep(owner, painted.picture, jobs.result_name(wanted_job))
            pair = (
                str(keep(owner, painted.photo, "before.webp", small=True)),
                str(keep(owner, painted.picture, "after.webp", small=True)),
            )
            said = finished_status(done, painted.picture.size, painted.note)
            button = gr.DownloadButton(value=str(full), interactive=True)
            yield pair, said, button, gr.Button(interactive=False)
        except Exception as error:
            yield gr.skip(), show_error(error), gr.skip(), gr.Button(interactive=False)

    def stop(self, request: gr.Request) -> str:
        """Stop after the current step."""
        there = self._studio.queue.stop(owner_of(request, "stylize"))
        return status("stopping after this step" if there else "nothing is being painted")

    def _show_reports(self, wanted_job: StylizeRequest, owner: JobOwner) -> Any:
        """Return a function that converts reports to the photo and the preview for the page."""
        before, keep = "", self._studio.previews("preview.jpg")

        def show(report: Report) -> Any:
            nonlocal before
            pair: Any = gr.skip()
            if report.preview is not None:
                if not before:
                    photo = self._studio.limits.picture(wanted_job.photo)
                    small = resize_long_edge(photo, None, _PREVIEW_EDGE)
                    before = str(self._studio.save_image(owner, small, "before.jpg"))
                pair = (before, keep(report.preview))
            return pair, status(report.text, report.fraction), gr.skip(), gr.skip()

        return show


def make_request(
    path: str | None,
    chosen: Sequence[str] | None,
    files: Sequence[str] | None,
    shares: Sequence[float] | None,
    settings: str = "",
    **rest: Any,
) -> StylizeRequest:
    """Create a request from the values that a page or a program sends.

    Raises:
        InputError: There is no photo, or a value has the wrong type.
    """
    if not path:
        raise InputError("no photo: drop one first")
    names = [str(one) for one in chosen or ()]
    paintings = tuple(Path(one) for one in files or ())
    weights = list(shares or ())[: len(names) + len(paintings)] or None
    return StylizeRequest(
        photo=Path(path),
        names=names,
        paintings=paintings,
        weights=weights,
        settings=split_settings(settings),
        **rest,
    )


def _mask(edited: dict[str, Any] | None) -> Image | None:
    """Return the brush strokes as a mask."""
    layers = (edited or {}).get("layers") or ()
    return image_files.mask_from_strokes([Image.from_pil(layer) for layer in layers])
