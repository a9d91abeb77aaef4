"""Health: what was processed lately decides, and nothing else."""

import pytest

from api.health import Health, Lane, Reason, Trouble, Verdict
from api.job_health import JobAge


def healthy_at(now_ms: int) -> Health:
    """Two lanes and SQL that all reported at ``now_ms``."""
    health = Health(("safety", "telemetry"), 0)
    health.processed("safety", now_ms)
    health.processed("telemetry", now_ms)
    health.sql(reachable=True, now_ms=now_ms)
    return health


def test_the_first_ten_seconds_are_not_red() -> None:
    """A backend that has just started is given the time its first probe needs."""
    health = Health(("safety", "telemetry"), 1_000)
    assert health.verdict(11_000) == Verdict(
        (), (Lane("safety", 10_000), Lane("telemetry", 10_000)), 0, 0
    )
    assert health.verdict(11_000).ready


def test_a_silent_lane_is_red_although_the_other_works() -> None:
    """More than 10 s without a processed message on one lane, and the backend is not ready."""
    health = healthy_at(20_000)
    health.processed("telemetry", 30_001)
    health.sql(reachable=True, now_ms=30_001)
    verdict = health.verdict(30_001)
    assert verdict.reasons == (Reason(Trouble.LANE_SILENT, "safety", red=True, age_ms=10_001),)
    assert not verdict.ready
    assert verdict.lanes == (Lane("safety", 10_001), Lane("telemetry", 0))


def test_a_message_makes_a_silent_lane_green_again() -> None:
    """Red is not remembered: the next processed message ends it."""
    health = healthy_at(0)
    assert not health.verdict(10_001).ready
    health.processed("safety", 10_002)
    health.processed("telemetry", 10_002)
    health.sql(reachable=True, now_ms=10_002)
    assert health.verdict(10_003).reasons == ()


def test_sql_down_is_red_and_says_since_when() -> None:
    """The age of an outage counts from the first failed question, not from the last."""
    health = healthy_at(5_000)
    health.sql(reachable=False, now_ms=6_000)
    health.sql(reachable=False, now_ms=8_000)
    assert health.verdict(9_000).reasons == (
        Reason(Trouble.SQL_DOWN, "sql", red=True, age_ms=3_000),
    )


def test_sql_that_nobody_asked_is_not_taken_for_healthy() -> None:
    """If the watch itself has died, SQL is unknown, and that is red."""
    health = healthy_at(0)
    health.processed("safety", 12_000)
    health.processed("telemetry", 12_000)
    assert health.verdict(12_000).reasons == (
        Reason(Trouble.SQL_UNKNOWN, "sql", red=True, age_ms=12_000),
    )


def test_a_late_drain_is_told_but_does_not_stop_readiness() -> None:
    """A slow telemetry store does not touch the alarm path, so the backend stays ready."""
    health = healthy_at(100_000)
    health.drain(frames=4_000, oldest_ms=39_000, journal_share=0.2)
    verdict = health.verdict(100_000)
    assert verdict.reasons == (Reason(Trouble.DRAIN_LATE, "telemetry", red=False, age_ms=61_000),)
    assert verdict.ready
    assert (verdict.drain_frames, verdict.drain_age_ms) == (4_000, 61_000)


def test_a_journal_near_its_bound_is_red() -> None:
    """Beyond the bound frames would be lost, so people must know before."""
    health = healthy_at(100)
    health.drain(frames=9, oldest_ms=90, journal_share=0.91)
    assert health.verdict(100).reasons == (
        Reason(Trouble.JOURNAL_FULL, "journal", red=True, age_ms=None),
    )


def test_a_clock_that_steps_back_gives_no_negative_age() -> None:
    """An age is never below zero, whatever the caller's clock does."""
    assert healthy_at(5_000).verdict(4_000).lanes == (Lane("safety", 0), Lane("telemetry", 0))


def test_an_unknown_lane_is_a_defect_of_the_caller() -> None:
    """A misspelt lane must not look like progress."""
    with pytest.raises(KeyError, match="unknown lane 'saftey'"):
        Health(("safety",), 0).processed("saftey", 1)


def test_a_job_that_failed_is_red_by_its_name_until_it_ends_well() -> None:
    """A periodic job that raises cannot be read in the log only."""
    health = healthy_at(5_000)
    health.jobs.planned("escalate", 1.0, 0, vital=True)
    health.jobs.ended("escalate", 4_000)
    health.jobs.failed("escalate")
    assert health.verdict(5_000).reasons == (
        Reason(Trouble.JOB_FAILED, "escalate", red=True, age_ms=1_000),
    )
    health.jobs.ended("escalate", 5_500)
    assert health.verdict(6_000).reasons == ()


@pytest.mark.parametrize(
    ("period_s", "age_ms", "late"),
    [(1.0, 30_000, False), (1.0, 30_001, True), (60.0, 180_000, False), (60.0, 180_001, True)],
)
def test_a_job_that_hangs_is_late(period_s: float, age_ms: int, *, late: bool) -> None:
    """Three periods without a good end, and at least 30 s: long enough for one slow run."""
    health = healthy_at(age_ms)
    health.jobs.planned("dispatch", period_s, 0, vital=True)
    wanted = (Reason(Trouble.JOB_LATE, "dispatch", red=True, age_ms=age_ms),) if late else ()
    verdict = health.verdict(age_ms)
    assert verdict.reasons == wanted
    assert verdict.jobs == (JobAge("dispatch", age_ms, failed=False, late=late, vital=True),)


def test_a_job_the_alarm_path_does_not_need_is_told_without_being_red() -> None:
    """Forgetting old telemetry may fail for as long as InfluxDB is away."""
    health = healthy_at(100)
    health.jobs.planned("prune", 3600.0, 0, vital=False)
    health.jobs.failed("prune")
    verdict = health.verdict(100)
    assert verdict.reasons == (Reason(Trouble.JOB_FAILED, "prune", red=False, age_ms=100),)
    assert verdict.ready


def test_what_nothing_makes_good_stands_until_the_next_start() -> None:
    """Refused records are red; a patchy replay and a clock that was set are told."""
    health = healthy_at(100)
    health.unrecordable(1)
    health.replay_skipped(3)
    health.clock(-2_001)
    verdict = health.verdict(100)
    assert verdict.reasons == (
        Reason(Trouble.UNRECORDABLE, "sql", red=True, age_ms=None),
        Reason(Trouble.REPLAY_SKIPPED, "journal", red=False, age_ms=None),
        Reason(Trouble.CLOCK_JUMP, "clock", red=False, age_ms=None),
    )
    assert (verdict.unrecordable, verdict.replay_skipped, verdict.jump_ms) == (1, 3, -2_001)


def test_two_seconds_are_how_clocks_are() -> None:
    """A wall clock within 2 s of ours is no fault."""
    health = healthy_at(100)
    health.clock(2_000)
    assert health.verdict(100).reasons == ()
