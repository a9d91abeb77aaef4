"""Empty shifts: times at which nobody of a role would be on duty. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from alerts.oncall.book import Book
from alerts.oncall.model import Role
from alerts.oncall.roster import on_duty, shifts

_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody of ``role`` is on duty from ``from_ms`` until ``until_ms`` (UTC).

    ``area`` None = in the whole site.
    """

    site: str
    area: str | None
    role: Role
    from_ms: int
    until_ms: int


def empty_shifts(book: Book, sites: Sequence[str], now_ms: int, ahead_ms: int) -> tuple[Gap, ...]:
    """The gaps of all these sites from ``now_ms`` on, ``ahead_ms`` milliseconds far."""
    return tuple(gap for site in sites for gap in gaps(book, site, now_ms, now_ms + ahead_ms))


def gaps(book: Book, site: str, from_ms: int, until_ms: int) -> tuple[Gap, ...]:
    """Where a role that must be there is not, by role and time.

    There must be an officer always, and whoever else has a roster; a role's rosters fill each
    other's gaps. A gap that all areas have is one gap of the site.
    """
    return tuple(
        gap
        for role in Role
        if role is Role.OFFICER or book.rosters_of(site, role)
        for gap in _of_role(book, site, role, from_ms, until_ms)
    )


def _of_role(book: Book, site: str, role: Role, from_ms: int, until_ms: int) -> Iterator[Gap]:
    place = book.sites.get(site)
    areas: tuple[str | None, ...] = (place.areas if place else ()) or (None,)
    edges = {from_ms, until_ms} | {
        shift.from_ms
        for roster in book.rosters_of(site, role)
        for shift in shifts(book, roster, from_ms, until_ms)
    }
    empty = {area: _empty(book, site, area, role, sorted(edges)) for area in areas}
    common = [span for span in empty[areas[0]] if all(span in empty[area] for area in areas)]
    found = [Gap(site, None, role, *span) for span in common]
    for area, spans in empty.items():
        found += [Gap(site, area, role, *span) for span in spans if span not in common]
    yield from sorted(found, key=lambda gap: (gap.from_ms, gap.area or ""))


def _empty(
    book: Book, site: str, area: str | None, role: Role, edges: Sequence[int]
) -> list[_Span]:
    found: list[_Span] = []
    for start_ms, end_ms in pairwise(edges):
        if on_duty(book, site, area, role, start_ms):
            continue
        if found and found[-1][1] == start_ms:
            found[-1] = (found[-1][0], end_ms)
        else:
            found.append((start_ms, end_ms))
    return found
