"""The auditor: what must be true of everything at rest, looked at from outside the work.

Each invariant is one query over SQL and knows nothing of the code that should keep it. What is
broken is a fault of ours: it is told (R96), and the outward heartbeat stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.model import State, Urgency
from alerts.incidents.tables import (
    audit,
    audit_head,
    escalation,
    incident,
    incident_event,
    incident_finding,
)
from alerts.outbox.model import MessageState
from alerts.outbox.tables import message
from alerts.tables import finding
from devices.command_model import State as OrderState
from devices.tables import command
from rules.model import Family, Severity

INCIDENT_MS: Final = 10_000
STEP_MS: Final = 10_000
QUEUED_MS: Final = 20_000
LEASE_MS: Final = 10_000
ORDER_MS: Final = 15_000
TOLD_MS: Final = 60_000
LOOK_BACK_MS: Final = 24 * 3600 * 1000
"""Findings raised earlier are not looked at again."""
URGENT_PRIORITY: Final = 1
"""Messages up to this priority are of fire or danger (``alerts.outbox.store.PRIORITY``)."""
_LISTED: Final = 20
_LAST_ENTRIES: Final = 500
_ACTS: Final = (
    "acknowledged",
    "arrived",
    "reported",
    "closed",
    "reopened",
    "commented",
    "assigned",
)
_LIVE: Final = tuple(state.value for state in OrderState if not state.ended)


class Invariant(StrEnum):
    """What must always be true; its name is also the label in metrics."""

    NO_INCIDENT = "no_incident"  # an alarm of 10 s ago has an incident
    STEP_OVERDUE = "step_overdue"  # no step is due for more than 10 s
    MESSAGE_STUCK = "message_stuck"  # no urgent message waits 20 s, or is being sent for ever
    ORDER_STUCK = "order_stuck"  # no order lives 15 s beyond its expiry
    NOBODY_TOLD = "nobody_told"  # of a fire or danger somebody is told within 60 s
    AUDIT_BROKEN = "audit_broken"  # the newest act is in the audit chain, whose head is its end


@dataclass(frozen=True, slots=True)
class Broken:
    """One invariant that does not hold of one thing, since UTC ms."""

    name: Invariant
    subject: str
    since_ms: int


async def audited(connection: AsyncConnection, now_ms: int) -> tuple[Broken, ...]:
    """What is broken now; of each invariant at most the 20 oldest. Changes nothing."""
    found: list[Broken] = []
    for name, query in (
        (Invariant.NO_INCIDENT, _without_incident(now_ms)),
        (Invariant.STEP_OVERDUE, _overdue_steps(now_ms)),
        (Invariant.MESSAGE_STUCK, _stuck_messages(now_ms)),
        (Invariant.ORDER_STUCK, _stuck_orders(now_ms)),
        (Invariant.NOBODY_TOLD, _untold(now_ms)),
    ):
        rows = await connection.execute(query.limit(_LISTED))
        found += [Broken(name, str(row.subject), row.since_ms) for row in rows]
    return (*found, *await _chain(connection, now_ms))


def _without_incident(now_ms: int) -> Select[Any]:
    c = finding.c
    grouped = exists().where(incident_finding.c.finding_id == c.id)
    return (
        select(c.id.label("subject"), c.raised_ms.label("since_ms"))
        .where(
            c.raised_ms > now_ms - LOOK_BACK_MS,
            c.raised_ms < now_ms - INCIDENT_MS,
            c.family == Family.ALARM.value,
            c.severity.in_((Severity.MAJOR.value, Severity.CRITICAL.value)),
            c.shadow.is_(False),
            ~grouped,
        )
        .order_by(c.raised_ms)
    )


def _overdue_steps(now_ms: int) -> Select[Any]:
    c = escalation.c
    return (
        select(incident.c.number.label("subject"), c.due_ms.label("since_ms"))
        .join(incident, incident.c.id == c.incident_id)
        .where(c.state == "due", c.due_ms < now_ms - STEP_MS)
        .order_by(c.due_ms)
    )


def _stuck_messages(now_ms: int) -> Select[Any]:
    c = message.c
    waits = and_(c.state == MessageState.QUEUED.value, c.due_ms < now_ms - QUEUED_MS)
    lost = and_(c.state == MessageState.SENDING.value, c.lease_ms < now_ms - LEASE_MS)
    return (
        select(c.id.label("subject"), c.due_ms.label("since_ms"))
        .where(c.priority <= URGENT_PRIORITY, or_(waits, lost))
        .order_by(c.due_ms)
    )


def _stuck_orders(now_ms: int) -> Select[Any]:
    c = command.c
    return (
        select(c.id.label("subject"), c.expires_ms.label("since_ms"))
        .where(c.state.in_(_LIVE), c.expires_ms < now_ms - ORDER_MS)
        .order_by(c.expires_ms)
    )


def _untold(now_ms: int) -> Select[Any]:
    c = incident.c
    carrier = message.alias("carrier")
    taken = (
        exists()
        .where(message.c.incident_id == c.id, message.c.round == c.round)
        .where(
            or_(
                message.c.accepted_ms.is_not(None),
                exists().where(
                    carrier.c.id == message.c.bundle_id, carrier.c.accepted_ms.is_not(None)
                ),
            )
        )
    )
    return (
        select(c.number.label("subject"), c.opened_ms.label("since_ms"))
        .where(
            c.state == State.OPEN.value,
            c.urgency.in_((Urgency.FIRE.value, Urgency.DANGER.value)),
            c.drill.is_(False),
            c.canary.is_(False),
            c.merged_into.is_(None),
            c.opened_ms < now_ms - TOLD_MS,
            ~taken,
        )
        .order_by(c.opened_ms)
    )


async def _chain(connection: AsyncConnection, now_ms: int) -> Sequence[Broken]:
    """Whether the chain's head is its last entry, and the newest act of a person is in it."""
    head = (await connection.execute(select(audit_head.c.seq, audit_head.c.hash))).one_or_none()
    last = (
        await connection.execute(
            select(audit.c.seq, audit.c.hash, audit.c.at_ms).order_by(audit.c.seq.desc()).limit(1)
        )
    ).one_or_none()
    if (head.seq if head else 0) != (last.seq if last else 0) or (
        last is not None and head is not None and head.hash != last.hash
    ):
        return [Broken(Invariant.AUDIT_BROKEN, "head", last.at_ms if last else now_ms)]
    act = await _newest_act(connection)
    if act is None or await _is_in(connection, act, last.seq if last else 0):
        return []
    return [Broken(Invariant.AUDIT_BROKEN, act.number, act.at_ms)]


async def _newest_act(connection: AsyncConnection) -> Any:
    c = incident_event.c
    newest = select(func.max(c.id)).where(c.kind.in_(_ACTS), c.actor != "system").scalar_subquery()
    query = (
        select(incident.c.number, c.at_ms)
        .join(incident, incident.c.id == c.incident_id)
        .where(c.id == newest)
    )
    return (await connection.execute(query)).one_or_none()


async def _is_in(connection: AsyncConnection, act: Row[Any], last_seq: int) -> bool:
    c = audit.c
    query = select(c.seq).where(
        c.seq > last_seq - _LAST_ENTRIES,
        c.at_ms == act.at_ms,
        c.subject.in_((act.number, f"incident:{act.number}")),
    )
    return (await connection.execute(query.limit(1))).first() is not None
