"""A whole backend in this process, on virtual time and without a network."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.bootstrap import assemble
from api.clock import VirtualClock
from api.loopback import Loopback
from api.running import SAFETY, TELEMETRY, Backend
from api.settings import Settings
from iot.topics import Channel, parse, topic

START_MS = 1_790_812_800_000
STATION = "cmrj-01"


@dataclass
class Stage:
    """The backend, its clock, and what it published."""

    backend: Backend
    clock: VirtualClock
    loops: dict[str, Loopback]
    seq: dict[str, int] = field(default_factory=dict)
    published: list[tuple[str, Channel, dict[str, Any]]] = field(default_factory=list)

    def frame(self, station: str = STATION, **channels: Any) -> dict[str, Any]:
        """A normal frame of this instant; ``channels`` replace values."""
        self.seq[station] = self.seq.get(station, 0) + 1
        body: dict[str, Any] = {
            "boot": "0a1b2c3d",
            "seq": self.seq[station],
            "ts": self.clock.utc_ms(),
            "ambient_c": 24.0,
            "enclosure_c": 27.0,
            "voltage_v": 228.0,
            "leakage_ma": 2.0,
            "smoke": 0,
            "water": 0,
            "door": 0,
            "relay": [1] * 12,
            "current_a": [0.9] * 12,
            "power_w": [118.0] * 12,
            "temp_c": [31.0] * 12,
            "energy_wh": [100.0] * 12,
        }
        return body | channels

    def alarm(self, station: str = STATION, **values: Any) -> dict[str, Any]:
        """A smoke alarm of this instant; ``values`` replace fields."""
        self.seq[station] = self.seq.get(station, 0) + 1
        body: dict[str, Any] = {
            "boot": "0a1b2c3d",
            "seq": self.seq[station],
            "ts": self.clock.utc_ms(),
            "id": f"alarm-{self.seq[station]}",
            "kind": "smoke",
            "socket": None,
            "active": True,
            "value": None,
        }
        return body | values

    def raw(self, address: str, payload: bytes, *, retained: bool = False) -> None:
        """Let a message arrive on the lane that its last level belongs to."""
        lane = TELEMETRY if address.endswith("/telemetry") else SAFETY
        delivery = self.loops[lane].delivery(address, payload, retained=retained)
        self.backend.lanes[lane].turn([delivery])
        self._collect()

    def send(self, body: dict[str, Any], channel: Channel, station: str = STATION) -> None:
        """Let a body arrive on its topic."""
        self.raw(topic(station, channel), orjson.dumps(body))

    def telemetry(self, station: str = STATION, **channels: Any) -> None:
        """Let a frame arrive."""
        self.send(self.frame(station, **channels), Channel.TELEMETRY, station)

    def pass_s(self, seconds: float) -> None:
        """Let time pass in half seconds, with the backend's tick."""
        for _ in range(round(seconds * 2)):
            self.clock.now_ms += 500
            self.backend.tick()
            self._collect()

    def orders(self) -> list[tuple[str, int | None]]:
        """Action and socket of the orders published so far."""
        return [(b["action"], b["socket"]) for _, c, b in self.published if c is Channel.COMMAND]

    def receipts(self) -> list[str]:
        """Ids of the receipts published so far."""
        self._collect()
        return [b["id"] for _, c, b in self.published if c is Channel.RECEIPT]

    def rules(self, station: str = STATION) -> list[tuple[str, int | None]]:
        """Rule and socket of the findings that stand."""
        active = self.backend.engine.active(station)
        return [(f.key.rule, f.key.socket) for f in active]

    def _collect(self) -> None:
        for message in self.loops[SAFETY].take():
            address = parse(message.topic)
            assert address is not None
            self.published.append((*address, orjson.loads(message.payload)))


def settings_for(data_dir: Path) -> Settings:
    """Embedded defaults in ``data_dir``, whatever the environment says."""
    return Settings(_env_file=None, data_dir=data_dir)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A started backend at ``START_MS`` with the packaged site."""
    clock = VirtualClock(START_MS)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    async with assemble(settings_for(tmp_path), clock, link) as backend:
        backend.start()
        made = Stage(backend, clock, loops)
        made.pass_s(1)
        await backend.committer.flush()
        made.published.clear()
        yield made
