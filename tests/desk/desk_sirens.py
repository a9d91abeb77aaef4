"""Stations that smoke on command: they re-send until the receipt, and obey cuts."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import aiomqtt

from iot.contract import Alarm, Telemetry
from iot.topics import Channel, every_station, parse, topic
from tests.desk.desk_city import SOCKETS

RESEND_S = 0.4
BOOT = "0a1b2c3d"


class Sirens:
    """Any number of stations over one connection; everything sent is kept."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        """``clock_ms`` is the stations' clock."""
        self._clock_ms = clock_ms
        self._seq: Counter[str] = Counter()
        self.alarms: dict[str, tuple[str, bytes]] = {}  # id -> station, body
        self.receipts: Counter[str] = Counter()
        self.cuts: Counter[str] = Counter()
        self.connected = asyncio.Event()
        self._client: aiomqtt.Client | None = None

    async def run(self, port: int) -> None:
        """Stay connected until cancelled."""
        async with (
            aiomqtt.Client("127.0.0.1", port, identifier="sirens") as client,
            asyncio.TaskGroup() as group,
        ):
            client.pending_calls_threshold = 10_000
            for channel in (Channel.COMMAND, Channel.RECEIPT):
                await client.subscribe(every_station(channel), qos=1)
            self._client = client
            self.connected.set()
            group.create_task(self._listen(client))
            while True:
                for station, body in [self.alarms[i] for i in self.waiting]:
                    await client.publish(topic(station, Channel.ALARM), body, qos=1, timeout=60)
                await asyncio.sleep(RESEND_S)

    @property
    def waiting(self) -> list[str]:
        """Alarms without a receipt."""
        return [alarm for alarm in self.alarms if alarm not in self.receipts]

    async def smoke(self, station: str) -> None:
        """The station smokes."""
        alarm = Alarm(
            boot=BOOT,
            seq=self._number(station),
            ts=self._clock_ms(),
            id=f"a{len(self.alarms)}",
            kind="smoke",
            socket=None,
            active=True,
            value=None,
        )
        body = alarm.model_dump_json().encode()
        self.alarms[alarm.id] = (station, body)
        assert self._client is not None
        await self._client.publish(topic(station, Channel.ALARM), body, qos=1, timeout=60)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            address = parse(str(message.topic))
            assert address is not None
            assert isinstance(message.payload, bytes)
            body = json.loads(message.payload)
            if address[1] is Channel.RECEIPT:
                self.receipts[body["id"]] += 1
            elif body["action"] in {"cut", "cut_station"}:
                self.cuts[address[0]] += 1
                frame = self._off(address[0]).model_dump_json().encode()
                where = topic(address[0], Channel.TELEMETRY)
                await client.publish(where, frame, qos=1, timeout=60)

    def _off(self, station: str) -> Telemetry:
        """A frame of a station whose contactor is open; its smoke detector still smells it."""
        return Telemetry(
            boot=BOOT,
            seq=self._number(station),
            ts=self._clock_ms(),
            ambient_c=24.0,
            enclosure_c=27.0,
            voltage_v=228.0,
            leakage_ma=2.0,
            smoke=1,
            water=0,
            door=0,
            relay=[0] * SOCKETS,
            current_a=[0.0] * SOCKETS,
            power_w=[0.0] * SOCKETS,
            temp_c=[31.0] * SOCKETS,
            energy_wh=[100.0] * SOCKETS,
        )

    def _number(self, station: str) -> int:
        self._seq[station] += 1
        return self._seq[station]
