"""What the tests of the brokers do on the wire."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiomqtt

WINDOW = 200
logging.getLogger("mqtt").setLevel(logging.ERROR)  # aiomqtt warns of each pending publish


@dataclass(frozen=True)
class Login:
    """What a client shows at the door."""

    user: str | None
    password: str | None


ANONYMOUS = Login(None, None)


@asynccontextmanager
async def client(
    port: int, name: str, *, login: Login = ANONYMOUS, clean: bool = True
) -> AsyncIterator[aiomqtt.Client]:
    """A connected client on loopback."""
    async with aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=name,
        username=login.user,
        password=login.password,
        clean_session=clean,
        max_inflight_messages=WINDOW,
        timeout=20,
    ) as connected:
        yield connected


async def publish(sender: aiomqtt.Client, topic: str, count: int) -> None:
    """``count`` numbered QoS 1 messages; returns when each has its PUBACK."""
    window = asyncio.Semaphore(WINDOW)

    async def one(number: int) -> None:
        async with window:
            await sender.publish(topic, str(number), qos=1)

    await asyncio.gather(*(one(number) for number in range(count)))


async def receive(receiver: aiomqtt.Client, count: int, *, quiet_s: float = 1.0) -> list[str]:
    """The payloads of ``count`` messages, and of any that follow within ``quiet_s`` of one."""
    got: list[str] = []
    messages = aiter(receiver.messages)
    with contextlib.suppress(TimeoutError):
        while True:
            patience = 20.0 if len(got) < count else quiet_s
            async with asyncio.timeout(patience):
                message = await anext(messages)
            got.append(bytes(message.payload).decode())
    return got


async def vanish(port: int, name: str, topic: str, payload: bytes) -> None:
    """Connect with a retained QoS 1 will and cut the connection without a DISCONNECT."""
    fields = [name.encode(), topic.encode(), payload]
    body = b"\x00\x04MQTT\x04\x2e\x00\x3c" + b"".join(
        len(field).to_bytes(2, "big") + field for field in fields
    )
    assert len(body) < 128
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(bytes([0x10, len(body)]) + body)
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    writer.transport.abort()
