"""Drills at rest: planned ahead, begun when due, ended. Several processes may do it at once.

A drill is not held when it comes too late, because nobody expects one at three in the morning
after an outage, nor while a real alarm stands on the site.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.drills.plans import DrillPlan, times
from alerts.incidents.model import State, Urgency
from alerts.incidents.tables import drill, incident
from devices.database import insert_into
from devices.pages import MAX_PAGE, Cursor, Page, page_of

PLANNED_BY: Final = "plan"
AHEAD_MS: Final = 8 * 86_400_000
"""So far ahead planned drills are written down, for people to see."""
LATE_MS: Final = 30 * 60_000
"""A drill that could not begin for so long is not held."""
LONGEST_MS: Final = 60 * 60_000
"""After this time a drill is over, whoever has not answered."""
TOO_LATE: Final = "not held: too late"
REAL_ALARM: Final = "not held: a real alarm stood"
_WHOLE: Final = ""


class DrillState(StrEnum):
    """Where a drill stands."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"  # also one that was not held; ``note`` says so


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. ``incident`` None = not begun, or not held. Times are UTC ms."""

    id: int
    site: str
    area: str | None
    planned_ms: int
    state: DrillState
    by: str
    note: str = ""
    incident: int | None = None
    number: str | None = None  # the incident's


class OpenDrill(Protocol):
    """Begins the incident of a drill in the caller's transaction; its row."""

    async def __call__(
        self, connection: AsyncConnection, site: str, area: str | None, now_ms: int, by: str
    ) -> int:
        """``by`` is who wanted it, ``plan`` for a planned one."""


async def plan_ahead(
    connection: AsyncConnection,
    plans: Iterable[DrillPlan],
    zones: Mapping[str, ZoneInfo],
    now_ms: int,
) -> None:
    """Make what is planned from now on exactly what ``plans`` say; their sites have ``zones``."""
    c = drill.c
    wanted = sorted(
        {
            (plan.site, plan.area or _WHOLE, at_ms)
            for plan in plans
            if plan.site in zones
            for at_ms in times(plan, zones[plan.site], now_ms, now_ms + AHEAD_MS)
        }
    )
    gone = and_(
        c.by == PLANNED_BY, c.state == DrillState.PLANNED.value, c.planned_ms > now_ms + 60_000
    )
    if wanted:
        gone = and_(gone, tuple_(c.site_id, c.area_id, c.planned_ms).not_in(wanted))
    await connection.execute(delete(drill).where(gone))
    for site, area, at_ms in wanted:
        await _add(connection, (site, area, at_ms), PLANNED_BY, "")


async def order(  # noqa: PLR0913 - an order is this many facts
    connection: AsyncConnection, *, site: str, area: str | None, by: str, note: str, now_ms: int
) -> Drill:
    """A drill that a person wants now; it begins with the next turn."""
    key = (site, area or _WHOLE, now_ms)
    await _add(connection, key, by, note)
    c = drill.c
    query = _joined().where(tuple_(c.site_id, c.area_id, c.planned_ms) == tuple_(*key))
    return _drill((await connection.execute(query)).one())


async def start_due(connection: AsyncConnection, open_drill: OpenDrill, now_ms: int) -> list[Drill]:
    """Begin what is due; each begins once, whoever else tries. What has become of them."""
    c = drill.c
    claimed = await connection.execute(
        update(drill)
        .where(c.state == DrillState.PLANNED.value, c.planned_ms <= now_ms)
        .values(state=DrillState.RUNNING.value)
        .returning(c.id, c.site_id, c.area_id, c.planned_ms, c.by)
    )
    rows = sorted(claimed, key=lambda row: (row.planned_ms, row.id))
    for row in rows:
        why = await _why_not(connection, row, now_ms)
        if why:
            values: dict[str, Any] = {"state": DrillState.DONE.value, "note": why}
        else:
            area = row.area_id or None
            opened = await open_drill(connection, row.site_id, area, now_ms, row.by)
            values = {"incident_id": opened}
        await connection.execute(update(drill).where(c.id == row.id).values(values))
    return await _by_ids(connection, [row.id for row in rows])


async def end_due(connection: AsyncConnection, now_ms: int) -> None:
    """What was reported or closed, or has lasted long enough, is done."""
    c, i = drill.c, incident.c
    over = exists().where(
        i.id == c.incident_id,
        or_(
            i.state.in_([State.REPORTED.value, State.CLOSED.value]),
            i.first_ms <= now_ms - LONGEST_MS,
        ),
    )
    await connection.execute(
        update(drill)
        .where(c.state == DrillState.RUNNING.value, over)
        .values(state=DrillState.DONE.value)
    )


async def get_drill(connection: AsyncConnection, drill_id: int) -> Drill | None:
    """One drill, or None."""
    found = await _by_ids(connection, [drill_id])
    return found[0] if found else None


async def list_drills(
    connection: AsyncConnection, site: str | None, cursor: str | None = None, limit: int = 50
) -> Page[Drill]:
    """One page, the latest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = drill.c
    query = _joined().order_by(c.planned_ms.desc(), c.id.desc()).limit(limit + 1)
    if site is not None:
        query = query.where(c.site_id == site)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.planned_ms == last.at_ms, c.id < last.number)
        query = query.where(or_(c.planned_ms < last.at_ms, older))
    drills = [_drill(row) for row in await connection.execute(query)]
    return page_of([(Cursor(d.planned_ms, str(d.id)), d) for d in drills], limit)


async def _why_not(connection: AsyncConnection, row: Row[Any], now_ms: int) -> str:
    """Why a due drill is not held; empty = it is."""
    if row.planned_ms <= now_ms - LATE_MS:
        return TOO_LATE
    c = incident.c
    real = select(c.id).where(
        c.site_id == row.site_id,
        c.drill.is_(False),
        c.canary.is_(False),
        c.state.not_in([State.REPORTED.value, State.CLOSED.value]),
        c.urgency.in_([Urgency.FIRE.value, Urgency.DANGER.value]),
    )
    stands = (await connection.execute(real.limit(1))).first()
    return REAL_ALARM if stands is not None else ""


async def _add(connection: AsyncConnection, key: tuple[str, str, int], by: str, note: str) -> None:
    site, area, at_ms = key
    statement = insert_into(connection, drill).values(
        site_id=site,
        area_id=area,
        planned_ms=at_ms,
        state=DrillState.PLANNED.value,
        by=by,
        note=note,
    )
    await connection.execute(
        statement.on_conflict_do_nothing(index_elements=["site_id", "area_id", "planned_ms"])
    )


def _joined() -> Any:
    return select(drill, incident.c.number).outerjoin(
        incident, incident.c.id == drill.c.incident_id
    )


async def _by_ids(connection: AsyncConnection, ids: Sequence[int]) -> list[Drill]:
    query = _joined().where(drill.c.id.in_(ids)).order_by(drill.c.planned_ms, drill.c.id)
    return [_drill(row) for row in await connection.execute(query)]


def _drill(row: Row[Any]) -> Drill:
    return Drill(
        id=row.id,
        site=row.site_id,
        area=row.area_id or None,
        planned_ms=row.planned_ms,
        state=DrillState(row.state),
        by=row.by,
        note=row.note,
        incident=row.incident_id,
        number=row.number,
    )
