"""What is done again and again. APScheduler says when; it never holds the truth.

The only import site of APScheduler. A job that came late runs once and is not dropped
(``misfire_grace_time=None``, ``coalesce=True``: the default of one second loses it silently).
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = structlog.get_logger(__name__)

Job = Callable[[], None] | Callable[[], Awaitable[None]]


class Jobs:
    """Periodic work on the event loop; no job runs beside itself."""

    def __init__(self) -> None:
        """Nothing planned."""
        self._scheduler = AsyncIOScheduler()
        self._running: set[asyncio.Task[None]] = set()

    def every(self, seconds: float, job: Job) -> None:
        """Run ``job`` each ``seconds`` once started; what it raises is logged, no more."""

        async def once() -> None:
            # APScheduler cancels what runs when it is shut down, and would run a plain
            # function in a thread.
            task = asyncio.create_task(_call(job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            await asyncio.shield(task)

        self._scheduler.add_job(
            once,
            "interval",
            seconds=seconds,
            name=job.__name__,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    def start(self) -> None:
        """Begin; needs the running event loop."""
        self._scheduler.start()

    async def stop(self, timeout_s: float) -> None:
        """Plan nothing more and let what runs end, for at most ``timeout_s``."""
        self._scheduler.shutdown(wait=False)
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)


async def _call(job: Job) -> None:
    try:
        result = job()
        if result is not None:
            await result
    except Exception:  # the edge of the scheduler's loop: seen in the log, done again next time
        log.exception("a periodic job failed", job=job.__name__)
