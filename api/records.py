"""What turns decided, in one SQL transaction across the rooms' tables."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audited
from alerts.alarms import AlarmKey, StationAlarm, save_alarms
from alerts.findings import Recorded, save_transitions
from devices.command_model import CommandRecord
from devices.database import Database
from devices.errors import DatabaseUnavailable
from devices.records import save_commands, save_limits, save_lockouts, save_status
from rules.decisions import ReceivedAlarm, Record
from rules.model import FindingKey, Transition

log = structlog.get_logger(__name__)


class Intake(Protocol):
    """Makes incidents and messages of what was recorded (``alerts.desk.desk.Desk``)."""

    async def take(
        self,
        connection: AsyncConnection,
        recorded: Recorded,
        commands: Sequence[CommandRecord],
        now_ms: int,
    ) -> None:
        """In the same transaction."""


class SqlRecords:
    """Implements ``iot.committer.Records``; idempotent, so a repeat after a crash is harmless."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock_ms: Callable[[], int],
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """All writes go through the database's one writer; ``committed`` is called after each.

        ``on_recorded`` may be given listeners: they hear of transitions that are in SQL.

        Incidents begin by ``clock_ms``, when people can first be told, not when the frame came:
        after a database's absence nobody is late before having been asked.
        """
        self._database = database
        self._intake = intake
        self._clock_ms = clock_ms
        self._committed = committed
        self.unhandled = 0
        self.on_recorded: list[Callable[[Sequence[Transition]], None]] = []

    async def write(self, records: Sequence[Record]) -> None:
        """Commit everything or nothing.

        A record that the intake cannot take, when it comes alone, is kept without it: what was
        found and cut is then on record, ``unhandled`` counts it, and as nobody is told that it
        was recorded, the direct line tells people of the danger.

        Raises:
            DatabaseUnavailable: try again later.
            DatabaseRefused: the data is wrong and always will be.

        """
        try:
            await self._write(records, self._intake)
        except DatabaseUnavailable:
            raise
        except Exception:  # the edge of the intake: no fault of it may cost what was found
            if len(records) > 1:  # each alone, so that one spoils no other
                raise
            await self._write(records, None)
            self.unhandled += 1
            log.exception("no incident could be made of a record")
        else:
            self._tell([t for r in records for t in r.transitions])
        self._committed()

    async def _write(self, records: Sequence[Record], intake: Intake | None) -> None:
        at_ms = max(record.at_ms for record in records)
        transitions = [t for r in records for t in r.transitions]
        commands = [c for r in records for c in r.commands]
        lockouts = [lock for r in records for lock in r.lockouts]
        async with self._database.writing() as connection:
            recorded = await save_transitions(connection, transitions, at_ms)
            await save_alarms(connection, [_alarm(a) for r in records for a in r.alarms], at_ms)
            known = await audited.known_orders(connection, commands)
            # In order of time: of two forms of one row the last one stands.
            await save_commands(connection, commands)
            await save_lockouts(connection, lockouts)
            await save_limits(connection, [d for r in records for d in r.limits])
            await save_status(connection, [s for r in records for s in r.statuses])
            if intake is not None:
                await intake.take(connection, recorded, commands, self._clock_ms())
            await audited.orders(connection, commands, known, at_ms)
            await audited.releases(connection, lockouts, at_ms)

    async def replayed(self, transitions: Sequence[Transition], at_ms: int) -> set[FindingKey]:
        """Write what a replay raised and cleared; the findings SQL had not heard of."""
        async with self._database.writing() as connection:
            recorded = await save_transitions(connection, transitions, at_ms)
            await self._intake.take(connection, recorded, (), self._clock_ms())
        self._tell(transitions)
        return set(recorded.began)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        for listener in self.on_recorded:
            listener(transitions)


def _alarm(came: ReceivedAlarm) -> StationAlarm:
    alarm = came.alarm
    return StationAlarm(
        key=AlarmKey(came.station, alarm.boot, alarm.id, alarm.active),
        seq=alarm.seq,
        kind=alarm.kind,
        socket=alarm.socket,
        value=alarm.value,
        ts_ms=alarm.ts,
        received_ms=came.received_ms,
    )
