"""The clock over restarts: what was due in a minute is due in a minute, never later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.watch.marks import JUMP_MS, Mark, load_mark, rebase, resume, save_mark, shift_due
from devices.database import Database
from tests.alerts_watch.watch_rows import due_times, insert_waiting

NOON = 1_790_812_800_000
HOUR = 3_600_000
YEARS = 10 * 365 * 24 * HOUR


def mark(utc_ms: int, *, ahead_ms: int = 0, up_ms: int = 500_000, boot: str = "b1") -> Mark:
    """A mark whose wall clock is ``ahead_ms`` before ours."""
    return Mark(utc_ms, utc_ms + ahead_ms, up_ms, boot)


@pytest.mark.parametrize(
    ("last", "now", "shift_ms"),
    [
        # an ordinary restart, of the process and of the machine
        (mark(NOON), mark(NOON + 60_000, up_ms=560_000), 0),
        (mark(NOON), mark(NOON + 60_000, up_ms=4_000, boot="b2"), 0),
        # the clock was corrected while we ran, and nobody knows the boot
        (mark(NOON, ahead_ms=HOUR, boot=""), mark(NOON + HOUR + 60_000, boot=""), HOUR),
        (mark(NOON, ahead_ms=-HOUR, boot=""), mark(NOON - HOUR + 60_000, boot=""), -HOUR),
        (mark(NOON, ahead_ms=YEARS, boot=""), mark(NOON + YEARS + 1, boot=""), YEARS),
        # the same over a reboot, which took a minute
        (mark(NOON, ahead_ms=HOUR), mark(NOON + HOUR + 60_000, up_ms=9_000, boot="b2"), HOUR),
        # set back while we were down: no time is taken to have passed
        (mark(NOON, boot=""), mark(NOON - HOUR, boot=""), -HOUR),
        (mark(NOON), mark(NOON - HOUR, up_ms=9_000, boot="b2"), -HOUR),
        # set while we were down, in the same boot: known exactly
        (mark(NOON), mark(NOON - HOUR + 60_000, up_ms=560_000), -HOUR),
        (mark(NOON), mark(NOON + YEARS + 60_000, up_ms=560_000), YEARS),
        # small differences are how clocks are
        (mark(NOON, ahead_ms=JUMP_MS, boot=""), mark(NOON + JUMP_MS, boot=""), 0),
        (mark(NOON), mark(NOON + 59_000, up_ms=560_000), 0),
    ],
)
def test_due_times_are_carried_over(last: Mark, now: Mark, shift_ms: int) -> None:
    """One case per way in which a clock and a restart meet."""
    assert rebase(last, now) == shift_ms


marks = st.builds(
    Mark,
    utc_ms=st.integers(0, 2 * NOON),
    wall_ms=st.integers(0, 2 * NOON),
    monotonic_ms=st.integers(0, 10**12),
    boot=st.sampled_from(["", "b1", "b2"]),
)


@given(last=marks, wall_ms=st.integers(0, 2 * NOON), up_ms=st.integers(0, 10**12))
def test_nothing_becomes_later_than_it_was(last: Mark, wall_ms: int, up_ms: int) -> None:
    """Whatever the clocks did: the time left at the start is at most the time left at the mark."""
    now = Mark(wall_ms, wall_ms, up_ms, "b1")
    due_ms = last.utc_ms + 60_000
    left_ms = due_ms + rebase(last, now) - now.utc_ms
    assert left_ms <= 60_000 + JUMP_MS


@given(last=marks, up_ms=st.integers(0, 10**12), passed_ms=st.integers(0, 10**9), ahead=marks)
def test_in_one_boot_the_time_left_is_exact(
    last: Mark, up_ms: int, passed_ms: int, ahead: Mark
) -> None:
    """With the same boot id the wall clock does not matter at all."""
    last = Mark(last.utc_ms, last.wall_ms, up_ms, "b1")
    now = Mark(ahead.wall_ms, ahead.wall_ms, up_ms + passed_ms, "b1")
    left_ms = last.utc_ms + 60_000 + rebase(last, now) - now.utc_ms
    assert abs(left_ms - (60_000 - passed_ms)) <= JUMP_MS


async def test_everything_that_waits_moves_and_nothing_else(database: Database) -> None:
    """Steps, messages, their leases, evidence and links; what is settled stays as it was."""
    async with database.writing() as connection:
        await insert_waiting(connection, NOON)
        before = await due_times(connection)
        await shift_due(connection, -HOUR)
        after = await due_times(connection)
    moved = {name: NOON for name in before if name.startswith("open ")}
    settled = {name: NOON for name in before if name.startswith("settled ")}
    assert before == moved | settled
    assert after == dict.fromkeys(moved, NOON - HOUR) | settled


async def test_a_start_shifts_once(database: Database) -> None:
    """The shift and the new mark are one transaction, so a second start finds nothing to do."""
    async with database.writing() as connection:
        await insert_waiting(connection, NOON)
        assert await resume(connection, mark(NOON)) == 0  # the very first start
        await save_mark(connection, mark(NOON + 10_000, ahead_ms=HOUR, up_ms=510_000))
    corrected = mark(NOON + HOUR + 20_000, up_ms=520_000)
    async with database.writing() as connection:
        assert await resume(connection, corrected) == HOUR
    async with database.writing() as connection:
        assert await resume(connection, corrected) == 0
        assert await load_mark(connection) == corrected
        assert (await due_times(connection))["open escalation due_ms"] == NOON + HOUR
