"""From signals to findings: conditions for all rows at once, then holds of the few cells moved."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rules import conditions
from rules.cells import Indices, Phase
from rules.evidence import Subject, explain
from rules.fleet import Fleet
from rules.holds import Bools, Sample, Where, advance
from rules.layout import AMBIENT, STATION
from rules.ledger import Ledger
from rules.model import Transition
from rules.raw import Raw
from rules.rows import AREA, FRAME_ROWS, Subjects, Track
from rules.scratch import Scratch
from rules.settings import View
from rules.signals import Signals

Float32 = npt.NDArray[np.float32]

_FRAMES: Final = len(FRAME_ROWS)
_PLANES: Final = ("hit", "miss", "clear")
_TRACKS_HEAT: Final = np.array([r.track is Track.TEMPERATURE for r in FRAME_ROWS])
_TRACKS_POWER: Final = np.array([r.track is Track.POWER for r in FRAME_ROWS])
_TRACKED: Final = np.flatnonzero(_TRACKS_HEAT | _TRACKS_POWER)

Placed = tuple[int, int, Transition]
"""Position of the frame in its batch, order within the frame, and what changed."""


def _elsewhere() -> list[tuple[int, int, slice]]:
    """Runs of rows, and the columns on which they are never true."""
    out: list[tuple[int, int, slice]] = []
    for row, spec in enumerate(FRAME_ROWS):
        never = []
        if spec.subjects is Subjects.SOCKETS:
            never.append(slice(STATION, STATION + 1))
        if spec.subjects is Subjects.STATION:
            never.append(slice(STATION + 1, AMBIENT))
        if not spec.area:
            never.append(slice(AMBIENT, None))
        for columns in never:
            before = next((o for o in out if o[1] == row and o[2] == columns), None)
            if before is not None:
                out.remove(before)
            out.append((row if before is None else before[0], row + 1, columns))
    return out


_ELSEWHERE: Final = _elsewhere()


class Decider:
    """Decides waves over one fleet."""

    def __init__(self, fleet: Fleet, ledger: Ledger, scratch: Scratch) -> None:
        """``ledger`` writes the findings; ``scratch`` is work memory."""
        self._fleet = fleet
        self._ledger = ledger
        self._scratch = scratch

    def decide(self, raw: Raw, x: Signals, view: View) -> list[Placed]:
        """Conditions for all rows at once, then the holds of the few cells they concern."""
        state = self._fleet.state
        shape = (_FRAMES, *x.raw.shape)
        phase = self._scratch.gather("phase", state.phase[:_FRAMES], raw.slots)
        busy: list[bool] = np.logical_or.reduce(phase, axis=(1, 2)).tolist()
        hit, miss, clear = (self._scratch.array(n, shape, np.bool_) for n in _PLANES)
        for at, condition in enumerate(conditions.ORDERED):
            hit[at], missed, over = condition(x, view)
            if busy[at]:  # an idle cell is moved by nothing but a hit
                miss[at], clear[at] = missed, over
        for first, last, columns in _ELSEWHERE:
            hit[first:last, :, columns] = False
        disabled = view.disabled
        if disabled is not None:
            off = disabled[:_FRAMES, :, None]
            hit &= ~off
            miss |= off
        by_ambient = _ByAmbient(None)
        if any(busy[AREA]) or np.count_nonzero(hit[AREA, :, AMBIENT]):
            by_ambient = _fold_ambient(x, hit, miss, clear)
        flat = np.flatnonzero(_concerned(phase, hit, miss, clear))
        if not len(flat):
            return []
        row, n, column = (axis.astype(np.intp) for axis in np.unravel_index(flat, shape))
        where = Where(row, raw.slots[n], column)
        sample = Sample(
            hit=hit.reshape(-1)[flat],
            miss=miss.reshape(-1)[flat],
            clear=clear.reshape(-1)[flat],
            at_ms=raw.at_ms[n],
            value=_tracked(x, row, n, column),
        )
        timing = self._fleet.settings.timing(
            self._fleet.catalogue[where.slot], self._fleet.gap_floor_ms[where.slot], where
        )
        moves = advance(state.table, where, sample, timing)
        placed: list[Placed] = []
        for k in np.concatenate([moves.raised, moves.updated, moves.cleared]).tolist():
            cell = (int(row[k]), int(where.slot[k]), int(column[k]))
            at_ms, place = int(sample.at_ms[k]), state.place[cell]
            if place < 0:
                transition = self._ledger.clear(cell, at_ms)
            else:
                source = x.raw.shape[1] - 1 if by_ambient[cell[0], n[k], column[k]] else cell[2]
                subject = Subject(x, view, int(n[k]), source, float(state.cells.peak[place]))
                tell = self._ledger.update if cell in state.findings else self._ledger.raise_
                transition = tell(cell, explain(cell[0], subject), at_ms)
            placed.append((int(raw.position[n[k]]), cell[0] * shape[2] + cell[2], transition))
        return placed


def _fold_ambient(x: Signals, hit: Bools, miss: Bools, clear: Bools) -> "_ByAmbient":
    """Let the ambient sensor speak for the station: either is true, both must be false or over.

    A sensor that never had a value has no say.
    """
    here, there = x.i.temp_ms[:, STATION] != 0, x.i.temp_ms[:, AMBIENT] != 0
    own, other = hit[AREA, :, STATION], hit[AREA, :, AMBIENT]
    by_ambient = _ByAmbient(other & ~own)
    own |= other
    other[...] = False
    either = (here | there) & ~own
    for plane in (miss, clear):
        mine = plane[AREA, :, STATION] | ~here
        theirs = plane[AREA, :, AMBIENT] | ~there
        plane[AREA, :, STATION] = mine & theirs & either
    return by_ambient


class _ByAmbient:
    """Which station cells are true because of the ambient sensor alone."""

    __slots__ = ("_plane",)

    def __init__(self, plane: Bools | None) -> None:
        self._plane = plane  # (area rows, n); None = nowhere

    def __getitem__(self, at: tuple[int, int, int]) -> bool:
        row, n, column = at
        if self._plane is None or column != STATION or not AREA.start <= row < AREA.stop:
            return False
        return bool(self._plane[row - AREA.start, n])


def _concerned(phase: npt.NDArray[np.uint8], hit: Bools, miss: Bools, clear: Bools) -> Bools:
    """The cells that this sample moves."""
    if not np.count_nonzero(phase):
        return hit
    raised = phase >= Phase.ACTIVE
    out = hit & ~raised
    out |= (phase == Phase.PENDING) & miss
    out |= raised & clear
    out |= phase == Phase.CLEARING
    out[_TRACKED] |= raised[_TRACKED] & hit[_TRACKED]
    return out


def _tracked(x: Signals, row: Indices, n: Indices, column: Indices) -> Float32:
    """The value whose peak is followed; NaN for rows that follow none."""
    value = np.full(len(row), np.nan, np.float32)
    hot = np.flatnonzero(_TRACKS_HEAT[row])
    if len(hot):
        value[hot] = x.judged.valid[n[hot], column[hot]]
        box = hot[column[hot] == STATION]
        value[box] = np.fmax(value[box], x.judged.valid[n[box], AMBIENT])
    load = np.flatnonzero(_TRACKS_POWER[row])
    value[load] = x.f.measured[n[load], column[load]]
    return value
