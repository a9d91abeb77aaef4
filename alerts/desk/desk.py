"""The desk joined: one object that the composition root makes and turns.

``take`` runs inside the transaction that records findings; ``turn`` does what is due and begins
to send; ``acts`` and ``inbound`` are what people do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.desk.dispatch import Dispatcher, Parts
from alerts.desk.inbound import Inbound
from alerts.desk.otherwise import sweep
from alerts.findings import Recorded
from alerts.incidents import escalation, silences
from alerts.incidents.acts import Acts
from alerts.incidents.intake import Intake, Opened
from alerts.incidents.model import Incident
from alerts.incidents.places import Places
from alerts.incidents.plans import Guard
from alerts.incidents.rounds import Rounds
from alerts.incidents.store import News, events_after, newest_event
from alerts.incidents.telling import OnCall, Teller
from alerts.oncall.model import Person
from alerts.outbox import store
from devices.command_model import CommandRecord
from rules.model import Finding

TURNS: int = 50
"""Batches of due rows in one turn; more than that wait for the next one."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what happened at the desk; nothing here waits or raises."""

    missed: Callable[[str], None] = lambda _: None  # the name of a deadline
    opened: Opened | None = None


class _Muting:
    """Silences in force, asked per step."""

    async def muted(
        self,
        connection: AsyncConnection,
        incident: Incident,
        findings: Sequence[Finding],
        now_ms: int,
    ) -> str | None:
        """The reason of the silences that cover every finding; None when one is not covered."""
        in_force = await silences.in_force(connection, now_ms)
        covering = [
            silences.muted(
                in_force,
                site=incident.site,
                station=incident.station,
                rule=finding.key.rule,
                family=finding.family,
                now_ms=now_ms,
            )
            for finding in findings
        ]
        if not covering or any(one is None for one in covering):
            return None
        return "; ".join(sorted({one.reason for one in covering if one is not None}))


class Desk:
    """People's side of the backend."""

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        parts: Parts,
        oncall: OnCall,
        places: Places,
        *,
        guard: Guard | None = None,
        sandbox: Person | None = None,
        listeners: Listeners | None = None,
    ) -> None:
        """``sandbox``: whom canary incidents tell; None = nobody."""
        self._last_event = 0
        heard = listeners or Listeners()
        self._database = parts.database
        self._gateway = parts.gateway
        teller = Teller(
            oncall, places, parts.plans, new_id=parts.new_id, guard=guard, sandbox=sandbox
        )
        rounds = Rounds(
            parts.plans,
            teller,
            _Muting(),
            guard=guard,
            on_missed=heard.missed,
        )
        self._rounds = rounds
        self.acts = Acts(parts.plans, rounds)
        self._intake = Intake(
            places, teller, rounds, new_id=parts.new_id, guard=guard, opened=heard.opened
        )
        self.inbound = Inbound(oncall, self.acts, teller, parts.gateway, parts.plans)
        self.dispatcher = Dispatcher(parts)

    async def take(
        self,
        connection: AsyncConnection,
        recorded: Recorded,
        commands: Sequence[CommandRecord],
        now_ms: int,
    ) -> None:
        """What was recorded becomes incidents and messages, in the same transaction."""
        await self._intake.take(connection, recorded, commands, now_ms)

    async def turn(self, now_ms: int) -> None:
        """Do what is due and begin to send what waits."""
        next_ms = await self.next_ms()
        if next_ms is None or next_ms > now_ms:
            return  # asked of a reader: an idle desk does not stand in the writer's way
        for _ in range(TURNS):
            async with self._database.writing() as connection:
                if not await self._rounds.due(connection, now_ms):
                    break
        async with self._database.writing() as connection:
            await sweep(connection, self._gateway, now_ms)
        await self.dispatcher.turn(now_ms)

    async def news(self) -> list[News]:
        """What was added to timelines since the last call, of all processes; at first nothing."""
        async with self._database.reading() as connection:
            if not self._last_event:
                self._last_event = await newest_event(connection) or -1
                return []
            found = await events_after(connection, max(self._last_event, 0))
        if found:
            self._last_event = found[-1].event.id
        return found

    async def next_ms(self) -> int | None:
        """When something is due next, UTC ms; None = nothing is."""
        async with self._database.reading() as connection:
            moments = (
                await escalation.next_due(connection),
                await store.next_due(connection),
            )
        return min((m for m in moments if m is not None), default=None)

    async def open_drill(
        self, connection: AsyncConnection, site: str, area: str | None, now_ms: int, by: str
    ) -> int:
        """Begin a drill; the incident."""
        return await self._intake.open_drill(connection, site, area, now_ms, by)
