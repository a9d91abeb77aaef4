"""What is done again and again. APScheduler says when; it never holds the truth.

The only import site of APScheduler. A job that came late runs once and is not dropped
(``misfire_grace_time=None``, ``coalesce=True``: the default of one second loses it silently).

APScheduler counts by the wall clock. When that is set back by an hour it would do nothing for
an hour; when it is set forward by years it would count every run in between, one by one. So all
jobs are planned anew when the wall clock was set, and what was missed is not counted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from api.job_health import JobHealth

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.5
SET_MS: Final = 500
"""A wall clock that went this much faster or slower than ours between two looks was set."""

Job = Callable[[], None] | Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Planned:
    name: str
    seconds: float
    vital: bool


class _Every(IntervalTrigger):  # type: ignore[misc]  # ships no types
    """Each so many seconds; whatever was missed, the next time is ahead of now."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """By the wall clock, as APScheduler wants it."""
        due: datetime = super().get_next_fire_time(previous, now)
        return due if due > now else now + timedelta(seconds=self.interval_length)


class Jobs:
    """Periodic work on the event loop; no job runs beside itself."""

    def __init__(
        self,
        health: JobHealth,
        now_ms: Callable[[], int],
        on_failure: Callable[[str], None],
        *,
        jump_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        """Nothing planned. ``now_ms`` never jumps; ``on_failure`` gets the failed job's name.

        ``jump_ms`` is how far the wall clock is ahead of ``now_ms``.
        """
        self._jump_ms = jump_ms
        self._looking: asyncio.Task[None] | None = None
        self._health = health
        self._now_ms = now_ms
        self._on_failure = on_failure
        self._scheduler = AsyncIOScheduler()
        self._planned: list[_Planned] = []
        self._running: set[asyncio.Task[None]] = set()

    def every(self, seconds: float, job: Job, *, name: str = "", vital: bool = True) -> None:
        """Run ``job`` each ``seconds`` once started.

        What it raises is logged, counted under ``name`` (of itself by default) and, for a job
        that the alarm path needs (``vital``), red until it ends well.
        """
        planned = _Planned(name or job.__name__, seconds, vital)

        async def once() -> None:
            # APScheduler cancels what runs when it is shut down, and would run a plain
            # function in a thread.
            task = asyncio.create_task(self._run(planned.name, job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            with suppress(asyncio.CancelledError):  # ``stop`` does it, and waits
                await asyncio.shield(task)

        self._planned.append(planned)
        self._scheduler.add_job(
            once,
            _Every(seconds=seconds),
            name=planned.name,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    def start(self) -> None:
        """Begin; needs the running event loop."""
        for job in self._planned:
            self._health.planned(job.name, job.seconds, self._now_ms(), vital=job.vital)
        self._scheduler.start()
        self._looking = asyncio.create_task(self._look(), name="wall clock")

    async def stop(self, timeout_s: float) -> None:
        """Plan nothing more and let what runs end, for at most ``timeout_s``."""
        self._scheduler.shutdown(wait=False)
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    async def _look(self) -> None:
        """Plan all jobs anew, from now on, when the wall clock was set."""
        before_ms = self._jump_ms()
        while True:
            await asyncio.sleep(LOOK_S)
            now_ms = self._jump_ms()
            if abs(now_ms - before_ms) > SET_MS:
                log.warning("the wall clock was set", by_ms=now_ms - before_ms)
                planned: list[Any] = self._scheduler.get_jobs()
                for job in planned:
                    job.reschedule(_Every(seconds=job.trigger.interval_length))
            before_ms = now_ms

    async def _run(self, name: str, job: Job) -> None:
        try:
            result = job()
            if result is not None:
                await result
        except Exception:  # the edge of the scheduler's loop: counted, red, done again next time
            log.exception("a periodic job failed", job=name)
            self._health.failed(name)
            self._on_failure(name)
        else:
            self._health.ended(name, self._now_ms())
