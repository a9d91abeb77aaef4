"""What the doctor asks about people: is somebody on duty all week, and can they be called."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerts.oncall.book import Book, load_book
from alerts.oncall.gaps import Gap, empty_shifts
from alerts.oncall.wallclock import local
from api import database_schema
from api.cli.databases import opened
from api.cli.diagnosis import ASK_S, Check, State
from api.clock import SystemClock
from api.settings import Settings
from devices.database import parse_url
from devices.errors import DatabaseError

NAME: Final = "people"
AHEAD_DAYS: Final = 7
_DAY_MS: Final = 86_400_000
_SHOWN: Final = 3
"""Empty shifts, and people, that are named; more are counted."""


async def people(settings: Settings) -> Check | None:
    """Empty shifts of the next 7 days, people without a phone; None while SQL cannot tell."""
    try:
        async with asyncio.timeout(ASK_S):
            book = await _book(settings.database_url)
    except (DatabaseError, TimeoutError):
        return None  # the check of the database says why
    if book is None or not book.sites:
        return None
    return judge_people(book, SystemClock().utc_ms())


async def _book(url: str) -> Book | None:
    parsed = parse_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and not await asyncio.to_thread(Path(str(parsed.database)).exists):
        return None
    if await database_schema.current(url) != database_schema.newest():
        return None
    async with opened(url) as database, database.reading() as connection:
        return await load_book(connection)


def judge_people(book: Book, now_ms: int) -> Check:
    """What is missing in ``book`` for the next 7 days."""
    nobody = [site for site in book.sites if not book.people_of(site)]
    if nobody:
        return Check(
            NAME,
            State.WARN,
            f"nobody is told of alarms at {', '.join(nobody[:_SHOWN])}",
            "`chargeward people export --packaged` prints a file to start from, `chargeward "
            "people import FILE` puts yours in force.",
        )
    empty = empty_shifts(book, list(book.sites), now_ms, AHEAD_DAYS * _DAY_MS)
    mute = [p.name for site in book.sites for p in book.people_of(site) if p.phone is None]
    if empty:
        return Check(
            NAME,
            State.WARN,
            f"{len(empty)} empty shifts in {AHEAD_DAYS} days: {_told(book, empty)}",
            "Extend a roster in the people file and import it, or put somebody on duty with "
            "`chargeward people override add`.",
        )
    if mute:
        return Check(
            NAME,
            State.WARN,
            f"without a phone: {_several(mute)}",
            "SMS and calls cannot reach them: give each a phone in the people file, import it.",
        )
    count = sum(len(book.people_of(site)) for site in book.sites)
    return Check(NAME, State.OK, f"{count} people, somebody on duty for the next {AHEAD_DAYS} days")


def _told(book: Book, empty: Sequence[Gap]) -> str:
    return _several([_gap(book, gap) for gap in empty])


def _gap(book: Book, gap: Gap) -> str:
    zone = book.sites[gap.site].zone
    start, end = (local(at, zone).strftime("%m-%d %H:%M") for at in (gap.from_ms, gap.until_ms))
    where = gap.site if gap.area is None else f"{gap.site} {gap.area}"
    return f"{where} {gap.role} from {start} until {end}"


def _several(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
