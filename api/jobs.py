"""What is done again and again. APScheduler says when; it never holds the truth.

The only import site of APScheduler. A job that came late runs once and is not dropped
(``misfire_grace_time=None``, ``coalesce=True``: the default of one second loses it silently).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from api.job_health import JobHealth

log = structlog.get_logger(__name__)

Job = Callable[[], None] | Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Planned:
    name: str
    seconds: float
    vital: bool


class Jobs:
    """Periodic work on the event loop; no job runs beside itself."""

    def __init__(
        self, health: JobHealth, now_ms: Callable[[], int], on_failure: Callable[[str], None]
    ) -> None:
        """Nothing planned. ``now_ms`` never jumps; ``on_failure`` gets the failed job's name."""
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
            "interval",
            seconds=seconds,
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

    async def stop(self, timeout_s: float) -> None:
        """Plan nothing more and let what runs end, for at most ``timeout_s``."""
        self._scheduler.shutdown(wait=False)
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

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
