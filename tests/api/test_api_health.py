"""Health: what was processed lately decides, and nothing else."""

import pytest

from api.health import Health, Lane, Reason, Trouble, Verdict


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
