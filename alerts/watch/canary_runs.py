"""The canary's runs at rest, and what they say about the alarm path."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, Select, Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import (
    attachment,
    canary_run,
    escalation,
    evidence_task,
    incident,
    incident_event,
    incident_finding,
    link,
)
from alerts.outbox.tables import attempt, message
from alerts.tables import alarm, finding, finding_transition

PASS_MS: Final = 10_000
"""From the alarm to the accepted message."""
GIVE_UP_MS: Final = 45_000
"""A message that has not been accepted by then is not waited for."""
DAY_MS: Final = 86_400_000
RULE: Final = "R90"
_CHUNK: Final = 500


class Outcome(StrEnum):
    """What became of a run; also the metric's label."""

    RUNNING = "running"
    PASSED = "passed"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are UTC ms; None = not yet, or never."""

    id: int
    station: str
    alarm: str
    started_ms: int
    alarm_ms: int | None = None
    message_ms: int | None = None
    outcome: Outcome = Outcome.RUNNING


@dataclass(frozen=True, slots=True)
class Standing:
    """The alarm path in the last 24 hours.

    ``availability`` is the share of the runs there should have been that passed: a minute
    without a run is a minute without proof. None before the first run has ended.
    """

    availability: float | None
    last_success_ms: int | None
    failures_in_row: int


async def begin(
    connection: AsyncConnection, station: str, now_ms: int, period_ms: int
) -> Run | None:
    """Write down a new run; None when one began within half a period: another process's."""
    c = canary_run.c
    newest = (await connection.execute(select(func.max(c.started_ms)))).scalar_one()
    if newest is not None and 0 <= now_ms - newest < period_ms // 2:
        return None
    alarm_id = f"canary-{now_ms}"
    row = {
        "started_ms": now_ms,
        "outcome": Outcome.RUNNING.value,
        "detail": {"station": station, "alarm": alarm_id},
    }
    made = await connection.execute(canary_run.insert().values(row).returning(c.id))
    return Run(made.scalar_one(), station, alarm_id, now_ms)


async def end(
    connection: AsyncConnection, run: Run, outcome: Outcome, *, why: str | None = None
) -> None:
    """Write how a run ended, with what is known of it."""
    detail = {"station": run.station, "alarm": run.alarm} | ({"why": why} if why else {})
    await connection.execute(
        update(canary_run)
        .where(canary_run.c.id == run.id, canary_run.c.outcome == Outcome.RUNNING.value)
        .values(
            alarm_ms=run.alarm_ms,
            message_ms=run.message_ms,
            outcome=outcome.value,
            detail=detail,
        )
    )


async def under_way(connection: AsyncConnection) -> bool:
    """Whether any run has not ended."""
    running = canary_run.c.outcome == Outcome.RUNNING.value
    return (
        await connection.execute(select(canary_run.c.id).where(running).limit(1))
    ).first() is not None


async def judge(connection: AsyncConnection, now_ms: int) -> list[Run]:
    """End the runs whose message was accepted, or is not waited for any longer; which ended."""
    c = canary_run.c
    rows = await connection.execute(
        select(canary_run).where(c.outcome == Outcome.RUNNING.value).order_by(c.id)
    )
    ended: list[Run] = []
    for row in rows.all():
        run = await _looked_at(connection, _run(row))
        if run.message_ms is None and now_ms - run.started_ms < GIVE_UP_MS:
            continue
        outcome = _outcome(run)
        why = None if outcome is Outcome.PASSED else _why(run)
        await end(connection, run, outcome, why=why)
        ended.append(replace(run, outcome=outcome))
    return ended


async def standing(connection: AsyncConnection, now_ms: int, period_ms: int) -> Standing:
    """What the ended runs of the last 24 hours say."""
    c = canary_run.c
    ended = c.outcome != Outcome.RUNNING.value
    first = (await connection.execute(select(func.min(c.started_ms)).where(ended))).scalar_one()
    if first is None:
        return Standing(None, None, 0)
    lately = select(c.outcome, func.count()).where(ended, c.started_ms > now_ms - DAY_MS)
    counts = {row[0]: row[1] for row in await connection.execute(lately.group_by(c.outcome))}
    # A run that is still under way is not missing yet.
    since_ms = min(now_ms - first, DAY_MS) - GIVE_UP_MS
    wanted = max(sum(counts.values()), since_ms // period_ms)
    passed = counts.get(Outcome.PASSED.value, 0)
    good = select(func.max(c.started_ms)).where(c.outcome == Outcome.PASSED.value)
    last_good = (await connection.execute(good)).scalar_one()
    since_good = select(func.count()).where(ended, c.started_ms > (last_good or 0))
    return Standing(
        availability=passed / wanted if wanted else None,
        last_success_ms=last_good,
        failures_in_row=(await connection.execute(since_good)).scalar_one(),
    )


async def forget(connection: AsyncConnection, before_ms: int) -> int:
    """Delete what canary incidents begun before then have left in all tables; how many.

    Runs themselves are kept: reports are made of them.
    """
    query = select(incident.c.id).where(
        incident.c.canary.is_(True), incident.c.first_ms < before_ms, incident.c.state == "closed"
    )
    ids = list((await connection.execute(query.order_by(incident.c.id).limit(_CHUNK))).scalars())
    if not ids:
        return 0
    messages = select(message.c.id).where(message.c.incident_id.in_(ids))
    grouped = select(incident_finding.c.finding_id).where(incident_finding.c.incident_id.in_(ids))
    findings = list((await connection.execute(grouped)).scalars())
    stations = await _stations(connection, findings)
    await connection.execute(delete(attempt).where(attempt.c.message_id.in_(messages)))
    for table in _OF_INCIDENT:
        await connection.execute(delete(table).where(table.c.incident_id.in_(ids)))
    transitions = finding_transition.c.finding_id.in_(findings)
    await connection.execute(delete(finding_transition).where(transitions))
    await connection.execute(delete(finding).where(finding.c.id.in_(findings)))
    await connection.execute(delete(incident).where(incident.c.id.in_(ids)))
    old = (alarm.c.station_id.in_(stations), alarm.c.received_ms < before_ms)
    await connection.execute(delete(alarm).where(*old))
    return len(ids)


_OF_INCIDENT: Final[tuple[Table, ...]] = (
    message,
    incident_event,
    incident_finding,
    escalation,
    evidence_task,
    attachment,
    link,
)


async def _stations(connection: AsyncConnection, findings: list[int]) -> list[str]:
    query = select(finding.c.station_id).where(finding.c.id.in_(findings)).distinct()
    return list((await connection.execute(query)).scalars())


async def _looked_at(connection: AsyncConnection, run: Run) -> Run:
    """The run with when its alarm came and when its message was accepted."""
    a, m, f = alarm.c, message.c, finding.c
    came = select(func.min(a.recorded_ms)).where(
        a.station_id == run.station, a.alarm_id == run.alarm, a.active.is_(True)
    )
    accepted: Select[Any] = (
        select(func.min(m.accepted_ms))
        .join(incident_finding, incident_finding.c.incident_id == m.incident_id)
        .join(finding, f.id == incident_finding.c.finding_id)
        .where(f.station_id == run.station, f.rule == RULE, f.episode_ms == run.started_ms)
        .where(m.accepted_ms >= run.started_ms)
    )
    alarm_ms = (await connection.execute(came)).scalar_one()
    message_ms = (await connection.execute(accepted)).scalar_one()
    return replace(run, alarm_ms=alarm_ms, message_ms=message_ms)


def _outcome(run: Run) -> Outcome:
    if run.message_ms is None:
        return Outcome.FAILED
    return Outcome.PASSED if run.message_ms - run.started_ms <= PASS_MS else Outcome.LATE


def _why(run: Run) -> str:
    if run.alarm_ms is None:
        return "the alarm was not recorded"
    return "no message was accepted" if run.message_ms is None else "the message was late"


def _run(row: Row[Any]) -> Run:
    return Run(row.id, row.detail["station"], row.detail["alarm"], row.started_ms)
