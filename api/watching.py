"""The watch over the watcher, joined: what its jobs do, each in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.channels.quota import Quota
from alerts.desk.duty import Duty
from alerts.findings import Recorded
from alerts.watch import canary_runs
from alerts.watch.auditor import Broken, audited
from alerts.watch.canary import Canary, Publish, Voice
from alerts.watch.canary_runs import Standing
from alerts.watch.faultline import FaultLine
from alerts.watch.heartbeat import Heartbeat
from alerts.watch.house import HouseFinding, HouseRule, stand
from alerts.watch.settings import WatchSettings
from api import house
from api.clock import Clock
from api.desk import PeopleSide, new_id
from api.health import Health, Verdict
from api.observer import Observation
from api.records import SqlRecords
from api.watch_metrics import WatchMetrics
from devices.command_model import CommandRecord
from devices.database import Database

FRESH_MS: Final = 30_000
"""An audit older than this says nothing any more."""
KEEP_CANARY_MS: Final = 7 * 86_400_000
"""What canary incidents leave in SQL is deleted after this long."""
OWN_RULES: Final = (HouseRule.INTERNAL_FAULT, HouseRule.CLOCK_JUMP)
"""What each audit looks at."""
PLANNED_RULES: Final = (HouseRule.EMPTY_SHIFT, HouseRule.MESSAGE_BUDGET)
"""What changes slowly and is looked at every few minutes."""


class Intake(Protocol):
    """Makes incidents of what was recorded (``alerts.desk.desk.Desk``)."""

    async def take(
        self,
        connection: AsyncConnection,
        recorded: Recorded,
        commands: Sequence[CommandRecord],
        now_ms: int,
    ) -> None:
        """In the same transaction."""


@dataclass(slots=True)
class Watching:
    """Audits, beats, tries the whole path, and speaks past SQL when it must."""

    database: Database
    clock: Clock
    health: Health
    metrics: WatchMetrics
    intake: Intake
    sites: tuple[str, ...]
    faultline: FaultLine
    duty: Duty
    quota: Quota
    heartbeat: Heartbeat | None = None
    canary: Canary | None = None
    broken: tuple[Broken, ...] = ()
    audited_ms: int | None = None  # monotonic, of the last audit that could be made
    standing: Standing | None = None

    @property
    def sound(self) -> bool:
        """Readiness green, a fresh audit with nothing broken in it, and a canary that arrives."""
        fresh = self.audited_ms is not None and self._now_ms() - self.audited_ms <= FRESH_MS
        failures = 0 if self.standing is None else self.standing.failures_in_row
        return fresh and not self.broken and failures < house.FAILED_RUNS and self._verdict().ready

    async def audit(self) -> None:
        """Look at all invariants, and let what is wrong stand as findings.

        Raises:
            DatabaseUnavailable: nothing is known then, and the heartbeat stops.

        """
        now_ms = self.clock.utc_ms()
        async with self.database.reading() as connection:
            broken = await audited(connection, now_ms)
        self.broken, self.audited_ms = broken, self._now_ms()
        self.metrics.audited(broken)
        found = house.wrong(self._verdict(), broken, self.standing)
        await self._stand(house.of_sites(found, self.sites), now_ms, OWN_RULES)

    async def plan(self) -> None:
        """Look for empty shifts ahead, and at what messages have cost."""
        now_ms = self.clock.utc_ms()
        async with self.database.reading() as connection:
            spent = await self.quota.spent(connection, now_ms)
        wanted = house.empty_shifts(self.duty.book, self.sites, now_ms)
        wanted += house.budget(spent, self.sites)
        await self._stand(wanted, now_ms, PLANNED_RULES)

    async def _stand(
        self, wanted: Sequence[HouseFinding], now_ms: int, rules: Sequence[HouseRule]
    ) -> None:
        async with self.database.writing() as connection:
            recorded = await stand(connection, wanted, now_ms, rules)
            if recorded.new:
                await self.intake.take(connection, recorded, (), now_ms)

    async def beat(self) -> None:
        """Let the outside know that all is well, if it is, and if there is an address for it."""
        if self.heartbeat is not None:
            self.metrics.beat(await self.heartbeat.beat(sound=self.sound))

    async def direct(self) -> None:
        """Tell past SQL what must be."""
        taken = await self.faultline.turn(house.direct(self._verdict()), self.clock.utc_ms())
        self.metrics.direct(taken)

    async def sing(self) -> None:
        """Begin a run of the canary."""
        if self.canary is not None:
            await self.canary.begin(self.clock.utc_ms())

    async def listen(self) -> None:
        """See what became of the canary's runs."""
        if self.canary is None:
            return
        now_ms = self.clock.utc_ms()
        for run in await self.canary.look(now_ms):
            self.metrics.canary_ended(run.outcome.value)
            self.standing = await self.canary.standing(now_ms)
        if self.standing is None:
            self.standing = await self.canary.standing(now_ms)
        self.metrics.canary(self.standing, now_ms)

    async def forget(self) -> None:
        """Delete what canary incidents have left long ago."""
        before_ms = self.clock.utc_ms() - KEEP_CANARY_MS
        async with self.database.writing() as connection:
            await canary_runs.forget(connection, before_ms)

    async def close(self) -> None:
        """Let go of the heartbeat's connection."""
        if self.heartbeat is not None:
            await self.heartbeat.close()

    def _verdict(self) -> Verdict:
        return self.health.verdict(self._now_ms())

    def _now_ms(self) -> int:
        return round(self.clock.monotonic_s() * 1000)


def open_watching(  # noqa: PLR0913 - the composition root names each part
    settings: WatchSettings,
    *,
    database: Database,
    clock: Clock,
    health: Health,
    metrics: WatchMetrics,
    observation: Observation,
    records: SqlRecords,
    people: PeopleSide,
    sites: Sequence[str],
    publish: Publish,
    boot: str,
) -> Watching:
    """Join it; the caller closes it. ``publish`` is the safety lane's, ``boot`` 8 hex digits."""
    line = FaultLine(
        people.gateway,
        people.duty,
        people.places,
        people.render,
        fallback=settings.fallback_phones,
        new_id=new_id,
        clock_ms=clock.utc_ms,
    )
    observation.on_transition.append(line.transition)
    records.on_recorded.append(line.recorded)
    url = settings.heartbeat_url
    return Watching(
        database=database,
        clock=clock,
        health=health,
        metrics=metrics,
        intake=people.desk,
        sites=tuple(sites),
        faultline=line,
        duty=people.duty,
        quota=people.quota,
        heartbeat=Heartbeat(url.get_secret_value(), settings.heartbeat_method) if url else None,
        canary=Canary(database, sites, Voice(publish, boot), period_s=settings.canary_period_s)
        if settings.canary and sites
        else None,
    )
