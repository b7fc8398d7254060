"""Limit the memory of brush strokes, which Gradio stores until they are used."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import gradio as gr
from gradio.exceptions import Error as GradioError

MAX_DRAWINGS = 16  # drawings that wait to be used, at most
_LAYERS = 2  # indices of layers that are accepted; the page uses one layer


def limit_strokes(editor: gr.ImageEditor) -> None:
    """Limit the memory that an editor's drawings take.

    Gradio would store any number of them, and allocate as many layers as a request names.

    Args:
        editor: The editor that is being built.
    """
    editor.blob_storage = _BoundedDict()
    plain = editor.accept_blobs

    def accept_blobs(data: Any) -> Any:
        """Accept one layer of a drawing."""
        index = str(data.data.get("index") or 0)
        if index != "null" and not (index.isascii() and index.isdigit() and int(index) < _LAYERS):
            raise GradioError("a drawing here has one layer", print_exception=False)
        return plain(data)

    accept_blobs._is_server_fn = True  # type: ignore[attr-defined]
    editor.accept_blobs = accept_blobs


class _BoundedDict(OrderedDict[str, Any]):
    """A mapping of limited size that drops its oldest entry."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > MAX_DRAWINGS:
            self.popitem(last=False)
