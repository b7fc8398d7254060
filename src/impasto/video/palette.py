"""Quantize the frames of a GIF to one palette of 256 colours, which avoids flicker."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from impasto.video.decoder import library

# ordered dithering, since error diffusion changes from frame to frame
_DITHER = "dither=bayer:bayer_scale=4"


class Palette:
    """Quantize frames to 256 colours, by FFmpeg's ``palettegen`` and ``paletteuse``.

    Args:
        frames: Some frames of the video, in ``rgb24``, of one size.
    """

    def __init__(self, frames: Iterable[Any]) -> None:
        self._av = library()
        self._graph: Any = None  # kept here because its nodes do not keep it alive
        self._source: Any = None
        self._sink: Any = None
        self._count = 0
        self._colours = self._found(frames)

    def _found(self, frames: Iterable[Any]) -> Any:
        """Return the palette as an image of 16x16."""
        graph: Any = self._av.filter.Graph()
        source: Any = None
        for index, frame in enumerate(frames):
            if source is None:
                source, sink = self._buffer(graph, frame), graph.add("buffersink")
                chosen = graph.add("palettegen")
                source.link_to(chosen)
                chosen.link_to(sink)
                graph.configure()
            source.push(_at(frame, index))
        source.push(None)
        return sink.pull()

    def __call__(self, frame: Any) -> Any:
        """Convert a frame from ``rgb24`` to ``pal8``."""
        if self._source is None:
            self._prepare(frame)
        self._source.push(_at(frame, self._count))
        self._count += 1
        return self._sink.pull()

    def _prepare(self, like: Any) -> None:
        self._graph = graph = self._av.filter.Graph()
        self._source, colours = (self._buffer(graph, one) for one in (like, self._colours))
        self._sink, use = graph.add("buffersink"), graph.add("paletteuse", _DITHER)
        self._source.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(self._sink)
        graph.configure()
        colours.push(_at(self._colours, 0))
        colours.push(None)

    def _buffer(self, graph: Any, like: Any) -> Any:
        return graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=Fraction(1, 25)
        )


def _at(frame: Any, pts: int) -> Any:
    frame.pts = pts
    return frame
