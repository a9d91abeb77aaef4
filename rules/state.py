"""The engine's state: contiguous blocks indexed by station slot, growing in both directions.

``Blocks`` of one station can be cut out and put back elsewhere (``snapshots.py``).
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rules.cells import FREE, Cells
from rules.errors import UnknownStationError
from rules.holds import Table
from rules.layout import (
    ALARM_FLOATS,
    BUCKETS,
    EXTRA_COLUMNS,
    INF_FLOATS,
    NO_BUCKET,
    ZERO_FLOATS,
    Floats,
    Ints,
    Small,
    StationFloats,
    StationInts,
    names,
)
from rules.model import Finding
from rules.rows import ROWS

_FIRST_STATIONS: Final = 16
_FIRST_SOCKETS: Final = 12
_F, _I, _S = len(names(Floats)), len(names(Ints)), len(names(Small))
_BY_COLUMN: Final = 3  # dimensions of a block that has columns
_FLOAT_START: Final = np.array(
    [0.0 if n in ZERO_FLOATS else np.inf if n in INF_FLOATS else np.nan for n in names(Floats)],
    np.float32,
)
_STATION_START: Final = np.array(
    [0.0 if n in ALARM_FLOATS else np.nan for n in names(StationFloats)], np.float32
)

CellKey = tuple[int, int, int]
"""Row, slot, column."""


@dataclass(slots=True)
class AlarmMemory:
    """The station's own alarm of one kind on one subject, as last told."""

    active: bool
    event_ms: int


@dataclass(slots=True)
class StationAlarms:
    """What is remembered of one station's alarms."""

    levels: dict[tuple[int, str], AlarmMemory] = field(default_factory=dict)  # (column, kind)
    seen: list[tuple[str, bool, int]] = field(default_factory=list)
    """(alarm id, active, event time) of those told before, newest last."""


@dataclass(slots=True)
class SiteMemory:
    """The second stage's memory of one site."""

    pending_ms: int = 0  # condition true since, time of receipt; 0 = not true
    finding: Finding | None = None


class StateBlocks:
    """Everything the engine remembers; one object, owned by one engine."""

    floats: npt.NDArray[np.float32]
    ints: npt.NDArray[np.int64]
    small: npt.NDArray[np.uint8]
    station_ints: npt.NDArray[np.int64]
    station_floats: npt.NDArray[np.float32]
    ring: npt.NDArray[np.float32]
    ring_number: npt.NDArray[np.int64]
    phase: npt.NDArray[np.uint8]
    place: npt.NDArray[np.int32]

    def __init__(self) -> None:
        """Nothing known."""
        self.stations: list[str | None] = []
        self.slots: dict[str, int] = {}
        self.cells = Cells()
        self.findings: dict[CellKey, Finding] = {}
        self.alarms: dict[int, StationAlarms] = {}
        self.sites: dict[str, SiteMemory] = {}
        self._allocate(_FIRST_STATIONS, _FIRST_SOCKETS + EXTRA_COLUMNS)

    @property
    def capacity(self) -> int:
        """Slots that exist."""
        return int(self.floats.shape[1])

    @property
    def columns(self) -> int:
        """Subjects per station, the station and the ambient sensor included."""
        return int(self.floats.shape[2])

    @property
    def sockets(self) -> int:
        """Sockets a station can have before the state must grow."""
        return self.columns - EXTRA_COLUMNS

    @property
    def table(self) -> Table:
        """The decision cells."""
        return Table(self.phase, self.place, self.cells)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, free slots included."""
        return sum(a.nbytes for a in self.arrays()) + self.cells.nbytes

    def arrays(self) -> list[npt.NDArray[Any]]:
        """All blocks."""
        return [
            self.floats,
            self.ints,
            self.small,
            self.station_ints,
            self.station_floats,
            self.ring,
            self.ring_number,
            self.phase,
            self.place,
        ]

    def slot(self, station: str) -> int:
        """Where a station stands; UnknownStationError for one that was never added."""
        found = self.slots.get(station)
        if found is None:
            raise UnknownStationError(station)
        return found

    def add(self, station: str, sockets: int) -> int:
        """The slot of ``station``, made when new; wide enough for ``sockets``."""
        self.widen(sockets)
        found = self.slots.get(station)
        if found is not None:
            return found
        slot = self.stations.index(None) if None in self.stations else len(self.stations)
        if slot == len(self.stations):
            if slot == self.capacity:
                self._lengthen()
            self.stations.append(station)
        else:
            self.stations[slot] = station
        self.slots[station] = slot
        return slot

    def remove(self, station: str) -> None:
        """Forget a station; its slot is used again."""
        self.stations[self.empty(station)] = None
        del self.slots[station]

    def empty(self, station: str) -> int:
        """Make a station as if it had never sent anything; its slot, which it keeps."""
        slot = self.slot(station)
        used = self.place[:, slot, :]
        self.cells.give_back(used[used != FREE])
        for key in [k for k in self.findings if k[1] == slot]:
            del self.findings[key]
        self.alarms.pop(slot, None)
        self._clear(slice(slot, slot + 1))
        return slot

    def widen(self, sockets: int) -> None:
        """Make room for ``sockets`` per station; the ambient column stays the last."""
        extra = sockets - self.sockets
        if extra <= 0:
            return
        old = [a for a in self.arrays() if a.ndim == _BY_COLUMN]
        stations = self.capacity
        kept = (self.station_ints, self.station_floats, self.ring_number)
        self._allocate(stations, self.columns + extra)
        new = [a for a in self.arrays() if a.ndim == _BY_COLUMN]
        for source, target in zip(old, new, strict=True):
            last = source.shape[2] - 1
            target[:, :, :last] = source[:, :, :last]
            target[:, :, -1] = source[:, :, last]
        self.station_ints, self.station_floats, self.ring_number = kept

    def _lengthen(self) -> None:
        old = self.arrays()
        length = self.capacity
        self._allocate(2 * length, self.columns)
        for source, target in zip(old, self.arrays(), strict=True):
            target[:, :length] = source

    def _allocate(self, stations: int, columns: int) -> None:
        self.floats = np.empty((_F, stations, columns), np.float32)
        self.ints = np.zeros((_I, stations, columns), np.int64)
        self.small = np.zeros((_S, stations, columns), np.uint8)
        self.station_ints = np.zeros((len(names(StationInts)), stations), np.int64)
        self.station_floats = np.empty((len(names(StationFloats)), stations), np.float32)
        self.ring = np.empty((BUCKETS, stations, columns), np.float32)
        self.ring_number = np.empty((BUCKETS, stations), np.int64)
        self.phase = np.zeros((len(ROWS), stations, columns), np.uint8)
        self.place = np.empty((len(ROWS), stations, columns), np.int32)
        self._clear(slice(None))

    def _clear(self, slots: slice) -> None:
        self.floats[:, slots] = _FLOAT_START[:, None, None]
        self.ints[:, slots] = 0
        self.small[:, slots] = 0
        self.station_ints[:, slots] = 0
        self.station_floats[:, slots] = _STATION_START[:, None]
        self.ring[:, slots] = np.inf
        self.ring_number[:, slots] = NO_BUCKET
        self.phase[:, slots] = 0
        self.place[:, slots] = FREE
