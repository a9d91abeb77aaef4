"""How the state of stations is laid out in blocks: fields by name, subjects by column.

A block is indexed (field, station slot, column). Column 0 is the station itself (its box
sensor), columns 1 to K are the sockets, and the last column is the ambient sensor, which is
judged like any other and then speaks for the station.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

STATION: Final = 0
AMBIENT: Final = -1
EXTRA_COLUMNS: Final = 2  # the station's own and the ambient sensor's

BUCKET_MS: Final = 10_000
BUCKETS: Final = 12
"""Full buckets of a window beside the running one: 120 s."""
NO_BUCKET: Final = -(2**40)
"""The number of a bucket that never was."""


@dataclass(frozen=True, slots=True)
class Floats:
    """Per subject, float32; NaN = none yet."""

    temp1: Float32  # the last three valid temperatures, °C, newest first
    temp2: Float32
    temp3: Float32
    low: Float32  # lowest of the running bucket, °C; +inf = none
    base60: Float32  # lowest of the full buckets of 60 s and 120 s, °C; +inf = none
    base120: Float32
    power: Float32  # W, last known
    peak: Float32  # W, highest of the session after inrush
    valley: Float32  # W, lowest since the peak
    energy: Float32  # Wh of the session
    still_low: Float32  # lowest and highest median of the peers while this one stood still, °C
    still_high: Float32
    slope_w: Float32  # W at the last slow check
    slope: Float32  # W per hour over the last slow check
    rise60: Float32  # kelvin above the lowest of 60 s and 120 s; from here on of the last frame
    rise120: Float32
    current: Float32  # A
    measured: Float32  # W
    relay: Float32  # 1 = closed


@dataclass(frozen=True, slots=True)
class Ints:
    """Per subject, UTC ms of event time; 0 = never."""

    temp_ms: Int64  # last valid temperature
    above_ms: Int64  # load seen since, session not yet started
    started_ms: Int64  # start of the session
    low_ms: Int64  # no load since, session not yet ended
    still_ms: Int64  # the temperature has not moved since
    lock_ms: Int64  # locked since


@dataclass(frozen=True, slots=True)
class Small:
    """Per subject, small numbers and marks."""

    session: Bytes  # rules.sessions.Stage
    above_n: Bytes  # samples with load, session not yet started
    truth: Bytes  # rules.truth.Truth of the temperature in the last frame
    stuck: Bytes
    moved: Bytes  # the temperature changed since the last slow check
    ending: Bytes  # a cut was ordered: an open relay ends the session at once
    seen_off: Bytes  # without power since the lock


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the subjects of some stations; all planes (n, columns), writable."""

    f: Floats
    i: Ints
    s: Small

    def take(self, at: npt.NDArray[np.intp]) -> "Memory":
        """Copies of the stations ``at``."""
        return Memory(
            Floats(*(plane[at] for plane in planes(self.f))),
            Ints(*(plane[at] for plane in planes(self.i))),
            Small(*(plane[at] for plane in planes(self.s))),
        )

    def put(self, at: npt.NDArray[np.intp], part: "Memory") -> None:
        """Write back what ``take`` gave."""
        for mine, theirs in ((self.f, part.f), (self.i, part.i), (self.s, part.s)):
            for plane, changed in zip(planes(mine), planes(theirs), strict=True):
                plane[at] = changed


def planes(group: Floats | Ints | Small) -> list[npt.NDArray[Any]]:
    """The planes of a group in block order."""
    return [getattr(group, f.name) for f in fields(group)]


@dataclass(frozen=True, slots=True)
class StationInts:
    """Per station; times UTC ms, 0 = never."""

    event_ms: Int64  # newest live frame, event time
    heard_ms: Int64  # newest message, time of receipt
    frame_ms: Int64  # newest live frame, time of receipt
    down_ms: Int64  # last will received, not heard since
    back: Int64  # messages since it was found offline
    warned_ms: Int64  # last finding of warn or worse, time of receipt
    bucket: Int64  # number of the running bucket
    slow_ms: Int64  # last slow look, event time


@dataclass(frozen=True, slots=True)
class StationFloats:
    """Per station, float32; NaN = never known."""

    voltage: Float32  # V
    leakage: Float32  # mA
    smoke: Float32  # last known contact of the frames: 0 or 1
    water: Float32
    door: Float32
    smoke_alarm: Float32  # 1 while an alarm of the kind stands
    water_alarm: Float32
    door_alarm: Float32


def names(of: type) -> tuple[str, ...]:
    """The fields of a layout in block order."""
    return tuple(f.name for f in fields(of))


CARRIED: Final = names(Floats).index("rise60")
"""So many of the floats are carried from frame to frame; every frame writes the others anew."""

ZERO_FLOATS: Final = frozenset({"peak", "energy"})
INF_FLOATS: Final = frozenset({"low", "base60", "base120"})
ALARM_FLOATS: Final = frozenset({"smoke_alarm", "water_alarm", "door_alarm"})
