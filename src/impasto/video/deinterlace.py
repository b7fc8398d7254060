"""Deinterlace frames by FFmpeg's ``bwdif``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import VideoFrame

# one frame per frame; progressive ones unchanged
_FILTER = "bwdif", "mode=send_frame:deint=interlaced"


class Deinterlacer:
    """Deinterlace a sequence of frames, keeping their number and order.

    Frames before the first interlaced one are returned unchanged. From then on each frame is
    returned after the next one was given, since the filter uses both neighbours.
    """

    def __init__(self) -> None:
        self._graph: Any = None  # kept here because its nodes do not keep it alive
        self._source: Any = None
        self._sink: Any = None
        self._form: tuple[int, int, str] | None = None

    def __call__(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Yield the frames that are finished once this one is given."""
        form = frame.width, frame.height, frame.format.name
        if self._form not in {None, form}:
            yield from self.rest()
        if self._form is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self._begin(frame)
            self._form = form
        self._source.push(frame)
        yield from self._pulled()

    def rest(self) -> Iterator[VideoFrame]:
        """Yield the frames that were waiting for a next one."""
        if self._form is not None:
            self._source.push(None)
            yield from self._pulled()
            self._form = None

    def _begin(self, like: VideoFrame) -> None:
        import av

        self._graph = graph = av.filter.Graph()
        self._source = graph.add_buffer(
            width=like.width,
            height=like.height,
            format=like.format,
            time_base=like.time_base or Fraction(1, 1000),
        )
        chosen, self._sink = graph.add(*_FILTER), graph.add("buffersink")
        self._source.link_to(chosen)
        chosen.link_to(self._sink)
        graph.configure()

    def _pulled(self) -> Iterator[VideoFrame]:
        import av

        while True:
            try:
                yield self._sink.pull()
            except (av.BlockingIOError, EOFError):  # needs another frame, or has none left
                return
