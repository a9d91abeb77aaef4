"""Calendars of rosters and people, read back as a calendar application reads them."""

from typing import Any

import pytest
from icalendar import Calendar

from alerts.oncall.calendar import person_calendar, roster_calendar
from alerts.oncall.errors import UnknownError
from alerts.oncall.model import Override, Role
from alerts.oncall.roster import Why
from alerts.oncall.texts import LANGUAGES, texts
from tests.alerts_oncall.oncall_books import at, book, hours, person, roster, shown
from tests.alerts_oncall.oncall_scenes import DAY_MS

NOW = at("2026-01-14 12:00")
OFFICERS = roster("an", "bo", "cai")
MANAGER = roster(
    "an", id="manager", role=Role.MANAGER, hours=hours("09:00-18:00"), weekdays=[1, 2, 3, 4, 5]
)


def events(feed: bytes) -> dict[str, tuple[str, str, str]]:
    """Id -> beginning, end, summary; each event once."""
    found: list[Any] = list(Calendar.from_ical(feed).walk("VEVENT"))
    read = {str(e["UID"]): (_ms(e, "DTSTART"), _ms(e, "DTEND"), str(e["SUMMARY"])) for e in found}
    assert len(read) == len(found)
    return read


def _ms(event: Any, field: str) -> str:
    return shown(round(event[field].dt.timestamp() * 1000))


def test_a_roster_has_one_event_per_shift_of_somebody() -> None:
    """The week before, and 60 days, each shift whole."""
    found = events(roster_calendar(book(OFFICERS), "officers", NOW, "en"))
    assert len(found) == 10
    first, *_, last = found.items()
    assert first == (
        f"officers.{at('2026-01-05 08:00')}@chargeward",
        ("01-05 08:00", "01-12 08:00", "Fire-safety officer: AN"),
    )
    assert last[1] == ("03-09 08:00", "03-16 08:00", "Fire-safety officer: AN")


def test_an_hour_later_the_same_shifts_have_the_same_ids() -> None:
    """Whatever the moment of reading; only what is new is new."""
    one = book(OFFICERS)
    now = events(roster_calendar(one, "officers", NOW, "zh"))
    assert events(roster_calendar(one, "officers", NOW + 3_600_000, "zh")) == now
    later = events(roster_calendar(one, "officers", NOW + 7 * DAY_MS, "zh"))
    assert list(later.items())[:-1] == list(now.items())[1:]
    assert list(later)[-1] == f"officers.{at('2026-03-16 08:00')}@chargeward"


def test_a_person_has_the_shifts_of_all_rosters() -> None:
    """Turns of the officer and days of the office; nothing of others."""
    stands = Override(
        roster="officers",
        person="an",
        from_ms=at("2026-01-20 12:00"),
        until_ms=at("2026-01-20 14:00"),
    )
    feed = person_calendar(book(OFFICERS, MANAGER, overrides=(stands,)), "an", NOW, "zh")
    found = events(feed)
    officer = [e for e in found.values() if e[2] == "消防值班员：AN"]
    assert officer[:2] == [
        ("01-05 08:00", "01-12 08:00", "消防值班员：AN"),
        ("01-20 12:00", "01-20 14:00", "消防值班员：AN"),
    ]
    office = [e for e in found.values() if e[2] == "物业经理：AN"]
    assert len(office) == 48
    assert ("01-14 09:00", "01-14 18:00", "物业经理：AN") in office
    assert len(found) == len(officer) + len(office)
    calendar = Calendar.from_ical(feed)
    assert str(calendar["X-WR-CALNAME"]) == "AN值班表"
    assert calendar.to_ical() == feed


def test_lines_are_folded_and_text_is_escaped() -> None:
    """A name with commas, semicolons and many characters comes back as it was."""
    plan = roster("zz")
    name = "欧阳,震;华" * 10
    one = book(plan, people=(person("zz", name=name),))
    feed = roster_calendar(one, "officers", NOW, "zh")
    assert max(len(line) for line in feed.split(b"\r\n")) <= 75
    assert {e[2] for e in events(feed).values()} == {f"消防值班员：{name}"}


def test_who_is_unknown_has_no_calendar() -> None:
    """Rosters that do not exist, people who have left."""
    with pytest.raises(UnknownError, match="there is no roster nights"):
        roster_calendar(book(OFFICERS), "nights", NOW, "zh")
    with pytest.raises(UnknownError, match="there is no person gone"):
        person_calendar(book(OFFICERS), "gone", NOW, "zh")


def test_both_languages_say_the_same_things() -> None:
    """Same keys in both files; every role and every reason has a word."""
    zh, en = ({t: set(names) for t, names in texts(lang).items()} for lang in LANGUAGES)
    assert zh == en
    assert zh == {
        "role": {r.value for r in Role},
        "why": {w.value for w in Why},
        "calendar": {"title", "shift", "about"},
    }
