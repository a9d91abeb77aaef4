"""The assembled backend: what is done at a connection, periodically, and at the end.

``Backend.run`` is what turns while the process lives; virtual time steps the same parts by hand.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from alerts.drills.turn import Drills
from alerts.watch import marks
from api.clock import Clock
from api.desk import PeopleSide
from api.evidence import Evidence
from api.health import Health
from api.jobs import Jobs
from api.lanes import Lane, Source
from api.live import LiveHub
from api.metrics import Metrics
from api.observer import Observation
from api.records import SqlRecords
from api.settings import MiB, Settings
from api.snapshot import Snapshot, save_snapshot
from api.watching import Watching
from devices.command_model import CommandRecord
from devices.database import Database
from devices.errors import DatabaseUnavailable
from devices.model import Site
from iot.admission import Admission
from iot.committer import Committer, Work
from iot.drain import Drain
from iot.journal import Journal
from iot.outlet import Outlet
from iot.quarantine import Quarantine
from iot.store import StoreError, TelemetryStore
from rules.decisions import Record
from rules.engine import Engine
from rules.model import FindingKey
from rules.runner import Runner

log = structlog.get_logger(__name__)

SAFETY: Final = "safety"
TELEMETRY: Final = "telemetry"
TICK_S: Final = 0.5
PROBE_S: Final = 5
DESK_S: Final = 0.5
DUTY_S: Final = 5
FREEZE_S: Final = 1
DRILLS_S: Final = 2
WATCH_S: Final = 2
MARK_S: Final = 10
AUDIT_S: Final = 10
DIRECT_S: Final = 5
LISTEN_S: Final = 2
BEAT_S: Final = 60
PLAN_S: Final = 300
PRUNE_S: Final = 3600
CLOSE_S: Final = 10.0
SNAPSHOT_CURSOR: Final = "snapshot"


class Link(Source, Protocol):
    """A lane's source that can also publish and probe (``iot.mqtt.Session``)."""

    on_connected: Callable[[], None]

    async def run(self) -> None:
        """Stay connected until cancelled."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hand a message to the connection now; False when there is none."""

    def probe(self) -> None:
        """Send oneself a message."""


MakeLink = Callable[[str, Sequence[str]], Link]
"""(lane, topic filters) -> its link."""


@dataclass(slots=True)
class Backend:
    """The assembled backend; ``run`` turns it, the tests and the virtual run step it."""

    settings: Settings
    clock: Clock
    sites: list[Site]
    database: Database
    journal: Journal
    quarantine: Quarantine
    store: TelemetryStore
    drain: Drain
    engine: Engine
    runner: Runner
    admission: Admission
    records: SqlRecords
    committer: Committer[Record]
    outlet: Outlet
    links: dict[str, Link]
    lanes: dict[str, Lane]
    observation: Observation
    metrics: Metrics
    health: Health
    jobs: Jobs
    live: LiveHub
    first_token: str | None
    people: PeopleSide
    evidence: Evidence
    watching: Watching
    drills: Drills
    desk_wanted: asyncio.Event
    fresh: set[FindingKey]
    unfinished: list[CommandRecord]
    started: bool = False

    def start(self) -> None:
        """On the first connection act on what a crash left open; on each, tell the limits."""
        now_ms = self.clock.utc_ms()
        if not self.started:
            self.started = True
            restored = self.runner.actuation.commands.restore(self.unfinished, now_ms)
            self.lanes[SAFETY].submit(self.runner.start(self.fresh, restored, now_ms))
        self.runner.actuation.publish_limits()

    def tick(self) -> None:
        """What passes with time; called several times a second."""
        decision = self.runner.tick(self.clock.utc_ms())
        if decision is not None:
            self.lanes[SAFETY].submit(decision)

    async def snapshot(self, *, flush: bool = False) -> None:
        """Capture the state now; write it once everything before it is durable.

        ``flush`` commits what is queued, for when the committer does not run.
        """
        engine, sequences = self.engine.state.snapshot(), self.admission.sequences.dump()
        at_ms = self.clock.utc_ms()
        durable = asyncio.Event()
        work: Work[Record] = Work(barrier=True, after=durable.set)
        self.committer.submit(work)
        if flush:
            await self.committer.flush()
        await durable.wait()
        state = Snapshot(work.end_lsn, at_ms, engine, sequences)
        await asyncio.to_thread(self._save, state)

    def _save(self, state: Snapshot) -> None:
        save_snapshot(self.settings.data_dir / "state.snapshot", state)
        self.journal.move_cursor(SNAPSHOT_CURSOR, state.lsn)
        self.journal.trim()

    async def watch(self) -> None:
        """Ask what cannot report by itself: SQL, the drain, the committer, the wall clock."""
        now_ms = round(self.clock.monotonic_s() * 1000)
        try:
            async with asyncio.timeout(WATCH_S * 2), self.database.reading() as connection:
                await connection.exec_driver_sql("SELECT 1")
            reachable = self.committer.record_error is None
        except (DatabaseUnavailable, TimeoutError):
            reachable = False
        self.health.sql(reachable=reachable, now_ms=now_ms)
        lag = self.drain.lag(self.clock.utc_ms())
        self.health.drain(
            frames=lag.records,
            oldest_ms=now_ms - lag.oldest_age_ms if lag.oldest_age_ms else None,
            journal_share=self.journal.bytes_used / (self.settings.telemetry.spool_mib * MiB),
        )
        self.metrics.quarantined(self.quarantine.refused)
        self.health.unrecordable(self.committer.unrecordable + self.records.unhandled)
        self.health.clock(self.clock.jump_ms())
        for part, failures in (
            ("desk", self.people.desk.dispatcher.failures),
            ("direct_line", self.watching.faultline.failures),
            ("evidence", self.evidence.freezer.counts.errors),
            ("intake", self.records.unhandled),
        ):
            self.metrics.part_failures(part, failures)

    async def mark(self) -> None:
        """Leave the clock's trace for the next start."""
        mark = self.clock.mark()
        async with self.database.writing() as connection:
            await marks.save_mark(connection, mark)

    async def desk(self) -> None:
        """Do what is due at the desk and begin to send what waits."""
        await self.people.desk.turn(self.clock.utc_ms())
        for news in await self.people.desk.news():
            self.observation.incident(news)

    async def _desk_at_once(self) -> None:
        """The same as soon as something was recorded: the first message waits for no tick."""
        while True:
            await self.desk_wanted.wait()
            self.desk_wanted.clear()
            try:
                await self.desk()
            except DatabaseUnavailable as error:  # the tick tries again, and is red meanwhile
                log.warning("the desk waits for SQL", error=str(error))

    async def freeze(self) -> None:
        """Begin to freeze the evidence that is due."""
        await self.evidence.freezer.turn(self.clock.utc_ms())

    async def hold_drills(self) -> None:
        """Plan drills ahead and begin those that are due."""
        await self.drills.turn(self.database, self.clock.utc_ms())

    async def duty(self) -> None:
        """Read who is on duty again."""
        await self.people.duty.refresh(self.database, self.clock.utc_ms())

    async def prune(self) -> None:
        """Forget telemetry beyond its retention."""
        keep_ms = self.settings.telemetry.retention_days * 86_400_000
        await self.store.prune(self.clock.utc_ms() - keep_ms)

    def probe(self) -> None:
        """Send each lane its probe."""
        for link in self.links.values():
            link.probe()

    async def run(self) -> None:
        """Turn until cancelled; any part that ends by an error ends the process, visibly."""
        for job, seconds in (
            (self.tick, TICK_S),
            (self.probe, PROBE_S),
            (self.watch, WATCH_S),
            (self.desk, DESK_S),
            (self.duty, DUTY_S),
            (self.snapshot, self.settings.snapshot_s),
        ):
            self.jobs.every(seconds, job)
        self._watch_the_watcher()
        self.jobs.every(FREEZE_S, self.freeze, vital=False)
        self.jobs.every(DRILLS_S, self.hold_drills, vital=False)
        self.jobs.every(MARK_S, self.mark, vital=False)
        self.jobs.every(PRUNE_S, self.prune, vital=False)
        await self.watch()
        committing = asyncio.create_task(self.committer.run(), name="committer")
        self.jobs.start()
        try:
            async with asyncio.TaskGroup() as group:
                for link in self.links.values():
                    group.create_task(link.run(), name=f"link {link.lane}")
                for lane in self.lanes.values():
                    group.create_task(lane.run(), name=f"lane {lane.name}")
                group.create_task(self.drain.run(), name="drain")
                group.create_task(self._desk_at_once(), name="desk")
                group.create_task(_until(committing), name="committer watch")
        finally:
            await self.jobs.stop(CLOSE_S)
            self.committer.close()
            _, hanging = await asyncio.wait([committing], timeout=CLOSE_S)
            for task in hanging:  # SQL is away: what it should have had is not acknowledged
                task.cancel()

    def _watch_the_watcher(self) -> None:
        """The jobs of ``api.watching``: what the alarm path needs none of is never red."""
        watching = self.watching
        self.jobs.every(AUDIT_S, watching.audit)
        self.jobs.every(DIRECT_S, watching.direct)
        for job, seconds in (
            (watching.sing, self.settings.watch.canary_period_s),
            (watching.listen, LISTEN_S),
            (watching.beat, BEAT_S),
            (watching.plan, PLAN_S),
            (watching.forget, PRUNE_S),
        ):
            self.jobs.every(seconds, job, vital=False)

    async def finish(self) -> None:
        """A clean end: what was submitted is durable, and the state saved.

        Not when something is stuck: then the next start replays from the last snapshot.
        """
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.snapshot(flush=True)
                while await self.drain.pump():
                    pass
        except StoreError as error:
            log.warning("the store is away; the journal keeps what it lacks", error=str(error))
        except TimeoutError:
            log.warning("ended without a snapshot; the next start replays the journal")


async def _until(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)
