"""Stylize videos and folders of frames, with temporal consistency and sound.

A clip yields its frames one by one (:mod:`~impasto.video.reader`); the pipeline stylizes each, and
blends it with the warped previous result (:mod:`~impasto.video.temporal`); finished frames are
stored in a folder (:mod:`~impasto.video.resume`) until all are there and are encoded as a video
(:mod:`~impasto.video.writer`).
"""

from impasto.video.codec import Coding
from impasto.video.job import Report, stylize_video
from impasto.video.reader import open_clip

__all__ = ["Coding", "Report", "open_clip", "stylize_video"]
