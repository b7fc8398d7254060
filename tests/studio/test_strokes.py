"""What the brush sends, when no brush sends it."""

import gradio as gr
import pytest
from gradio.data_classes import DataWithFiles

from impasto.studio import strokes


@pytest.fixture
def editor():
    with gr.Blocks():
        made = gr.ImageEditor(type="pil")
        strokes.limit_strokes(made)
    return made


def send(editor, name, index="0", kind="layer"):
    told = {"type": kind, "index": index, "id": name}
    editor.accept_blobs(DataWithFiles(data=told, files=[("x", b"x")]))


def test_drawings_that_nobody_asks_for_are_dropped(editor):
    for name in range(100):
        send(editor, str(name))
    assert list(editor.blob_storage) == [
        str(name) for name in range(100 - strokes.MAX_DRAWINGS, 100)
    ]


@pytest.mark.parametrize("index", ["99999999999", "2", "-1", "1e9", "x", 10**12, "\u0661"])
def test_a_request_makes_no_room_for_layers_that_it_names(editor, index):
    with pytest.raises(gr.Error, match="one layer"):
        send(editor, "a", index)
    assert not editor.blob_storage


def test_what_the_page_sends_is_kept(editor):
    send(editor, "a")
    send(editor, "a", "null", "background")
    send(editor, "a", None, "composite")
    kept = editor.blob_storage["a"]
    assert kept.layers == [b"x"]
    assert kept.background == kept.composite == b"x"
    assert editor.accept_blobs._is_server_fn
