"""What one frame shows about a cut: off, still on, or nothing at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from devices.command_model import CommandRecord, Failed, Failure

Values = Sequence[float | None] | npt.NDArray[np.float32]
"""One value per socket, index 0 = socket 1; None or NaN = no valid sensor."""


class Sight(Enum):
    """What a frame shows about the subject of a cut."""

    OFF = auto()  # power below the threshold, and no relay says otherwise
    OFF_BUT_CLOSED = auto()  # power below the threshold, but a relay still reports closed
    ON = auto()
    BLIND = auto()  # a socket of the subject has no valid power sensor


@dataclass(frozen=True, slots=True)
class Measured:
    """The values of one frame that matter for proof; NaN = no valid sensor."""

    boot: int
    seq: int
    received_ms: int
    powers: tuple[float, ...]
    relays: tuple[float, ...]

    def is_after(self, issued_ms: int, boot: int | None, seq: int | None) -> bool:
        """Whether it arrived after ``issued_ms`` and is newer than the frame known then."""
        if self.received_ms <= issued_ms:
            return False
        return seq is None or self.boot != boot or self.seq > seq

    def proves_for(self, record: CommandRecord) -> bool:
        """Whether it is recent enough to say anything about the order."""
        return self.is_after(record.issued_ms, record.seen_boot, record.seen_seq)

    def sight(self, socket: int | None, off_w: float) -> Sight:
        """What it shows about ``socket`` (None = all sockets), ``off_w`` in watts."""
        powers = self._of(self.powers, socket)
        if any(p >= off_w for p in powers):
            return Sight.ON
        # NaN is below nothing, so a blind socket is never off.
        if not powers or not all(p < off_w for p in powers):
            return Sight.BLIND
        return Sight.OFF_BUT_CLOSED if self.relay_open(socket) is False else Sight.OFF

    def power(self, socket: int | None) -> float | None:
        """Watts of the subject: the socket's, or the highest of all; None if unknown."""
        return max((p for p in self._of(self.powers, socket) if not isnan(p)), default=None)

    def relay_open(self, socket: int | None) -> bool | None:
        """Whether the subject's relays report open; None when none of them reports."""
        known = [r for r in self._of(self.relays, socket) if not isnan(r)]
        return all(r < 1 for r in known) if known else None

    def powered(self, off_w: float) -> frozenset[int]:
        """The sockets, from 1, whose power is at or above ``off_w`` watts."""
        return frozenset(i for i, p in enumerate(self.powers, start=1) if p >= off_w)

    @staticmethod
    def _of(values: tuple[float, ...], socket: int | None) -> tuple[float, ...]:
        return values if socket is None else values[socket - 1 : socket]


def plain(values: Values) -> tuple[float, ...]:
    """A copy as floats, None as NaN: nothing of a shared batch array stays alive."""
    if isinstance(values, np.ndarray):
        return tuple(values.tolist())
    return tuple(nan if v is None else float(v) for v in values)


def failure_of(record: CommandRecord, seen: Measured | None, off_w: float, now_ms: int) -> Failed:
    """What is known at the deadline of a cut that nothing has proven, and why it failed."""
    fresh = seen if seen is not None and seen.proves_for(record) else None
    if fresh is None:
        reason = Failure.NO_MEASUREMENT
    elif fresh.sight(record.socket, off_w) is Sight.BLIND:
        reason = Failure.NO_SENSOR
    else:
        reason = Failure.STILL_POWER
    return Failed(
        command_id=record.id,
        station=record.station,
        socket=record.socket,
        ordered_ms=record.issued_ms,
        at_ms=now_ms,
        reason=reason,
        evidence={
            "power_w": None if fresh is None else fresh.power(record.socket),
            "threshold_w": off_w,
            "measured_ms": None if fresh is None else fresh.received_ms,
            "since_ms": record.issued_ms,
            "sends": record.sends,
            "reply": None if record.reply is None else record.reply.value,
            "reply_detail": record.reply_detail,
            "command_id": record.id,
            "rule": record.rule,
        },
    )
