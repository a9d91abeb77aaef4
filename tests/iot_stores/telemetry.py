"""Frames for tests of journals and stores."""

from collections.abc import Callable, Sequence

import numpy as np

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch

START_MS = 1_760_000_000_000
"""2025-10-09T08:53:20Z."""
DAY_MS = 86_400_000


def frames(  # noqa: PLR0913 - each names what a test is about
    count: int,
    *,
    station: str | Sequence[str] = "st-01",
    start_ms: int = START_MS,
    step_ms: int = 1000,
    first_seq: int = 0,
    sockets: int = 3,
    boot: int = 0xABCD0123,
    value: Callable[[int, int], float] = lambda row, socket: 20.0 + row + socket / 4,
) -> FrameBatch:
    """``count`` frames; ``value(row, socket)`` (socket from 1) is each socket's temperature."""
    names = np.empty(count, dtype=np.object_)
    names[:] = [station] * count if isinstance(station, str) else list(station)
    rows = np.arange(count, dtype=np.int64)
    socket_values = np.zeros((count, len(SOCKET_CHANNELS), sockets), dtype=np.float32)
    temperature = SOCKET_CHANNELS.index("temp_c")
    for row in range(count):
        for socket in range(sockets):
            socket_values[row, temperature, socket] = value(row, socket + 1)
    socket_values[:, SOCKET_CHANNELS.index("power_w"), :] = 123.5
    station_values = np.full((count, len(STATION_CHANNELS)), 0.5, dtype=np.float32)
    times = start_ms + rows * step_ms
    return FrameBatch(
        station=names,
        boot=np.full(count, boot, dtype=np.uint32),
        seq=rows + first_seq,
        ts_ms=times + 7,
        received_ms=times + 40,
        event_ms=times,
        live=np.ones(count, dtype=np.bool_),
        sockets=np.full(count, sockets, dtype=np.uint8),
        station_values=station_values,
        socket_values=socket_values,
    )


def same(left: FrameBatch, right: FrameBatch) -> bool:
    """Whether both have the same frames in the same order, NaN equal to NaN.

    Columns of sockets that no frame has do not count.
    """
    width = int(max(left.sockets.max(initial=0), right.sockets.max(initial=0)))
    if len(left) != len(right):
        return False
    for name in ("station", "boot", "seq", "ts_ms", "received_ms", "event_ms", "live", "sockets"):
        if getattr(left, name).tolist() != getattr(right, name).tolist():
            return False
    return np.array_equal(
        left.station_values, right.station_values, equal_nan=True
    ) and np.array_equal(
        left.socket_values[:, :, :width], right.socket_values[:, :, :width], equal_nan=True
    )
