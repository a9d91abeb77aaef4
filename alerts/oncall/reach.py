"""Whom to tell now, and until when a warning waits. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.oncall.book import Book
from alerts.oncall.model import Person, Role
from alerts.oncall.roster import on_duty
from alerts.oncall.wallclock import days, spans

_ROLES: Final = tuple(Role)


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom to tell; ``fell_back``: nobody of the role asked for could be told.

    ``role_used`` None = of no roster: everybody of the site is told.
    """

    people: tuple[Person, ...]
    role_used: Role | None
    fell_back: bool


def reach(book: Book, site: str, area: str | None, role: Role, now_ms: int) -> Reached:
    """Who is told in place of ``role``: the next role on duty, at the end everybody.

    Officer, second, manager, supervisor, then all people of the site. Somebody on duty without
    phone, e-mail and robot is passed over as long as anybody has one. Empty only for a site
    that has nobody.
    """
    for candidate in _ROLES[_ROLES.index(role) :]:
        people = _with_address(on_duty(book, site, area, candidate, now_ms))
        if people:
            return Reached(people, candidate, candidate is not role)
    everybody = book.people_of(site)
    return Reached(_with_address(everybody) or everybody, None, fell_back=True)


def quiet_until(book: Book, site: str, now_ms: int) -> int | None:
    """UTC ms at which the site's quiet hours that hold now end, or None: it is not quiet.

    Only warnings wait for it. Hours that follow on each other are one quiet time, a day at most.
    """
    place = book.sites.get(site)
    if place is None:
        return None
    quiet = sorted(
        span
        for day in days(now_ms, now_ms, place.zone)
        for span in spans(place.quiet, day, place.zone)
    )
    end_ms = now_ms
    for start_ms, until_ms in quiet:
        if start_ms <= end_ms < until_ms:
            end_ms = until_ms
    return end_ms if end_ms > now_ms else None


def _with_address(people: Iterable[Person]) -> tuple[Person, ...]:
    return tuple(p for p in people if p.phone or p.email or p.robot)
