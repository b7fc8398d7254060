"""Show the list of results on the page, and show a result of it again."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from impasto.api.options import COLORS
from impasto.api.presets import QUALITIES
from impasto.errors import InputError
from impasto.image import load
from impasto.studio import files, history, jobs, options
from impasto.studio.job_events import QUICK, Updates
from impasto.studio.limits import MAX_TEXT, PAINTINGS
from impasto.studio.widgets import Studio, download, owner_of, show_error, status

# the values of the form that are stored, in the order of the inputs
FORM = (
    *("names", "quality", "method", "settings", "size"),
    *("strength", "scale", "colors", "seed", "histogram", "median"),
)
_CLICK = """element.addEventListener('click', event => {
  const pressed = event.target.closest('button[data-index]');
  if (pressed) trigger('click', {index: Number(pressed.dataset.index)});
});"""
_SIZE = re.compile(rf"{jobs.AUTO}|{jobs.FULL}|\d{{3,4}}")
_THUMBNAIL_PIXELS = 1 << 16


@dataclass(frozen=True, eq=False)
class History:
    """The list of results on the page.

    Attributes:
        studio: Shared state.
        latest: Takes the entry of a new result.
        stored: The list in the browser.
        view: Shows the list.
        clear: The button that empties it.
    """

    studio: Studio
    latest: gr.State
    stored: gr.BrowserState
    view: gr.HTML
    clear: gr.Button

    @classmethod
    def build(cls, studio: Studio) -> History:
        """Build the components."""
        gr.HTML("<h2>Your results</h2>", elem_classes="heading")
        # encrypted by Gradio; the page knows the key, so that it is no secret
        stored = gr.BrowserState([], storage_key=history.STORAGE, secret=history.STORAGE)
        view = gr.HTML(history.EMPTY, elem_id="history", js_on_load=_CLICK)
        clear = gr.Button("Clear the list", size="sm", elem_id="clear-history")
        return cls(studio, gr.State(None), stored, view, clear)

    def connect(self, started: Any, outputs: Sequence[Any], form: Sequence[Any]) -> None:
        """Connect the components.

        Args:
            started: The event whose job fills ``latest``.
            outputs: The components that show a result: pictures, download and status.
            form: The inputs of :data:`FORM`, and the weights.
        """
        changes: dict[str, Any] = {"queue": False, **QUICK}
        page = Context.root_block
        assert page is not None
        page.load(history.as_html, self.stored, self.view, **changes)
        self.stored.change(history.as_html, self.stored, self.view, **changes)
        started.then(history.add, [self.latest, self.stored], self.stored, **changes)
        self.clear.click(lambda: ([], None), None, [self.stored, self.latest], **changes)
        shown, file, line = outputs

        def show(stored: Any, request: gr.Request, event: gr.EventData) -> Updates:
            try:
                found = _chosen(stored, event)
                updates = self._result(found, owner_of(request, "history").client)
            except Exception as error:
                return {line: show_error(error)}
            names = dict(zip(("shown", "file", "line"), (shown, file, line), strict=True))
            values = dict(zip(form, form_values(found["form"]), strict=True))
            return {**{names[name]: value for name, value in updates.items()}, **values}

        self.view.click(show, self.stored, [*outputs, *form], **changes)

    def _result(self, found: history.Entry, client: str) -> dict[str, Any]:
        """Return the values of the components that show a result."""
        paths = history.stored_files(found, self.studio.folder)
        if paths is not None:
            said = status(f"{found['text']}. Its settings are in the form again")
            return {
                "shown": (str(paths[0]), str(paths[1])),
                "file": download(paths[2]),
                "line": said,
            }
        self.studio.disk.check(client)
        path = files.random_folder(self.studio.folder) / "thumbnail.jpg"
        path.write_bytes(history.thumbnail_bytes(found))
        try:
            load(path, max_pixels=_THUMBNAIL_PIXELS)
        except InputError as error:
            path.unlink()
            raise InputError("this thumbnail is damaged: clear the list") from error
        self.studio.disk.count(client, path)
        needed = ", ".join([found["photo"], *found["own"]])
        said = status(
            f"{found['text']}. Only this thumbnail is left, since files are deleted after an hour. "
            f"To paint it again, add {needed} and press Paint"
        )
        gone = gr.DownloadButton(value=None, interactive=False)
        return {"shown": (str(path), str(path)), "file": gone, "line": said}


def form_values(stored: dict[str, Any]) -> list[Any]:
    """Return the values of the form from an entry; those that are invalid are the defaults."""
    known = {one.name for one in options.styles()}
    given = stored.get("names")
    names = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    size = stored.get("size")
    methods = {one.name for one in options.image_style_methods()}
    settings = stored.get("settings")
    weights = stored.get("weights")
    weights = weights[:PAINTINGS] if isinstance(weights, list) else []
    return [
        [name for name in names if name in known][:PAINTINGS],
        _one_of(stored.get("quality"), QUALITIES, "fast"),
        _one_of(stored.get("method"), methods, ""),
        settings[:MAX_TEXT] if isinstance(settings, str) else "",
        size if isinstance(size, str) and _SIZE.fullmatch(size) else jobs.AUTO,
        _number(stored.get("strength"), 0, 1),
        _number(stored.get("scale"), 0.25, 4),
        _one_of(stored.get("colors"), COLORS, "style"),
        int(_number(stored.get("seed"), 0, 2**53, 0)),
        stored.get("histogram") is True,
        stored.get("median") is True,
        *(_number(weights[n] if n < len(weights) else 1, 0, 1) for n in range(PAINTINGS)),
    ]


def _chosen(stored: Any, event: gr.EventData) -> history.Entry:
    """Return the entry that was pressed.

    Raises:
        InputError: There is none.
    """
    entries, index = history.checked(stored), event._data.get("index")
    if not isinstance(index, int) or not 0 <= index < len(entries):
        raise InputError("this result is not in the list any more: reload the page")
    return entries[index]


def _one_of(value: Any, known: Container[str], default: str) -> str:
    return value if isinstance(value, str) and value in known else default


def _number(value: Any, low: float, high: float, default: float = 1.0) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return default
    return min(high, max(low, value))
