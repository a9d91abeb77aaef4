"""A report's figures from SQL, as of one instant."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.model import Cause, Incident, Urgency
from alerts.incidents.plans import DeadlineName
from alerts.incidents.store import incident_from
from alerts.incidents.tables import canary_run, escalation, incident, incident_event
from alerts.oncall.wallclock import local
from alerts.outbox.tables import attempt, message
from alerts.reports.model import AlarmPath, IncidentLine, Report, Sent, Tried
from alerts.reports.period import Period
from alerts.reports.protection import OUTAGE, Span, unprotected
from alerts.reports.responses import ACTS, BEGINS, DeadlineRow, Line, Round, kept, rounds
from alerts.tables import finding
from devices.model import Site

_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class _Lived:
    incident: Incident
    rounds: tuple[Round, ...]
    deadlines: tuple[DeadlineRow, ...]


async def collect(connection: AsyncConnection, site: Site, period: Period, now_ms: int) -> Report:
    """The report of a site's period; what has not happened by ``now_ms`` is not in it."""
    zone = ZoneInfo(site.timezone)
    start_ms, end_ms = period.bounds(zone)
    lived = await _lived(connection, site.id, start_ms, end_ms)
    real = [one for one in lived if not one.incident.drill and one.incident.merged_into is None]
    of_site = and_(
        incident.c.site_id == site.id, incident.c.drill.is_(False), incident.c.canary.is_(False)
    )
    stations = {station.id for station in site.stations}
    spans = await _spans(connection, {*stations, site.id}, start_ms, min(end_ms, now_ms))
    return Report(
        site=site.id,
        period=period.label,
        timezone=site.timezone,
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now_ms,
        responses=kept((one.rounds, one.deadlines) for one in real),
        incidents=tuple(_line(one) for one in real),
        by_urgency=_counts([one.incident.urgency.value for one in real], Urgency),
        by_cause=_counts([c.value if (c := one.incident.cause) else "" for one in real], Cause),
        by_station=tuple(Counter(one.incident.station or "" for one in real).most_common()),
        by_day=_by_day(period, zone, real),
        merged=sum(one.incident.merged_into is not None for one in lived),
        false_alarms=sum(one.incident.cause is Cause.FALSE_ALARM for one in real),
        sent=await _sent(connection, of_site, start_ms, end_ms),
        tried=await _tried(connection, of_site, start_ms, end_ms),
        unprotected=unprotected(
            spans, site.id, stations, start_ms, max(start_ms + 1, min(end_ms, now_ms))
        ),
        drills=tuple(_line(one) for one in lived if one.incident.drill),
        alarm_path=await _alarm_path(connection, start_ms, end_ms),
    )


async def _lived(
    connection: AsyncConnection, site: str, start_ms: int, end_ms: int
) -> list[_Lived]:
    c = incident.c
    query = (
        select(incident)
        .where(c.site_id == site, c.canary.is_(False), c.first_ms >= start_ms, c.first_ms < end_ms)
        .order_by(c.first_ms, c.id)
    )
    rows = (await connection.execute(query)).mappings()
    incidents = [incident_from(row) for row in rows]
    ids = [one.id for one in incidents]
    lines = await _lines(connection, ids)
    deadlines = await _deadlines(connection, ids)
    return [
        _Lived(one, rounds(one.first_ms, lines[one.id]), tuple(deadlines[one.id]))
        for one in incidents
    ]


async def _lines(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, list[Line]]:
    c = incident_event.c
    found: dict[int, list[Line]] = defaultdict(list)
    for chunk in _chunks(ids):
        query = (
            select(c.incident_id, c.at_ms, c.kind, c.actor)
            .where(c.incident_id.in_(chunk), c.kind.in_(sorted({*BEGINS, *ACTS})))
            .order_by(c.id)
        )
        for row in await connection.execute(query):
            found[row.incident_id].append(Line(row.at_ms, row.kind, row.actor))
    return found


async def _deadlines(
    connection: AsyncConnection, ids: Sequence[int]
) -> dict[int, list[DeadlineRow]]:
    c = escalation.c
    found: dict[int, list[DeadlineRow]] = defaultdict(list)
    for chunk in _chunks(ids):
        query = select(escalation).where(c.incident_id.in_(chunk), c.step.in_([*DeadlineName]))
        for row in await connection.execute(query):
            found[row.incident_id].append(DeadlineRow(row.round, row.step, row.due_ms, row.state))
    return found


async def _sent(
    connection: AsyncConnection, of_site: ColumnElement[bool], start_ms: int, end_ms: int
) -> tuple[Sent, ...]:
    c = message.c
    provider = func.coalesce(c.provider, "")
    query = (
        select(c.channel, provider, c.state, func.count(), func.coalesce(func.sum(c.attempts), 0))
        .join(incident, incident.c.id == c.incident_id)
        .where(of_site, c.created_ms >= start_ms, c.created_ms < end_ms)
        .group_by(c.channel, provider, c.state)
        .order_by(c.channel, provider, c.state)
    )
    return tuple(Sent(*_numbers(row)) for row in await connection.execute(query))


async def _tried(
    connection: AsyncConnection, of_site: ColumnElement[bool], start_ms: int, end_ms: int
) -> tuple[Tried, ...]:
    c = attempt.c
    query = (
        select(c.provider, c.outcome, func.count(), func.coalesce(func.sum(c.segments), 0))
        .join(message, message.c.id == c.message_id)
        .join(incident, incident.c.id == message.c.incident_id)
        .where(of_site, c.started_ms >= start_ms, c.started_ms < end_ms)
        .group_by(c.provider, c.outcome)
        .order_by(c.provider, c.outcome)
    )
    return tuple(Tried(*_numbers(row)) for row in await connection.execute(query))


async def _spans(
    connection: AsyncConnection, subjects: Collection[str], start_ms: int, until_ms: int
) -> list[Span]:
    """Findings that stood at some moment; from the time at which their condition began."""
    c = finding.c
    query = select(finding).where(
        c.station_id.in_(sorted(subjects)),
        c.shadow.is_(False),
        c.episode_ms < until_ms,
        or_(c.cleared_ms.is_(None), c.cleared_ms > start_ms),
    )
    return [
        Span(
            subject=row.station_id,
            rule=row.rule,
            tier=row.tier,
            family=row.family,
            start_ms=row.episode_ms,
            end_ms=until_ms if row.cleared_ms is None else min(row.cleared_ms, until_ms),
            stations=_named(row) if row.rule == OUTAGE else (),
        )
        for row in await connection.execute(query)
    ]


async def _alarm_path(connection: AsyncConnection, start_ms: int, end_ms: int) -> AlarmPath:
    c = canary_run.c
    query = (
        select(c.outcome, func.count())
        .where(c.started_ms >= start_ms, c.started_ms < end_ms)
        .group_by(c.outcome)
    )
    found = {outcome: int(n) for outcome, n in await connection.execute(query)}
    passed, late, failed = (found.get(name, 0) for name in ("passed", "late", "failed"))
    ended = passed + late + failed
    return AlarmPath(passed, late, failed, round(passed / ended, 6) if ended else None)


def _line(one: _Lived) -> IncidentLine:
    first = one.rounds[0]
    return IncidentLine(
        number=one.incident.number,
        station=one.incident.station,
        area=one.incident.area,
        urgency=one.incident.urgency,
        state=one.incident.state,
        cause=one.incident.cause,
        rounds=one.incident.round,
        opened_ms=one.incident.first_ms,
        acknowledged_s=first.took_s(0),
        on_site_s=first.took_s(1),
        reported_s=first.took_s(2),
        by=first.by,
    )


def _counts(found: Sequence[str], order: Any) -> tuple[tuple[str, int], ...]:
    """How often each was found, in the order of the enumeration; what has no name comes last."""
    counted = Counter(found)
    names = [*(member.value for member in order), ""]
    return tuple((name, counted[name]) for name in names if counted[name])


def _by_day(period: Period, zone: ZoneInfo, real: Sequence[_Lived]) -> tuple[tuple[str, int], ...]:
    counted = Counter(local(one.incident.first_ms, zone).date() for one in real)
    return tuple((day.isoformat(), counted[day]) for day in period.days())


def _named(row: Any) -> tuple[str, ...]:
    return tuple(str(row.evidence.get("stations") or "").split(","))


def _numbers(row: Any) -> list[Any]:
    """Sums come as decimals from PostgreSQL."""
    return [value if isinstance(value, str) else int(value) for value in row]


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
