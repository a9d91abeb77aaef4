"""A link without a network, for virtual time: what is published lies in a list until taken."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.lanes import Clock
from iot.mqtt import Delivery


class Published(NamedTuple):
    """One message that left the backend."""

    topic: str
    payload: bytes
    retain: bool


class Loopback:
    """Implements ``api.running.Link``; the driver feeds deliveries to the lane itself."""

    def __init__(self, lane: str, clock: Clock) -> None:
        """Always connected."""
        self.lane = lane
        self.probe_topic = ""
        self.on_connected: Callable[[], None] = lambda: None
        self.out: list[Published] = []
        self._clock = clock

    def delivery(self, topic: str, payload: bytes, *, retained: bool = False) -> Delivery:
        """A message that arrives now."""
        return Delivery(
            topic, payload, retained, 1, 0, 0, self._clock.utc_ms(), self._clock.monotonic_s()
        )

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Keep the message for ``take``."""
        self.out.append(Published(topic, payload, retain))
        return True

    def take(self) -> list[Published]:
        """What was published since the last call."""
        out, self.out = self.out, []
        return out

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Nobody waits for it."""

    def probe(self) -> None:
        """There is no broker that could answer."""

    async def run(self) -> None:
        """Nothing to keep alive."""
        await asyncio.Event().wait()

    async def batch(self, limit: int) -> list[Delivery]:  # noqa: ARG002 - the port's signature
        """Never: the driver calls the lane's ``turn``."""
        await asyncio.Event().wait()
        return []
