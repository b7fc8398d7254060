"""Share components and job handling among the tabs of the page."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import ImageData

from impasto.core.progress import Callback
from impasto.errors import ImpastoError
from impasto.image import READ_SUFFIXES, Image
from impasto.methods.spec import Ability
from impasto.studio import files, middleware, options
from impasto.studio.asgi import client
from impasto.studio.disk import DiskQuota
from impasto.studio.job_queue import Finished, JobQueue, MethodCache, Report
from impasto.studio.limits import Limits, error_text

T = TypeVar("T")

QUEUE = "paint"  # the queue that all long jobs share
IMAGE_SUFFIXES = list(READ_SUFFIXES)

_PREVIEWS = 10  # previews of one job that are stored, for pages that load slowly

log = logging.getLogger("impasto.studio")


@dataclass(frozen=True)
class JobOwner:
    """The owner of a job.

    Attributes:
        session: The session of a page in a browser.
        what: Its tab.
        client: The client, see :func:`impasto.studio.asgi.client`.
    """

    session: str | None
    what: str
    client: str = field(default="", compare=False)


@dataclass(frozen=True)
class Studio:
    """The state that all tabs share.

    Attributes:
        queue: Runs the jobs.
        limits: Of this server.
        folder: The folder of the results.
        disk: Counts the files there.
        jobs: The number of jobs at a time.
    """

    queue: JobQueue
    limits: Limits
    folder: Path
    disk: DiskQuota
    jobs: int = 1

    @property
    def job_event_options(self) -> dict[str, Any]:
        """Return the options of every event that starts a long job."""
        return {
            "concurrency_id": QUEUE,
            "concurrency_limit": self.jobs,
            "show_progress": "hidden",
        }

    def work(
        self,
        key: JobOwner,
        what: Callable[[MethodCache, Callback], T],
        show: Callable[[Report], Any],
    ) -> Generator[Any, None, Finished[T]]:
        """Run a job and yield its progress; failures become messages, and the log has the details.

        Args:
            key: The owner.
            what: The job.
            show: Converts a report to the outputs of the page.

        Raises:
            gr.Error: The job failed.
        """
        reports = self.queue.run(key, what)
        try:
            self.disk.check(key.client)
            while True:
                yield show(next(reports))
        except StopIteration as end:
            done: Finished[T] = end.value
            return done
        except ImpastoError as error:
            raise middleware.error_message(error) from None
        except Exception as error:
            log.error("a job failed", exc_info=error)
            raise middleware.error_message(error) from None
        finally:
            reports.close()

    def save_image(
        self, owner: JobOwner, picture: Image, name: str, *, small: bool = False
    ) -> Path:
        """Write an image and count it: see :func:`impasto.studio.files.save_image`."""
        path = files.save_image(picture, self.folder, name, small=small)
        self.disk.count(owner.client, path)
        return path

    def previews(self, name: str) -> Callable[[Image], str]:
        """Return a function that writes previews of one job as files, and deletes all but a few.

        Args:
            name: Of the files.
        """
        made: deque[Path] = deque()

        def keep(picture: Image) -> str:
            made.append(files.save_image(picture, self.folder, name))
            while len(made) > _PREVIEWS:
                old = made.popleft()
                old.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    old.parent.rmdir()
            return str(made[-1])

        return keep


def status_line(text: str, elem_id: str) -> gr.HTML:
    """Create a status line."""
    return gr.HTML(status(text), elem_id=elem_id, elem_classes="status")


def result_image(label: str, elem_id: str) -> gr.Image:
    """Create the component that shows the result of a job."""
    return gr.Image(
        type="filepath",
        label=label,
        interactive=False,
        height=560,
        buttons=["fullscreen"],
        elem_id=elem_id,
        elem_classes="result-view",
    )


def seed_input() -> gr.Number:
    """Create the input of a seed."""
    return gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**53)


def method_input(usual: str, ability: Ability, info: str) -> gr.Dropdown:
    """Create the input of a method; an empty value leaves it to the job.

    Args:
        usual: Label of the empty value.
        ability: What the methods must be able to do.
        info: Shown below the label.
    """
    names = [(one.name, one.name) for one in options.image_style_methods(ability)]
    return gr.Dropdown([(usual, ""), *names], value="", label="Method", info=info)


def download(path: Path, size: tuple[int, int] | None = None) -> gr.DownloadButton:
    """Return a button that gives a file, with the size of an image in pixels on it."""
    label = f"Download, {size[0]} × {size[1]} pixels" if size else "Download"
    return gr.DownloadButton(label, value=str(path), interactive=True)


def photo(label: str, **options: Any) -> gr.Image:
    """Create a component to upload an image.

    Gradio does not decode the upload; :meth:`impasto.studio.limits.Limits.picture` does, within the
    limits.
    """
    made = gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        **options,
    )
    # not a subclass, for which Gradio would write a .pyi beside this file
    made.preprocess = _path  # type: ignore[method-assign]
    return made


def _path(payload: ImageData | None) -> str | None:
    if payload is None:
        return None
    if not payload.path:
        raise gr.Error("upload a file", print_exception=False)
    return str(payload.path)


def status(text: str = "", fraction: float | None = None, *, wrong: bool = False) -> str:
    """Return HTML of a status line, with a progress bar if ``fraction`` is given."""
    role = "alert" if wrong else "status"
    bar = ""
    if fraction is not None:
        percent = round(100 * min(1.0, max(0.0, fraction)))
        bar = f'<span class="bar"><i style="width:{percent}%"></i></span>'
    kind = "words wrong" if wrong else "words"
    said = escape(_sentence(text), quote=False)
    return f'<span class="{kind}" role="{role}">{said}</span>{bar}'


def finished_status(done: Finished[Any], size: tuple[int, int], note: str = "") -> str:
    """Return the status line of a finished job."""
    what = "stopped: this is the result so far" if done.stopped else "done"
    text = f"{what}, {size[0]} × {size[1]} pixels, {done.seconds:.1f} s"
    return status(f"{text}. {note}" if note else text)


def show_error(error: Exception) -> str:
    """Show an error: in the status line, and as a warning on top of the page.

    It is not raised, since Gradio would then write "Error" over every output of the event.
    """
    if not isinstance(error, (ImpastoError, gr.Error)):
        log.error("the page met an error", exc_info=error)
    message = unescape(error.message) if isinstance(error, gr.Error) else error_text(error)
    stopped = message.startswith("stopped")
    if not stopped:
        gr.Warning(escape(_sentence(message), quote=False))
    return status(message, wrong=not stopped)


def owner_of(request: gr.Request | None, what: str) -> JobOwner:
    """Return the owner of a job: the session and the tab of a page in a browser."""
    sender = getattr(request, "client", None)
    host = getattr(sender, "host", None)
    return JobOwner(getattr(request, "session_hash", None), what, client(host))


def _sentence(text: str) -> str:
    """Capitalize the first letter, unless the first word is a name."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.strip(",:").isalpha() else text
