"""The inbox of the stations' own alarms: committed here before a receipt leaves.

An alarm is known by (station, boot, its id, active): a station that re-sends it until the
receipt comes is stored once, its end is stored beside its beginning, and a counter that
starts anew after a reboot hides nothing. Every arrival deserves a receipt, new or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.tables import alarm
from devices.database import insert_into
from devices.names import CANARY_PREFIX
from devices.pages import MAX_PAGE, Cursor, Page, page_of

_KEY = ("station_id", "boot", "alarm_id", "active")


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """Identity of one message of a station's own alarm."""

    station: str
    boot: str
    alarm_id: str
    active: bool


@dataclass(frozen=True, slots=True)
class StationAlarm:
    """A station's own alarm as it arrived; ``ts_ms`` by its clock, ``received_ms`` by ours."""

    key: AlarmKey
    seq: int
    kind: str
    socket: int | None  # from 1; None = the station itself
    value: float | None
    ts_ms: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm in the inbox."""

    id: int
    alarm: StationAlarm
    recorded_ms: int


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms to list; None = any. UTC ms: ``since`` <= received < ``until``.

    Those of synthetic stations are in no list unless their stations are named.
    """

    stations: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    active: bool | None = None
    since_ms: int | None = None
    until_ms: int | None = None


async def save_alarms(
    connection: AsyncConnection, alarms: Sequence[StationAlarm], recorded_ms: int
) -> set[AlarmKey]:
    """Store what is new of ``alarms``; which were."""
    rows: dict[AlarmKey, dict[str, Any]] = {}
    for item in alarms:
        key = item.key
        rows.setdefault(
            key,
            {
                "station_id": key.station,
                "boot": key.boot,
                "alarm_id": key.alarm_id,
                "active": key.active,
                "seq": item.seq,
                "kind": item.kind,
                "socket": item.socket or 0,
                "value": item.value,
                "ts_ms": item.ts_ms,
                "received_ms": item.received_ms,
                "recorded_ms": recorded_ms,
            },
        )
    if not rows:
        return set()
    # One order of locking for all writers, so that PostgreSQL sees no deadlock.
    ordered = sorted(rows.values(), key=lambda row: tuple(row[name] for name in _KEY))
    insert = insert_into(connection, alarm).on_conflict_do_nothing(index_elements=_KEY)
    returning = insert.returning(*(alarm.c[name] for name in _KEY))
    return {_key(row) for row in await connection.execute(returning, ordered)}


async def list_alarms(
    connection: AsyncConnection,
    filters: AlarmFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[StoredAlarm]:
    """One page, newest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = alarm.c
    query = select(alarm).order_by(c.received_ms.desc(), c.id.desc()).limit(limit + 1)
    if filters.stations is not None:
        query = query.where(c.station_id.in_(sorted(filters.stations)))
    else:
        query = query.where(c.station_id.not_like(f"{CANARY_PREFIX}%"))
    if filters.kinds is not None:
        query = query.where(c.kind.in_(sorted(filters.kinds)))
    if filters.active is not None:
        query = query.where(c.active.is_(filters.active))
    if filters.since_ms is not None:
        query = query.where(c.received_ms >= filters.since_ms)
    if filters.until_ms is not None:
        query = query.where(c.received_ms < filters.until_ms)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.received_ms == last.at_ms, c.id < last.number)
        query = query.where(or_(c.received_ms < last.at_ms, older))
    items = [_stored(row) for row in await connection.execute(query)]
    return page_of([(Cursor(i.alarm.received_ms, str(i.id)), i) for i in items], limit)


def _key(row: Row[Any]) -> AlarmKey:
    return AlarmKey(row.station_id, row.boot, row.alarm_id, row.active)


def _stored(row: Row[Any]) -> StoredAlarm:
    return StoredAlarm(
        id=row.id,
        alarm=StationAlarm(
            key=_key(row),
            seq=row.seq,
            kind=row.kind,
            socket=row.socket or None,
            value=row.value,
            ts_ms=row.ts_ms,
            received_ms=row.received_ms,
        ),
        recorded_ms=row.recorded_ms,
    )
