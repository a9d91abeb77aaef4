"""A fleet on a real Mosquitto: sessions, wills, orders, and outages without loss."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest
import stamina

from iot.broker import MosquittoProcess
from iot.topics import Channel, parse, topic
from simulators.fleet import Fleet
from simulators.link import run
from simulators.model import EventKind, StationPlan

pytestmark = pytest.mark.usefixtures("mosquitto")

T0 = 1_770_000_000_000
PLANS = [StationPlan("sim-001", 4), StationPlan("sim-002", 4)]
PATIENCE_S = 30
OPEN = "allow_anonymous true\npersistence false\nmax_queued_messages 0\n"
Body = dict[str, Any]


def clock() -> int:
    """Milliseconds that pass as the event loop's do."""
    return int(asyncio.get_running_loop().time() * 1000)


@pytest.fixture(autouse=True)
def _real_retries() -> None:
    """Retries as configured, whatever another test has set."""
    stamina.set_testing(False)
    stamina.set_active(True)


class Ear:
    """Hears everything the stations say."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self.heard: list[tuple[str, Channel, Body]] = []
        self._news = asyncio.Condition()

    async def listen(self, host: str, port: int) -> None:
        """Collect until cancelled, over restarts of the broker."""
        while True:
            try:
                await self._collect(host, port)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until ``true`` holds, or fail."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: bool(true()))

    def bodies(self, station: str, channel: Channel) -> list[Body]:
        """What one station said on one channel."""
        return [b for s, c, b in self.heard if s == station and c is channel]

    async def _collect(self, host: str, port: int) -> None:
        async with aiomqtt.Client(
            host, port, identifier="ear", clean_session=False, keepalive=5
        ) as client:
            await client.subscribe("chargeward/v1/#", qos=1)
            async for message in client.messages:
                parsed = parse(message.topic.value)
                assert parsed is not None
                assert isinstance(message.payload, bytes)
                async with self._news:
                    self.heard.append((*parsed, orjson.loads(message.payload)))
                    self._news.notify_all()


@asynccontextmanager
async def heard(broker: MosquittoProcess) -> AsyncIterator[Ear]:
    """An ear on the broker for the time of the context."""
    ear = Ear()
    task = asyncio.create_task(ear.listen(broker.host, broker.port))
    try:
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def playing(fleet: Fleet, broker: MosquittoProcess, **options: Any) -> AsyncIterator[None]:
    """The fleet at the broker; cancelled at the end, as Ctrl-C does."""
    task = asyncio.create_task(
        run(fleet, host=broker.host, port=broker.port, clock=clock, **options)
    )
    try:
        yield
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError)


def unique(bodies: list[Body]) -> dict[tuple[str, int], Body]:
    """Frames by their identity: QoS 1 may deliver one twice."""
    return {(b["boot"], b["seq"]): b for b in bodies}


async def test_a_finished_run_delivered_everything_and_says_that_it_left(tmp_path: Path) -> None:
    """Two minutes of story: every frame the fleet made arrives, then both stations are offline."""
    async with MosquittoProcess(OPEN, tmp_path) as broker, heard(broker) as ear:
        fleet = Fleet(PLANS, "healthy", 1, T0)
        await run(fleet, host=broker.host, port=broker.port, clock=clock, speed=60, duration_s=120)
        sent = fleet.sent[Channel.TELEMETRY]
        await ear.until(lambda: sum(c is Channel.TELEMETRY for _, c, _ in ear.heard) >= sent)
        for plan in PLANS:
            states = ear.bodies(plan.station, Channel.STATUS)
            assert [s["online"] for s in states] == [True, False]
            stamps = [f["ts"] for f in ear.bodies(plan.station, Channel.TELEMETRY)]
            assert stamps == sorted(stamps)


async def test_orders_limits_and_receipts_reach_the_stations(tmp_path: Path) -> None:
    """A cut is answered and shown; a retained lock reaches a station that connects later."""
    async with MosquittoProcess(OPEN, tmp_path) as broker, heard(broker) as ear:
        fleet = Fleet(PLANS, "healthy", 1, T0)
        busy = min(fleet.stage.stations[0].sessions)
        locked = min(fleet.stage.stations[1].sessions)
        limits = {"version": 3, "trips": {}, "intervals": {}, "locked": [locked]}
        async with aiomqtt.Client(broker.host, broker.port) as backend:
            where = topic("sim-002", Channel.LIMITS)
            await backend.publish(where, orjson.dumps(limits), qos=1, retain=True)
            async with playing(fleet, broker):
                await ear.until(lambda: ear.bodies("sim-001", Channel.TELEMETRY))
                order = {
                    "id": "cut-1",
                    "issued": T0,
                    "expires": T0 + 60_000,
                    "action": "cut",
                    "socket": busy,
                    "reason": "test",
                }
                await backend.publish(topic("sim-001", Channel.COMMAND), orjson.dumps(order), qos=1)
                await ear.until(lambda: ear.bodies("sim-001", Channel.REPLY))
                await ear.until(
                    lambda: ear.bodies("sim-001", Channel.TELEMETRY)[-1]["relay"][busy - 1] == 0
                )
                await ear.until(
                    lambda: ear.bodies("sim-002", Channel.STATUS)[-1]["limits_version"] == 3
                )
        assert ear.bodies("sim-001", Channel.REPLY) == [
            {"id": "cut-1", "result": "done", "detail": "relay open"}
        ]
        assert locked not in fleet.stage.stations[1].sessions


async def test_alarm_is_repeated_over_the_wire_until_the_receipt(tmp_path: Path) -> None:
    """The smoke alarm comes again and again under one id; after the receipt no more is pending."""
    async with MosquittoProcess(OPEN, tmp_path) as broker, heard(broker) as ear:
        fleet = Fleet(PLANS, "smoke", 1, T0)
        async with (
            playing(fleet, broker, speed=20),
            aiomqtt.Client(broker.host, broker.port) as backend,
        ):

            def alarms() -> list[tuple[str, Body]]:
                return [(s, b) for s, c, b in ear.heard if c is Channel.ALARM]

            await ear.until(lambda: len(alarms()) >= 3)
            station, first = alarms()[0]
            assert {b["id"] for _, b in alarms()} == {first["id"]}
            receipt = orjson.dumps({"id": first["id"]})
            await backend.publish(topic(station, Channel.RECEIPT), receipt, qos=1)
            await ear.until(lambda: any(e.kind is EventKind.RECEIPT for e in fleet.events))
            assert all(not s.alarms.pending for s in fleet.stage.stations)


async def test_lost_power_is_told_by_the_last_will(tmp_path: Path) -> None:
    """A station that goes dark is offline by its will, and online again under a new boot."""
    async with MosquittoProcess(OPEN, tmp_path) as broker, heard(broker) as ear:
        fleet = Fleet(PLANS, "healthy", 1, T0)
        async with playing(fleet, broker, speed=10):
            await ear.until(lambda: ear.bodies("sim-001", Channel.TELEMETRY))
            old = fleet.stage.stations[0].boot
            fleet.stage.crash(0, fleet.stage.now_ms, dark_s=15)
            await ear.until(lambda: not ear.bodies("sim-001", Channel.STATUS)[-1]["online"])
            assert ear.bodies("sim-001", Channel.STATUS)[-1]["boot"] == old
            await ear.until(lambda: ear.bodies("sim-001", Channel.STATUS)[-1]["online"])
            assert ear.bodies("sim-001", Channel.STATUS)[-1]["boot"] != old
        assert [s["online"] for s in ear.bodies("sim-002", Channel.STATUS)][:1] == [True]


async def test_broker_outage_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    """The broker is killed for a second: afterwards every frame is there, in order."""
    # The listener's session must outlive the broker, or it would miss what comes before it is back.
    kept = f"{OPEN.replace('false', 'true')}persistence_location {tmp_path}/\n"
    async with MosquittoProcess(kept, tmp_path) as broker:
        fleet = Fleet(PLANS, "healthy", 1, T0)
        async with heard(broker) as ear, playing(fleet, broker, speed=10):
            await ear.until(lambda: len(ear.bodies("sim-001", Channel.TELEMETRY)) >= 3)
            await broker.stop()
            await asyncio.sleep(1)
            made, until_ms = fleet.sent[Channel.TELEMETRY], fleet.stage.now_ms + 1
            await broker.start()

            def arrived() -> int:
                frames = [b for _, c, b in ear.heard if c is Channel.TELEMETRY]
                return len(unique([b for b in frames if b["ts"] <= until_ms]))

            await ear.until(lambda: arrived() >= made)
            assert arrived() == made
        for plan in PLANS:
            frames = unique(ear.bodies(plan.station, Channel.TELEMETRY))
            stamps = [b["ts"] for b in frames.values()]
            assert stamps == sorted(stamps)


async def test_stations_log_in_with_their_own_password(tmp_path: Path) -> None:
    """A broker that asks lets a station in that has a password, and the other one never."""
    passwords = tmp_path / "passwords"
    secret = "of-this-test"  # noqa: S105 - of a broker that lives for this test
    passwords.write_text(f"sim-001:{secret}\near:{secret}\n", encoding="utf-8")
    hashing = await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", str(passwords))
    assert await hashing.wait() == 0
    closed = f"allow_anonymous false\npassword_file {passwords}\npersistence false\n"
    async with MosquittoProcess(closed, tmp_path) as broker:
        fleet = Fleet(PLANS, "healthy", 1, T0)
        known = {"sim-001": ("sim-001", secret), "sim-002": ("sim-002", "wrong")}
        async with (
            aiomqtt.Client(broker.host, broker.port, username="ear", password=secret) as ear,
            playing(fleet, broker, credentials=known.get, speed=5),
        ):
            await ear.subscribe("chargeward/v1/#", qos=1)
            stations = set()
            async with asyncio.timeout(PATIENCE_S):
                async for message in ear.messages:
                    parsed = parse(message.topic.value)
                    assert parsed is not None
                    stations.add(parsed[0])
                    assert isinstance(message.payload, bytes)
                    if orjson.loads(message.payload).get("ts", T0) >= T0 + 10_000:
                        break
        assert stations == {"sim-001"}
