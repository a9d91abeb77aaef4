"""Local clock times as instants: where summer time begins and ends, and in order everywhere."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.oncall.wallclock import instant, spans
from tests.alerts_oncall.oncall_books import hours
from tests.alerts_oncall.oncall_scenes import CLOCKS, ZONES

DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))


def utc(at_ms: int) -> str:
    """As ISO 8601 without an offset."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        ("Asia/Shanghai", date(2026, 1, 5), "08:00", "2026-01-05T00:00:00"),
        ("Europe/Berlin", date(2026, 3, 29), "01:59", "2026-03-29T00:59:00"),
        # 02:00 to 03:00 is skipped: all of it is the moment of the jump.
        ("Europe/Berlin", date(2026, 3, 29), "02:00", "2026-03-29T01:00:00"),
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "2026-03-29T01:00:00"),
        ("Europe/Berlin", date(2026, 3, 29), "03:00", "2026-03-29T01:00:00"),
        # 02:00 to 03:00 comes twice: the first time counts.
        ("Europe/Berlin", date(2026, 10, 25), "02:30", "2026-10-25T00:30:00"),
        ("Europe/Berlin", date(2026, 10, 25), "03:00", "2026-10-25T02:00:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:10", "2026-10-03T15:30:00"),
        ("Africa/Cairo", date(2026, 4, 24), "00:00", "2026-04-23T22:00:00"),
        # The whole day was skipped.
        ("Pacific/Apia", date(2011, 12, 30), "12:00", "2011-12-30T10:00:00"),
    ],
)
def test_a_clock_time_is_the_first_instant_that_reaches_it(
    zone: str, day: date, clock: str, expected: str
) -> None:
    """Ordinary, skipped and doubled hours."""
    assert utc(instant(day, clock, ZoneInfo(zone))) == expected


@given(zone=st.sampled_from(ZONES), first=st.tuples(DAYS, CLOCKS), second=st.tuples(DAYS, CLOCKS))
def test_a_later_clock_time_is_never_an_earlier_instant(
    zone: str, first: tuple[date, str], second: tuple[date, str]
) -> None:
    """So covered hours cannot run backwards."""
    earlier, later = sorted([first, second])
    assert instant(*earlier, ZoneInfo(zone)) <= instant(*later, ZoneInfo(zone))


@given(zone=st.sampled_from(ZONES), day=DAYS)
def test_whole_days_follow_on_each_other(zone: str, day: date) -> None:
    """Hours that cover the day leave no hole at midnight, on the days of a jump neither."""
    [(_, end_ms)] = spans(hours("00:00-00:00"), day, ZoneInfo(zone))
    [(start_ms, _)] = spans(hours("00:00-00:00"), day + timedelta(days=1), ZoneInfo(zone))
    assert end_ms == start_ms


def test_hours_that_a_jump_skips_are_no_hours() -> None:
    """Nothing is covered from 02:10 to 02:50 on a night without these minutes."""
    zone = ZoneInfo("Europe/Berlin")
    assert list(spans(hours("02:10-02:50"), date(2026, 3, 29), zone)) == []
