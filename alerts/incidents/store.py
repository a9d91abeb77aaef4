"""Incidents at rest: rows to values and back, their timeline, deadlines and findings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.findings import StoredFinding, stored_finding
from alerts.incidents.model import Cause, Incident, State, Urgency
from alerts.incidents.tables import escalation, incident, incident_event, incident_finding
from alerts.tables import finding
from devices.database import insert_into
from devices.pages import MAX_PAGE, Cursor, Page, page_of

Detail = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline; ``actor`` is a person, a credential, or ``system``."""

    id: int
    at_ms: int
    kind: str
    actor: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline or a step of the response plan; ``state`` due, fired, met, missed, cancelled."""

    round: int
    step: str
    due_ms: int
    state: str
    settled_ms: int | None


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None = any. UTC ms: ``since`` <= first < ``until``."""

    sites: frozenset[str] | None = None
    stations: frozenset[str] | None = None
    states: frozenset[State] | None = None
    urgencies: frozenset[Urgency] | None = None
    drill: bool | None = None
    canary: bool | None = False
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the timeline."""

    incident: int
    at_ms: int
    kind: str
    actor: str = "system"
    detail: Detail = field(default_factory=dict)


async def make_incident(
    connection: AsyncConnection, made: Incident, placeholder: str
) -> Incident | None:
    """Write a new incident and give it its number; ``made.id`` and ``number`` are not used.

    ``placeholder`` must be unique until the number is known. None when the station has a live
    one, which another process has just made.
    """
    row = {**incident_row(made), "number": placeholder}
    insertion = insert_into(connection, incident).values(row).on_conflict_do_nothing()
    number = (await connection.execute(insertion.returning(incident.c.id))).scalar_one_or_none()
    if number is None:
        return None
    name = f"F{number:04d}"
    await connection.execute(update(incident).where(incident.c.id == number).values(number=name))
    return incident_from({**incident_row(made), "id": number, "number": name})


async def change_incident(connection: AsyncConnection, before: Incident, after: Incident) -> bool:
    """Write ``after`` where the row still is in ``before``'s state and round; whether it was."""
    c = incident.c
    result = await connection.execute(
        update(incident)
        .where(c.id == before.id, c.state == before.state.value, c.round == before.round)
        .values(incident_row(after))
    )
    return bool(result.rowcount)


async def get_incident(connection: AsyncConnection, number: str) -> Incident | None:
    """The incident people call by this number (F0012), or None."""
    return await _one(connection, select(incident).where(incident.c.number == number.upper()))


async def incident_by_id(
    connection: AsyncConnection, incident_id: int, *, lock: bool = False
) -> Incident | None:
    """The incident by its row; ``lock``: nobody else changes it until the transaction ends.

    Whoever changes an incident's deadlines or messages locks it first: one order of locking
    for all. Lines may be added to its timeline meanwhile (hence ``key_share``).
    """
    query = select(incident).where(incident.c.id == incident_id)
    return await _one(connection, query.with_for_update(key_share=True) if lock else query)


async def live_incidents(
    connection: AsyncConnection, stations: Iterable[str], sites: Iterable[str]
) -> list[Incident]:
    """Incidents that are not closed: of these stations, and of these sites as a whole.

    Nobody else changes them until the transaction ends.
    """
    c = incident.c
    where = or_(
        c.station_id.in_(sorted(stations)),
        and_(c.station_id.is_(None), c.site_id.in_(sorted(sites))),
    )
    alive = select(incident).where(c.state != State.CLOSED.value, where, c.drill.is_(False))
    query = alive.order_by(c.id).with_for_update(key_share=True)
    return [incident_from(row) for row in await _mappings(connection, query)]


async def list_incidents(
    connection: AsyncConnection,
    filters: IncidentFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Incident]:
    """One page, newest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = incident.c
    query = select(incident).order_by(c.first_ms.desc(), c.id.desc()).limit(limit + 1)
    for column, members in (
        (c.site_id, filters.sites),
        (c.station_id, filters.stations),
        (c.state, filters.states),
        (c.urgency, filters.urgencies),
    ):
        if members is not None:
            query = query.where(column.in_(sorted(str(member) for member in members)))
    for flag, wanted in ((c.drill, filters.drill), (c.canary, filters.canary)):
        if wanted is not None:
            query = query.where(flag.is_(wanted))
    if filters.since_ms is not None:
        query = query.where(c.first_ms >= filters.since_ms)
    if filters.until_ms is not None:
        query = query.where(c.first_ms < filters.until_ms)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.first_ms == last.at_ms, c.id < last.number)
        query = query.where(or_(c.first_ms < last.at_ms, older))
    items = [incident_from(row) for row in await _mappings(connection, query)]
    return page_of([(Cursor(i.first_ms, str(i.id)), i) for i in items], limit)


async def note(connection: AsyncConnection, notes: Sequence[Note]) -> None:
    """Add lines to timelines."""
    rows = [
        {
            "incident_id": n.incident,
            "at_ms": n.at_ms,
            "kind": n.kind,
            "actor": n.actor[:64],
            "detail": n.detail,
        }
        for n in notes
    ]
    if rows:
        await connection.execute(insert(incident_event), rows)


async def timeline(connection: AsyncConnection, incident_id: int) -> list[Event]:
    """Everything that happened to an incident, in order."""
    c = incident_event.c
    query = select(incident_event).where(c.incident_id == incident_id).order_by(c.id)
    return [
        Event(row.id, row.at_ms, row.kind, row.actor, row.detail)
        for row in await connection.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class News:
    """A new line of a timeline, with the incident as it stands."""

    event: Event
    incident: Incident


async def newest_event(connection: AsyncConnection) -> int | None:
    """The number of the newest line of all timelines; None = there is none."""
    query = select(func.max(incident_event.c.id))
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def events_after(connection: AsyncConnection, last: int, limit: int = 1_000) -> list[News]:
    """Lines of all timelines with a number above ``last``, in order."""
    c = incident_event.c
    query = select(incident_event).where(c.id > last).order_by(c.id).limit(limit)
    rows = (await connection.execute(query)).all()
    ids = {row.incident_id for row in rows}
    wanted = select(incident).where(incident.c.id.in_(sorted(ids)))
    found = {i.id: i for i in map(incident_from, await _mappings(connection, wanted))}
    return [
        News(Event(row.id, row.at_ms, row.kind, row.actor, row.detail), found[row.incident_id])
        for row in rows
    ]


async def deadlines(connection: AsyncConnection, incident_id: int) -> list[Deadline]:
    """Deadlines and steps of all rounds, in order of their due times."""
    c = escalation.c
    query = select(escalation).where(c.incident_id == incident_id).order_by(c.round, c.due_ms, c.id)
    return [
        Deadline(row.round, row.step, row.due_ms, row.state, row.settled_ms)
        for row in await connection.execute(query)
    ]


async def findings_of(connection: AsyncConnection, incident_id: int) -> list[StoredFinding]:
    """The findings grouped in an incident, oldest first."""
    query = (
        select(finding)
        .join(incident_finding, incident_finding.c.finding_id == finding.c.id)
        .where(incident_finding.c.incident_id == incident_id)
        .order_by(finding.c.raised_ms, finding.c.id)
    )
    return [stored_finding(row) for row in await connection.execute(query)]


async def incidents_of(connection: AsyncConnection, finding_ids: Iterable[int]) -> dict[int, int]:
    """Which incident each finding belongs to; a finding of none is left out."""
    c = incident_finding.c
    wanted = sorted(set(finding_ids))
    found: dict[int, int] = {}
    for start in range(0, len(wanted), 1_000):
        query = select(c.finding_id, c.incident_id).where(
            c.finding_id.in_(wanted[start : start + 1_000])
        )
        found.update((row.finding_id, row.incident_id) for row in await connection.execute(query))
    return found


def incident_row(item: Incident) -> dict[str, Any]:
    """The columns of an incident but for id and number."""
    return {
        "site_id": item.site,
        "area_id": item.area,
        "station_id": item.station,
        "urgency": item.urgency.value,
        "drill": item.drill,
        "canary": item.canary,
        "state": item.state.value,
        "round": item.round,
        "opened_ms": item.opened_ms,
        "first_ms": item.first_ms,
        "activity_ms": item.activity_ms,
        "standing": item.standing,
        "acknowledged_ms": item.acknowledged_ms,
        "on_site_ms": item.on_site_ms,
        "reported_ms": item.reported_ms,
        "closed_ms": item.closed_ms,
        "assignee": item.assignee,
        "cause": item.cause.value if item.cause else None,
        "merged_into": item.merged_into,
    }


def incident_from(row: Any) -> Incident:
    """An incident of a mapping of its columns."""
    return Incident(
        id=row["id"],
        number=row["number"],
        site=row["site_id"],
        area=row["area_id"],
        station=row["station_id"],
        urgency=Urgency(row["urgency"]),
        drill=row["drill"],
        canary=row["canary"],
        state=State(row["state"]),
        round=row["round"],
        opened_ms=row["opened_ms"],
        first_ms=row["first_ms"],
        activity_ms=row["activity_ms"],
        standing=row["standing"],
        acknowledged_ms=row["acknowledged_ms"],
        on_site_ms=row["on_site_ms"],
        reported_ms=row["reported_ms"],
        closed_ms=row["closed_ms"],
        assignee=row["assignee"],
        cause=Cause(row["cause"]) if row["cause"] else None,
        merged_into=row["merged_into"],
    )


async def _one(connection: AsyncConnection, query: Select[Any]) -> Incident | None:
    rows = await _mappings(connection, query)
    return incident_from(rows[0]) if rows else None


async def _mappings(connection: AsyncConnection, query: Select[Any]) -> list[Any]:
    rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
    return [row._mapping for row in rows]  # noqa: SLF001 - SQLAlchemy's documented way
