"""Mosquitto as it is shipped: who may do what, and what is there after a crash."""

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from iot.broker import MosquittoProcess
from tests.broker.conftest import DEPLOY, USERS, password, with_configuration
from tests.broker.wire import Login, client, publish, receive

BACKEND = Login("backend", password("backend"))
A = Login("station-a", password("station-a"))
B = Login("station-b", password("station-b"))
UP = ("telemetry", "alarm", "status", "reply")
DOWN = ("command", "receipt", "limits")


@pytest.mark.parametrize(
    ("user", "secret"),
    [
        (None, None),
        ("backend", None),
        ("backend", "wrong"),
        ("station-a", password("station-b")),
        ("nobody", password("backend")),
    ],
)
@pytest.mark.parametrize("listener", [0, 1])
async def test_who_has_no_password_does_not_come_in(
    shipped: MosquittoProcess, listener: int, user: str | None, secret: str | None
) -> None:
    """Anonymous, without or with a wrong password, or unknown: refused and logged."""
    async with shipped as broker:
        with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori"):
            async with client(broker.ports[listener], "x", login=Login(user, secret)):
                pass
        await broker.stop()
        assert broker.printed.count("disconnected, not authorised") >= 2  # the start-up probe too


async def test_a_station_speaks_and_hears_for_itself(shipped: MosquittoProcess) -> None:
    """All its channels reach the backend, all of the backend's reach it."""
    async with (
        shipped as broker,
        client(broker.port, "safety", login=BACKEND) as backend,
        client(broker.ports[1], "a", login=A) as station,
    ):
        await backend.subscribe("chargeward/v1/+/+", qos=1)
        for channel in UP:
            await station.publish(f"chargeward/v1/station-a/{channel}", channel, qos=1)
        assert await receive(backend, 4) == list(UP)
        await backend.unsubscribe("chargeward/v1/+/+")
        for channel in DOWN:
            await station.subscribe(f"chargeward/v1/station-a/{channel}", qos=1)
            await backend.publish(f"chargeward/v1/station-a/{channel}", channel, qos=1)
        assert await receive(station, 3) == list(DOWN)


FORGERIES = [
    *(f"chargeward/v1/station-b/{channel}" for channel in (*UP, *DOWN)),
    *(f"chargeward/v1/station-a/{channel}" for channel in DOWN),
    "chargeward/backend/chargeward/safety",
    "anything",
]


async def test_a_station_cannot_speak_for_another(shipped: MosquittoProcess) -> None:
    """Neither as another station nor as the backend; nobody hears it, and it is disconnected."""
    async with (
        shipped as broker,
        client(broker.port, "safety", login=BACKEND) as backend,
        client(broker.ports[1], "b", login=B) as b,
    ):
        await backend.subscribe("#", qos=1)
        for channel in DOWN:
            await b.subscribe(f"chargeward/v1/station-b/{channel}", qos=1)
        for topic in FORGERIES:
            with pytest.raises(aiomqtt.MqttError):
                await forge(broker.ports[1], topic)
        assert await receive(backend, 0) == []
        assert await receive(b, 0) == []


@pytest.mark.parametrize(
    "pattern", ["#", "$SYS/#", "chargeward/#", "chargeward/v1/station-b/#", "chargeward/v1/+/alarm"]
)
async def test_a_station_cannot_listen_to_others(shipped: MosquittoProcess, pattern: str) -> None:
    """Whatever it subscribes to, it hears what is for it; not even its own words come back."""
    async with (
        shipped as broker,
        client(broker.port, "safety", login=BACKEND) as backend,
        client(broker.ports[1], "a", login=A) as a,
        client(broker.ports[1], "b", login=B) as b,
    ):
        await a.subscribe(pattern, qos=1)
        for channel in UP:
            await b.publish(f"chargeward/v1/station-b/{channel}", "of b", qos=1, retain=True)
        for channel in DOWN:
            await backend.publish(f"chargeward/v1/station-b/{channel}", "to b", qos=1)
        assert await receive(a, 0) == []


async def test_a_station_cannot_push_another_off_its_session(shipped: MosquittoProcess) -> None:
    """Its client id is its user name, whatever it asks for."""
    async with (
        shipped as broker,
        client(broker.port, "safety", login=BACKEND) as backend,
        client(broker.ports[1], "b", login=B) as b,
    ):
        await backend.subscribe("chargeward/v1/+/alarm", qos=1)
        for stolen in ("station-b", "b", "safety"):
            async with client(broker.ports[1], stolen, login=A):
                pass
        await b.publish("chargeward/v1/station-b/alarm", "still here", qos=1)
        assert await receive(backend, 1) == ["still here"]


async def test_a_giant_message_costs_only_its_sender(shipped: MosquittoProcess) -> None:
    """Above 256 KiB the sender is disconnected; 128 KiB still reach the backend, to be refused."""
    async with (
        shipped as broker,
        client(broker.port, "safety", login=BACKEND) as backend,
        client(broker.ports[1], "b", login=B) as b,
    ):
        await backend.subscribe("chargeward/v1/+/+", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            async with client(broker.ports[1], "a", login=A) as a:
                await a.publish(
                    "chargeward/v1/station-a/telemetry", b"x" * 300_000, qos=1, timeout=1
                )
        await b.publish("chargeward/v1/station-b/telemetry", b"x" * 131_072, qos=1)
        await b.publish("chargeward/v1/station-b/alarm", "heard", qos=1)
        assert await receive(backend, 2) == ["x" * 131_072, "heard"]


async def test_what_was_acknowledged_is_there_after_a_kill(shipped: MosquittoProcess) -> None:
    """500 of 500 for an absent consumer, killed after the last PUBACK and one more exchange.

    Mosquitto writes at the end of the turn in which it acknowledged, not before, so what was
    acknowledged in the very last turn may be lost; whoever it answers next knows it is not.
    """
    async with shipped as broker:
        await come_and_go(broker.port)
        async with client(broker.ports[1], "a", login=A) as station:
            await publish(station, "chargeward/v1/station-a/telemetry", 500)
        await answered(broker.port)
        await broker.kill()
        await broker.start()
        assert await come_back(broker.port, 500) == [str(n) for n in range(500)]


async def test_a_retained_message_is_there_after_a_kill(shipped: MosquittoProcess) -> None:
    """A lock that a station must obey after its reboot does not end with the broker's."""
    async with shipped as broker:
        async with client(broker.port, "safety", login=BACKEND) as backend:
            topic = "chargeward/v1/station-a/limits"
            await backend.publish(topic, "locked", qos=1, retain=True)
        await answered(broker.port)
        await broker.kill()
        await broker.start()
        async with client(broker.ports[1], "a", login=A) as station:
            await station.subscribe(topic, qos=1)
            assert await receive(station, 1) == ["locked"]


@pytest.mark.parametrize("file", ["mosquitto.conf", "mosquitto-city.conf"])
async def test_five_thousand_wait_for_an_absent_consumer(
    installed: Path,  # noqa: ARG001 - skips where there is none
    tmp_path: Path,
    file: str,
) -> None:
    """With the default bound of 1,000 the newest 4,000 would be gone, acknowledged all the same."""
    async with with_configuration(file, tmp_path) as broker:
        await come_and_go(broker.port)
        async with client(broker.ports[1], "a", login=A) as station:
            await publish(station, "chargeward/v1/station-a/telemetry", 5000)
        assert await come_back(broker.port, 5000) == [str(n) for n in range(5000)]


async def test_three_thousand_wait_for_a_stalled_consumer(shipped: MosquittoProcess) -> None:
    """Connected but not reading: what 20 in flight and 1,000 queued would drop is kept."""
    async with shipped as broker:
        await come_and_go(broker.port)
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
        fields = [b"keeper", b"backend", password("backend").encode()]
        body = b"\x00\x04MQTT\x04\xc0\x00\x00" + b"".join(
            len(field).to_bytes(2, "big") + field for field in fields
        )
        writer.write(bytes([0x10, len(body)]) + body)
        assert await reader.readexactly(4) == b"\x20\x02\x01\x00"  # the session was there
        async with client(broker.ports[1], "a", login=A) as station:
            await publish(station, "chargeward/v1/station-a/telemetry", 3000)
        writer.transport.abort()
        assert await come_back(broker.port, 3000) == [str(n) for n in range(3000)]


def test_the_city_file_differs_where_it_says_so() -> None:
    """One source of truth in two files: four values, nothing else."""

    def settings(name: str) -> list[str]:
        lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    compound, city = settings("mosquitto.conf"), settings("mosquitto-city.conf")
    assert len(compound) == len(city)
    assert [(a, b) for a, b in zip(compound, city, strict=True) if a != b] == [
        ("autosave_on_changes true", "autosave_on_changes false"),
        ("max_queued_bytes 33554432", "max_queued_bytes 268435456"),
        ("memory_limit 536870912", "memory_limit 2147483648"),
        ("max_connections 1000", "max_connections 20000"),
    ]


@pytest.mark.parametrize("file", ["mosquitto.conf", "mosquitto-city.conf"])
def test_the_shipped_settings_pass_an_audit(file: str) -> None:
    """What an auditor looks for first: no guests, bounds everywhere, no wide access, a log."""
    text = (DEPLOY / file).read_text(encoding="utf-8")
    pairs = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    values = {key: value for key, value in pairs if key not in {"listener", "log_type"}}
    assert values["allow_anonymous"] == "false"
    assert {"password_file", "acl_file"} <= values.keys()
    assert values["persistence"] == "true"
    assert values["max_queued_messages"] == "0"
    for bound in ("max_queued_bytes", "max_packet_size", "memory_limit", "max_connections"):
        assert int(values[bound]) > 0
    assert int(values["max_inflight_messages"]) > 1000
    assert int(values["max_keepalive"]) * 1.5 <= 180
    assert {value for key, value in pairs if key == "log_type"} == {"error", "warning", "notice"}
    rules = (DEPLOY / "acl").read_text(encoding="utf-8").splitlines()
    granted = [rule for rule in rules if rule and not rule.startswith("#")]
    assert granted[:2] == ["user backend", "topic readwrite chargeward/#"]
    assert set(granted[2:]) == {
        *(f"pattern write chargeward/v1/%u/{channel}" for channel in UP),
        *(f"pattern read chargeward/v1/%u/{channel}" for channel in DOWN),
    }
    assert USERS  # the passwords of these tests are made by them; none is shipped
    assert not list(DEPLOY.glob("*passw*"))


async def forge(port: int, topic: str) -> None:
    """Station A speaks on ``topic``, and then once more on a topic of its own."""
    async with client(port, "a", login=A) as a:
        await a.publish(topic, "forged", qos=1)
        await a.publish("chargeward/v1/station-a/alarm", "too late", qos=1, timeout=1)


async def answered(port: int) -> None:
    """One more exchange with the broker."""
    async with client(port, "bystander", login=BACKEND):
        pass


async def come_and_go(port: int) -> None:
    """Make the consumer's session, with its subscription, and leave."""
    async with client(port, "keeper", clean=False, login=BACKEND) as keeper:
        await keeper.subscribe("chargeward/v1/+/telemetry", qos=1)


async def come_back(port: int, count: int) -> list[str]:
    """What waited for the consumer."""
    async with client(port, "keeper", clean=False, login=BACKEND) as keeper:
        return await receive(keeper, count)
