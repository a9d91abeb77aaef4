"""A round of an incident: from the first messages to the last deadline.

It begins with rows, goes on as they fall due, and ends when people have come, or when nothing
stands against the incident any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.port import Channel
from alerts.incidents import escalation, grading
from alerts.incidents.escalation import DueRow, RowState
from alerts.incidents.model import Incident, Kind, State, Urgency
from alerts.incidents.plans import SETTLE, DeadlineName, Guard, Plan, Plans, Step, When
from alerts.incidents.store import (
    Note,
    change_incident,
    findings_of,
    incident_by_id,
    note,
)
from alerts.incidents.telling import Teller, Telling
from alerts.outbox.model import MessageState
from alerts.outbox.store import Message, messages_by_id, messages_of, withdraw
from rules.model import Family, Finding

TOLD_STATES: Final = frozenset(
    {MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.BUNDLED, MessageState.SENDING}
)
_CLEARED_BY: Final = (Channel.SMS, Channel.ROBOT)


class Muting(Protocol):
    """Silences in force."""

    async def muted(
        self,
        connection: AsyncConnection,
        incident: Incident,
        findings: Sequence[Finding],
        now_ms: int,
    ) -> str | None:
        """Why nobody is told of these findings now; None = people are told. Never for alarms."""


class Rounds:
    """Does what is due; everything in the caller's transaction."""

    def __init__(
        self,
        plans: Plans,
        teller: Teller,
        muting: Muting,
        *,
        guard: Guard | None = None,
        on_missed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``on_missed`` is told the name of each missed deadline."""
        self._plans = plans
        self._teller = teller
        self._muting = muting
        self._guard = guard or Guard()
        self._on_missed = on_missed

    async def begin(
        self,
        connection: AsyncConnection,
        incident: Incident,
        now_ms: int,
        *,
        finding: Finding | None = None,
    ) -> None:
        """Write the round's rows and do at once what is due at once."""
        plan = self._plans.of(incident.urgency)
        delay_ms = 0 if finding is None or incident.canary else 1000 * _delay_s(plan, finding)
        await escalation.begin(connection, incident, plan, delay_ms=delay_ms)
        rows = await escalation.claim_first(connection, incident, now_ms)
        await self._do(connection, incident, rows, now_ms)

    async def due(self, connection: AsyncConnection, now_ms: int) -> int:
        """Claim and do what is due by now; how many rows that were."""
        rows = await escalation.claim_due(connection, now_ms)
        by_incident: dict[int, list[DueRow]] = {}
        for row in rows:
            by_incident.setdefault(row.incident, []).append(row)
        for incident_id, due in by_incident.items():
            incident = await incident_by_id(connection, incident_id, lock=True)
            if incident is not None:
                await self._do(connection, incident, due, now_ms)
        return len(rows)

    async def eased(self, connection: AsyncConnection, incident: Incident, now_ms: int) -> None:
        """Nothing stands against it any more: say so to whom was told, and let it settle."""
        await note(connection, [Note(incident.id, now_ms, "cleared")])
        told = await self._told(connection, incident)
        if told and incident.state.rank < State.REPORTED.rank and not incident.canary:
            people = [
                p
                for p in await self._teller.told_before(connection, incident, now_ms)
                if p.id in {m.person for m in told}
            ]
            telling = Telling("cleared", Kind.CLEARED, _CLEARED_BY)
            await self._teller.tell(connection, incident, people, telling, now_ms)
        if not told and incident.urgency in (Urgency.FAULT, Urgency.NOTICE):
            plan = self._plans.of(incident.urgency)
            steps = [step.name for step in plan.steps]
            await escalation.meet(connection, incident, steps, now_ms)
            await withdraw(connection, incident.id, now_ms, "over before anybody was told")
        if incident.urgency in (Urgency.FAULT, Urgency.NOTICE):
            wait_ms = 0 if incident.canary else self._guard.settle_s * 1000
            await escalation.settle_at(connection, incident, now_ms + wait_ms)

    async def assigned(self, connection: AsyncConnection, incident: Incident, now_ms: int) -> None:
        """Tell whom the incident was given to, by somebody else, what it is about."""
        await self._teller.assignee(connection, incident, now_ms)

    async def _told(self, connection: AsyncConnection, incident: Incident) -> list[Message]:
        messages = await messages_of(connection, incident.id, incident.round)
        return [m for m in messages if m.state in TOLD_STATES and m.kind is not Kind.CLEARED]

    async def _do(
        self, connection: AsyncConnection, incident: Incident, rows: Sequence[DueRow], now_ms: int
    ) -> None:
        for row in rows:
            if row.round != incident.round or incident.state is State.CLOSED:
                await escalation.settle_rows(connection, [row.id], RowState.CANCELLED, now_ms)
            elif row.step == SETTLE:
                await self._settle(connection, incident, row, now_ms)
            elif row.step in set(DeadlineName):
                await self._missed(connection, incident, row, now_ms)
            else:
                await self._step(connection, incident, row, now_ms)

    async def _step(
        self, connection: AsyncConnection, incident: Incident, row: DueRow, now_ms: int
    ) -> None:
        step = self._plans.of(incident.urgency).step(row.step)
        if step is None or not await self._wanted(connection, incident, step):
            await escalation.settle_rows(connection, [row.id], RowState.MET, now_ms)
            return
        findings = [f.finding for f in await findings_of(connection, incident.id)]
        why = await self._muting.muted(connection, incident, findings, now_ms)
        if why is not None and incident.urgency in (Urgency.FAULT, Urgency.NOTICE):
            await escalation.settle_rows(connection, [row.id], RowState.MET, now_ms)
            said = {"step": step.name, "reason": why}
            await note(connection, [Note(incident.id, now_ms, "silenced", detail=said)])
            return
        await self._teller.step(connection, incident, step, now_ms)

    async def _wanted(self, connection: AsyncConnection, incident: Incident, step: Step) -> bool:
        rank = incident.state.rank
        if step.when is When.UNACKNOWLEDGED:
            return incident.state is State.OPEN
        if step.when is When.UNDELIVERED:
            return incident.state is State.OPEN and not await self._delivered(connection, incident)
        if step.when is When.NOT_ARRIVED:
            return State.ACKNOWLEDGED.rank <= rank < State.ON_SITE.rank
        if step.when is When.NOT_REPORTED:
            return State.ACKNOWLEDGED.rank <= rank < State.REPORTED.rank
        return True

    async def _delivered(self, connection: AsyncConnection, incident: Incident) -> bool:
        """Whether a receipt says that the round's first word has arrived, alone or in a bundle."""
        messages = await messages_of(connection, incident.id, incident.round)
        carriers = [m.bundle for m in messages if m.bundle]
        messages += await messages_by_id(connection, carriers)
        return any(m.state is MessageState.DELIVERED for m in messages)

    async def _missed(
        self, connection: AsyncConnection, incident: Incident, row: DueRow, now_ms: int
    ) -> None:
        reached = {
            DeadlineName.ACKNOWLEDGE: State.ACKNOWLEDGED,
            DeadlineName.ON_SITE: State.ON_SITE,
            DeadlineName.REPORT: State.REPORTED,
        }[DeadlineName(row.step)]
        if incident.state.rank >= reached.rank:
            await escalation.settle_rows(connection, [row.id], RowState.MET, now_ms)
            return
        await escalation.settle_rows(connection, [row.id], RowState.MISSED, now_ms)
        said = {"deadline": row.step, "due_ms": row.due_ms}
        await note(connection, [Note(incident.id, now_ms, "deadline_missed", detail=said)])
        if not incident.canary:
            self._on_missed(row.step)

    async def _settle(
        self, connection: AsyncConnection, incident: Incident, row: DueRow, now_ms: int
    ) -> None:
        if incident.standing:
            await escalation.settle_rows(connection, [row.id], RowState.CANCELLED, now_ms)
            return
        closed = replace(incident, state=State.CLOSED, closed_ms=now_ms)
        await change_incident(connection, incident, closed)
        await escalation.cancel(connection, incident, now_ms)
        await note(connection, [Note(incident.id, now_ms, "closed", detail={"settled": True})])


def _delay_s(plan: Plan, finding: Finding) -> int:
    """How long people are not told of it, in case it passes or the whole site explains it."""
    if finding.reason == grading.POWER_LOSS_REASON:
        return plan.power_loss_delay_s
    return plan.trouble_delay_s if finding.family is Family.TROUBLE else 0
