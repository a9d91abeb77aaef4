"""The backend's MQTT session against a real Mosquitto."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiomqtt

from iot.broker import MosquittoProcess
from iot.mqtt import Delivery, MqttSettings, Session

TOPIC = "chargeward/v1/sim-001/telemetry"


@asynccontextmanager
async def session(broker: MosquittoProcess) -> AsyncIterator[Session]:
    """A running session that is connected and subscribed."""
    connected = asyncio.Event()
    made = Session(
        MqttSettings(port=broker.port, client_id="test"),
        "telemetry",
        ["chargeward/v1/+/telemetry"],
        clock_ms=lambda: 1_790_000_000_000,
        monotonic_s=time.monotonic,
    )
    made.on_connected = connected.set
    task = asyncio.create_task(made.run())
    try:
        await asyncio.wait_for(connected.wait(), 10)
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def collect(made: Session, want: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """Batches without probes until ``want`` holds."""
    out: list[Delivery] = []
    async with asyncio.timeout(10):
        while not want(out):
            batch = await made.batch(1000)
            made.acknowledge([d for d in batch if d.topic == made.probe_topic])
            out += [d for d in batch if d.topic != made.probe_topic]
    return out


async def publish(broker: MosquittoProcess, *bodies: bytes, topic: str = TOPIC) -> None:
    """Publish with QoS 1 from another client, in order."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for body in bodies:
            await client.publish(topic, body, qos=1)


async def test_what_was_not_acknowledged_comes_again(mosquitto: MosquittoProcess) -> None:
    """A session that ends between receiving and acknowledging loses nothing and repeats nothing."""
    async with session(mosquitto) as first:
        await publish(mosquitto, *(b"%d" % i for i in range(10)))
        got = await collect(first, lambda out: len(out) == 10)
        first.acknowledge(got[:4])
    async with session(mosquitto) as second:
        again = await collect(second, lambda out: len(out) == 6)
        second.acknowledge(again)
        assert [d.payload for d in again] == [b"%d" % i for i in range(4, 10)]


async def test_messages_wait_for_an_absent_session(mosquitto: MosquittoProcess) -> None:
    """The session is persistent: what was sent while the backend was down is delivered."""
    async with session(mosquitto):
        pass
    await publish(mosquitto, *(b"%d" % i for i in range(2_000)))
    async with session(mosquitto) as back:
        got = await collect(back, lambda out: len(out) >= 2_000)
        back.acknowledge(got)
    assert [d.payload for d in got] == [b"%d" % i for i in range(2_000)]


async def test_the_session_comes_back_after_a_broker_restart(mosquitto: MosquittoProcess) -> None:
    """F3: a restarted broker is found again and delivers to the same session."""
    async with session(mosquitto) as made:
        back = asyncio.Event()
        made.on_connected = back.set
        await mosquitto.stop()
        await mosquitto.start()
        await asyncio.wait_for(back.wait(), 20)
        await publish(mosquitto, b"after")
        got = await collect(made, lambda out: len(out) == 1)
        made.acknowledge(got)
        assert [d.payload for d in got] == [b"after"]
        assert made.connects == 2


async def test_publish_leaves_at_once_or_says_no(mosquitto: MosquittoProcess) -> None:
    """An order is handed to the socket; without a connection it is refused, never queued."""
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as station:
        await station.subscribe("chargeward/v1/sim-001/command", qos=1)
        async with session(mosquitto) as made:
            assert made.publish("chargeward/v1/sim-001/command", b"cut") is True
            async with asyncio.timeout(5):
                message = await anext(station.messages)
            assert message.payload == b"cut"
    assert made.publish("chargeward/v1/sim-001/command", b"late") is False


async def test_the_probe_comes_back_through_the_broker(mosquitto: MosquittoProcess) -> None:
    """A lane's own probe takes the whole way, which is what health is measured by."""
    async with session(mosquitto) as made:
        made.probe()
        async with asyncio.timeout(5):
            batch = await made.batch(10)
        made.acknowledge(batch)
        assert {d.topic for d in batch} == {made.probe_topic}


async def test_a_topic_that_is_no_text_does_not_end_the_session(
    mosquitto: MosquittoProcess,
) -> None:
    """Odd topics below the subscription arrive as deliveries; the next message arrives too."""
    async with session(mosquitto) as made:
        await publish(mosquitto, b"odd", topic="chargeward/v1/A B/telemetry")
        await publish(mosquitto, b"good")
        got = await collect(made, lambda out: len(out) == 2)
        made.acknowledge(got)
        assert [d.payload for d in got] == [b"odd", b"good"]
