"""Interlaced frames to progressive ones, by FFmpeg's ``bwdif``."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import VideoFrame

_FILTER = "bwdif", "mode=send_frame:deint=interlaced"  # a frame for a frame; others as they are


class Deinterlacer:
    """Makes progressive frames of interlaced ones, as many as go in and in their order.

    Frames before the first interlaced one come back untouched. From then on each comes back after
    the next one is known, since the filter looks at both neighbours.
    """

    def __init__(self) -> None:
        self._graph: Any = None  # its nodes do not keep it alive
        self._source: Any = None
        self._sink: Any = None
        self._form: tuple[int, int, str] | None = None

    def __call__(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Frames that are finished once this one is there."""
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
        """Frames that waited for a next one."""
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
            except (av.BlockingIOError, EOFError):  # it wants another one, or has no more
                return
