"""The embedded broker: enough of MQTT for the demo and the fast tests, in a process of its own."""

import asyncio
import os
import subprocess
import sys

import pytest

from iot import embedded_broker
from iot.broker import BrokerError, EmbeddedBroker, free_port
from tests.broker.wire import client, publish, receive, vanish


async def test_a_qos_1_message_arrives_once(embedded: EmbeddedBroker) -> None:
    """Publisher and subscriber meet, in order, with nothing added."""
    async with client(embedded.port, "in") as receiver, client(embedded.port, "out") as sender:
        await receiver.subscribe("a/+/b", qos=1)
        await publish(sender, "a/x/b", 50)
        await publish(sender, "a/x/c", 5)
        assert await receive(receiver, 50) == [str(n) for n in range(50)]


async def test_a_retained_message_meets_who_comes_later(embedded: EmbeddedBroker) -> None:
    """Until an empty one takes it away."""
    async with client(embedded.port, "out") as sender:
        await sender.publish("a/status", "here", qos=1, retain=True)
        async with client(embedded.port, "later") as receiver:
            await receiver.subscribe("a/+", qos=1)
            assert await receive(receiver, 1) == ["here"]
        await sender.publish("a/status", b"", qos=1, retain=True)
        async with client(embedded.port, "too-late") as receiver:
            await receiver.subscribe("a/+", qos=1)
            assert await receive(receiver, 0) == []


async def test_a_last_will_is_published_and_retained(embedded: EmbeddedBroker) -> None:
    """A connection that ends without a word speaks its will, now and to who comes later."""
    async with client(embedded.port, "in") as receiver:
        await receiver.subscribe("a/status", qos=1)
        await vanish(embedded.port, "gone", "a/status", b"offline")
        assert await receive(receiver, 1) == ["offline"]
    async with client(embedded.port, "later") as receiver:
        await receiver.subscribe("a/status", qos=1)
        assert await receive(receiver, 1) == ["offline"]


async def test_a_persistent_session_gets_what_came_while_it_was_away(
    embedded: EmbeddedBroker,
) -> None:
    """Its subscription holds and its messages wait, in order."""
    async with client(embedded.port, "keeper", clean=False) as keeper:
        await keeper.subscribe("a/#", qos=1)
    async with client(embedded.port, "out") as sender:
        await publish(sender, "a/b", 300)
    async with client(embedded.port, "keeper", clean=False) as keeper:
        assert await receive(keeper, 300) == [str(n) for n in range(300)]


async def test_a_session_that_comes_back_gets_only_what_it_subscribed_to(
    embedded: EmbeddedBroker,
) -> None:
    """By itself amqtt sends it every retained message that anybody is subscribed to."""
    async with (
        client(embedded.port, "backend") as backend,
        client(embedded.port, "out") as sender,
    ):
        await backend.subscribe("+/status", qos=1)
        await sender.publish("b/status", "of b", qos=1, retain=True)
        async with client(embedded.port, "station", clean=False) as station:
            await station.subscribe("a/limits", qos=1)
        async with client(embedded.port, "station", clean=False) as station:
            assert await receive(station, 0) == []


async def test_a_fleet_that_comes_back_at_once_is_served(embedded: EmbeddedBroker) -> None:
    """Sessions that return while others subscribe all get their messages."""
    stations = [f"station-{n}" for n in range(24)]

    async def come(name: str) -> list[str]:
        async with client(embedded.port, name, clean=False) as station:
            await station.subscribe(f"{name}/limits", qos=1)
            return await receive(station, 1)

    async with client(embedded.port, "backend") as backend:
        for name in stations:
            await backend.publish(f"{name}/limits", name, qos=1, retain=True)
        assert await asyncio.gather(*map(come, stations)) == [[name] for name in stations]
        assert await asyncio.gather(*map(come, stations)) == [[name] for name in stations]


async def test_it_ends_with_its_context() -> None:
    """The process is gone, whatever it was doing."""
    async with EmbeddedBroker() as broker:
        pid = broker.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(BrokerError, match="not running"):
        _ = broker.pid


async def test_it_starts_again_after_a_kill() -> None:
    """On the same port, with nothing left of before: in memory means in memory."""
    async with EmbeddedBroker() as broker:
        async with client(broker.port, "out") as sender:
            await sender.publish("a/status", "here", qos=1, retain=True)
        await broker.kill()
        await broker.start()
        async with client(broker.port, "in") as receiver:
            await receiver.subscribe("a/+", qos=1)
            assert await receive(receiver, 0) == []


async def test_a_port_that_is_taken_is_an_error_that_says_so(embedded: EmbeddedBroker) -> None:
    """Neither side takes the other's broker for its own."""
    with pytest.raises(BrokerError, match=f"another program listens on .*:{embedded.port}"):
        await EmbeddedBroker(port=embedded.port).start()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "iot.embedded_broker", "--port", str(embedded.port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "address already in use" in done.stderr


def test_it_ends_when_its_parent_does() -> None:
    """The end of standard input is enough, so a killed demo leaves no broker behind."""
    arguments = ["-m", "iot.embedded_broker", "--until-eof", "--port", str(free_port())]
    with subprocess.Popen([sys.executable, *arguments], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::"])  # noqa: S104 - refused
def test_it_listens_on_loopback_only(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It knows no passwords, so nobody outside this machine may reach it."""
    with pytest.raises(SystemExit) as ended:
        embedded_broker.main(["--bind", address])
    assert ended.value.code == 2
    assert "not a loopback address" in capsys.readouterr().err
