"""People, rosters and who is on duty: pure; an instant goes in, names come out.

A roster is one role of one site. Its people take turns of ``turn_days`` from ``anchor`` on, in
the site's time zone, changing at ``handover``; within a day only ``hours`` are covered. On a
holiday the people of ``holiday_people`` stand in. An override beats everything.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from devices.names import AreaId, SiteId

PersonId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$")]
"""The same form as a credential's name: who acts by API and who is on duty is one person."""
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
"""E.164."""
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Role(StrEnum):
    """What a person is called for, in the order in which they are."""

    OFFICER = "officer"  # fire-safety officer on duty
    SECOND = "second"  # the officer who comes when the first does not answer
    MANAGER = "manager"  # of the property
    SUPERVISOR = "supervisor"


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Person(_Section):
    """Somebody who can be told."""

    id: PersonId
    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    phone: Phone | None = None
    email: (
        Annotated[str, StringConstraints(max_length=200, pattern=r"^[^@\s]+@[^@\s]+$")] | None
    ) = None
    robot: str | None = None
    lang: Annotated[str, StringConstraints(pattern=r"^(zh|en)$")] = "zh"


class Hours(_Section):
    """From ``start`` until ``end``, local time; over midnight when ``end`` is not later."""

    start: ClockTime = "00:00"
    end: ClockTime = "00:00"


class Roster(_Section):
    """Who is on duty for one role of one site (or of some of its areas)."""

    id: PersonId
    site: SiteId
    role: Role
    people: Annotated[tuple[PersonId, ...], Field(max_length=100, strict=False)]
    """In the order of their turns; one person alone is always on."""
    areas: Annotated[tuple[AreaId, ...], Field(strict=False)] = ()
    """Only for these areas; empty = the whole site."""
    anchor: Day = "2026-01-05"
    """A day on which the first person's turn begins."""
    turn_days: Annotated[int, Field(ge=1, le=366)] = 7
    handover: ClockTime = "08:00"
    hours: Annotated[tuple[Hours, ...], Field(max_length=8, strict=False)] = (Hours(),)
    """The covered parts of each day; the default covers all of it."""
    weekdays: Annotated[tuple[int, ...], Field(max_length=7, strict=False)] = (1, 2, 3, 4, 5, 6, 7)
    """Covered days of the week, 1 = Monday (ISO 8601)."""
    holiday_people: Annotated[tuple[PersonId, ...], Field(max_length=100, strict=False)] = ()
    """Who takes turns, day by day, on holidays; empty = the ordinary turn goes on."""


class Override(_Section):
    """For a time, this person instead of whoever would be on duty. UTC ms."""

    roster: PersonId
    person: PersonId
    from_ms: int
    until_ms: int
    by: str = ""
