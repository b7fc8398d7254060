"""Define the page's look: system fonts, warm greys, one colour; no external resources."""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> Any:
    """Return the theme of the page."""
    return gr.themes.Base(
        primary_hue="orange",
        neutral_hue="stone",
        radius_size="md",
        font=_FONTS,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_title_text_weight="600",
        block_shadow="none",
        button_primary_background_fill="#b4470f",
        button_primary_background_fill_hover="#9a3b0b",
        button_primary_background_fill_dark="#c2541a",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        slider_color="#b4470f",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_800",
    )


CSS = """
.gradio-container { width: 100%; max-width: 1440px !important; margin: 0 auto;
  padding: 0 1rem 2rem !important; }
#masthead { padding: 1.1rem .25rem .2rem; border: 0; background: none; }
#masthead h1 { font-size: 1.55rem; font-weight: 650; letter-spacing: -.015em; margin: 0; }
#masthead p { margin: .1rem 0 0; color: var(--body-text-color-subdued); }
#masthead { position: relative; }
#leave { position: absolute; top: 1.2rem; right: .25rem; color: inherit; }
.result-view img { background: var(--background-fill-secondary); }
.status { min-height: 3rem; padding: .35rem .25rem; }
.status .words { display: block; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.status .bar { display: block; height: 4px; border-radius: 2px; margin-top: .45rem;
  background: var(--border-color-primary); overflow: hidden; }
.status .bar i { display: block; height: 100%; background: var(--button-primary-background-fill);
  transition: width .4s linear; }
.status .wrong { color: var(--error-text-color, #b91c1c); font-weight: 600; }
.job-buttons { position: sticky; bottom: 0; z-index: 20; padding: .5rem 0;
  background: var(--body-background-fill); }
#blend p { margin: 0; font-size: .85rem; color: var(--body-text-color-subdued); }
#texture-result img { width: 100%; height: 100%; object-fit: contain; }
.past { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .5rem;
  list-style: none; margin: 0; padding: 3px; max-height: 24rem; overflow-y: auto; }
.past li { margin: 0; }
.past button { display: block; width: 100%; height: 100%; padding: .3rem; text-align: left;
  font-size: .75rem; line-height: 1.3; border-radius: 8px; overflow-wrap: anywhere;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); }
.past button:hover { border-color: #b4470f; }
.past img { width: 100%; height: 6rem; object-fit: contain; margin: 0 0 .25rem; }
.past span, .past small { display: block; font-weight: 400; }
.past small, .past-empty { color: var(--body-text-color-subdued); }
.heading h2 { font-size: .95rem; font-weight: 600; margin: 0; }
.gallery-of-styles .grid-container {
  grid-template-columns: repeat(4, minmax(0, 1fr)) !important; gap: 6px; }
.gallery-of-styles .gallery-item, .gallery-of-styles button { min-width: 0; max-width: 100%; }
.gallery-of-styles .caption-label { font-size: .7rem; max-width: 100%; padding: 1px 6px; }
.result-view .slider-wrap img { min-height: 0; }
.heading, .status { padding: 0 !important; }
.heading .html-container, .status .html-container { padding: 0 .25rem !important; }
#own .wrap { font-size: .85rem; line-height: 1.25; }
#own .icon-wrap { width: 18px; height: 18px; margin-bottom: 0; }
:focus-visible { outline: 3px solid #b4470f !important; outline-offset: 2px !important; }
input[type=file]:focus-visible + *, button:focus-within:has(input[type=file]:focus-visible) {
  outline: 3px solid #b4470f; }
@media (max-width: 700px) {
  .tab-container button { padding-left: .55rem !important; padding-right: .55rem !important; }
  #masthead p { font-size: .9rem; }
}
@media (prefers-reduced-motion: reduce) {
  * { transition: none !important; animation: none !important; }
}
"""

# style of the elements around the page's components, which Gradio's CSS option cannot reach
_STYLE = """<style>
/* not hidden, in which nothing can be sticky */
.gradio-container.gradio-container { overflow: clip !important; }
@media (max-width: 700px) {
  .gradio-container.gradio-container { padding: 0 .75rem 1.5rem !important; }
  .gradio-container .main.fillable.app { padding: .25rem 0 !important; }
}
</style>"""

_SCRIPT = resources.files("impasto.studio").joinpath("page.js").read_text(encoding="utf-8")
HEAD = f"{_STYLE}<script>{_SCRIPT}</script>"
