"""The live stream: one event is encoded once and handed to every listener.

A listener that does not read fast enough is dropped rather than allowed to hold memory or to
slow the others. Station status is merged: a station marked dirty any number of times between
two flushes gives one event. Findings, commands and lockouts go out at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from api.encoding import encode

QUEUED_EVENTS: Final = 256
"""Events one listener may be behind before it is dropped."""
REMEMBERED_EVENTS: Final = 512
"""Events kept for listeners that come back with ``Last-Event-ID``."""
MAX_LISTENERS: Final = 1_000
STATUS_INTERVAL_S: Final = 1.0
"""A station's status is sent at most once per this many seconds."""

RESYNC: Final = b"event: resync\ndata: {}\n\n"
"""Tells a listener that events were missed: it must read the state again."""
DROPPED: Final = b": dropped, events came faster than they were read; connect again\n\n"
CLOSED: Final = b": closing\n\n"


class TooManyListenersError(Exception):
    """The stream has ``MAX_LISTENERS`` already."""


class Subscription:
    """One listener's queue of encoded events. Used by one task; not thread-safe."""

    def __init__(self, bound: int) -> None:
        """At most ``bound`` events wait; one more and the listener is dropped."""
        self._bound = bound
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._last_words: bytes | None = None
        self.finished = False
        """Whether ``take`` has returned the last there is."""

    @property
    def dropped(self) -> bool:
        """Whether this listener was too slow."""
        return self._last_words is DROPPED

    def offer(self, event: bytes) -> bool:
        """Queue ``event``; false when that was one too many and the listener is dropped."""
        if self._last_words is not None:
            return True
        if len(self._waiting) >= self._bound:
            self._waiting.clear()
            self._end(DROPPED)
            return False
        self._waiting.append(event)
        self._wake.set()
        return True

    def close(self) -> None:
        """End the stream after what is queued."""
        if self._last_words is None:
            self._end(CLOSED)

    def _end(self, last_words: bytes) -> None:
        self._last_words = last_words
        self._wake.set()

    async def take(self, timeout_s: float) -> bytes:
        """All queued events in one piece; empty when none came within ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return b""
        self._wake.clear()
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        if self._last_words is None:
            return chunk
        self.finished = True
        return chunk + self._last_words


class LiveHub:
    """Fans encoded events out to listeners. All methods are for the event loop's thread."""

    def __init__(
        self,
        run: str,
        *,
        queued: int = QUEUED_EVENTS,
        remembered: int = REMEMBERED_EVENTS,
        max_listeners: int = MAX_LISTENERS,
        on_drop: Callable[[], None] = lambda: None,
    ) -> None:
        """``run`` names this process run (no ``-``), so ids of an earlier run are recognised."""
        self._run = run
        self._queued = queued
        self._max = max_listeners
        self._on_drop = on_drop
        self._number = 0
        self._remembered: deque[tuple[int, bytes]] = deque(maxlen=remembered)
        self._listeners: dict[Subscription, None] = {}
        self._dirty: dict[str, None] = {}

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(self, kind: str, data: object) -> None:
        """Send ``data`` (what ``api.encoding`` writes) to every listener, now."""
        self._number += 1
        event = b"id: %b-%d\nevent: %b\ndata: %b\n\n" % (
            self._run.encode(),
            self._number,
            kind.encode(),
            encode(data),
        )
        self._remembered.append((self._number, event))
        for listener in [one for one in self._listeners if not one.offer(event)]:
            del self._listeners[listener]
            self._on_drop()

    def touch(self, station: str) -> None:
        """The station's status changed; it goes out with the next ``flush``. Hot path, O(1)."""
        self._dirty[station] = None

    def flush(self, status: Callable[[str], object | None]) -> int:
        """Publish ``status(station)`` once for each touched station; how many were sent.

        ``status`` gives None for a station that is not registered: it is skipped.
        """
        dirty, self._dirty = self._dirty, {}
        if not self._listeners:
            return 0
        sent = 0
        for station in dirty:
            data = status(station)
            if data is not None:
                self.publish("station", data)
                sent += 1
        return sent

    async def run(self, status: Callable[[str], object | None]) -> None:
        """Flush for ever, once per ``STATUS_INTERVAL_S``; ends by cancellation."""
        while True:
            await asyncio.sleep(STATUS_INTERVAL_S)
            self.flush(status)

    def subscribe(self, last_event_id: str | None = None) -> Subscription:
        """A new listener, given first what it missed since ``last_event_id`` where we still know.

        Raises TooManyListenersError.
        """
        if len(self._listeners) >= self._max:
            raise TooManyListenersError
        listener = Subscription(self._queued)
        if last_event_id is not None:
            for event in self._missed(last_event_id):
                listener.offer(event)
        self._listeners[listener] = None
        return listener

    def _missed(self, last_event_id: str) -> list[bytes]:
        run, _, number = last_event_id.rpartition("-")
        if run != self._run or not (number.isascii() and number.isdecimal() and len(number) < 16):  # noqa: PLR2004 - more digits than any counter here has
            return [RESYNC]
        seen = int(number)
        missed = [event for n, event in self._remembered if n > seen]
        if seen > self._number or self._number - seen > len(missed) or len(missed) > self._queued:
            return [RESYNC]
        return missed

    def unsubscribe(self, listener: Subscription) -> None:
        """Forget a listener; harmless when it was dropped before."""
        self._listeners.pop(listener, None)

    def close(self) -> None:
        """End every stream, so that open connections do not keep the server alive."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
