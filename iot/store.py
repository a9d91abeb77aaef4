"""The port behind which telemetry lies: what the drain, the API, backtests and exports need.

Two adapters keep it: ``iot.embedded_store`` (DuckDB, the default) and ``iot.influx_store``
(InfluxDB 2). The same contract tests run over both.

Errors an adapter may raise::

    StoreError
    ├── StoreUnavailable   try again, not before ``retry_after_s``
    └── StoreRefused       permanent until a person changes something (credential, bucket, disk)
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from devices.names import MAX_SOCKETS
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch, Int64

MAX_POINTS: Final = 10_000
"""The most windows one range query may ask for."""

Float64 = npt.NDArray[np.float64]


class StoreError(Exception):
    """The telemetry store could not do what was asked."""


class StoreUnavailable(StoreError):  # noqa: N818 - the type is the sentence: retry later
    """The store is down, slow or full for now; nothing of the call is lost by calling again.

    ``retry_after_s`` is what the store asked for, in seconds, or None.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Say what happened, and when the store wants to be asked again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreRefused(StoreError):  # noqa: N818 - the type is the sentence: a person must act
    """The store will refuse this again until a person changes the configuration or the data."""


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """One channel of one subject over time, in at most ``points`` + 1 windows.

    ``socket`` counts from 1; None asks for a channel of the station itself.
    ``start_ms`` (inclusive) and ``end_ms`` (exclusive) are event time, UTC ms.
    Raises ValueError for what can have no answer.
    """

    station: str
    socket: int | None
    channel: str
    start_ms: int
    end_ms: int
    points: int = 300

    def __post_init__(self) -> None:
        """Refuse what can have no answer."""
        known = STATION_CHANNELS if self.socket is None else SOCKET_CHANNELS
        if self.channel not in known:
            msg = f"unknown channel {self.channel!r}: one of {', '.join(known)}"
            raise ValueError(msg)
        if self.socket is not None and not 1 <= self.socket <= MAX_SOCKETS:
            msg = f"sockets are numbered 1 to {MAX_SOCKETS}"
            raise ValueError(msg)
        if not 0 <= self.start_ms < self.end_ms:
            msg = "start_ms must not be negative and must be before end_ms"
            raise ValueError(msg)
        if not 1 <= self.points <= MAX_POINTS:
            msg = f"points must be 1 to {MAX_POINTS}"
            raise ValueError(msg)

    @property
    def window_ms(self) -> int:
        """Length of a window, ms. Windows begin at multiples of it since 1970."""
        return -(-(self.end_ms - self.start_ms) // self.points)


@dataclass(frozen=True, slots=True)
class Series:
    """Windows in ascending order; a window in which nothing valid was measured is absent.

    Parallel arrays. ``start_ms`` is the begin of the window (a multiple of ``window_ms``, so
    the first may lie before the query's start; only frames inside the query count).
    """

    window_ms: int
    start_ms: Int64
    minimum: Float64
    maximum: Float64
    mean: Float64
    samples: Int64

    def __len__(self) -> int:
        """How many windows."""
        return len(self.start_ms)


@dataclass(frozen=True, slots=True)
class RawQuery:
    """Whole frames by event time, UTC ms: ``start_ms`` inclusive, ``end_ms`` exclusive."""

    start_ms: int
    end_ms: int
    stations: tuple[str, ...] | None = None  # None = all

    def __post_init__(self) -> None:
        """Refuse what can have no answer."""
        if not 0 <= self.start_ms < self.end_ms:
            msg = "start_ms must not be negative and must be before end_ms"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What ``doctor`` and ``/readyz`` say of the store."""

    ok: bool
    detail: str
    bytes_used: int | None = None  # None = the store cannot tell


class TelemetryStore(Protocol):
    """Where frames rest. All times UTC ms, all methods free of blocking the event loop."""

    async def append(self, blocks: Sequence[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        """Store the blocks, ``(lsn, frames)`` ascending, durably before it returns.

        ``upto_lsn`` is the journal position after them. Calling again with the same blocks,
        also after a crash at any point, stores no frame twice.
        """

    async def stored_lsn(self) -> int | None:
        """The journal position up to which everything is stored; None = the store cannot know.

        An adapter that knows it remembers it in the same transaction as the frames.
        """

    async def range(self, query: RangeQuery) -> Series:
        """Minimum, maximum and mean of one channel per window."""

    def raw(self, query: RawQuery, page: int = 10_000) -> AsyncIterator[FrameBatch]:
        """All frames of the query, ascending by event time, in pages of about ``page`` frames."""

    async def last(self, stations: Sequence[str]) -> FrameBatch:
        """The newest frame (by event time) of each station that has one, in the order asked."""

    async def prune(self, before_ms: int) -> int:
        """Delete what is older than ``before_ms``; the number of frames deleted.

        Never a newer frame. The embedded store deletes whole files, hence possibly less.
        """

    async def count(self) -> int:
        """How many frames are stored."""

    async def health(self) -> StoreHealth:
        """Whether it would take and give frames now; never raises a StoreError."""

    async def close(self) -> None:
        """Release everything; later questions raise StoreRefused, closing again does nothing."""
