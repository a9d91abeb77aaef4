"""Any roster in any zone: what the property tests of rosters draw from."""

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from alerts.oncall.book import Book
from alerts.oncall.model import Override, Roster
from tests.alerts_oncall.oncall_books import NAMES, at, book, hours, roster

DAY_MS = 86_400_000
ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Cairo",  # the jump is at midnight
    "Pacific/Apia",
    "Asia/Kathmandu",
)
CLOCKS = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")
PARTS = st.lists(st.tuples(CLOCKS, CLOCKS).map("-".join), min_size=1, max_size=3)
PEOPLE = st.lists(st.sampled_from([*NAMES, "gone"]), min_size=1, max_size=4)
START = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(  # noqa: DTZ001 - local
    lambda moment: moment.replace(microsecond=0)
)


@st.composite
def scenes(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> tuple[Book, Roster, int, int]:
    """Any roster with overrides and holidays, and a window of up to three weeks."""
    plan: dict[str, Any] = {
        "turn_days": draw(st.integers(1, 9)),
        "handover": draw(CLOCKS),
        "hours": draw(st.just(hours("00:00-00:00")) | PARTS.map(lambda p: hours(*p))),
        "weekdays": draw(st.lists(st.integers(1, 7), min_size=1, max_size=7)),
        "holiday_people": draw(st.just([]) | PEOPLE),
        "anchor": draw(st.dates(date(2025, 1, 1), date(2027, 1, 1))).isoformat(),
    }
    made = roster(*draw(PEOPLE), **plan)
    zone = draw(st.sampled_from(zones))
    from_ms = at(str(draw(START)), zone)
    offsets = st.integers(-3 * DAY_MS, 24 * DAY_MS)
    overrides = [
        Override(
            roster=draw(st.sampled_from(["officers", "other"])),
            person=draw(st.sampled_from([*NAMES, "gone"])),
            from_ms=from_ms + start,
            until_ms=from_ms + start + length,
        )
        for start, length in draw(
            st.lists(st.tuples(offsets, st.integers(1, 5 * DAY_MS)), max_size=3)
        )
    ]
    first = date.fromtimestamp(from_ms / 1000)  # noqa: DTZ012 - about that day
    days = [str(first + timedelta(days=n)) for n in draw(st.lists(st.integers(-1, 20), max_size=4))]
    one = book(made, overrides=tuple(overrides), zone=zone, holidays=tuple(days))
    return one, made, from_ms, from_ms + draw(st.integers(1, 21 * DAY_MS))
