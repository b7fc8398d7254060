"""Queue jobs with a limit for each client, serve clients in turn, and end abandoned jobs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage

from impasto.studio.asgi import client

log = logging.getLogger("impasto.studio")

JOBS_PER_CLIENT = 4  # jobs of one client that wait or run
FETCH_TIMEOUT = 30.0  # seconds after which a job ends if its messages are not fetched
_CHECK_INTERVAL = 1.0  # seconds between two searches for such jobs
_CLIENTS = 1000  # clients whose turns are remembered

_ABANDONED = f"nobody fetched the progress of this job for {FETCH_TIMEOUT:.0f} s: it was ended"


class FairQueue(Queue):
    """Gradio's queue with limits for each client.

    Args:
        each: Jobs of one client that wait or run, in each of the page's queues.
        options: See :class:`gradio.queueing.Queue`.
    """

    def __init__(self, *, each: int = JOBS_PER_CLIENT, **options: Any) -> None:
        super().__init__(**options)
        self._each = each
        self._push_lock = asyncio.Lock()
        self._last_fetch: WeakKeyDictionary[Event, float] = WeakKeyDictionary()
        self._last_turn: OrderedDict[str, float] = OrderedDict()
        self._last_check = 0.0

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """Add an event to the queue, or refuse it with a message."""
        async with self._push_lock:  # count and add atomically
            self._end_abandoned()
            fn = self.blocks.fns.get(body.fn_index)
            if fn is not None and self._jobs(_host(request), fn.concurrency_id) >= self._each:
                message = f"{self._each} jobs of yours wait or run here, the most at a time"
                return False, f"{message}: wait until one of them is done", "queue_full"
            if self.max_size is not None and len(self) >= self.max_size:
                message = f"the queue is full, {len(self)} jobs wait"
                return False, f"{message}: try again in a few minutes", "queue_full"
            return await super().push(body, request, username)

    def get_events(self) -> Any:
        """Return the next event to run: that of the client whose last turn is longest ago."""
        if time.monotonic() - self._last_check > _CHECK_INTERVAL:
            self._end_abandoned()
        for waiting in self.event_queue_per_concurrency_id.values():
            if len(waiting.queue) > 1 and waiting.current_concurrency < (
                waiting.concurrency_limit or len(waiting.queue)
            ):
                waiting.queue.sort(key=lambda event: self._last_turn.get(_host(event.request), 0.0))
        chosen = super().get_events()
        if chosen is not None:
            for event in chosen[0]:
                self._last_turn[_host(event.request)] = time.monotonic()
                self._last_turn.move_to_end(_host(event.request))
            while len(self._last_turn) > _CLIENTS:
                self._last_turn.popitem(last=False)
        return chosen

    def jobs_before(self, session: str | None, fn_index: int) -> int | None:
        """Return how many jobs run or come before a job that waits; None if it does not wait.

        Args:
            session: The session of a page in a browser.
            fn_index: Of the function that carries out the job.
        """
        event = self._waiting(session, fn_index)
        if event is None:
            return None
        waiting = self.event_queue_per_concurrency_id[event.concurrency_id]
        return waiting.current_concurrency + self._in_turn(waiting.queue).index(event)

    def withdraw(self, session: str | None, fn_index: int) -> bool:
        """End a job that waits; return False if it does not wait. Its page stays as it is."""
        event = self._waiting(session, fn_index)
        if event is None:
            return False
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        unchanged = [{"__type__": "update"} for _ in event.fn.outputs]
        last = ProcessCompletedMessage(output={"data": unchanged}, success=True)
        super().send_message(event, last)
        event.alive = False
        return True

    def _waiting(self, session: str | None, fn_index: int) -> Event | None:
        for waiting in self.event_queue_per_concurrency_id.values():
            for event in waiting.queue:
                if event.session_hash == session and event.fn._id == fn_index:
                    return event
        return None

    def _in_turn(self, events: Sequence[Event]) -> list[Event]:
        """Return waiting events in the order in which they will run."""
        turns = {_host(event.request): 0.0 for event in events}
        turns |= {host: self._last_turn[host] for host in turns if host in self._last_turn}
        left, result, now = list(events), [], time.monotonic()
        while left:
            event = min(left, key=lambda one: turns[_host(one.request)])
            left.remove(event)
            result.append(event)
            now += 1
            turns[_host(event.request)] = now
        return result

    def send_message(self, event: Event, event_message: Any) -> None:
        """Send a message of a job; a job whose messages are not fetched ends."""
        if event.alive and self._is_abandoned(event):
            self._end(event)
        super().send_message(event, event_message)

    def _jobs(self, host: str, concurrency_id: str) -> int:
        running = [event for job in self.active_jobs if job for event in job if event.alive]
        waiting = self.event_queue_per_concurrency_id.get(concurrency_id)
        return sum(
            event.concurrency_id == concurrency_id and _host(event.request) == host
            for event in (*running, *(waiting.queue if waiting else ()))
        )

    def _is_abandoned(self, event: Event) -> bool:
        """Check whether the messages of a job have not been fetched for too long."""
        news, now = self.pending_messages_per_session.get(event.session_hash), time.monotonic()
        if news is None or news.empty():
            self._last_fetch[event] = now
        return now - self._last_fetch.setdefault(event, now) > FETCH_TIMEOUT

    def _end_abandoned(self) -> None:
        """End the waiting jobs whose messages are not fetched."""
        self._last_check = time.monotonic()
        for waiting in self.event_queue_per_concurrency_id.values():
            for event in [event for event in waiting.queue if self._is_abandoned(event)]:
                waiting.queue.remove(event)
                self.event_ids_to_events.pop(event._id, None)
                self._end(event)

    def _end(self, event: Event) -> None:
        log.info("a job of %s ended: nobody listened", _host(event.request))
        last = ProcessCompletedMessage(output={"error": _ABANDONED}, title="Error", success=False)
        super().send_message(event, last)
        event.alive = False


def _host(request: Any) -> str:
    """Return the client of a request."""
    return client(request.client.host if request.client else None)
