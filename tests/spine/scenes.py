"""What several tests of the spine do with a stage: open one, play frames, read what is at rest."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alerts.findings import FindingFilter, StoredFinding, list_findings
from api.bootstrap import assemble
from api.clock import VirtualClock
from api.loopback import Loopback
from devices.command_model import CommandRecord
from devices.limits import Desired
from devices.lockouts import Lockout
from devices.records import CommandFilter, list_commands, load_limits, load_lockouts
from iot.mqtt import Delivery
from iot.topics import Channel
from rules.model import FindingKey
from tests.spine.conftest import STATION, Stage, settings_for

SOCKETS = 12
HOT_C = 97.0
WARM_C = 82.0


class NotingLoopback(Loopback):
    """A loop-back that remembers what was acknowledged, as the broker would."""

    def __init__(self, lane: str, clock: VirtualClock) -> None:
        """Nothing acknowledged yet."""
        super().__init__(lane, clock)
        self.acknowledged: list[Delivery] = []

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Note them."""
        self.acknowledged += deliveries


@asynccontextmanager
async def opened(
    data_dir: Path, now_ms: int, seq: dict[str, int] | None = None
) -> AsyncIterator[Stage]:
    """A backend on ``data_dir`` that is not connected yet; ``seq`` goes on where a station was."""
    clock = VirtualClock(now_ms)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, NotingLoopback(lane, clock))

    async with assemble(settings_for(data_dir), clock, link) as backend:
        yield Stage(backend, clock, loops, dict(seq or {}))


def crashed(stage: Stage, to: Path) -> Path:
    """What a kill in this instant would leave on disk: a copy of the data directory."""
    return shutil.copytree(stage.backend.settings.data_dir, to)


@asynccontextmanager
async def after_crash(stage: Stage, to: Path, *, later_s: float = 1) -> AsyncIterator[Stage]:
    """A second backend on what a kill of ``stage`` would leave, started and connected."""
    now_ms = stage.clock.utc_ms() + round(later_s * 1000)
    async with opened(crashed(stage, to), now_ms, stage.seq) as second:
        connect(second)
        yield second


def connect(stage: Stage) -> None:
    """The broker is reached for the first time."""
    stage.backend.start()
    stage._collect()


def row(usual: float | None, others: dict[int, float | None] | None = None) -> list[float | None]:
    """One value per socket; ``others`` by socket number, from 1."""
    return [(others or {}).get(socket, usual) for socket in range(1, SOCKETS + 1)]


def heat(socket: int, celsius: float = HOT_C) -> dict[str, Any]:
    """Channels of a frame in which one socket is hot and all sockets charge."""
    return {"temp_c": row(31.0, {socket: celsius})}


def off(socket: int, celsius: float = HOT_C) -> dict[str, Any]:
    """The same after the socket's relay has opened."""
    return heat(socket, celsius) | {
        "relay": row(1, {socket: 0}),
        "power_w": row(118.0, {socket: 0.0}),
        "current_a": row(0.9, {socket: 0.0}),
    }


def all_off(**channels: Any) -> dict[str, Any]:
    """Channels of a frame of a station whose contactor is open."""
    idle = {"relay": row(0), "power_w": row(0.0), "current_a": row(0.0)}
    return idle | channels


def play(stage: Stage, frames: int, every_s: float, **channels: Any) -> None:
    """Let ``frames`` equal frames arrive, each after ``every_s`` seconds."""
    for _ in range(frames):
        stage.pass_s(every_s)
        stage.telemetry(**channels)


def cut_hot_socket(stage: Stage, socket: int = 3) -> None:
    """Two frames at 97 °C, a second apart: R02 ``extreme``, cut in the second one's turn."""
    play(stage, 2, 1, **heat(socket))


def sent(stage: Stage, channel: Channel) -> list[dict[str, Any]]:
    """Bodies published on one channel, oldest first."""
    return [body for _, c, body in stage.published if c is channel]


def locked(stage: Stage) -> list[int]:
    """``locked`` of the newest limits document that was published for the station."""
    documents = [b for s, c, b in stage.published if c is Channel.LIMITS and s == STATION]
    found: list[int] = documents[-1]["locked"]
    return found


def active(stage: Stage) -> list[FindingKey]:
    """Keys of the findings that stand at the station."""
    return [f.key for f in stage.backend.engine.active(STATION)]


async def stored(stage: Stage) -> int:
    """Frames in the telemetry store once everything that is in the journal is there."""
    await stage.backend.committer.flush()
    await stage.backend.drain.empty()
    return await stage.backend.store.count()


async def findings(stage: Stage) -> list[StoredFinding]:
    """Findings in SQL, oldest first."""
    async with stage.backend.database.reading() as connection:
        page = await list_findings(connection, FindingFilter(), limit=200)
    return sorted(page.items, key=lambda f: (f.finding.raised_ms, f.finding.key.rule))


async def rules_at_rest(stage: Stage) -> list[tuple[str, str, int | None, bool]]:
    """Rule, tier, socket, and whether it stands, of the station's findings in SQL."""
    return [
        (f.finding.key.rule, f.finding.key.tier, f.finding.key.socket, f.cleared_ms is None)
        for f in await findings(stage)
        if f.finding.key.station == STATION
    ]


async def commands(stage: Stage) -> list[CommandRecord]:
    """Orders in SQL, oldest first."""
    async with stage.backend.database.reading() as connection:
        page = await list_commands(connection, CommandFilter(), limit=200)
    return list(page.items[::-1])


async def lockouts(stage: Stage) -> list[Lockout]:
    """Lockouts that stand in SQL, oldest first."""
    async with stage.backend.database.reading() as connection:
        return await load_lockouts(connection)


async def limits(stage: Stage, station: str = STATION) -> Desired:
    """The station's limits document in SQL."""
    async with stage.backend.database.reading() as connection:
        return {d.station: d for d in await load_limits(connection)}[station]


def subjects(locks: Sequence[Lockout]) -> list[tuple[int | None, str, str]]:
    """Socket, rule and kind of each lockout."""
    return [(lock.socket, lock.rule, lock.kind.value) for lock in locks]
