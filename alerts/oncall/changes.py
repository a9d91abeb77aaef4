"""What changes between two imports: overrides, and single holidays."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.oncall import tables
from alerts.oncall.book import load_book, override_of
from alerts.oncall.errors import Fault, Flaw, Kind, OverrideRefusedError, UnknownError
from alerts.oncall.model import Override
from alerts.oncall.peoplefile import Holiday, listed
from alerts.oncall.registry import check_site
from devices.database import insert_into

MAX_DAYS: Final = 366
"""The longest override; whoever stands in for longer belongs into the roster."""
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """An override as recorded at ``created_ms`` (UTC)."""

    id: int
    override: Override
    created_ms: int


async def add_override(
    connection: AsyncConnection, override: Override, now_ms: int
) -> StoredOverride:
    """Record that for a time somebody else is on duty; a later one beats an earlier one.

    Raises:
        UnknownError: there is no such roster.
        OverrideRefusedError: the person is none of the site's, or the times cannot be.

    """
    book = await load_book(connection, now_ms)
    roster = book.roster(override.roster)
    if roster is None:
        raise UnknownError(Kind.ROSTER, override.roster)
    known = [person.id for person in book.people_of(roster.site)]
    if override.person not in known:
        values = {"name": override.person, "known": listed(known)}
        raise OverrideRefusedError(Flaw("person", Fault.UNKNOWN_PERSON, values))
    _check_times(override, now_ms)
    row = {
        "roster_id": override.roster,
        "person_id": override.person,
        "from_ms": override.from_ms,
        "until_ms": override.until_ms,
        "by": override.by,
        "created_ms": now_ms,
    }
    returning = insert(tables.override).values(row).returning(tables.override.c.id)
    number = (await connection.execute(returning)).scalar_one()
    return StoredOverride(number, override, now_ms)


async def end_override(connection: AsyncConnection, number: int, now_ms: int) -> StoredOverride:
    """Let an override end now; one that has not begun never does. It stays on record.

    Raises:
        UnknownError: there is none of that number.

    """
    c = tables.override.c
    for until_ms, which in (
        (now_ms, (c.from_ms < now_ms) & (c.until_ms > now_ms)),
        (c.from_ms, c.from_ms >= now_ms),
    ):
        change = update(tables.override).where(c.id == number, which).values(until_ms=until_ms)
        await connection.execute(change)
    query = select(tables.override).where(c.id == number)
    row = (await connection.execute(query)).first()
    if row is None:
        raise UnknownError(Kind.OVERRIDE, str(number))
    return _stored(row)


async def list_overrides(
    connection: AsyncConnection, since_ms: int, roster: str | None = None
) -> list[StoredOverride]:
    """The overrides that end after ``since_ms``, by their beginning."""
    c = tables.override.c
    query = select(tables.override).where(c.until_ms > since_ms, c.until_ms > c.from_ms)
    if roster is not None:
        query = query.where(c.roster_id == roster)
    return [_stored(row) for row in await connection.execute(query.order_by(c.from_ms, c.id))]


async def put_holiday(connection: AsyncConnection, site: str, holiday: Holiday) -> None:
    """Make a day a holiday of the site, or call it otherwise.

    Raises:
        UnknownError: the site is not registered.

    """
    await check_site(connection, site)
    put = insert_into(connection, tables.holiday).values(site_id=site, **holiday.model_dump())
    await connection.execute(
        put.on_conflict_do_update(index_elements=["site_id", "day"], set_={"name": holiday.name})
    )


async def remove_holiday(connection: AsyncConnection, site: str, day: str) -> bool:
    """Make a day an ordinary one; whether it was a holiday."""
    c = tables.holiday.c
    gone = await connection.execute(delete(tables.holiday).where(c.site_id == site, c.day == day))
    return bool(gone.rowcount)


def _check_times(override: Override, now_ms: int) -> None:
    if override.until_ms <= override.from_ms:
        flaw = Flaw("until_ms", Fault.NOT_AFTER, {"other": "from_ms"})
    elif override.until_ms - override.from_ms > MAX_DAYS * _DAY_MS:
        flaw = Flaw("until_ms", Fault.TOO_LONG, {"days": MAX_DAYS, "other": "from_ms"})
    elif override.until_ms <= now_ms:
        flaw = Flaw("until_ms", Fault.OVER)
    else:
        return
    raise OverrideRefusedError(flaw)


def _stored(row: Row[Any]) -> StoredOverride:
    return StoredOverride(row.id, override_of(row), row.created_ms)
