"""What turns decided, in one SQL transaction across the rooms' tables."""

from collections.abc import Sequence

from alerts.alarms import AlarmKey, StationAlarm, save_alarms
from alerts.findings import save_transitions
from devices.database import Database
from devices.records import save_commands, save_limits, save_lockouts, save_status
from rules.decisions import ReceivedAlarm, Record
from rules.model import FindingKey, Transition


class SqlRecords:
    """Implements ``iot.committer.Records``; idempotent, so a repeat after a crash is harmless."""

    def __init__(self, database: Database) -> None:
        """All writes go through the database's one writer."""
        self._database = database

    async def write(self, records: Sequence[Record]) -> None:
        """Commit everything or nothing.

        Raises:
            DatabaseUnavailable: try again later.
            DatabaseRefused: the data is wrong and always will be.

        """
        at_ms = max(record.at_ms for record in records)
        async with self._database.writing() as connection:
            await save_transitions(connection, [t for r in records for t in r.transitions], at_ms)
            await save_alarms(connection, [_alarm(a) for r in records for a in r.alarms], at_ms)
            # In order of time: of two forms of one row the last one stands.
            await save_commands(connection, [c for r in records for c in r.commands])
            await save_lockouts(connection, [lock for r in records for lock in r.lockouts])
            await save_limits(connection, [d for r in records for d in r.limits])
            await save_status(connection, [s for r in records for s in r.statuses])

    async def replayed(self, transitions: Sequence[Transition], at_ms: int) -> set[FindingKey]:
        """Write what a replay raised and cleared; the findings SQL had not heard of."""
        async with self._database.writing() as connection:
            return set((await save_transitions(connection, transitions, at_ms)).began)


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
