"""The book of who is to be reached: everything of SQL that the question needs, at one instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.oncall import tables
from alerts.oncall.model import Hours, Override, Person, Role, Roster
from devices import tables as registered


@dataclass(frozen=True, slots=True)
class Place:
    """A registered site: its clock and areas, and what its people file says of it."""

    id: str
    zone: ZoneInfo
    areas: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Ids of those who can be told, in the order of the file."""
    quiet: tuple[Hours, ...] = ()
    holidays: Mapping[str, str] = field(default_factory=dict)
    """ISO date -> what it is called."""


@dataclass(frozen=True, slots=True)
class Book:
    """People, rosters and sites. ``people`` are the active ones only."""

    people: Mapping[str, Person] = field(default_factory=dict)
    rosters: tuple[Roster, ...] = ()
    """Only of sites in ``sites``, by id."""
    overrides: tuple[Override, ...] = ()
    """In the order in which they were made: a later one beats an earlier one."""
    sites: Mapping[str, Place] = field(default_factory=dict)

    def roster(self, roster_id: str) -> Roster | None:
        """The roster of that id, or None."""
        return next((r for r in self.rosters if r.id == roster_id), None)

    def rosters_of(self, site: str, role: Role | None = None) -> list[Roster]:
        """The site's rosters, of one role or of all."""
        return [r for r in self.rosters if r.site == site and role in {None, r.role}]

    def people_of(self, site: str) -> tuple[Person, ...]:
        """Everybody of the site who can be told."""
        place = self.sites.get(site)
        ids = () if place is None else place.people
        return tuple(self.people[i] for i in ids if i in self.people)


async def load_book(connection: AsyncConnection, since_ms: int = 0) -> Book:
    """The book as it stands; of the overrides those that end after ``since_ms``."""
    areas: dict[str, list[str]] = {}
    for row in await _rows(connection, registered.area, registered.area.c.ordinal):
        areas.setdefault(row.site_id, []).append(row.id)
    holidays: dict[str, dict[str, str]] = {}
    for row in await _rows(connection, tables.holiday, tables.holiday.c.day):
        holidays.setdefault(row.site_id, {})[row.day] = row.name
    plans = {row.site_id: row.plan for row in await _rows(connection, tables.oncall_site)}
    sites = {
        row.id: _place(row, areas.get(row.id, ()), plans.get(row.id), holidays.get(row.id, {}))
        for row in await _rows(connection, registered.site, registered.site.c.id)
    }
    people = await _rows(connection, tables.person)
    rosters = await _rows(connection, tables.roster, tables.roster.c.id)
    c = tables.override.c
    coming = select(tables.override).where(c.until_ms > since_ms).order_by(c.created_ms, c.id)
    return Book(
        people={row.id: person_of(row) for row in people if row.active},
        rosters=tuple(Roster.model_validate(r.plan) for r in rosters if r.site_id in sites),
        overrides=tuple(override_of(row) for row in await connection.execute(coming)),
        sites=sites,
    )


def person_of(row: Row[Any]) -> Person:
    """A row of ``person``."""
    return Person(
        id=row.id,
        name=row.name,
        phone=row.phone,
        email=row.email,
        robot=row.robot,
        lang=row.lang,
    )


def override_of(row: Row[Any]) -> Override:
    """A row of ``roster_override``."""
    return Override(
        roster=row.roster_id,
        person=row.person_id,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        by=row.by,
    )


def _place(
    row: Row[Any], areas: Sequence[str], plan: dict[str, Any] | None, holidays: dict[str, str]
) -> Place:
    said = plan or {"people": [], "quiet": []}
    return Place(
        id=row.id,
        zone=ZoneInfo(row.timezone),
        areas=tuple(areas),
        people=tuple(said["people"]),
        quiet=tuple(Hours.model_validate(part) for part in said["quiet"]),
        holidays=holidays,
    )


async def _rows(connection: AsyncConnection, table: Any, *order: Any) -> Sequence[Row[Any]]:
    return (await connection.execute(select(table).order_by(*order))).all()
