"""The columnar batch of telemetry frames that every stage after decoding shares.

One batch is a structure of NumPy arrays. It is what the journal writes, what the rules
engine reads, and what the stores insert, so a frame is decoded exactly once in its life.
``NaN`` means "no valid sensor" in here; on the wire that is ``null`` and NaN is refused.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from iot.contract import Telemetry

STATION_CHANNELS: Final = (
    "ambient_c",
    "enclosure_c",
    "voltage_v",
    "leakage_ma",
    "smoke",
    "water",
    "door",
)
"""Order of the columns of ``FrameBatch.station_values``."""
SOCKET_CHANNELS: Final = ("relay", "current_a", "power_w", "temp_c", "energy_wh")
"""Order of the planes of ``FrameBatch.socket_values``."""

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """``n`` accepted frames in the order in which they were accepted.

    ``event_ms`` is the instant the rules and the stores use: the station's ``ts`` where its
    clock can be believed, else the time of receipt (see ``iot.sequence``). ``live`` is false
    for a frame that arrived after a newer one of the same station: it is stored, but raises
    and clears nothing.
    """

    station: npt.NDArray[np.object_]  # (n,) str
    boot: npt.NDArray[np.uint32]  # (n,)
    seq: Int64  # (n,)
    ts_ms: Int64  # (n,) the station's own clock, UTC ms
    received_ms: Int64  # (n,) our clock, UTC ms
    event_ms: Int64  # (n,) UTC ms
    live: npt.NDArray[np.bool_]  # (n,)
    sockets: npt.NDArray[np.uint8]  # (n,) sockets in this frame
    station_values: Float32  # (n, len(STATION_CHANNELS)); NaN = no valid sensor
    socket_values: Float32  # (n, len(SOCKET_CHANNELS), k); NaN = no valid sensor or no such socket

    def __len__(self) -> int:
        """How many frames."""
        return len(self.station)

    @property
    def width(self) -> int:
        """How many sockets the widest frame has."""
        return int(self.socket_values.shape[2])

    def channel(self, name: str) -> Float32:
        """One channel by its contract name: (n,) for a station's, (n, k) for the sockets'."""
        if name in STATION_CHANNELS:
            return self.station_values[:, STATION_CHANNELS.index(name)]
        return self.socket_values[:, SOCKET_CHANNELS.index(name), :]

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "FrameBatch":
        """The frames at ``rows``, in that order."""
        return FrameBatch(
            self.station[rows],
            self.boot[rows],
            self.seq[rows],
            self.ts_ms[rows],
            self.received_ms[rows],
            self.event_ms[rows],
            self.live[rows],
            self.sockets[rows],
            self.station_values[rows],
            self.socket_values[rows],
        )

    @classmethod
    def build(  # noqa: PLR0913 - one argument per column that only the admission knows
        cls,
        stations: list[str],
        bodies: list[Telemetry],
        *,
        received_ms: list[int],
        event_ms: list[int],
        live: list[bool],
        boots: list[int] | None = None,
    ) -> Self:
        """A batch of decoded frames; all lists have the same length, bodies may differ in width."""
        n = len(bodies)
        counts = [len(b.relay) for b in bodies]
        k = max(counts, default=0)
        if n and min(counts) == k:
            flat = [
                column
                for b in bodies
                for column in (b.relay, b.current_a, b.power_w, b.temp_c, b.energy_wh)
            ]
            socket_values = np.array(flat, dtype=np.float32).reshape(n, len(SOCKET_CHANNELS), k)
        else:
            socket_values = np.full((n, len(SOCKET_CHANNELS), k), np.nan, dtype=np.float32)
            for row, b in enumerate(bodies):
                columns = [b.relay, b.current_a, b.power_w, b.temp_c, b.energy_wh]
                socket_values[row, :, : counts[row]] = np.array(columns, dtype=np.float32)
        station_values = np.array(
            [
                (
                    b.ambient_c,
                    b.enclosure_c,
                    b.voltage_v,
                    b.leakage_ma,
                    b.smoke,
                    b.water,
                    b.door,
                )
                for b in bodies
            ],
            dtype=np.float32,
        ).reshape(n, len(STATION_CHANNELS))
        names = np.empty(n, dtype=np.object_)
        names[:] = stations
        return cls(
            names,
            np.array(boots or [int(b.boot, 16) for b in bodies], dtype=np.uint32),
            np.array([b.seq for b in bodies], dtype=np.int64),
            np.array([b.ts for b in bodies], dtype=np.int64),
            np.array(received_ms, dtype=np.int64),
            np.array(event_ms, dtype=np.int64),
            np.array(live, dtype=np.bool_),
            np.array(counts, dtype=np.uint8),
            station_values,
            socket_values,
        )

    @classmethod
    def concat(cls, batches: "list[FrameBatch]") -> "FrameBatch":
        """All frames of ``batches`` in order; narrower ones are padded with NaN."""
        if len(batches) == 1:
            return batches[0]
        k = max((b.width for b in batches), default=0)
        wide = [
            np.pad(
                b.socket_values,
                ((0, 0), (0, 0), (0, k - b.width)),
                constant_values=np.float32(np.nan),
            )
            if b.width < k
            else b.socket_values
            for b in batches
        ]
        return cls(
            np.concatenate([b.station for b in batches]),
            np.concatenate([b.boot for b in batches]),
            np.concatenate([b.seq for b in batches]),
            np.concatenate([b.ts_ms for b in batches]),
            np.concatenate([b.received_ms for b in batches]),
            np.concatenate([b.event_ms for b in batches]),
            np.concatenate([b.live for b in batches]),
            np.concatenate([b.sockets for b in batches]),
            np.concatenate([b.station_values for b in batches]),
            np.concatenate(wide),
        )
