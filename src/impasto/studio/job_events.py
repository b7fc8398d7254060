"""Run the job of a tab: start it, show its progress, stop it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import gradio as gr
from gradio.context import Context

from impasto.core.progress import Callback
from impasto.studio.fair_queue import FairQueue
from impasto.studio.job_queue import Finished, MethodCache, Report
from impasto.studio.widgets import JobOwner, Studio, owner_of, show_error, status

T = TypeVar("T")

Updates = dict[Any, Any]  # new values of components; the others stay as they are

# the browser gets no reason: Gradio's client has one text of its own for a full queue
_REFUSED = (
    "if the studio is busy, the queue is full, or too many of your jobs are in it: try again in a "
    "few minutes. Otherwise the reason is on top of the page"
)
_TICK = 1.0  # seconds between two questions for the place in the queue

# options of events that take a moment
QUICK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, eq=False)
class JobEvents(ABC):
    """Handle the buttons of a tab that start and stop its job.

    Attributes:
        studio: Shared state.
        go: The button that starts the job.
        stop: The button that stops it; it can be pressed while a job waits or runs.
        line: The status line.
        tab: Name of the tab, one part of the owner of its jobs.
        stopping: Status once the job is asked to stop.
        idle: Status if there is no job to stop.
    """

    studio: Studio
    go: gr.Button
    stop: gr.Button
    line: gr.HTML

    tab: ClassVar[str]
    stopping: ClassVar[str]
    idle: ClassVar[str]

    @abstractmethod
    def work(self, owner: JobOwner, *args: Any, **kwargs: Any) -> Generator[Updates, None, Updates]:
        """Check the values of the inputs, run the job by :meth:`run`, and return the result.

        What it raises is shown in the status line.
        """

    def run(
        self,
        owner: JobOwner,
        job: Callable[[MethodCache, Callback], T],
        show: Callable[[Report], Updates] = lambda report: {},
    ) -> Generator[Updates, None, Finished[T]]:
        """Run a job and yield its progress.

        Args:
            owner: The owner.
            job: The job.
            show: Converts a report to what the page shows beside the status line.

        Raises:
            gr.Error: The job failed.
        """
        yield {self.line: status("loading", 0.0)}

        def updates(report: Report) -> Updates:
            return {self.line: status(report.plain, report.fraction), **show(report)}

        return (yield from self.studio.work(owner, job, updates))

    def show_previews(self, component: Any, name: str) -> Callable[[Report], Updates]:
        """Return a function that converts reports to the preview in a component.

        Args:
            component: Shows an image file.
            name: Of the files.
        """
        keep = self.studio.previews(name)
        return lambda report: {} if report.preview is None else {component: keep(report.preview)}

    def connect(
        self, inputs: Sequence[Any], outputs: Sequence[Any], *, js: str | None = None
    ) -> Any:
        """Connect the buttons, and return the event that starts the job.

        Args:
            inputs: The components whose values :meth:`work` gets.
            outputs: The components that it changes, beside the status line.
            js: Runs in the browser when the job is started.
        """
        clock = gr.Timer(_TICK, active=False)
        files = [one for one in outputs if isinstance(one, gr.DownloadButton)]
        # in the browser, since the job may wait in the queue
        busy = [_update(interactive=True), _update(active=True), status("waiting", 0.0)]
        busy += [_update(interactive=False) for _ in files]
        self.go.click(
            None,
            None,
            [self.stop, clock, self.line, *files],
            js=f"() => {json.dumps(busy)}",
            **QUICK,
        )
        started = self.go.click(
            self._start,
            list(inputs),
            [*outputs, self.line],
            js=js,
            api_visibility="private",
            **self.studio.job_event_options,
        )
        idle = [_update(interactive=False), _update(active=False)]
        ends = [self.stop, clock]
        started.then(None, None, ends, js=f"() => {json.dumps(idle)}", **QUICK)
        refused = [*idle, status(f"not started: {_REFUSED}", wrong=True)]
        started.failure(None, None, [*ends, self.line], js=f"() => {json.dumps(refused)}", **QUICK)
        place = _Place(started)
        clock.tick(place.status, None, self.line, queue=False, **QUICK)
        self.stop.click(self._stopper(place), None, self.line, queue=False, **QUICK)
        return started

    def _start(self, request: gr.Request, *values: Any) -> Generator[Updates, None, None]:
        try:
            yield (yield from self.work(owner_of(request, self.tab), *values))
        except Exception as error:
            yield {self.line: show_error(error)}

    def _stopper(self, place: _Place) -> Callable[[gr.Request], Awaitable[str]]:
        async def stop(request: gr.Request) -> str:
            if self.studio.queue.stop(owner_of(request, self.tab)):
                return status(self.stopping)
            if place.queue.withdraw(request.session_hash, place.job):
                return status("stopped before it began")
            return status(self.idle)

        return stop


class _Place:
    """The place of a tab's jobs in the queue.

    Args:
        started: The event that starts them.
    """

    def __init__(self, started: Any) -> None:
        self._page: Any = Context.root_block
        self.job = int(started["id"])

    @property
    def queue(self) -> FairQueue:
        """The queue of the page, which is set when the page is served."""
        queue: FairQueue = self._page._queue
        return queue

    async def status(self, request: gr.Request) -> Any:
        """Return the status of a job that waits; the page stays as it is if it does not wait."""
        before = self.queue.jobs_before(request.session_hash, self.job)
        if before is None:
            return gr.skip()
        return status(f"waiting: {before} job{'s' * (before != 1)} before yours", 0.0)


def _update(**changes: Any) -> dict[str, Any]:
    """Return changes of a component as the browser takes them."""
    return {"__type__": "update", **changes}


def job_buttons(
    label: str, elem_id: str, *, stop: str = "Stop and keep the result", stop_id: str | None = None
) -> tuple[gr.Button, gr.Button]:
    """Create the buttons that start and stop a job, in a row."""
    with gr.Row(elem_classes="job-buttons"):
        return (
            gr.Button(label, variant="primary", size="lg", elem_id=elem_id),
            gr.Button(stop, interactive=False, elem_id=stop_id),
        )
