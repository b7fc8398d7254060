"""Stylize many images: a job as data, and engines that run it in processes or on a cluster.

Example:
    >>> from impasto.batch import Job, run, styles
    >>> job = Job(folder="photos", styles=styles(["starry-night"]))
    >>> run(job, "painted", workers=2).failures  # doctest: +SKIP
    ()
"""

from __future__ import annotations

from impasto.batch.folder import stylize_folder
from impasto.batch.job import Job, styles
from impasto.batch.runner import Failure, Report, run

__all__ = ["Failure", "Job", "Report", "run", "styles", "stylize_folder"]
