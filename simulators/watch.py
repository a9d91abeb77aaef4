"""The sampling task of every station at once: when to report, and the local trips.

All sockets are looked at once a second. A station reports at its interval; at once after a
relay moved; and every second for as long as a channel moves fast between reports or comes
near a local limit. A limit trips when it was passed in ``CONFIRM`` samples in a row.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.orders import Intervals, Trips
from iot.contract import AlarmKind
from simulators.model import Seat
from simulators.physics import Grid, Mask, Plant
from simulators.sensors import Sensors

FAST_K: Final = 1.0
FAST_W: Final = 50.0
PRE_ALARM_K: Final = 10.0
"""A temperature this close below its trip is a pre-alarm, reported every second."""
PRE_ALARM_SHARE: Final = 0.85
"""The same for current and power, as a share of the trip."""
CONFIRM: Final = 3
RECOVERED_K: Final = 10.0

Rows = npt.NDArray[np.intp]


class Trip(NamedTuple):
    """A local limit that was passed for long enough."""

    seat: Seat | None  # None: the enclosure of ``row``
    row: int
    kind: AlarmKind
    value: float


class Watch:
    """Cadence and local limits of a fleet; ``Firmware`` sets them, the fleet's tick asks."""

    def __init__(self, plant: Plant, sensors: Sensors, rng: np.random.Generator) -> None:
        """Default limits everywhere; the first frame of each station is due at once."""
        rows = plant.shape[0]
        self._plant = plant
        self._sensors = sensors
        self._trip_c: Grid = np.full((rows, 1), np.inf)
        self._trip_a: Grid = np.full((rows, 1), np.inf)
        self._trip_w: Grid = np.full((rows, 1), np.inf)
        self._trip_box: Grid = np.full(rows, np.inf)
        self._busy_ms = np.zeros(rows, dtype=np.int64)
        self._idle_ms = np.zeros(rows, dtype=np.int64)
        self._fast_ms = np.zeros(rows, dtype=np.int64)
        self._due_ms = np.zeros(rows, dtype=np.int64)
        self._last_ms = np.zeros(rows, dtype=np.int64)
        self._sent_c: Grid = sensors.look().copy()
        self._sent_w: Grid = plant.power.copy()
        self._hot = np.zeros(plant.shape, dtype=np.int64)
        self._strong = np.zeros(plant.shape, dtype=np.int64)
        self._heavy = np.zeros(plant.shape, dtype=np.int64)
        self._box = np.zeros(rows, dtype=np.int64)
        self._counting = False
        self._near: Mask = np.zeros(rows, dtype=np.bool_)
        # Stations were not switched on in the same second: their intervals interleave.
        self._phase_ms = rng.integers(0, 5, rows) * 1000

    def apply(self, row: int, trips: Trips, intervals: Intervals) -> None:
        """Use these limits and intervals for one station."""
        self._trip_c[row], self._trip_box[row] = trips.socket_c, trips.enclosure_c
        self._trip_a[row], self._trip_w[row] = trips.socket_a, trips.socket_w
        self._busy_ms[row] = intervals.charging_s * 1000
        self._idle_ms[row] = intervals.idle_s * 1000
        self._fast_ms[row] = intervals.fast_s * 1000
        self.at_once(row)

    def at_once(self, row: int) -> None:
        """The next look finds a frame of this station due."""
        self._due_ms[row] = 0

    def urgent(self, row: int) -> bool:
        """Whether somebody asked for a frame without waiting for the interval."""
        return bool(self._due_ms[row] == 0)

    def look(self) -> list[Trip]:
        """Sample everything once (call it each second); the local limits passed just now."""
        seen, plant = self._sensors.look(), self._plant
        near = seen >= self._trip_c - PRE_ALARM_K
        near |= plant.current >= self._trip_a * PRE_ALARM_SHARE
        near |= plant.power >= self._trip_w * PRE_ALARM_SHARE
        box_near = plant.enclosure >= self._trip_box - PRE_ALARM_K
        self._near = near.any(axis=1) | box_near
        if not self._near.any():
            if self._counting:
                self._forget()
            return []
        return self._confirm(seen)

    def due(self, now_ms: int) -> Rows:
        """Rows of the stations that should send a frame now."""
        moved = np.abs(self._sensors.seen - self._sent_c) > FAST_K
        moved |= np.abs(self._plant.power - self._sent_w) > FAST_W
        fast = moved.any(axis=1)
        fast |= self._near
        due = now_ms >= self._due_ms
        if fast.any():
            # A fast channel pulls the next frame forward to one fast interval after the last.
            due |= fast & (now_ms >= self._last_ms + self._fast_ms)
        return np.flatnonzero(due)

    def reported(self, rows: Rows, now_ms: int) -> None:
        """Frames of these stations were sent: compare with them from now on, set the next."""
        plant = self._plant
        self._sent_c[rows] = self._sensors.seen[rows]
        self._sent_w[rows] = plant.power[rows]
        busy = plant.relay[rows].any(axis=1)
        wait = np.where(busy, self._busy_ms[rows], self._idle_ms[rows])
        first = np.minimum(self._phase_ms[rows], np.maximum(wait - 1000, 0))
        self._due_ms[rows] = now_ms + wait - first
        self._last_ms[rows] = now_ms
        self._phase_ms[rows] = 0

    def recovered(self, row: int, kind: AlarmKind, socket: int | None) -> float | None:
        """The value that is well below the limit which tripped, or None while it is not."""
        if kind is AlarmKind.OVER_TEMPERATURE and socket is None:
            value, limit = self._plant.enclosure[row], self._trip_box[row] - RECOVERED_K
        elif kind is AlarmKind.OVER_TEMPERATURE and socket is not None:
            value, limit = self._sensors.seen[row, socket - 1], self._trip_c[row, 0] - RECOVERED_K
        elif kind is AlarmKind.OVER_CURRENT and socket is not None:
            value = self._plant.current[row, socket - 1]
            limit = self._trip_a[row, 0] * PRE_ALARM_SHARE
        else:
            return None
        return round(float(value), 1) if value < limit else None

    def _confirm(self, seen: Grid) -> list[Trip]:
        plant = self._plant
        self._counting = True
        trips: list[Trip] = []
        for kind, value, limit, count in (
            (AlarmKind.OVER_TEMPERATURE, seen, self._trip_c, self._hot),
            (AlarmKind.OVER_CURRENT, plant.current, self._trip_a, self._strong),
            (AlarmKind.OVER_CURRENT, plant.power, self._trip_w, self._heavy),
        ):
            np.add(count, 1, out=count)
            np.multiply(count, value >= limit, out=count)
            for row, column in np.argwhere(count == CONFIRM).tolist():
                trips.append(Trip(Seat(row, column), row, kind, float(value[row, column])))
        self._box += 1
        self._box *= plant.enclosure >= self._trip_box
        trips += [
            Trip(None, row, AlarmKind.OVER_TEMPERATURE, float(plant.enclosure[row]))
            for row in np.flatnonzero(self._box == CONFIRM).tolist()
        ]
        return trips

    def _forget(self) -> None:
        self._counting = False
        for count in (self._hot, self._strong, self._heavy, self._box):
            count[:] = 0
