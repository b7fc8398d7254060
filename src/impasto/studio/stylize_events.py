"""Handle the events of the tab that stylizes a photo."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.api.areas import EMPTY, area
from impasto.api.controls import Controls
from impasto.api.inputs import resize_long_edge
from impasto.core.schemes import SAMPLE
from impasto.errors import InputError
from impasto.image import Image
from impasto.studio import files as image_files
from impasto.studio import history, jobs
from impasto.studio.history_events import FORM
from impasto.studio.job_events import JobEvents, Updates
from impasto.studio.job_queue import Finished, Report
from impasto.studio.jobs import StylizeRequest, StylizeResult
from impasto.studio.settings import split_settings
from impasto.studio.widgets import JobOwner, download, finished_status, owner_of, show_error, status

HINT = "Drop a photo, choose a painting, and press Paint."

# what can be found in a photo to be painted
FINDS = {
    "person": Controls(only="person"),
    "background": Controls(only="background"),
    "all but faces": Controls(keep="face"),
}

_PREVIEW_EDGE = 768  # long edge of the photo beside previews, in pixels


@dataclass(frozen=True, eq=False)
class StylizeEvents(JobEvents):
    """Handle the events of the tab."""

    shown: gr.ImageSlider
    file: gr.DownloadButton
    latest: gr.State  # the entry of a result for the list of results

    tab = "stylize"
    stopping = "stopping after this step"
    idle = "nothing is being painted"

    def load_photo(self, path: str | None, request: gr.Request) -> Iterator[Any]:
        """Load a new photo into the brush editor; report a broken file at once."""
        if path is None:
            yield gr.skip(), None, status(f"{HINT}{self.studio.limits.describe()}")
            return
        try:
            picture = self.studio.limits.picture(path)
            self.studio.disk.check(owner_of(request, "look").client)
            brushed = image_files.resize_for_editor(picture)
            small = self.studio.save_image(owner_of(request, "look"), brushed, "photo.png")
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
        self.studio.disk.check(owner.client)
        picture = self.studio.limits.picture(path)
        small = image_files.resize_for_editor(picture)
        found = area(picture, small, FINDS[what])
        if found.weight is None:
            raise InputError(f"{EMPTY}: brush over what is to be painted")
        shown = self.studio.save_image(owner, small, "photo.png")
        marks = self.studio.save_image(owner, image_files.as_strokes(found.weight), "found.png")
        value = {"background": str(shown), "layers": [str(marks)], "composite": None}
        return value, status("found, and marked: mend it with the brush or the eraser")

    def work(
        self,
        owner: JobOwner,
        path: str | None,
        chosen: list[str],
        files: list[str] | None,
        edited: dict[str, Any] | None,
        *values: Any,
    ) -> Generator[Updates, None, Updates]:
        """Stylize the photo, and show the progress.

        Args:
            owner: Whose job it is.
            path: The photo.
            chosen: Names of styles.
            files: Style images.
            edited: The photo in the brush editor.
            values: The inputs of :data:`FORM` after the names, and the weights of the styles.
        """
        yield {self.latest: None}
        form = dict(zip(FORM, (chosen, *values), strict=False))
        weights = list(values[len(FORM) - 1 :])
        wanted = make_request(
            path,
            chosen,
            files,
            weights,
            mask=_mask(edited),
            **{name: form[name] for name in ("quality", "method", "settings", "size")},
            controls=Controls(
                strength=form["strength"],
                style_scale=form["scale"],
                colors=form["colors"],
                seed=int(form["seed"]),
                match_histogram=form["histogram"],
                median=form["median"],
            ),
        )
        done = yield from self.run(
            owner,
            lambda cache, callback: jobs.stylize(wanted, self.studio.limits, cache, callback),
            self._show_pairs(wanted, owner),
        )
        return self._result(wanted, done, owner, {**form, "weights": weights})

    def _result(
        self,
        wanted: StylizeRequest,
        done: Finished[StylizeResult],
        owner: JobOwner,
        form: dict[str, Any],
    ) -> Updates:
        """Store the result, and return what the page shows."""
        painted, save = done.result, self.studio.save_image
        paths = [
            save(owner, painted.photo, "before.webp", small=True),
            save(owner, painted.picture, "after.webp", small=True),
            save(owner, painted.picture, jobs.result_name(wanted)),
        ]
        styles = [str(name).removeprefix(SAMPLE) for name in wanted.names]
        own = [path.name for path in wanted.paintings]
        how = wanted.method or wanted.quality or ""
        size = f"{painted.picture.width} × {painted.picture.height} pixels"
        text = ", ".join([" + ".join(styles + own), how, size])
        return {
            self.file: download(paths[2], painted.picture.size),
            self.shown: (str(paths[0]), str(paths[1])),
            self.line: finished_status(done, painted.picture.size, painted.note),
            self.latest: history.entry(painted.picture, text, wanted.photo.name, own, form, paths),
        }

    def _show_pairs(self, wanted: StylizeRequest, owner: JobOwner) -> Callable[[Report], Updates]:
        """Return a function that converts reports to the photo and the preview for the page."""
        before, keep = "", self.studio.previews("preview.jpg")

        def show(report: Report) -> Updates:
            nonlocal before
            if report.preview is None:
                return {}
            if not before:
                photo = self.studio.limits.picture(wanted.photo)
                small = resize_long_edge(photo, None, _PREVIEW_EDGE)
                before = str(self.studio.save_image(owner, small, "before.jpg"))
            return {self.shown: (before, keep(report.preview))}

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
