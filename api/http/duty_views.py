"""The shapes of people and duty. What stands here is the JSON, field by field."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from alerts.oncall.book import Book
from alerts.oncall.changes import StoredOverride
from alerts.oncall.model import Person, Role, Roster
from alerts.oncall.peoplefile import Holiday
from alerts.oncall.reach import quiet_until, reach
from alerts.oncall.roster import Shift, Why, on_duty

Ms = Annotated[int, Field(description="UTC milliseconds since 1970")]
_SHOWN_END = 4
"""Digits of a masked number that are shown at its end."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who can be told; number and address are masked unless they were asked for."""

    id: str
    name: str
    phone: Annotated[str | None, Field(description="E.164, or masked: +86138****0001")]
    email: Annotated[str | None, Field(description="or masked: w***@site.example")]
    robot: str | None
    lang: str


@dataclass(frozen=True, slots=True)
class Contacts:
    """The people of a site, in the order of its people file."""

    items: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class Rosters:
    """The rosters of a site, by id."""

    items: tuple[Roster, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A person by id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RoleDuty:
    """Who is on duty for a role, and who would be told instead when nobody can be."""

    role: Role
    people: tuple[Named, ...]
    told: tuple[Named, ...]
    told_role: Annotated[Role | None, Field(description="null = everybody of the site")]
    fell_back: bool


@dataclass(frozen=True, slots=True)
class DutyNow:
    """Who is on duty at one instant."""

    site: str
    area: str | None
    at_ms: Ms
    quiet_until_ms: Annotated[int | None, Field(description="UTC ms; warnings wait until then")]
    roles: tuple[RoleDuty, ...]


@dataclass(frozen=True, slots=True)
class ShiftView:
    """One person, or nobody, on duty without a change."""

    person: Named | None
    from_ms: Ms
    until_ms: Ms
    why: Why


@dataclass(frozen=True, slots=True)
class Shifts:
    """Shifts of a roster in order; together they are the whole time asked for."""

    roster: str
    items: tuple[ShiftView, ...]


@dataclass(frozen=True, slots=True)
class GapView:
    """Nobody of the role is on duty."""

    area: Annotated[str | None, Field(description="null = the whole site")]
    role: Role
    from_ms: Ms
    until_ms: Ms


@dataclass(frozen=True, slots=True)
class Gaps:
    """Empty shifts of a site."""

    site: str
    items: tuple[GapView, ...]


@dataclass(frozen=True, slots=True)
class OverrideView:
    """For a time, this person instead of whoever would be on duty."""

    id: int
    roster: str
    person: str
    from_ms: Ms
    until_ms: Ms
    by: str
    created_ms: Ms


@dataclass(frozen=True, slots=True)
class Overrides:
    """Overrides of a roster that have not ended, by their beginning."""

    items: tuple[OverrideView, ...]


@dataclass(frozen=True, slots=True)
class Holidays:
    """Holidays of a site, by day."""

    site: str
    items: tuple[Holiday, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed; each entry names a thing, like ``person zhao-weiguo``."""

    site: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """Where a calendar reads; the key in it is shown now and never again."""

    path: Annotated[str, Field(description="relative to this server")]


def contact(person: Person, *, whole: bool) -> Contact:
    """Number and address as they are, or masked."""
    return Contact(
        id=person.id,
        name=person.name,
        phone=person.phone if whole else masked_phone(person.phone),
        email=person.email if whole else masked_email(person.email),
        robot=person.robot,
        lang=person.lang,
    )


def masked_phone(phone: str | None) -> str | None:
    """Enough to recognise a number by, not enough to call it: ``+86138****0001``."""
    if phone is None:
        return None
    shown = max(len(phone) - 2 * _SHOWN_END, 1)
    hidden = "*" * max(len(phone) - shown - _SHOWN_END, _SHOWN_END)
    return phone[:shown] + hidden + phone[-_SHOWN_END:]


def masked_email(email: str | None) -> str | None:
    """The first letter and the domain."""
    if email is None:
        return None
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"


def named(people: Iterable[Person]) -> tuple[Named, ...]:
    """By id and name."""
    return tuple(Named(person.id, person.name) for person in people)


def duty(book: Book, site: str, area: str | None, at_ms: int) -> DutyNow:
    """Every role of the site at one instant."""
    return DutyNow(
        site=site,
        area=area,
        at_ms=at_ms,
        quiet_until_ms=quiet_until(book, site, at_ms),
        roles=tuple(_role(book, site, area, role, at_ms) for role in Role),
    )


def _role(book: Book, site: str, area: str | None, role: Role, at_ms: int) -> RoleDuty:
    reached = reach(book, site, area, role, at_ms)
    return RoleDuty(
        role=role,
        people=named(on_duty(book, site, area, role, at_ms)),
        told=named(reached.people),
        told_role=reached.role_used,
        fell_back=reached.fell_back,
    )


def shift(found: Shift) -> ShiftView:
    """One shift."""
    who = None if found.person is None else Named(found.person.id, found.person.name)
    return ShiftView(who, found.from_ms, found.until_ms, found.why)


def override(stored: StoredOverride) -> OverrideView:
    """One override."""
    made = stored.override
    return OverrideView(
        id=stored.id,
        roster=made.roster,
        person=made.person,
        from_ms=made.from_ms,
        until_ms=made.until_ms,
        by=made.by,
        created_ms=stored.created_ms,
    )
