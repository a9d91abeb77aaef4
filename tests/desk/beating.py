"""A process that says when its periodic job runs: once started, its wall clock can be set."""

import asyncio

from api.clock import SystemClock
from api.health import Health
from api.jobs import Jobs

BEAT_S = 0.1


async def main() -> None:
    """Print how far the wall clock is ahead, each time the job runs, until killed."""
    clock = SystemClock()
    health = Health((), 0)
    now_ms = lambda: round(clock.monotonic_s() * 1000)  # noqa: E731
    jobs = Jobs(health.jobs, now_ms, print, jump_ms=clock.jump_ms)

    def beat() -> None:
        print("beat", clock.jump_ms(), flush=True)  # noqa: T201 - what the test reads

    jobs.every(BEAT_S, beat)
    jobs.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
