"""Deadlines and steps as rows: each has a due time and leaves the state ``due`` once.

Whoever changes a row from ``due`` has claimed it; two processes, or one that was killed half
way, never do a step twice, because the claim and what the step does are one transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.model import Incident, State
from alerts.incidents.plans import SETTLE, DeadlineName, Plan, When
from alerts.incidents.tables import escalation
from alerts.incidents.tables import incident as incident_table
from devices.database import insert_into

CLAIM_LIMIT: Final = 10
"""Incidents whose rows are done in one transaction, so that the marks of what was sent do not
wait long behind it; the next one takes the rest."""


class RowState(StrEnum):
    """Where a deadline or a step stands."""

    DUE = "due"
    FIRED = "fired"  # the step was done
    MISSED = "missed"  # the deadline passed
    MET = "met"  # in time, or no longer needed
    CANCELLED = "cancelled"  # the incident closed or began again


@dataclass(frozen=True, slots=True)
class DueRow:
    """A claimed row."""

    id: int
    incident: int
    round: int
    step: str
    due_ms: int


async def begin(
    connection: AsyncConnection, incident: Incident, plan: Plan, *, delay_ms: int
) -> None:
    """The rows of a round, from its beginning on; harmless when they exist.

    ``delay_ms`` moves the steps (not the deadlines), for being blind for a moment.
    """
    rows = [
        _row(incident, step.name, incident.opened_ms + step.after_s * 1000 + delay_ms)
        for step in plan.steps
    ]
    rows += [
        _row(incident, name.value, incident.opened_ms + seconds * 1000)
        for name, seconds in plan.deadlines
    ]
    statement = insert_into(connection, escalation).on_conflict_do_nothing(
        index_elements=["incident_id", "round", "step"]
    )
    await connection.execute(statement, rows)


async def settle_at(connection: AsyncConnection, incident: Incident, due_ms: int) -> None:
    """Close the incident by itself at ``due_ms`` unless something stands against it again."""
    statement = insert_into(connection, escalation).values(_row(incident, SETTLE, due_ms))
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["incident_id", "round", "step"],
            set_={"due_ms": due_ms, "state": RowState.DUE.value, "settled_ms": None},
        )
    )


async def claim_due(
    connection: AsyncConnection, now_ms: int, limit: int = CLAIM_LIMIT
) -> list[DueRow]:
    """Claim what is due of ``limit`` incidents; ``fired`` if this transaction commits.

    The incidents are locked before their rows, as whoever acts on one does; one that somebody
    is acting on right now waits for the next turn.
    """
    c = escalation.c
    due = and_(c.state == RowState.DUE.value, c.due_ms <= now_ms)
    oldest = select(c.incident_id).where(due).group_by(c.incident_id)
    wanted = oldest.order_by(func.min(c.due_ms), c.incident_id).limit(limit)
    ids = list((await connection.execute(wanted)).scalars())
    if not ids:
        return []
    free = select(incident_table.c.id).where(incident_table.c.id.in_(ids))
    lock = free.order_by(incident_table.c.id).with_for_update(key_share=True, skip_locked=True)
    locked = list((await connection.execute(lock)).scalars())
    claimed = await connection.execute(
        update(escalation)
        .where(c.incident_id.in_(locked), due)
        .values(state=RowState.FIRED.value, settled_ms=now_ms)
        .returning(c.id, c.incident_id, c.round, c.step, c.due_ms)
    )
    rows = [DueRow(r.id, r.incident_id, r.round, r.step, r.due_ms) for r in claimed]
    return sorted(rows, key=lambda row: (row.due_ms, row.id))


async def claim_first(connection: AsyncConnection, incident: Incident, now_ms: int) -> list[DueRow]:
    """Claim the steps of this incident's round that are due at once."""
    c = escalation.c
    claimed = await connection.execute(
        update(escalation)
        .where(
            c.incident_id == incident.id,
            c.round == incident.round,
            c.state == RowState.DUE.value,
            c.due_ms <= now_ms,
        )
        .values(state=RowState.FIRED.value, settled_ms=now_ms)
        .returning(c.id, c.incident_id, c.round, c.step, c.due_ms)
    )
    return sorted(
        (DueRow(r.id, r.incident_id, r.round, r.step, r.due_ms) for r in claimed),
        key=lambda row: row.id,
    )


async def settle_rows(
    connection: AsyncConnection, ids: Iterable[int], state: RowState, now_ms: int
) -> None:
    """Say what became of claimed rows whose step was not done."""
    wanted = sorted(ids)
    if wanted:
        await connection.execute(
            update(escalation)
            .where(escalation.c.id.in_(wanted))
            .values(state=state.value, settled_ms=now_ms)
        )


async def meet(
    connection: AsyncConnection, incident: Incident, names: Sequence[str], now_ms: int
) -> None:
    """These deadlines and steps of the round are met, where they are still due."""
    await _leave(connection, incident, RowState.MET, now_ms, names)


async def cancel(connection: AsyncConnection, incident: Incident, now_ms: int) -> None:
    """Nothing of this incident's earlier rounds and present one is due any more."""
    await _leave(connection, incident, RowState.CANCELLED, now_ms, None)


async def hasten(
    connection: AsyncConnection, incident: Incident, names: Sequence[str], now_ms: int
) -> None:
    """These steps are due now, where they are still to come."""
    c = escalation.c
    await connection.execute(
        update(escalation)
        .where(
            c.incident_id == incident.id,
            c.round == incident.round,
            c.state == RowState.DUE.value,
            c.step.in_(names),
            c.due_ms > now_ms,
        )
        .values(due_ms=now_ms)
    )


async def next_due(connection: AsyncConnection) -> int | None:
    """When the next row is due, UTC ms."""
    c = escalation.c
    query = select(func.min(c.due_ms)).where(c.state == RowState.DUE.value)
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


def met_by(plan: Plan, state: State) -> list[str]:
    """The deadlines and steps that are met once people have come as far as ``state``."""
    names: list[str] = []
    reached = (
        (State.ACKNOWLEDGED, DeadlineName.ACKNOWLEDGE, (When.UNDELIVERED, When.UNACKNOWLEDGED)),
        (State.ON_SITE, DeadlineName.ON_SITE, (When.NOT_ARRIVED,)),
        (State.REPORTED, DeadlineName.REPORT, (When.NOT_REPORTED,)),
    )
    for at_least, deadline, conditions in reached:
        if state.rank >= at_least.rank:
            names.append(deadline.value)
            names += [step.name for step in plan.steps if step.when in conditions]
    return names


def _row(incident: Incident, step: str, due_ms: int) -> dict[str, object]:
    return {
        "incident_id": incident.id,
        "round": incident.round,
        "step": step,
        "due_ms": due_ms,
        "state": RowState.DUE.value,
    }


async def _leave(
    connection: AsyncConnection,
    incident: Incident,
    state: RowState,
    now_ms: int,
    names: Sequence[str] | None,
) -> None:
    c = escalation.c
    where = and_(c.incident_id == incident.id, c.state == RowState.DUE.value)
    if names is not None:
        where = and_(where, c.round == incident.round, c.step.in_(names))
    await connection.execute(
        update(escalation).where(where).values(state=state.value, settled_ms=now_ms)
    )
