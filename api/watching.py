"""The watch over the watcher, joined: what its jobs do, each in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.findings import Recorded
from alerts.watch import canary_runs
from alerts.watch.auditor import Broken, audited
from alerts.watch.canary import Canary
from alerts.watch.canary_runs import Standing
from alerts.watch.faultline import FaultLine
from alerts.watch.heartbeat import Beat, Heartbeat
from alerts.watch.house import HouseRule, stand
from api import house
from api.clock import Clock
from api.health import Health, Verdict
from api.watch_metrics import WatchMetrics
from devices.command_model import CommandRecord
from devices.database import Database

FRESH_MS: Final = 30_000
"""An audit older than this says nothing any more."""
KEEP_CANARY_MS: Final = 7 * 86_400_000
"""What canary incidents leave in SQL is deleted after this long."""
OWN_RULES: Final = (HouseRule.INTERNAL_FAULT, HouseRule.CLOCK_JUMP)
"""The rules of the house that are looked at here; rosters and budgets are looked at elsewhere."""


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
    heartbeat: Heartbeat | None = None
    canary: Canary | None = None
    broken: tuple[Broken, ...] = ()
    audited_ms: int | None = None  # monotonic, of the last audit that could be made
    standing: Standing | None = None

    @property
    def sound(self) -> bool:
        """Whether all is well: readiness green, a fresh audit, and nothing broken in it."""
        fresh = self.audited_ms is not None and self._now_ms() - self.audited_ms <= FRESH_MS
        return fresh and not self.broken and self._verdict().ready

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
        async with self.database.writing() as connection:
            wanted = house.of_sites(found, self.sites)
            recorded = await stand(connection, wanted, now_ms, OWN_RULES)
            if recorded.new:
                await self.intake.take(connection, recorded, (), now_ms)

    async def beat(self) -> Beat | None:
        """Let the outside know that all is well, if it is; None without an address."""
        if self.heartbeat is None:
            return None
        beat = await self.heartbeat.beat(sound=self.sound)
        self.metrics.beat(beat)
        return beat

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
