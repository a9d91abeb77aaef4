"""Shifts as calendars read them (iCalendar, RFC 5545): one event per shift, in UTC.

The id of an event is made of the roster and the beginning of the shift, so that a calendar
that reads the feed again moves what it has instead of adding to it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event

from alerts.oncall.book import Book
from alerts.oncall.errors import Kind, UnknownError
from alerts.oncall.model import Roster
from alerts.oncall.roster import Shift, whole_shifts
from alerts.oncall.texts import say

PAST_MS: Final = 7 * 86_400_000
AHEAD_MS: Final = 60 * 86_400_000
REREAD: Final = timedelta(hours=1)
"""How often a calendar is asked to read the feed again."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def roster_calendar(book: Book, roster_id: str, now_ms: int, lang: str) -> bytes:
    """The shifts of a roster: of the last 7 days and the next 60, whole.

    Raises:
        UnknownError: there is no such roster.

    """
    roster = book.roster(roster_id)
    if roster is None:
        raise UnknownError(Kind.ROSTER, roster_id)
    role = say(lang, f"role.{roster.role}")
    title = say(lang, "calendar.title", name=f"{role} {roster.site}")
    return _calendar(f"roster.{roster_id}", title, _events(book, [roster], now_ms, lang))


def person_calendar(book: Book, person_id: str, now_ms: int, lang: str) -> bytes:
    """The same of one person, over all rosters.

    Raises:
        UnknownError: there is no such person, or they have left.

    """
    person = book.people.get(person_id)
    if person is None:
        raise UnknownError(Kind.PERSON, person_id)
    title = say(lang, "calendar.title", name=person.name)
    stood_in = {override.roster for override in book.overrides if override.person == person_id}
    rosters = (
        roster
        for roster in book.rosters
        if roster.id in stood_in or person_id in {*roster.people, *roster.holiday_people}
    )
    events = _events(book, rosters, now_ms, lang, only=person_id)
    return _calendar(f"person.{person_id}", title, events)


def _events(
    book: Book, rosters: Iterable[Roster], now_ms: int, lang: str, only: str | None = None
) -> list[Event]:
    return [
        _event(roster, shift, now_ms, lang)
        for roster in rosters
        for shift in whole_shifts(book, roster, now_ms - PAST_MS, now_ms + AHEAD_MS)
        if shift.person is not None and only in {None, shift.person.id}
    ]


def _event(roster: Roster, shift: Shift, now_ms: int, lang: str) -> Event:
    name = shift.person.name if shift.person is not None else ""
    return Event.new(
        uid=f"{roster.id}.{shift.from_ms}@chargeward",
        stamp=_utc(now_ms),
        start=_utc(shift.from_ms),
        end=_utc(shift.until_ms),
        summary=say(lang, "calendar.shift", role=say(lang, f"role.{roster.role}"), person=name),
        description=say(
            lang,
            "calendar.about",
            why=say(lang, f"why.{shift.why}"),
            roster=roster.id,
            site=roster.site,
        ),
    )


def _calendar(uid: str, title: str, events: list[Event]) -> bytes:
    calendar = Calendar.new(
        prodid="-//Chargeward//on duty//ZH",
        uid=f"{uid}@chargeward",
        name=title,
        refresh_interval=REREAD,
        subcomponents=events,
    )
    return bytes(calendar.to_ical())


def _utc(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)
