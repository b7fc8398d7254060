"""Run the job of a tab: start it, show its progress, stop it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import gradio as gr

from impasto.core.progress import Callback
from impasto.studio.job_queue import Finished, MethodCache, Report
from impasto.studio.widgets import JobOwner, Studio, owner_of, show_error, status

T = TypeVar("T")

Updates = dict[Any, Any]  # new values of components; the others stay as they are

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
        yield {self.line: status("waiting", 0.0), self.stop: gr.Button(interactive=True)}

        def updates(report: Report) -> Updates:
            return {self.line: status(report.text, report.fraction), **show(report)}

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
    ) -> None:
        """Connect the buttons.

        Args:
            inputs: The components whose values :meth:`work` gets.
            outputs: The components that it changes, beside the status line.
            js: Runs in the browser when the job is started.
        """
        self.go.click(
            self._start,
            list(inputs),
            [*outputs, self.line, self.stop],
            js=js,
            api_visibility="private",
            **self.studio.job_event_options,
        )
        self.stop.click(self._stop, None, self.line, queue=False, **QUICK)

    def _start(self, request: gr.Request, *values: Any) -> Generator[Updates, None, None]:
        try:
            shown = yield from self.work(owner_of(request, self.tab), *values)
        except Exception as error:
            shown = {self.line: show_error(error)}
        yield {**shown, self.stop: gr.Button(interactive=False)}

    def _stop(self, request: gr.Request) -> str:
        there = self.studio.queue.stop(owner_of(request, self.tab))
        return status(self.stopping if there else self.idle)


def job_buttons(
    label: str, elem_id: str, *, stop: str = "Stop and keep the result", stop_id: str | None = None
) -> tuple[gr.Button, gr.Button]:
    """Create the buttons that start and stop a job, in a row."""
    with gr.Row():
        return (
            gr.Button(label, variant="primary", size="lg", elem_id=elem_id),
            gr.Button(stop, interactive=False, elem_id=stop_id),
        )
