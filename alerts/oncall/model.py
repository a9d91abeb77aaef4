"""People, rosters and who is on duty: pure; an instant goes in, names come out.

A roster is one role of one site. Its people take turns of ``turn_days`` from ``anchor`` on, in
the site's time zone, changing at ``handover``; within a day only ``hours`` are covered. On a
holiday the people of ``holiday_people`` stand in. An override beats everything.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from devices.model import Label
from devices.names import AreaId, SiteId

_NO_SUCH_DAY: Final = "no_such_day"


def _real(day: str) -> str:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise PydanticCustomError(
            _NO_SUCH_DAY, "{day} is not in the calendar", {"day": day}
        ) from None
    return day


PersonId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$")]
"""The same form as a credential's name: who acts by API and who is on duty is one person."""
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""E.164."""
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Local time of the site, 00:00 to 23:59."""
Day = Annotated[
    str,
    StringConstraints(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_real),
    Field(json_schema_extra={"format": "date"}),
]
"""A day of the calendar (ISO 8601) in the site's time zone."""


Weekday = Annotated[int, Field(ge=1, le=7)]
EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)


CANARY = "canary"
"""Whom synthetic alarms are told to; nobody of the book may be called so."""


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
    name: Label
    phone: Phone | None = None
    email: (
        Annotated[
            str,
            StringConstraints(
                max_length=200, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"
            ),
        ]
        | None
    ) = None
    robot: PersonId | None = None
    """A group robot's name in the settings."""
    lang: Annotated[str, StringConstraints(pattern=r"^(zh|en)$")] = "zh"


class Hours(_Section):
    """From ``start`` until ``end``, local time; over midnight when ``end`` is not later."""

    start: ClockTime = "00:00"
    end: ClockTime = "00:00"


class RosterPlan(_Section):
    """A roster as the people file of a site has it: all but the site."""

    id: PersonId
    role: Annotated[Role, Field(strict=False)]
    people: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=100, strict=False)]
    """In the order of their turns; one person alone is always on."""
    areas: Annotated[tuple[AreaId, ...], Field(max_length=500, strict=False)] = ()
    """Only for these areas; empty = the whole site."""
    anchor: Day = "2026-01-05"
    """A day on which the first person's turn begins."""
    turn_days: Annotated[int, Field(ge=1, le=366)] = 7
    handover: ClockTime = "08:00"
    hours: Annotated[tuple[Hours, ...], Field(min_length=1, max_length=8, strict=False)] = (
        Hours(),
    )
    """The covered parts of each day; the default covers all of it."""
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7, strict=False)] = (
        EVERY_DAY
    )
    """Days of the week on which the covered hours begin, 1 = Monday (ISO 8601)."""
    holiday_people: Annotated[tuple[PersonId, ...], Field(max_length=100, strict=False)] = ()
    """Who takes turns, day by day, on holidays; empty = the ordinary turn goes on."""


class Roster(RosterPlan):
    """Who is on duty for one role of one site (or of some of its areas)."""

    site: SiteId


class Override(_Section):
    """For a time, this person instead of whoever would be on duty. UTC ms."""

    roster: PersonId
    person: PersonId
    from_ms: int
    until_ms: int
    by: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
