"""Build the page: its tabs, its theme, and its named API endpoints."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import gradio as gr
from PIL import Image

from impasto import image
from impasto.api import stylize
from impasto.api.inputs import read_image, resize_long_edge
from impasto.studio import disk, endpoints, options, tab_compare, tab_stylize, tab_texture
from impasto.studio.middleware import MessageBlocks
from impasto.studio.widgets import Studio

_PHOTO, _STYLE, _LONG = "sample:chelsea", "starry-night", 451  # of the example

_MASTHEAD = """
<h1>Impasto</h1>
<p>Paint a photo in the style of a painting. Pictures stay on this machine.</p>
"""


_LEAVE = '<a id="leave" href="logout">Log out</a>'


def build(studio: Studio, *, leave: bool = False) -> MessageBlocks:
    """Build the page, which is not yet served.

    Args:
        studio: Shared state. Its folder is also where Gradio stores its files.
        leave: Whether to show a link to log out.
    """
    # Gradio opens brush strokes by Pillow, which refuses images of twice this many pixels
    Image.MAX_IMAGE_PIXELS = max(1, studio.limits.pixels // 2)
    pictures = studio.folder / disk.STYLES
    pictures.mkdir(parents=True, exist_ok=True)
    gr.set_static_paths([pictures])  # exempt from Gradio's deletion of old files
    with MessageBlocks(
        title="Impasto",
        analytics_enabled=False,
        # Gradio forgets the names of old files; impasto.studio.disk deletes the files
        delete_cache=(int(disk.SWEEP_INTERVAL), int(disk.MAX_AGE)),
        fill_width=True,
    ) as page:
        gr.HTML(_MASTHEAD + _LEAVE * leave, elem_id="masthead")
        with gr.Tabs():
            with gr.Tab("Photo", id="stylize"):
                tab_stylize.tab(studio, options.thumbnails(pictures), _example(pictures))
            with gr.Tab("Texture", id="texture"):
                tab_texture.tab(studio)
            if find_spec("impasto.video") is not None:
                from impasto.studio import tab_video

                with gr.Tab("Video", id="video"):
                    tab_video.tab(studio)
            with gr.Tab("Compare", id="compare"):
                tab_compare.tab(studio)
        endpoints.add(studio)
    return page


def _example(folder: Path) -> tuple[str, str] | None:
    """Return files of a photo before and after stylizing; None if no learned style is shipped."""
    learned = {one.name for one in options.styles() if one.learned}
    if not learned:
        return None
    style = _STYLE if _STYLE in learned else min(learned)
    photo = resize_long_edge(read_image(_PHOTO), None, _LONG)
    pair = folder / "before.jpg", folder / "after.jpg"
    for path, picture in zip(pair, (photo, stylize.stylize(photo, style)), strict=True):
        image.save(picture, path, quality=90)
    return str(pair[0]), str(pair[1])
