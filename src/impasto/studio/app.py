"""The page: its tabs, its look, and the named endpoints behind it."""

from __future__ import annotations

from importlib.util import find_spec

import gradio as gr
from PIL import Image

from impasto.studio import choices, comparing, endpoints, stylizing, texturing
from impasto.studio.guard import Page
from impasto.studio.parts import Studio

_SWEPT = 600  # seconds between two looks for files to delete
_OLD = 4 * 3600  # seconds after which a file is deleted

_MASTHEAD = """
<h1>Impasto</h1>
<p>Paint a photo in the style of a painting. Pictures stay on this machine.</p>
"""


def build(studio: Studio) -> Page:
    """The page, not yet served.

    Args:
        studio: What it works with. Its folder is where Gradio keeps its files, too.
    """
    # Gradio opens what the brush sends with Pillow alone, which refuses twice this many
    Image.MAX_IMAGE_PIXELS = max(1, studio.limits.pixels // 2)
    pictures = studio.folder / "styles"
    pictures.mkdir(parents=True, exist_ok=True)
    gr.set_static_paths([pictures])  # these are not deleted with age
    with Page(
        title="Impasto", analytics_enabled=False, delete_cache=(_SWEPT, _OLD), fill_width=True
    ) as page:
        gr.HTML(_MASTHEAD, elem_id="masthead")
        with gr.Tabs():
            with gr.Tab("Photo", id="stylize"):
                stylizing.tab(studio, choices.thumbnails(pictures))
            with gr.Tab("Texture", id="texture"):
                texturing.tab(studio)
            if find_spec("impasto.video") is not None:
                from impasto.studio import filming

                with gr.Tab("Video", id="video"):
                    filming.tab(studio)
            with gr.Tab("Compare", id="compare"):
                comparing.tab(studio)
        endpoints.add(studio)
    return page


