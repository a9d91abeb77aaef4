"""Messages that wait for a link: bounded, in order, and an alarm is never the one to go."""

from collections import deque
from typing import Final

from iot.topics import Channel
from simulators.model import Outgoing

KEPT_FRAMES: Final = 600


class Backlog:
    """First in, first out. Beyond ``frames`` waiting frames the oldest frame is dropped."""

    def __init__(self, frames: int = KEPT_FRAMES) -> None:
        """Empty; ``frames`` bounds telemetry only, everything else is small and kept."""
        self._frames = frames
        self._waiting: deque[Outgoing] = deque()
        self._telemetry = 0
        self.dropped = 0

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def put(self, message: Outgoing) -> None:
        """Add one at the end; of the retained status only the newest is worth keeping."""
        if message.channel is Channel.STATUS:
            self._remove_first(Channel.STATUS)
        elif message.channel is Channel.TELEMETRY:
            self._telemetry += 1
            if self._telemetry > self._frames:
                self._remove_first(Channel.TELEMETRY)
                self._telemetry -= 1
                self.dropped += 1
        self._waiting.append(message)

    def first(self) -> Outgoing | None:
        """The message to send next; it stays until ``done`` says that it is safe."""
        return self._waiting[0] if self._waiting else None

    def done(self, message: Outgoing) -> None:
        """``message`` reached the broker (it may have been dropped meanwhile)."""
        if self._waiting and self._waiting[0] is message:
            self._waiting.popleft()
            self._telemetry -= message.channel is Channel.TELEMETRY

    def drain(self) -> list[Outgoing]:
        """All that waits, in order."""
        out = list(self._waiting)
        self.clear()
        return out

    def clear(self) -> None:
        """Forget everything, as a reboot does."""
        self._waiting.clear()
        self._telemetry = 0

    def _remove_first(self, channel: Channel) -> None:
        for index, waiting in enumerate(self._waiting):
            if waiting.channel is channel:
                del self._waiting[index]
                return
