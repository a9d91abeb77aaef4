"""Frames of a wave as planes: one row per station, one column per subject."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from rules.cells import Indices
from rules.layout import AMBIENT, STATION

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_AMBIENT_C, _ENCLOSURE_C = (STATION_CHANNELS.index(c) for c in ("ambient_c", "enclosure_c"))
_TOLD: Final = [
    STATION_CHANNELS.index(c) for c in ("voltage_v", "leakage_ma", "smoke", "water", "door")
]
_TEMP: Final = SOCKET_CHANNELS.index("temp_c")


@dataclass(frozen=True, slots=True)
class Raw:
    """One frame of each of several stations; NaN = no valid sensor or no such socket."""

    position: Indices  # in the batch
    slots: Indices
    at_ms: Int64  # (n,) event time
    received_ms: Int64  # (n,)
    sockets: Float32  # (n, channels, sockets of the widest frame)
    temp: Float32  # (n, columns) with the box and the ambient sensor in place
    told: Float32  # (5, n) voltage, leakage, and the contacts smoke, water, door

    @classmethod
    def of(cls, batch: FrameBatch, position: Indices, slots: Indices, columns: int) -> "Raw":
        """The frames at ``position`` of ``batch``, one per station."""
        sockets = batch.socket_values
        if len(position) != len(batch):
            sockets = sockets[position]
        station = batch.station_values[position].T
        temp = np.empty((len(position), columns), np.float32)
        fill(temp, sockets[:, _TEMP])
        temp[:, STATION] = station[_ENCLOSURE_C]
        temp[:, AMBIENT] = station[_AMBIENT_C]
        return cls(
            position,
            slots,
            batch.event_ms[position],
            batch.received_ms[position],
            sockets,
            temp,
            station[_TOLD],
        )

    def put(self, plane: Float32, channel: int) -> None:
        """Write a channel of the sockets into ``plane`` (n, columns)."""
        fill(plane, self.sockets[:, channel])


def fill(plane: Float32, values: Float32) -> None:
    """Sockets into their columns; NaN where there is none."""
    plane.fill(np.nan)
    plane[:, 1 : 1 + values.shape[1]] = values
