"""What the page's brush sends, which Gradio keeps in memory until it is asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import gradio as gr
from gradio.exceptions import Error as GradioError

MOST = 16  # drawings that wait to be used
_LAYERS = 2  # of a drawing; the page has one


def bound(editor: gr.ImageEditor) -> None:
    """Bound the memory that an editor's drawings take.

    Gradio would keep any number of them, and make room for as many layers as a request names.

    Args:
        editor: That is being built.
    """
    editor.blob_storage = _Newest()
    plain = editor.accept_blobs

    def accept_blobs(data: Any) -> Any:
        """Take one picture of a drawing."""
        index = str(data.data.get("index") or 0)
        if index != "null" and not (index.isascii() and index.isdigit() and int(index) < _LAYERS):
            raise GradioError("a drawing here has one layer", print_exception=False)
        return plain(data)

    accept_blobs._is_server_fn = True  # type: ignore[attr-defined]
    editor.accept_blobs = accept_blobs


class _Newest(OrderedDict[str, Any]):
    """A mapping of bounded size: what was put in first goes first."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > MOST:
            self.popitem(last=False)
