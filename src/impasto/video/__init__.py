"""Moving pictures: a video or a folder of frames in, the same painted out, steady and with sound.

A clip gives its frames one by one (:mod:`~impasto.video.reader`); each is painted by the pipeline
and held to the one before by the motion between them (:mod:`~impasto.video.temporal`); finished
frames lie in a folder (:mod:`~impasto.video.resume`) until all are there and become a film
(:mod:`~impasto.video.writer`).
"""

from impasto.video.codec import Coding
from impasto.video.job import Report, stylize_video
from impasto.video.reader import open_clip

__all__ = ["Coding", "Report", "open_clip", "stylize_video"]
