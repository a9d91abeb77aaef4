"""The backend as the HTTP side sees it: reads from memory and SQL, orders through the runner."""

import asyncio
from collections.abc import Sequence
from typing import Final

from alerts import alarms as alarm_inbox
from alerts import findings as findings_at_rest
from alerts.alarms import AlarmFilter, StoredAlarm
from alerts.callbacks.intake import Intake
from alerts.callbacks.keys import CallbackKeys
from alerts.findings import FindingFilter, StoredFinding, StoredTransition
from api.cases import SqlCases
from api.duty import SqlDuty
from api.health import Verdict
from api.http import status
from api.http.ports import Detection, Released, Subject
from api.live import LiveHub
from api.metrics import Metrics
from api.running import SAFETY, Backend
from api.watchbook import SqlWatchBook
from devices import credentials, records
from devices.command_model import CommandRecord
from devices.lockouts import LockBook
from devices.model import Site
from devices.orders import Action
from devices.pages import Page
from devices.records import CommandFilter
from devices.twin import Twins
from iot.quarantine import Refused
from iot.store import TelemetryStore
from rules.decisions import Decision

COMMIT_WAIT_S: Final = 5.0
"""An answer waits this long for its record; the order itself has left before."""


class ApiBackend:
    """Implements ``api.http.ports.Backend``."""

    def __init__(self, backend: Backend) -> None:
        """Over the assembled backend."""
        self._backend = backend
        desk = backend.people.desk
        self.cases = SqlCases(
            backend.database,
            now_ms=backend.clock.utc_ms,
            acts=desk.acts,
            sending=desk.inbound,
            photos=backend.evidence,
        )
        self.exports = backend.evidence.exports
        self.callbacks = Intake(
            database=backend.database,
            keys=CallbackKeys.of(backend.settings.callbacks),
            desk=desk.inbound,
            clock=backend.clock.utc_ms,
            counters=backend.metrics,
        )
        self.duty = SqlDuty(backend.database, self.now_ms)
        self.watchbook = SqlWatchBook(backend.database, self.now_ms)

    async def run(self) -> None:
        """Turn the backend and its live stream until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._backend.run(), name="backend")
            group.create_task(self.live.run(lambda s: status.row(self, s)), name="live stream")

    @property
    def live(self) -> LiveHub:
        """The live stream."""
        return self._backend.live

    @property
    def metrics(self) -> Metrics:
        """The product's counters."""
        return self._backend.metrics

    @property
    def twins(self) -> Twins:
        """Reported and desired state."""
        return self._backend.runner.twins

    @property
    def locks(self) -> LockBook:
        """Lockouts in force."""
        return self._backend.runner.locks

    @property
    def detection(self) -> Detection:
        """The engine's view."""
        return self._backend.engine

    @property
    def telemetry(self) -> TelemetryStore:
        """The telemetry store."""
        return self._backend.store

    def sites(self) -> Sequence[Site]:
        """All sites."""
        return self._backend.sites

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return self._backend.clock.utc_ms()

    def monotonic_ms(self) -> int:
        """Milliseconds that never jump."""
        return round(self._backend.clock.monotonic_s() * 1000)

    def verdict(self) -> Verdict:
        """Health, now."""
        return self._backend.health.verdict(self.monotonic_ms())

    async def verify(self, token: str) -> str | None:
        """Whose credential it is."""
        async with self._backend.database.reading() as connection:
            return await credentials.verify(connection, token)

    async def findings(
        self, where: FindingFilter, cursor: str | None, limit: int
    ) -> Page[StoredFinding]:
        """Findings at rest."""
        async with self._backend.database.reading() as connection:
            return await findings_at_rest.list_findings(connection, where, cursor, limit)

    async def finding(
        self, finding: int
    ) -> tuple[StoredFinding, Sequence[StoredTransition]] | None:
        """One finding with its steps."""
        async with self._backend.database.reading() as connection:
            found = await findings_at_rest.get_finding(connection, finding)
            if found is None:
                return None
            return found, await findings_at_rest.get_history(connection, finding)

    async def commands(
        self, where: CommandFilter, cursor: str | None, limit: int
    ) -> Page[CommandRecord]:
        """Orders at rest."""
        async with self._backend.database.reading() as connection:
            return await records.list_commands(connection, where, cursor, limit)

    async def command(self, command: str) -> CommandRecord | None:
        """One order."""
        async with self._backend.database.reading() as connection:
            return await records.get_command(connection, command)

    async def alarms(self, where: AlarmFilter, cursor: str | None, limit: int) -> Page[StoredAlarm]:
        """The stations' own alarms."""
        async with self._backend.database.reading() as connection:
            return await alarm_inbox.list_alarms(connection, where, cursor, limit)

    async def refused(self, limit: int) -> Sequence[Refused]:
        """The newest refused messages."""
        return await asyncio.to_thread(self._backend.quarantine.recent, limit)

    async def order(self, action: Action, subject: Subject) -> CommandRecord:
        """A person's order; it has left when the record is waited for."""
        decision, record = self._backend.runner.order(
            action,
            subject.station,
            subject.socket,
            reason=subject.reason,
            by=subject.by,
            now_ms=self.now_ms(),
        )
        await self._committed(decision)
        return record

    async def release(self, subject: Subject) -> Released:
        """A person's release, or the first of two words."""
        decision, outcome, findings = self._backend.runner.release(
            subject.station,
            subject.socket,
            by=subject.by,
            reason=subject.reason,
            now_ms=self.now_ms(),
        )
        await self._committed(decision)
        return Released(outcome, tuple(findings))

    async def _committed(self, decision: Decision) -> None:
        durable = asyncio.Event()
        self._backend.lanes[SAFETY].submit(decision, after=durable.set)
        try:
            async with asyncio.timeout(COMMIT_WAIT_S):
                await durable.wait()
        except TimeoutError:
            return  # the order is out and the record is queued; SQL's state is on /readyz
