"""Real time, real broker: one MQTT session per station around a ``Fleet``.

Each station is a client of its own (``station-<id>``, persistent session, last will), as in the
field. What cannot be sent waits, bounded, alarms always kept, and leaves in order after the
reconnect. Where the story takes a station's network away the socket is torn, not closed
politely, so that the broker publishes the last will.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aiomqtt
import stamina

from iot.topics import Channel, parse, topic
from simulators.backlog import KEPT_FRAMES, Backlog
from simulators.fleet import Fleet
from simulators.model import Outgoing

Credentials = Callable[[str], tuple[str, str] | None]
"""User name and password of a station; None connects without."""

KEEPALIVE_S: Final = 60
SETTLED_S: Final = 30.0
"""A session this long was a good one: the next reconnect starts with the shortest wait."""
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 15.0
FAREWELL_S: Final = 3.0
_DOWN: Final = (Channel.COMMAND, Channel.LIMITS, Channel.RECEIPT)
_MOST_STEPS_MS: Final = 10_000
_BREATH_S: Final = 0.02


async def run(  # noqa: PLR0913 - one keyword per thing a caller may choose
    fleet: Fleet,
    *,
    host: str,
    port: int,
    clock: Callable[[], int],
    speed: float = 1.0,
    duration_s: float | None = None,
    credentials: Credentials | None = None,
) -> None:
    """Play ``fleet`` against the broker until ``duration_s`` (story seconds) or cancellation.

    ``clock`` gives UTC ms; the story begins at ``fleet.start_ms`` now and passes ``speed`` times
    as fast. A broker that is away is waited for. At the end every station says that it leaves.
    """
    pace = _Pace(fleet.start_ms, clock, speed)
    broker = _Broker(host, port, credentials)
    wires = {plan.station: _Wire(fleet, plan.station, pace, broker) for plan in fleet.stations}
    async with asyncio.TaskGroup() as group:
        links = [group.create_task(wire.keep_up()) for wire in wires.values()]
        await _play(fleet, wires, pace, duration_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await asyncio.gather(*(w.emptied() for w in wires.values() if w.connected))
        for link in links:
            link.cancel()


async def _play(
    fleet: Fleet, wires: "dict[str, _Wire]", pace: "_Pace", duration_s: float | None
) -> None:
    """Step the fleet with the clock; a full backlog of a connected station slows the story."""
    end_ms = None if duration_s is None else fleet.start_ms + int(duration_s * 1000)
    while end_ms is None or pace.stepped_ms < end_ms:
        if any(w.connected and w.waiting > KEPT_FRAMES // 2 for w in wires.values()):
            await asyncio.sleep(_BREATH_S)
            continue
        target_ms = min(pace.target_ms(), pace.stepped_ms + _MOST_STEPS_MS)
        if end_ms is not None:
            target_ms = min(target_ms, end_ms)
        pace.stepped_ms = target_ms
        for message in fleet.step(target_ms):
            wires[message.station].put([message])
        for wire in wires.values():
            wire.follow_radio()
        await asyncio.sleep(pace.until_next_step_s())


class _Pace:
    """Story time from the clock."""

    def __init__(self, start_ms: int, clock: Callable[[], int], speed: float) -> None:
        self._start_ms = start_ms
        self._clock = clock
        self._speed = speed
        self._zero_ms = clock()
        self.stepped_ms = start_ms

    def target_ms(self) -> int:
        """Where the story should be by the clock."""
        return self._start_ms + int((self._clock() - self._zero_ms) * self._speed)

    def now_ms(self) -> int:
        """The instant of something that happens between two steps."""
        return max(self.stepped_ms, min(self.target_ms(), self.stepped_ms + 999))

    def until_next_step_s(self) -> float:
        """Real seconds until the next whole story second, at least one turn of the loop."""
        ahead_ms = 1000 - (self.target_ms() - self._start_ms) % 1000
        return max(0.001, ahead_ms / 1000 / self._speed)


@dataclass(frozen=True, slots=True)
class _Broker:
    host: str
    port: int
    credentials: Credentials | None

    def login(self, station: str) -> tuple[str | None, str | None]:
        """User name and password of a station, or nothing."""
        known = self.credentials(station) if self.credentials is not None else None
        return known if known is not None else (None, None)


class _Wire:
    """One station's connection."""

    def __init__(self, fleet: Fleet, station: str, pace: _Pace, broker: _Broker) -> None:
        self._fleet = fleet
        self._station = station
        self._pace = pace
        self._broker = broker
        self._backlog = Backlog()
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._radio_on = asyncio.Event()
        self._radio_off = asyncio.Event()
        self.connected = False
        fleet.linked(station, pace.stepped_ms, up=False)  # every connect says hello anew
        self.follow_radio()

    @property
    def waiting(self) -> int:
        """Messages not yet safe at the broker."""
        return len(self._backlog)

    async def emptied(self) -> None:
        """Wait until the broker has everything."""
        if self._backlog:
            await self._empty.wait()

    def put(self, messages: Iterable[Outgoing]) -> None:
        """Queue messages for the broker."""
        for message in messages:
            self._backlog.put(message)
            self._empty.clear()
            self._work.set()

    def follow_radio(self) -> None:
        """Let the link go up and down as the story says."""
        on, off = self._radio_on, self._radio_off
        if not self._fleet.online(self._station):
            on, off = off, on
        on.set()
        off.clear()

    async def keep_up(self) -> None:
        """Hold the connection for ever, with jittered back-off between tries."""
        while True:
            await self._radio_on.wait()
            async for attempt in stamina.retry_context(
                on=aiomqtt.MqttError,
                attempts=None,
                timeout=None,
                wait_initial=FIRST_WAIT_S,
                wait_max=LONGEST_WAIT_S,
                wait_jitter=1.0,
            ):
                with attempt:
                    await self._session()

    async def _session(self) -> None:
        """One connection until it breaks; a short one is an ``MqttError`` for the back-off."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        broken: BaseException | None = None
        try:
            async with self._client() as client, asyncio.TaskGroup() as group:
                group.create_task(self._send(client))
                group.create_task(self._listen(client))
                group.create_task(self._tear_when_dark(client))
        except* aiomqtt.MqttError as errors:
            broken = errors
        settled = loop.time() - began_s >= SETTLED_S
        if broken is not None and self._radio_on.is_set() and not settled:
            msg = "the connection failed or broke early"
            raise aiomqtt.MqttError(msg) from broken

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[aiomqtt.Client]:
        """A connected, subscribed client; on the way out the station knows that it is offline."""
        user, password = self._broker.login(self._station)
        will = self._fleet.will(self._station)
        status = topic(self._station, Channel.STATUS)
        async with aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=f"station-{self._station}",
            username=user,
            password=password,
            clean_session=False,
            keepalive=KEEPALIVE_S,
            will=aiomqtt.Will(status, will, qos=1, retain=True),
        ) as client:
            await client.subscribe([(topic(self._station, channel), 1) for channel in _DOWN])
            hello = self._fleet.linked(self._station, self._pace.now_ms(), up=True)
            for message in hello:
                await self._publish(client, message)
            self.connected = True
            try:
                yield client
            except asyncio.CancelledError:
                with suppress(aiomqtt.MqttError, TimeoutError):
                    async with asyncio.timeout(FAREWELL_S):
                        await client.publish(status, will, qos=1, retain=True)
                raise
            finally:
                self.connected = False
                self._fleet.linked(self._station, self._pace.now_ms(), up=False)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Publish what waits, in order; a message leaves the backlog when the broker has it."""
        while True:
            while (message := self._backlog.first()) is not None:
                await self._publish(client, message)
                self._backlog.done(message)
            self._empty.set()
            self._work.clear()
            await self._work.wait()

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Hand orders to the station and queue its answers."""
        async for message in client.messages:
            parsed = parse(message.topic.value)
            body = message.payload
            if parsed is not None and isinstance(body, bytes | bytearray):
                now_ms = self._pace.now_ms()
                self.put(self._fleet.deliver(self._station, parsed[1], bytes(body), now_ms))

    async def _tear_when_dark(self, client: aiomqtt.Client) -> None:
        """The story took power or network away: cut the wire without a word."""
        await self._radio_off.wait()
        # aiomqtt has no ungraceful way out, and a polite one would suppress the last will.
        wire = client._client.socket()  # noqa: SLF001
        if isinstance(wire, socket.socket):
            wire.shutdown(socket.SHUT_RDWR)

    async def _publish(self, client: aiomqtt.Client, message: Outgoing) -> None:
        where = topic(message.station, message.channel)
        await client.publish(where, message.payload, qos=1, retain=message.retain)
