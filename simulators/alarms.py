"""A station's own alarms: kept until the backend's receipt, re-sent with jitter until then."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import orjson

from iot.contract import AlarmKind
from iot.topics import Channel
from simulators.model import EventKind, Log

FIRST_AGAIN_MS: Final = 2_000
SLOWEST_AGAIN_MS: Final = 30_000


class Sender(Protocol):
    """What the alarm desk needs of the firmware around it."""

    boot: str
    running: bool
    linked: bool

    def own_ms(self, now_ms: int) -> int:
        """The station's own time, UTC ms as far as it knows."""

    def next_seq(self) -> int:
        """The number of the next up message."""

    def send_numbered(self, channel: Channel, payload: bytes) -> None:
        """Send a body that carries its number."""


@dataclass(slots=True)
class PendingAlarm:
    """One alarm without a receipt; ``own_ms`` is when it happened by the station's clock."""

    id: str
    kind: AlarmKind
    socket: int | None
    active: bool
    value: float | None
    own_ms: int
    tries: int
    again_ms: int  # true time of the next try


class AlarmDesk:
    """Raises, re-sends and forgets one station's alarms. It survives a reboot, as flash does."""

    def __init__(
        self,
        sender: Sender,
        rng: np.random.Generator,
        log: Log,
    ) -> None:
        """No alarm stands."""
        self._sender = sender
        self._rng = rng
        self._log = log
        self._made = 0
        self._standing: set[tuple[AlarmKind, int | None]] = set()
        self.pending: dict[str, PendingAlarm] = {}

    def standing(self, kind: AlarmKind, socket: int | None) -> bool:
        """Whether this alarm was raised and has not ended."""
        return (kind, socket) in self._standing

    def all_standing(self) -> list[tuple[AlarmKind, int | None]]:
        """Kind and socket of every alarm that was raised and has not ended."""
        return sorted(self._standing, key=str) if self._standing else []

    def raise_alarm(
        self, kind: AlarmKind, socket: int | None, value: float | None, now_ms: int
    ) -> None:
        """Send an alarm now; one that is an event rather than a state may be raised again."""
        if kind is not AlarmKind.LOCAL_CUT:
            self._standing.add((kind, socket))
        self._log(EventKind.ALARM_RAISED, socket, now_ms, kind.value)
        self._new(kind, socket, value, now_ms, active=True)

    def end_alarm(
        self, kind: AlarmKind, socket: int | None, value: float | None, now_ms: int
    ) -> None:
        """Tell that the condition is gone, if it stood; this too is re-sent until its receipt."""
        if (kind, socket) not in self._standing:
            return
        self._standing.discard((kind, socket))
        self._log(EventKind.ALARM_ENDED, socket, now_ms, kind.value)
        self._new(kind, socket, value, now_ms, active=False)

    def receipt(self, alarm_id: str, now_ms: int) -> None:
        """The backend has it: stop re-sending. A test alarm that arrived has done its work."""
        alarm = self.pending.pop(alarm_id, None)
        if alarm is None:
            return
        self._log(EventKind.RECEIPT, alarm.socket, now_ms, alarm.kind.value)
        if alarm.kind is AlarmKind.SELF_TEST and alarm.active:
            self.end_alarm(AlarmKind.SELF_TEST, alarm.socket, None, now_ms)

    def resume(self, now_ms: int) -> None:
        """The link is back: try everything again soon, not all stations in the same instant."""
        for alarm in self.pending.values():
            alarm.tries = 1
            alarm.again_ms = now_ms + int(self._rng.integers(0, FIRST_AGAIN_MS))

    def tick(self, now_ms: int) -> None:
        """Send again what is due, while there is a link to send it on."""
        if not (self._sender.running and self._sender.linked):
            return
        for alarm in self.pending.values():
            if now_ms >= alarm.again_ms:
                self._transmit(alarm, now_ms)

    def _new(
        self, kind: AlarmKind, socket: int | None, value: float | None, now_ms: int, *, active: bool
    ) -> None:
        self._made += 1
        alarm = PendingAlarm(
            id=f"{self._sender.boot}-{self._made}",
            kind=kind,
            socket=socket,
            active=active,
            value=value,
            own_ms=self._sender.own_ms(now_ms),
            tries=0,
            again_ms=now_ms,
        )
        self.pending[alarm.id] = alarm
        self._transmit(alarm, now_ms)

    def _transmit(self, alarm: PendingAlarm, now_ms: int) -> None:
        wait_ms = min(SLOWEST_AGAIN_MS, FIRST_AGAIN_MS * 2**alarm.tries)
        alarm.tries += 1
        alarm.again_ms = now_ms + int(wait_ms * self._rng.uniform(0.8, 1.2))
        body = {
            "boot": self._sender.boot,
            "seq": self._sender.next_seq(),
            "ts": alarm.own_ms,
            "id": alarm.id,
            "kind": alarm.kind.value,
            "socket": alarm.socket,
            "active": alarm.active,
            "value": alarm.value,
        }
        self._sender.send_numbered(Channel.ALARM, orjson.dumps(body))
