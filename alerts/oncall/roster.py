"""Who is on duty: pure; a book and an instant go in, people come out.

A turn lasts from the handover of its first day to the handover of the day after its last. The
covered hours belong to the weekday on which they begin. A holiday lasts, like a turn, from
handover to handover.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from alerts.oncall.book import Book
from alerts.oncall.model import Person, Role, Roster
from alerts.oncall.wallclock import ONE_DAY, days, instant, local, spans


class Why(StrEnum):
    """Why this person, or nobody, is on duty."""

    TURN = "turn"
    HOLIDAY = "holiday"
    OVERRIDE = "override"
    NOT_COVERED = "not_covered"  # outside the hours or the weekdays
    INACTIVE = "inactive"  # the person whose turn it is has left


@dataclass(frozen=True, slots=True)
class Shift:
    """One person, or nobody, from ``from_ms`` until ``until_ms`` (UTC), without a change."""

    person: Person | None
    from_ms: int
    until_ms: int
    why: Why


@dataclass(frozen=True, slots=True)
class _Now:
    """What holds at an instant; two of these that differ are two shifts."""

    person: Person | None
    why: Why
    turn: int = 0  # which turn, holiday or override: everyone's own shift ends with it


_NOBODY: Final = _Now(None, Why.NOT_COVERED)


def on_duty(book: Book, site: str, area: str | None, role: Role, now_ms: int) -> tuple[Person, ...]:
    """Who is on duty for ``role`` there; each once, and nobody is an empty answer.

    The area's own rosters go first, then the site's; several rosters of one role add up.
    ``area`` None = the site as a whole: its rosters go first, then those of all its areas.
    """
    for rosters in _in_order(book.rosters_of(site, role), area):
        now = (_at(book, roster, now_ms).person for roster in rosters)
        people = tuple(dict.fromkeys(person for person in now if person is not None))
        if people:
            return people
    return ()


def shifts(book: Book, roster: Roster, from_ms: int, until_ms: int) -> tuple[Shift, ...]:
    """Every shift between the two instants, in order, without holes; empty ones too.

    A shift does not go beyond a turn, so those that are not cut off by ``from_ms`` begin where
    they always begin.
    """
    edges = [from_ms, *sorted(_changes(book, roster, from_ms, until_ms)), until_ms]
    found: list[Shift] = []
    last: _Now | None = None
    for start_ms, end_ms in pairwise(edges):
        now = _at(book, roster, start_ms)
        begin_ms = found.pop().from_ms if now == last else start_ms
        found.append(Shift(now.person, begin_ms, end_ms, now.why))
        last = now
    return tuple(found) if from_ms < until_ms else ()


def whole_shifts(book: Book, roster: Roster, from_ms: int, until_ms: int) -> tuple[Shift, ...]:
    """The shifts of people that touch the time between, each with its true beginning and end."""
    longest_ms = (roster.turn_days + 1) * 86_400_000
    reach = [(o.from_ms, o.until_ms) for o in book.overrides if o.roster == roster.id]
    start_ms = min([from_ms - longest_ms, *(a for a, b in reach if b > from_ms)])
    end_ms = max([until_ms + longest_ms, *(b for a, b in reach if a < until_ms)])
    found = shifts(book, roster, start_ms, end_ms)
    touching = (s for s in found if s.from_ms < until_ms and s.until_ms > from_ms)
    return tuple(shift for shift in touching if shift.person is not None)


def _in_order(rosters: list[Roster], area: str | None) -> Iterable[list[Roster]]:
    of_site = [r for r in rosters if not r.areas]
    if area is None:
        return of_site, [r for r in rosters if r.areas]
    return [r for r in rosters if area in r.areas], of_site


def _at(book: Book, roster: Roster, at_ms: int) -> _Now:
    zone = book.sites[roster.site].zone
    number, person = _override(book, roster, at_ms)
    if person is not None:
        return _Now(person, Why.OVERRIDE, number)
    if not _covered(roster, zone, at_ms):
        return _NOBODY
    day = _duty_day(roster, zone, at_ms)
    since_anchor = (day - date.fromisoformat(roster.anchor)).days
    if roster.holiday_people and day.isoformat() in book.sites[roster.site].holidays:
        return _turn(book, roster.holiday_people, Why.HOLIDAY, since_anchor)
    return _turn(book, roster.people, Why.TURN, since_anchor // roster.turn_days)


def _turn(book: Book, people: tuple[str, ...], why: Why, turn: int) -> _Now:
    person = book.people.get(people[turn % len(people)])
    return _Now(None, Why.INACTIVE) if person is None else _Now(person, why, turn)


def _override(book: Book, roster: Roster, at_ms: int) -> tuple[int, Person | None]:
    """The newest override in force; one whose person has left counts for nothing."""
    for number in range(len(book.overrides) - 1, -1, -1):
        override = book.overrides[number]
        if override.roster == roster.id and override.from_ms <= at_ms < override.until_ms:
            person = book.people.get(override.person)
            if person is not None:
                return number, person
    return 0, None


def _covered(roster: Roster, zone: ZoneInfo, at_ms: int) -> bool:
    return any(
        start_ms <= at_ms < end_ms
        for day in days(at_ms, at_ms, zone)
        if day.isoweekday() in roster.weekdays
        for start_ms, end_ms in spans(roster.hours, day, zone)
    )


def _duty_day(roster: Roster, zone: ZoneInfo, at_ms: int) -> date:
    """The day whose handover was the last."""
    day = local(at_ms, zone).date() + ONE_DAY
    while instant(day, roster.handover, zone) > at_ms:
        day -= ONE_DAY
    return day


def _changes(book: Book, roster: Roster, from_ms: int, until_ms: int) -> set[int]:
    """Every instant between the two at which who is on duty may change."""
    edges = {
        edge
        for override in book.overrides
        if override.roster == roster.id
        for edge in (override.from_ms, override.until_ms)
    }
    edges.update(_clock_edges(roster, book.sites[roster.site].zone, from_ms, until_ms))
    return {edge for edge in edges if from_ms < edge < until_ms}


def _clock_edges(roster: Roster, zone: ZoneInfo, from_ms: int, until_ms: int) -> Iterator[int]:
    for day in days(from_ms, until_ms, zone):
        yield instant(day, roster.handover, zone)
        if day.isoweekday() in roster.weekdays:
            for span in spans(roster.hours, day, zone):
                yield from span
