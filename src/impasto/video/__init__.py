"""Moving pictures: a video or a folder of frames in, the same painted out, steady and with sound.

A clip gives its frames one by one (:mod:`~impasto.video.clip`); each is painted by the pipeline and
held to the one before by the motion between them (:mod:`~impasto.video.steady`); finished frames
lie in a folder (:mod:`~impasto.video.work`) until all are there and become a film
(:mod:`~impasto.video.film`).
"""

from impasto.video.clip import open_clip
from impasto.video.coding import Coding
from impasto.video.job import Report, stylize_video

__all__ = ["Coding", "Report", "open_clip", "stylize_video"]
