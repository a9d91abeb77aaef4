"""MQTT sessions of the backend: persistent, acknowledged by hand, read in natural batches.

The only import site of aiomqtt. Three things are taken from under it, each because its own way
loses data or time (measured): manual acknowledgement (it acknowledges on enqueue, so a kill
loses what is queued), a buffered socket under paho (which reads three to four times per
packet), and one callback that appends to a list instead of a queue of wrapped messages.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import aiomqtt
import stamina
import structlog
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MessageType
from pydantic import BaseModel, ConfigDict, Field, SecretStr

log = structlog.get_logger(__name__)

READ_BYTES: Final = 256 * 1024
PUBACK: Final = MessageType.PUBACK
PROBE_ROOT: Final = "chargeward/backend"


class MqttSettings(BaseModel):
    """How the backend reaches the broker."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    ca_file: str | None = None
    client_id: str = Field(default="chargeward", min_length=1, max_length=60)
    keepalive_s: int = Field(default=15, ge=5, le=300)
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came: not yet decoded, not yet acknowledged."""

    topic: str | None  # None = not valid UTF-8
    payload: bytes
    retained: bool
    qos: int
    packet: int  # MQTT packet id
    connection: int  # which connection brought it; an id is only good on its own connection
    received_ms: int  # UTC ms
    arrived_s: float  # monotonic seconds, for durations


class LinkTrouble(StrEnum):
    """Why a message to oneself did not come back."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # it answered, and said no
    CLOSED = "closed"  # it let us in and then ended the connection
    SILENT = "silent"  # it let us in, and nothing came back in time


class LinkError(Exception):
    """One attempt to use the broker failed."""

    def __init__(self, trouble: LinkTrouble, message: str) -> None:
        """``message`` is what the broker or the system said."""
        super().__init__(message)
        self.trouble = trouble


class _BufferedSocket:
    """Gives paho's one-byte reads from memory; aiomqtt asks ``pending`` and reads on."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._buffer = memoryview(b"")

    def recv(self, size: int) -> bytes:
        if not self._buffer:
            data: bytes = self._sock.recv(max(size, READ_BYTES))
            if len(data) <= size:
                return data
            self._buffer = memoryview(data)
        taken = bytes(self._buffer[:size])
        self._buffer = self._buffer[size:]
        return taken

    def pending(self) -> int:
        inner = getattr(self._sock, "pending", None)
        return len(self._buffer) or (int(inner()) if inner else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _seen(ended: asyncio.Future[None]) -> None:
    """Take note of how a connection ended, lest asyncio complains that nobody did."""
    if ended.done() and not ended.cancelled():
        ended.exception()


class Session:
    """One persistent MQTT session: subscribes, hands out batches, acknowledges, publishes."""

    def __init__(
        self,
        settings: MqttSettings,
        lane: str,
        filters: Sequence[str],
        *,
        clock_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        """``lane`` names the session at the broker and must stay the same over restarts."""
        self.lane = lane
        self.probe_topic = f"{PROBE_ROOT}/{settings.client_id}/{lane}"
        self._settings = settings
        self._filters = (*filters, self.probe_topic)
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        self._inbox: list[Delivery] = []
        self._arrived = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._connection = 0
        self.on_connected: Callable[[], None] = lambda: None
        self.connects = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection; not a sign of health (see ``api.health``)."""
        return self._client is not None

    async def run(self) -> None:
        """Stay connected until cancelled, with jittered back-off between attempts."""
        while True:
            try:
                await self._serve(await self._connect())
            except aiomqtt.MqttError as error:
                log.warning("mqtt connection lost", lane=self.lane, error=str(error))

    async def round_trip_s(self, timeout_s: float) -> float:
        """Connect once, send oneself a message and take it; the seconds that took.

        For a lane of one use: the broker forgets the session at the end. ``timeout_s`` begins
        with the connection. Raises LinkError.
        """
        client = await self._connect_once()
        begun = self._monotonic_s()
        serving = asyncio.create_task(self._serve(client))
        arriving = asyncio.create_task(self.batch(1))
        try:
            await asyncio.wait(
                [serving, arriving], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if arriving.done():
                self.acknowledge(arriving.result())
                return self._monotonic_s() - begun
            if serving.done():
                msg = "the broker ended the connection"
                raise LinkError(LinkTrouble.CLOSED, msg) from serving.exception()
            msg = f"nothing came back within {timeout_s:g} s"
            raise LinkError(LinkTrouble.SILENT, msg)
        finally:
            for task in (serving, arriving):
                task.cancel()
            await asyncio.gather(serving, arriving, return_exceptions=True)

    async def _connect_once(self) -> aiomqtt.Client:
        try:
            client = self._new_client(clean=True)
            await client.__aenter__()
        except aiomqtt.exceptions.MqttConnectError as error:
            raise LinkError(LinkTrouble.REFUSED, str(error)) from error
        except (aiomqtt.MqttError, OSError) as error:
            raise LinkError(LinkTrouble.UNREACHABLE, str(error)) from error
        return client

    @stamina.retry(
        on=aiomqtt.MqttError, attempts=None, timeout=None, wait_initial=0.2, wait_max=15.0
    )
    async def _connect(self) -> aiomqtt.Client:
        client = self._new_client()
        await client.__aenter__()
        return client

    async def batch(self, limit: int) -> list[Delivery]:
        """All that has arrived, at least one and at most ``limit``, in order."""
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        taken, self._inbox = self._inbox[:limit], self._inbox[limit:]
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe; those of an ended connection come again."""
        client = self._client
        if client is None:
            return
        packets = b"".join(
            b"\x40\x02" + d.packet.to_bytes(2, "big")
            for d in deliveries
            if d.qos == 1 and d.connection == self._connection
        )
        if packets:  # many PUBACKs, one write
            paho = client._client  # noqa: SLF001 - see the module's docstring
            paho._packet_queue(PUBACK, packets, 0, 0)  # noqa: SLF001
            paho.loop_write()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hand a QoS 1 message to the socket now; False when there is no connection.

        Never waits and never queues for a later connection: an order that could not leave
        is re-sent by its own life cycle, within its expiry, or not at all.
        """
        client = self._client
        if client is None:
            return False
        paho = client._client  # noqa: SLF001 - aiomqtt's publish waits for the PUBACK
        info = paho.publish(topic, payload, qos=1, retain=retain)
        paho.loop_write()
        return int(info.rc) == 0

    def probe(self) -> None:
        """Send a message to oneself through the broker: what comes back proves the lane."""
        self.publish(self.probe_topic, str(self._clock_ms()).encode())

    def _new_client(self, *, clean: bool = False) -> aiomqtt.Client:
        s = self._settings
        client = aiomqtt.Client(
            s.host,
            s.port,
            username=s.username,
            password=s.password.get_secret_value() if s.password else None,
            identifier=f"{s.client_id}-{self.lane}",
            clean_session=clean,
            protocol=aiomqtt.ProtocolVersion.V311,
            keepalive=s.keepalive_s,
            timeout=s.connect_timeout_s,
            tls_params=aiomqtt.TLSParameters(ca_certs=s.ca_file) if s.tls else None,
            max_inflight_messages=2000,
        )
        self._connection += 1
        connection = self._connection
        paho = client._client  # noqa: SLF001 - see the module's docstring
        paho.connect_timeout = s.connect_timeout_s  # aiomqtt's time-out begins after it
        paho.manual_ack_set(True)  # noqa: FBT003 - paho's signature
        create = paho._create_socket  # noqa: SLF001

        def buffered() -> Any:
            sock: Any = create()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _BufferedSocket(sock)

        paho._create_socket = buffered  # type: ignore[method-assign] # noqa: SLF001

        def receive(_client: Any, _userdata: Any, message: MQTTMessage) -> None:
            self._receive(message, connection)

        paho.on_message = receive
        return client

    def _receive(self, message: MQTTMessage, connection: int) -> None:
        try:
            topic: str | None = message.topic
        except UnicodeDecodeError:
            topic = None
        self._inbox.append(
            Delivery(
                topic,
                bytes(message.payload),
                message.retain,
                message.qos,
                message.mid,
                connection,
                self._clock_ms(),
                self._monotonic_s(),
            )
        )
        self._arrived.set()

    async def _serve(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        paho = client._client  # noqa: SLF001 - see the module's docstring

        def write_when_ready(_client: Any, _userdata: Any, sock: Any) -> None:
            loop.add_writer(sock.fileno(), paho.loop_write)

        # aiomqtt registers the writer on the next turn of the loop, after this module has
        # written already, and on a socket that may be closed by then.
        paho.on_socket_register_write = write_when_ready
        try:
            self._client = client
            for pattern in self._filters:
                await client.subscribe(pattern, qos=1)
            self.connects += 1
            log.info("mqtt connected", lane=self.lane, host=self._settings.host)
            self.on_connected()
            self.probe()
            await asyncio.shield(client._disconnected)  # noqa: SLF001 - the only sign of the end
        finally:
            self._client = None
            # What was not processed comes again on the next connection; keeping it would
            # only process it twice and acknowledge it never.
            self._inbox.clear()
            with contextlib.suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)
            _seen(client._disconnected)  # noqa: SLF001
