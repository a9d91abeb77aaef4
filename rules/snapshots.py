"""State as bytes: the whole engine for a restart, or one station for its move elsewhere.

An ``npz`` archive without pickles: one array per field, and one JSON document. Fields, rows and
columns go by name, so a snapshot survives a release that adds a rule or a field: what the
snapshot does not have starts as if new, what this version does not know is left out.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from rules.cells import Phase
from rules.errors import SnapshotError
from rules.layout import Floats, Ints, Small, StationFloats, StationInts, names
from rules.model import Act, Family, Finding, FindingKey, Severity
from rules.rows import ROWS
from rules.state import AlarmMemory, SiteMemory, StateBlocks, StationAlarms

FORMAT: Final = 1

_Arrays = dict[str, npt.NDArray[Any]]
_Blocks = tuple[tuple[str, type, str], ...]
_PLANES: Final[_Blocks] = (("f", Floats, "floats"), ("i", Ints, "ints"), ("s", Small, "small"))
_STATION: Final[_Blocks] = (
    ("si", StationInts, "station_ints"),
    ("sf", StationFloats, "station_floats"),
)
_TIMERS: Final = ("since", "mark", "last", "count", "peak", "shown")


class EngineState(StateBlocks):
    """The engine's state, and its ways in and out as bytes."""

    def snapshot(self) -> bytes:
        """Everything, for ``from_snapshot``."""
        sites = {
            site: [memory.pending_ms, None if memory.finding is None else _dump(memory.finding)]
            for site, memory in self.sites.items()
        }
        return self._pack([s for s in self.stations if s is not None], sites)

    @classmethod
    def from_snapshot(cls, data: bytes) -> Self:
        """The state that ``snapshot`` wrote.

        Raises:
            SnapshotError: no snapshot, damaged, or of another format version.

        """
        state = cls()
        document = state._unpack(data)
        for site, (pending_ms, finding) in document["sites"].items():
            state.sites[site] = SiteMemory(pending_ms, None if finding is None else _load(finding))
        return state

    def cut_out(self, station: str) -> bytes:
        """One station's state for ``restore`` elsewhere; it stays here until it is removed.

        Raises:
            UnknownStationError: the state does not know the station.

        """
        self.slot(station)
        return self._pack([station], {})

    def restore(self, data: bytes) -> list[str]:
        """Put in what ``cut_out`` or ``snapshot`` wrote, replacing what is known; the stations.

        Raises:
            SnapshotError: no snapshot, damaged, or of another format version.

        """
        stations: list[str] = self._unpack(data)["stations"]
        return stations

    def _pack(self, stations: list[str], sites: Mapping[str, object]) -> bytes:
        slots = np.array([self.slots[s] for s in stations], np.intp)
        arrays: _Arrays = {"ring": self.ring[:, slots], "ring_number": self.ring_number[:, slots]}
        for prefix, group, block in _PLANES:
            for name, plane in zip(names(group), getattr(self, block), strict=True):
                arrays[f"{prefix}.{name}"] = plane[slots]
        for prefix, group, block in _STATION:
            for name, column in zip(names(group), getattr(self, block), strict=True):
                arrays[f"{prefix}.{name}"] = column[slots]
        row, at, column = np.nonzero(self.phase[:, slots] != Phase.IDLE)
        where = (row, slots[at], column)
        place = self.place[where]
        arrays |= {"cell.row": row, "cell.station": at, "cell.column": column}
        arrays["cell.phase"] = self.phase[where]
        for timer in _TIMERS:
            arrays[f"cell.{timer}"] = getattr(self.cells, timer)[place]
        order = {int(slot): n for n, slot in enumerate(slots.tolist())}
        document = {
            "format": FORMAT,
            "stations": stations,
            "columns": self.columns,
            "rows": [r.name for r in ROWS],
            "findings": [
                [ROWS[cell[0]].name, order[cell[1]], cell[2], _dump(finding)]
                for cell, finding in self.findings.items()
                if cell[1] in order
            ],
            "alarms": [
                [
                    order[slot],
                    [[c, k, m.active, m.event_ms] for (c, k), m in a.levels.items()],
                    a.seen,
                ]
                for slot, a in self.alarms.items()
                if slot in order
            ],
            "sites": sites,
        }
        arrays["document"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        return out.getvalue()

    def _unpack(self, data: bytes) -> dict[str, Any]:
        arrays, document = _read(data)
        try:
            self._put(arrays, document)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            msg = f"damaged snapshot: {type(error).__name__}: {error}"
            raise SnapshotError(msg) from error
        return document

    def _put(self, arrays: _Arrays, document: dict[str, Any]) -> None:
        columns = int(document["columns"])
        self.widen(columns - 2)
        slots: list[int] = []
        for station in document["stations"]:
            if station in self.slots:
                self.empty(station)
            slots.append(self.add(station, columns - 2))
        at = np.array(slots, np.intp)
        to = np.append(np.arange(columns - 1), self.columns - 1)  # the ambient column is the last
        for prefix, group, block in _PLANES:
            for index, name in enumerate(names(group)):
                if f"{prefix}.{name}" in arrays:
                    getattr(self, block)[index, at[:, None], to] = arrays[f"{prefix}.{name}"]
        for prefix, group, block in _STATION:
            for index, name in enumerate(names(group)):
                if f"{prefix}.{name}" in arrays:
                    getattr(self, block)[index, at] = arrays[f"{prefix}.{name}"]
        self.ring[:, at[:, None], to] = arrays["ring"]
        self.ring_number[:, at] = arrays["ring_number"]
        self._put_cells(arrays, document, at, to)
        for slot, levels, seen in document["alarms"]:
            self.alarms[slots[slot]] = StationAlarms(
                {(c, k): AlarmMemory(active, ms) for c, k, active, ms in levels},
                [(alarm_id, active, ms) for alarm_id, active, ms in seen],
            )

    def _put_cells(
        self,
        arrays: _Arrays,
        document: dict[str, Any],
        at: npt.NDArray[np.intp],
        to: npt.NDArray[np.intp],
    ) -> None:
        here = {row.name: n for n, row in enumerate(ROWS)}
        rows = np.array([here.get(name, -1) for name in document["rows"]], np.intp)
        row = rows[arrays["cell.row"]]
        known = row >= 0
        where = (row[known], at[arrays["cell.station"][known]], to[arrays["cell.column"][known]])
        place = self.cells.take(int(known.sum()))
        self.phase[where] = arrays["cell.phase"][known]
        self.place[where] = place
        for timer in _TIMERS:
            getattr(self.cells, timer)[place] = arrays[f"cell.{timer}"][known]
        for name, station, column, finding in document["findings"]:
            if name in here:
                cell = (here[name], int(at[station]), int(to[column]))
                self.findings[cell] = _load(finding)


def _read(data: bytes) -> tuple[_Arrays, dict[str, Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop("document").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"no snapshot: {type(error).__name__}: {error}"
        raise SnapshotError(msg) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        msg = f"snapshot of format {document.get('format')!r}; this version reads {FORMAT}"
        raise SnapshotError(msg)
    return arrays, document


def _dump(finding: Finding) -> dict[str, Any]:
    return asdict(finding)


def _load(data: dict[str, Any]) -> Finding:
    return Finding(
        **{
            **data,
            "key": FindingKey(**data["key"]),
            "family": Family(data["family"]),
            "severity": Severity(data["severity"]),
            "act": Act(data["act"]),
        }
    )
