"""A crowd of stations in the test's own process: it sends, obeys, and remembers what it sent."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import aiomqtt

from iot.contract import Alarm, Telemetry
from iot.topics import Channel, every_station, parse, topic

HOT_C = 97.0
WARM_C = 31.0
HOT_FRAMES = 6
RESEND_S = 0.4


@dataclass
class Unit:
    """One station of the crowd."""

    station: str
    boot: str
    sockets: int = 12
    seq: int = 0
    hot: dict[int, int] = field(default_factory=dict)  # socket -> hot frames left
    off: set[int] = field(default_factory=set)

    def number(self) -> int:
        """The next sequence number."""
        self.seq += 1
        return self.seq

    def frame(self, now_ms: int) -> Telemetry:
        """One frame of this instant."""
        numbers = range(1, self.sockets + 1)
        on = [n not in self.off for n in numbers]
        temps: list[float | None] = [HOT_C if self.hot.get(n, 0) else WARM_C for n in numbers]
        self.hot = {n: left - 1 for n, left in self.hot.items() if left > 1}
        return Telemetry(
            boot=self.boot,
            seq=self.number(),
            ts=now_ms,
            ambient_c=24.0,
            enclosure_c=27.0,
            voltage_v=228.0,
            leakage_ma=2.0,
            smoke=0,
            water=0,
            door=0,
            relay=[int(o) for o in on],
            current_a=[0.9 if o else 0.0 for o in on],
            power_w=[118.0 if o else 0.0 for o in on],
            temp_c=temps,
            energy_wh=[100.0] * self.sockets,
        )


class Crowd:
    """Publishes frames and alarms with QoS 1 and obeys cuts; everything sent is kept."""

    def __init__(self, stations: list[str], clock_ms: Callable[[], int], seed: int) -> None:
        """All stations have 12 sockets; chance comes from ``seed``."""
        self._chance = random.Random(seed)
        self._clock_ms = clock_ms
        self.units = {s: Unit(s, f"{self._chance.getrandbits(32):08x}") for s in stations}
        self.frames: list[tuple[str, Telemetry]] = []
        self.alarms: dict[str, tuple[str, bytes]] = {}  # id -> station, body
        self.receipts: Counter[str] = Counter()
        self.cuts: Counter[tuple[str, int | None]] = Counter()
        self.heated_s: dict[str, float] = {}  # station -> when its second hot frame left
        self.reactions_s: list[tuple[float, float]] = []  # (when, how long) to the first cut
        self._to_heat = self._places()

    def _places(self) -> Iterator[tuple[str, int]]:
        places = [(s, n) for s, u in self.units.items() for n in range(1, u.sockets + 1)]
        self._chance.shuffle(places)
        return iter(places)

    async def run(self, port: int, *, period_s: float, until: asyncio.Event) -> None:
        """Send a frame of every station each ``period_s`` until told to end."""
        async with (
            aiomqtt.Client("127.0.0.1", port, identifier="crowd") as client,
            asyncio.TaskGroup() as group,
        ):
            client.pending_calls_threshold = 1_000
            for channel in (Channel.COMMAND, Channel.RECEIPT):
                await client.subscribe(every_station(channel), qos=1)
            listening = group.create_task(self._listen(client))
            alarming = group.create_task(self._alarm(client, until))
            turn = 0
            while not until.is_set():
                turn += 1
                if turn % max(1, int(0.7 / period_s)) == 0:
                    self._heat()
                await self._send_frames(client)
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), period_s)
            await alarming
            listening.cancel()

    def _heat(self) -> None:
        place = next(self._to_heat, None)
        if place is not None:
            self.units[place[0]].hot[place[1]] = HOT_FRAMES

    async def _send_frames(self, client: aiomqtt.Client) -> None:
        now_ms = self._clock_ms()
        async with asyncio.TaskGroup() as group:
            for unit in self.units.values():
                if any(left == HOT_FRAMES - 1 for left in unit.hot.values()):
                    self.heated_s[unit.station] = time.monotonic()
                frame = unit.frame(now_ms)
                self.frames.append((unit.station, frame))
                body = frame.model_dump_json().encode()
                address = topic(unit.station, Channel.TELEMETRY)
                group.create_task(client.publish(address, body, qos=1, timeout=60))

    async def _alarm(self, client: aiomqtt.Client, until: asyncio.Event) -> None:
        """A new alarm now and then; each is re-sent until its receipt, as the contract says."""
        while not until.is_set() or self.waiting:
            if not until.is_set():
                unit = self._chance.choice(list(self.units.values()))
                alarm = Alarm(
                    boot=unit.boot,
                    seq=unit.number(),
                    ts=self._clock_ms(),
                    id=f"a{len(self.alarms)}",
                    kind="self_test",
                    socket=None,
                    active=True,
                    value=None,
                )
                self.alarms[alarm.id] = (unit.station, alarm.model_dump_json().encode())
            for alarm_id in self.waiting:
                station, body = self.alarms[alarm_id]
                await client.publish(topic(station, Channel.ALARM), body, qos=1, timeout=60)
            await asyncio.sleep(RESEND_S)

    @property
    def waiting(self) -> list[str]:
        """Alarms without a receipt."""
        return [alarm_id for alarm_id in self.alarms if alarm_id not in self.receipts]

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            address = parse(str(message.topic))
            assert address is not None
            assert isinstance(message.payload, bytes)
            station, channel = address
            body = json.loads(message.payload)
            if channel is Channel.RECEIPT:
                self.receipts[body["id"]] += 1
            elif body["action"] in {"cut", "cut_station"}:
                unit = self.units[station]
                whole = body["action"] == "cut_station"
                unit.off |= set(range(1, unit.sockets + 1)) if whole else {body["socket"]}
                self.cuts[station, body["socket"]] += 1
                heated_s = self.heated_s.pop(station, None)
                if heated_s is not None:
                    now_s = time.monotonic()
                    self.reactions_s.append((now_s, now_s - heated_s))
