"""Commands, lockouts, limits documents and statuses in SQL: plain writes and reads.

Every write is an upsert of whole records, so storing the same state twice, or replaying it
after a crash, changes nothing. Errors are those of ``Database.writing`` / ``reading``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Row, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from devices import tables
from devices.command_model import CommandRecord, Failure, Origin, State
from devices.database import insert_into
from devices.limits import Desired
from devices.lockouts import Approval, Kind, Lockout
from devices.orders import Action, Intervals, Result, Trips
from devices.pages import MAX_PAGE, Cursor, Page, page_of
from devices.twin import ReportedStatus

_RENAMED = {"station": "station_id", "by": "ordered_by", "parent": "parent_id"}
_COMMAND_FIELDS = {f.name: _RENAMED.get(f.name, f.name) for f in fields(CommandRecord)}
_ENUMS = {"action": Action, "origin": Origin, "state": State, "reply": Result, "failure": Failure}


@dataclass(frozen=True, slots=True)
class CommandFilter:
    """Which commands to list; None = any. Times are UTC ms: ``since`` <= issued < ``until``."""

    stations: frozenset[str] | None = None
    socket: int | None = None
    states: frozenset[State] | None = None
    since_ms: int | None = None
    until_ms: int | None = None


async def save_commands(connection: AsyncConnection, records: Sequence[CommandRecord]) -> None:
    """Store the records in their newest form."""
    rows = {}
    for record in records:
        row = {column: getattr(record, name) for name, column in _COMMAND_FIELDS.items()}
        row["socket"] = record.socket or 0
        row.update({name: _value(row[name]) for name in _ENUMS})
        rows[record.id] = row
    await _upsert(connection, tables.command, list(rows.values()))


async def load_live_commands(connection: AsyncConnection) -> list[CommandRecord]:
    """The orders that had not ended when they were last stored, oldest first."""
    table = tables.command
    live = [state.value for state in State if not state.ended]
    query = select(table).where(table.c.state.in_(live)).order_by(table.c.issued_ms, table.c.id)
    return [_command(row) for row in await connection.execute(query)]


async def get_command(connection: AsyncConnection, command_id: str) -> CommandRecord | None:
    """One order, or None."""
    table = tables.command
    row = (await connection.execute(select(table).where(table.c.id == command_id))).first()
    return None if row is None else _command(row)


async def list_commands(
    connection: AsyncConnection,
    filters: CommandFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[CommandRecord]:
    """One page, newest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = tables.command.c
    query = select(tables.command).order_by(c.issued_ms.desc(), c.id.desc()).limit(limit + 1)
    if filters.stations is not None:
        query = query.where(c.station_id.in_(sorted(filters.stations)))
    if filters.socket is not None:
        query = query.where(c.socket == filters.socket)
    if filters.states is not None:
        query = query.where(c.state.in_(sorted(filters.states)))
    if filters.since_ms is not None:
        query = query.where(c.issued_ms >= filters.since_ms)
    if filters.until_ms is not None:
        query = query.where(c.issued_ms < filters.until_ms)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.issued_ms == last.at_ms, c.id < last.id)
        query = query.where(or_(c.issued_ms < last.at_ms, older))
    records = [_command(row) for row in await connection.execute(query)]
    return page_of([(Cursor(r.issued_ms, r.id), r) for r in records], limit)


async def save_lockouts(connection: AsyncConnection, lockouts: Sequence[Lockout]) -> None:
    """Store the lockouts in their newest form."""
    rows = {
        (lock.station, lock.socket, lock.rule, lock.since_ms): {
            "station_id": lock.station,
            "socket": lock.socket or 0,
            "rule": lock.rule,
            "since_ms": lock.since_ms,
            "kind": lock.kind.value,
            "reason": lock.reason,
            "fire": lock.fire,
            "approvals": [asdict(approval) for approval in lock.approvals],
            "released_ms": lock.released_ms,
        }
        for lock in lockouts
    }
    await _upsert(connection, tables.lockout, list(rows.values()))


async def load_lockouts(
    connection: AsyncConnection, station: str | None = None, *, released: bool = False
) -> list[Lockout]:
    """Lockouts, oldest first: those that stand, or with ``released`` all that ever were."""
    c = tables.lockout.c
    query = select(tables.lockout).order_by(c.since_ms, c.station_id, c.socket, c.rule)
    if station is not None:
        query = query.where(c.station_id == station)
    if not released:
        query = query.where(c.released_ms.is_(None))
    return [_lockout(row) for row in await connection.execute(query)]


async def save_limits(connection: AsyncConnection, documents: Sequence[Desired]) -> None:
    """Store the newest limits document of each station."""
    rows = {
        d.station: {
            "station_id": d.station,
            "version": d.version,
            "trips": d.trips.model_dump(),
            "intervals": d.intervals.model_dump(),
            "locked": list(d.locked),
            "changed_ms": d.changed_ms,
        }
        for d in documents
    }
    await _upsert(connection, tables.limits, list(rows.values()), newer="version")


async def load_limits(connection: AsyncConnection) -> list[Desired]:
    """The newest limits document of every station."""
    rows = await connection.execute(select(tables.limits).order_by(tables.limits.c.station_id))
    return [
        Desired(
            station=row.station_id,
            version=row.version,
            trips=Trips.model_validate(row.trips),
            intervals=Intervals.model_validate(row.intervals),
            locked=tuple(row.locked),
            changed_ms=row.changed_ms,
        )
        for row in rows
    ]


async def save_status(
    connection: AsyncConnection, statuses: Sequence[tuple[str, ReportedStatus]]
) -> None:
    """Store the last status of each station, as ``Twins.changed`` hands them out."""
    rows = {
        station: {
            **{f.name: getattr(status, f.name) for f in fields(status)},
            "station_id": station,
            "protections": dict(status.protections),
        }
        for station, status in statuses
    }
    await _upsert(connection, tables.station_status, list(rows.values()), newer="received_ms")


async def load_status(connection: AsyncConnection) -> dict[str, ReportedStatus]:
    """The last status of every station that ever sent one."""
    rows = await connection.execute(select(tables.station_status))
    names = [f.name for f in fields(ReportedStatus)]
    return {
        row.station_id: ReportedStatus(**{name: getattr(row, name) for name in names})
        for row in rows
    }


async def _upsert(
    connection: AsyncConnection, table: Table, rows: list[dict[str, Any]], newer: str | None = None
) -> None:
    """Write the rows; with ``newer`` a row whose column of that name is lower changes nothing."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    # One order of locking for all writers, so that PostgreSQL sees no deadlock.
    rows.sort(key=lambda row: tuple(row[key] for key in keys))
    insert = insert_into(connection, table)
    new = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    where = None if newer is None else insert.excluded[newer] >= table.c[newer]
    await connection.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=new, where=where), rows
    )


def _value(member: Any) -> str | None:
    return None if member is None else str(member.value)


def _command(row: Row[Any]) -> CommandRecord:
    values = {name: getattr(row, column) for name, column in _COMMAND_FIELDS.items()}
    for name, kind in _ENUMS.items():
        values[name] = None if values[name] is None else kind(values[name])
    values["socket"] = values["socket"] or None
    return CommandRecord(**values)


def _lockout(row: Row[Any]) -> Lockout:
    return Lockout(
        station=row.station_id,
        socket=row.socket or None,
        kind=Kind(row.kind),
        rule=row.rule,
        reason=row.reason,
        fire=row.fire,
        since_ms=row.since_ms,
        approvals=tuple(Approval(**approval) for approval in row.approvals),
        released_ms=row.released_ms,
    )
