"""How frames lie in a DuckDB file: one wide row per frame, one column per channel and socket.

A query of one channel of one socket reads exactly one column, and an insert is one table; the
figures are in ``make bench`` (some 20 times what the budget asks for).
``NULL`` = no valid sensor, or the station has no such socket.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch

HEAD_COLUMNS: Final = {
    "station": "UINTEGER",  # an id of the file's ``stations`` table
    "boot": "UINTEGER",
    "seq": "BIGINT",
    "ts_ms": "BIGINT",
    "received_ms": "BIGINT",
    "event_ms": "BIGINT",
    "live": "BOOLEAN",
    "sockets": "UTINYINT",
} | dict.fromkeys(STATION_CHANNELS, "FLOAT")

Columns = dict[str, npt.NDArray[Any]]


def column(channel: str, socket: int | None) -> str:
    """The column of a channel; ``socket`` counts from 1, None = the station itself."""
    return channel if socket is None else f"{channel}_{socket}"


def socket_columns(width: int) -> list[str]:
    """The columns of ``width`` sockets, in the order in which ``to_columns`` cuts them."""
    return [f"{channel}_{socket + 1}" for channel in SOCKET_CHANNELS for socket in range(width)]


def to_columns(batch: FrameBatch, station_ids: npt.NDArray[np.uint32]) -> Columns:
    """``batch`` as contiguous columns, stations replaced by their ids."""
    columns: Columns = {
        "station": station_ids,
        "boot": batch.boot,
        "seq": batch.seq,
        "ts_ms": batch.ts_ms,
        "received_ms": batch.received_ms,
        "event_ms": batch.event_ms,
        "live": batch.live,
        "sockets": batch.sockets,
    }
    columns |= zip(STATION_CHANNELS, np.ascontiguousarray(batch.station_values.T), strict=True)
    planes = batch.socket_values.reshape(len(batch), -1)
    columns |= zip(socket_columns(batch.width), np.ascontiguousarray(planes.T), strict=True)
    return columns


def from_columns(columns: Columns, names: npt.NDArray[np.object_], width: int) -> FrameBatch:
    """The frames in fetched ``columns``; ``names[id]`` is the station with that id."""
    n = len(columns["seq"])
    socket_values = np.empty((n, len(SOCKET_CHANNELS) * width), dtype=np.float32)
    for index, name in enumerate(socket_columns(width)):
        socket_values[:, index] = _floats(columns[name])
    station_values = np.empty((n, len(STATION_CHANNELS)), dtype=np.float32)
    for index, name in enumerate(STATION_CHANNELS):
        station_values[:, index] = _floats(columns[name])
    return FrameBatch(
        station=names[columns["station"]] if n else np.empty(0, dtype=np.object_),
        boot=np.asarray(columns["boot"], dtype=np.uint32),
        seq=np.asarray(columns["seq"], dtype=np.int64),
        ts_ms=np.asarray(columns["ts_ms"], dtype=np.int64),
        received_ms=np.asarray(columns["received_ms"], dtype=np.int64),
        event_ms=np.asarray(columns["event_ms"], dtype=np.int64),
        live=np.asarray(columns["live"], dtype=np.bool_),
        sockets=np.asarray(columns["sockets"], dtype=np.uint8),
        station_values=station_values,
        socket_values=socket_values.reshape(n, len(SOCKET_CHANNELS), width),
    )


def no_frames() -> FrameBatch:
    """A batch of nothing."""
    columns: Columns = {name: np.empty(0) for name in HEAD_COLUMNS}
    return from_columns(columns, np.empty(0, dtype=np.object_), 0)


def _floats(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """NULL, which the driver gives as a mask, becomes NaN."""
    return values.filled(np.nan) if isinstance(values, np.ma.MaskedArray) else values
