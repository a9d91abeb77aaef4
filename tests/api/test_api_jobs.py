"""Periodic jobs on the real scheduler: what fails is counted and seen, and runs again."""

import asyncio

from api.health import Health, Reason, Trouble
from api.jobs import Jobs
from tests.api.test_api_health import healthy_at

SOON_S = 0.01


def jobs_of(health: Health, failures: list[str]) -> Jobs:
    """Jobs that report to ``health``, on a clock that stands still."""
    return Jobs(health.jobs, lambda: 1_000, failures.append)


async def test_a_failing_job_is_counted_red_and_done_again() -> None:
    """What a job raises does not end it: the next time it may work, and is green."""
    health, failures, went_well = healthy_at(1_000), list[str](), asyncio.Event()
    seen: list[tuple[Reason, ...]] = []

    async def escalate() -> None:
        seen.append(health.verdict(1_000).reasons)
        if len(seen) == 1:
            msg = "the first time"
            raise LookupError(msg)
        if len(seen) == 3:
            went_well.set()

    jobs = jobs_of(health, failures)
    jobs.every(SOON_S, escalate)
    jobs.start()
    await asyncio.wait_for(went_well.wait(), 30)
    await jobs.stop(1)
    assert seen[:3] == [
        (),
        (Reason(Trouble.JOB_FAILED, "escalate", red=True, age_ms=0),),
        (),
    ]
    assert failures == ["escalate"]


async def test_a_job_never_runs_beside_itself_and_may_be_named() -> None:
    """One that hangs is not started again; it is late, by the name it was given."""
    health, started = healthy_at(31_001), 0
    reached = asyncio.Event()

    async def hang() -> None:
        nonlocal started
        started += 1
        reached.set()
        await asyncio.Event().wait()

    beats, beaten = 0, asyncio.Event()

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 5:
            beaten.set()

    jobs = jobs_of(health, [])
    jobs.every(SOON_S, hang, name="dispatch")
    jobs.every(SOON_S, beat)
    jobs.start()
    await reached.wait()
    await asyncio.wait_for(beaten.wait(), 30)
    assert started == 1
    assert Reason(Trouble.JOB_LATE, "dispatch", red=True, age_ms=30_001) in (
        health.verdict(31_001).reasons
    )
    await jobs.stop(0)
