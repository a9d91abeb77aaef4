"""Rosters: who is on duty when, as tables, and properties over all kinds of rosters."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.oncall.book import Book
from alerts.oncall.model import Override, Role, Roster
from alerts.oncall.roster import Shift, on_duty, shifts, whole_shifts
from tests.alerts_oncall.oncall_books import at, book, hours, roster, shown
from tests.alerts_oncall.oncall_scenes import scenes


def names(book_: Book, when: str, area: str | None = None, role: Role = Role.OFFICER) -> str:
    """Ids of those on duty, as one word each."""
    return " ".join(p.id for p in on_duty(book_, "site", area, role, at(when)))


def told(found: tuple[Shift, ...]) -> list[str]:
    """Shifts as lines."""
    return [
        f"{shown(s.from_ms)} {shown(s.until_ms)} {s.person.id if s.person else '-'} {s.why}"
        for s in found
    ]


WEEKLY = roster("an", "bo", "cai")
NIGHTS = roster("an", "bo", turn_days=1, handover="12:00", hours=hours("22:00-06:00"))
OFFICE = roster("an", hours=hours("09:00-12:00", "13:00-18:00"), weekdays=[1, 2, 3, 4, 5])
HOLIDAYS = roster("an", holiday_people=["bo", "cai"])


@pytest.mark.parametrize(
    ("plan", "when", "who"),
    [
        # A week each, from the anchor's Monday at 08:00 on.
        (WEEKLY, "2026-01-05 08:00", "an"),
        (WEEKLY, "2026-01-12 07:59", "an"),
        (WEEKLY, "2026-01-12 08:00", "bo"),
        (WEEKLY, "2026-01-25 12:00", "cai"),
        (WEEKLY, "2026-01-26 08:00", "an"),
        (WEEKLY, "2026-01-05 07:59", "cai"),  # before the anchor the turns go backwards
        (WEEKLY, "2020-02-29 12:00", "an"),  # 306 weeks before, 102 rounds of three
        # Over midnight: the night belongs to the evening's turn and weekday.
        (NIGHTS, "2026-01-05 21:59", ""),
        (NIGHTS, "2026-01-05 22:00", "an"),
        (NIGHTS, "2026-01-06 05:59", "an"),
        (NIGHTS, "2026-01-06 06:00", ""),
        (NIGHTS, "2026-01-06 23:00", "bo"),
        (OFFICE, "2026-01-09 11:59", "an"),  # a Friday
        (OFFICE, "2026-01-09 12:30", ""),
        (OFFICE, "2026-01-10 10:00", ""),
        # Two holidays, a day each, from handover to handover.
        (HOLIDAYS, "2026-01-06 07:59", "an"),
        (HOLIDAYS, "2026-01-06 08:00", "cai"),
        (HOLIDAYS, "2026-01-07 07:59", "cai"),
        (HOLIDAYS, "2026-01-07 08:00", "bo"),
        (HOLIDAYS, "2026-01-08 08:00", "an"),
    ],
)
def test_who_is_on_duty(plan: Roster, when: str, who: str) -> None:
    """One roster at one instant, in Shanghai; 6 and 7 January are holidays."""
    assert names(book(plan, holidays=("2026-01-06", "2026-01-07")), when) == who


def test_a_fridays_night_lasts_until_saturday_morning() -> None:
    """Weekdays name the day on which the hours begin."""
    plan = roster("an", hours=hours("22:00-06:00"), weekdays=[5])
    found = shifts(book(plan), plan, at("2026-01-05 00:00"), at("2026-01-12 00:00"))
    assert told(found) == [
        "01-05 00:00 01-09 22:00 - not_covered",
        "01-09 22:00 01-10 06:00 an turn",
        "01-10 06:00 01-12 00:00 - not_covered",
    ]


def test_rosters_of_one_role_add_up_and_areas_go_first() -> None:
    """An area's own people before the site's; of the site as a whole its own before areas'."""
    both = book(
        roster("an", id="one"),
        roster("bo", id="two"),
        roster("cai", id="west-days", areas=["west"], hours=hours("08:00-20:00")),
        roster("du", id="east-second", areas=["east"], role=Role.SECOND),
    )
    noon, night = "2026-01-05 12:00", "2026-01-05 23:00"
    assert names(both, noon, "west") == "cai"
    assert names(both, night, "west") == "an bo"
    assert names(both, noon, "east") == "an bo"
    assert names(both, noon) == "an bo"
    assert names(both, noon, role=Role.SECOND) == "du"
    assert names(both, noon, "west", role=Role.SECOND) == ""
    assert names(both, noon, role=Role.MANAGER) == ""


def test_somebody_on_two_rosters_is_told_once() -> None:
    """Each person once, in the order of the rosters."""
    both = book(roster("an", id="one"), roster("an", id="two"), roster("bo", id="zwei"))
    assert names(both, "2026-01-05 12:00") == "an bo"


def override(who: str, start: str, end: str) -> Override:
    """Somebody stands in on the roster of officers."""
    return Override(roster="officers", person=who, from_ms=at(start), until_ms=at(end), by="x")


def test_overrides_beat_everything_and_the_newest_beats_the_older() -> None:
    """Turn, hours and holiday; but not one whose person has left."""
    plan = roster("an", hours=hours("08:00-18:00"), holiday_people=["cai"])
    made = (
        override("bo", "2026-01-06 06:00", "2026-01-06 12:00"),
        override("du", "2026-01-06 10:00", "2026-01-06 11:00"),
        override("gone", "2026-01-06 06:00", "2026-01-06 20:00"),
    )
    found = shifts(
        book(plan, overrides=made, holidays=("2026-01-06",)),
        plan,
        at("2026-01-06 00:00"),
        at("2026-01-07 00:00"),
    )
    assert told(found) == [
        "01-06 00:00 01-06 06:00 - not_covered",
        "01-06 06:00 01-06 10:00 bo override",
        "01-06 10:00 01-06 11:00 du override",
        "01-06 11:00 01-06 12:00 bo override",
        "01-06 12:00 01-06 18:00 cai holiday",
        "01-06 18:00 01-07 00:00 - not_covered",
    ]


def test_a_turn_of_somebody_who_has_left_is_empty() -> None:
    """It is no-one else's turn; that is seen as a gap."""
    plan = roster("gone", "an", turn_days=1)
    found = shifts(book(plan), plan, at("2026-01-05 08:00"), at("2026-01-07 08:00"))
    assert told(found) == [
        "01-05 08:00 01-06 08:00 - inactive",
        "01-06 08:00 01-07 08:00 an turn",
    ]


def test_turns_change_at_the_handover_on_the_days_of_summer_time_too() -> None:
    """The day of the jump has 23 hours, the day back 25; the handover is at 08:00 all the same."""
    plan = roster("an", "bo", turn_days=1)
    berlin = book(plan, zone="Europe/Berlin")
    for day, length_h in ((date(2026, 3, 28), 23), (date(2026, 10, 24), 25)):
        start_ms = at(f"{day} 08:00", "Europe/Berlin")
        [first, second] = shifts(berlin, plan, start_ms, start_ms + 30 * 3_600_000)
        assert first.until_ms == second.from_ms == start_ms + length_h * 3_600_000
        assert {first.person, second.person} == {berlin.people["an"], berlin.people["bo"]}


def test_whole_shifts_begin_and_end_where_they_always_do() -> None:
    """The window cuts nothing off, and empty shifts are left out."""
    plan = roster("an", "bo", hours=hours("08:00-18:00"), turn_days=30, weekdays=[1])
    one = book(plan, overrides=(override("cai", "2026-01-01 00:00", "2026-03-01 00:00"),))
    assert told(whole_shifts(one, plan, at("2026-02-25 00:00"), at("2026-03-02 09:00"))) == [
        "01-01 00:00 03-01 00:00 cai override",
        "03-02 08:00 03-02 18:00 bo turn",
    ]
    weekly = book(WEEKLY)
    assert told(whole_shifts(weekly, WEEKLY, at("2026-01-14 00:00"), at("2026-01-14 01:00"))) == [
        "01-12 08:00 01-19 08:00 bo turn"
    ]


@settings(max_examples=300, deadline=None)
@given(scene=scenes(), data=st.data())
def test_shifts_tile_the_time_and_agree_with_who_is_on_duty(
    scene: tuple[Book, Roster, int, int], data: st.DataObject
) -> None:
    """No hole, no overlap, no empty part; at every instant the shift says who is on duty."""
    one, plan, from_ms, until_ms = scene
    found = shifts(one, plan, from_ms, until_ms)
    assert (found[0].from_ms, found[-1].until_ms) == (from_ms, until_ms)
    assert all(a.until_ms == b.from_ms for a, b in pairwise(found))
    assert all(s.from_ms < s.until_ms for s in found)
    picked = data.draw(st.lists(st.integers(from_ms, until_ms - 1), min_size=5, max_size=20))
    edges = [edge for s in found for edge in (s.from_ms, s.until_ms - 1)]
    for instant_ms in [*picked, *edges]:
        [shift] = [s for s in found if s.from_ms <= instant_ms < s.until_ms]
        who = () if shift.person is None else (shift.person,)
        assert on_duty(one, "site", None, Role.OFFICER, instant_ms) == who


@settings(max_examples=200, deadline=None)
@given(scene=scenes(), data=st.data())
def test_a_window_only_cuts_shifts_off(
    scene: tuple[Book, Roster, int, int], data: st.DataObject
) -> None:
    """Those that lie inside a smaller window are the same in a larger one."""
    one, plan, from_ms, until_ms = scene
    start_ms = data.draw(st.integers(from_ms, until_ms - 1))
    end_ms = data.draw(st.integers(start_ms + 1, until_ms))
    inner = shifts(one, plan, start_ms, end_ms)
    assert set(inner[1:-1]) <= set(shifts(one, plan, from_ms, until_ms))


@settings(max_examples=300, deadline=None)
@given(scene=scenes(("Asia/Shanghai", "Asia/Kathmandu")), data=st.data())
def test_who_is_on_duty_is_what_the_clock_on_the_wall_says(
    scene: tuple[Book, Roster, int, int], data: st.DataObject
) -> None:
    """Where clocks never jump, plain reckoning with minutes of the day gives the same."""
    one, plan, from_ms, until_ms = scene
    instant_ms = data.draw(st.integers(from_ms, until_ms))
    expected = _reckoned(one, plan, instant_ms)
    who = on_duty(one, "site", None, Role.OFFICER, instant_ms)
    assert [p.id for p in who] == ([] if expected is None else [expected])


def _reckoned(one: Book, plan: Roster, at_ms: int) -> str | None:
    standing = [
        o.person
        for o in one.overrides
        if o.roster == plan.id and o.from_ms <= at_ms < o.until_ms and o.person in one.people
    ]
    if standing:
        return standing[-1]
    wall = datetime.fromtimestamp(at_ms / 1000, one.sites["site"].zone)
    clock, today = wall.strftime("%H:%M"), wall.date()
    yesterday = today - timedelta(days=1)
    covered = any(
        (part.start <= clock < part.end and today.isoweekday() in plan.weekdays)
        or (
            part.end <= part.start
            and (
                (clock >= part.start and today.isoweekday() in plan.weekdays)
                or (clock < part.end and yesterday.isoweekday() in plan.weekdays)
            )
        )
        for part in plan.hours
    )
    if not covered:
        return None
    day = today if clock >= plan.handover else yesterday
    gone = (day - date.fromisoformat(plan.anchor)).days
    if plan.holiday_people and str(day) in one.sites["site"].holidays:
        who = plan.holiday_people[gone % len(plan.holiday_people)]
    else:
        who = plan.people[gone // plan.turn_days % len(plan.people)]
    return who if who in one.people else None


def test_nothing_is_a_shift_of_no_time() -> None:
    """An empty window has no shifts."""
    assert shifts(book(WEEKLY), WEEKLY, at("2026-01-05 08:00"), at("2026-01-05 08:00")) == ()
