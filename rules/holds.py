"""Holds, hysteresis, clear holds and latches: one pass for all rules and all subjects.

Each sample says of a cell that its condition is true (``hit``), known to be false (``miss``),
or neither, because there is no valid value; and whether its clear condition is true. Unknown
ends nothing: a pending cell waits, and a raised one does not count it as good.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rules.cells import FREE, Cells, Indices, Phase

Bools = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


class Where(NamedTuple):
    """Which cells: row, station slot and column, one entry each."""

    row: Indices
    slot: Indices
    column: Indices


@dataclass(frozen=True, slots=True)
class Sample:
    """What is seen of each cell, and when (UTC ms)."""

    hit: Bools
    miss: Bools
    clear: Bools
    at_ms: Int64
    value: Float32  # the tracked value; NaN where none
    since_ms: Int64 | None = None  # when a condition seen first now really began


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings of each cell."""

    hold_ms: Int64
    min_samples: Int64
    gap_ms: Int64
    clear_hold_ms: Int64
    latch: Bools
    step: Float32  # an update is due when the peak rises by this much


@dataclass(frozen=True, slots=True)
class Moves:
    """Positions (in the arrays given) of the cells whose finding changed."""

    raised: Indices
    updated: Indices
    cleared: Indices


@dataclass(frozen=True, slots=True)
class Table:
    """Phase and pool place of every cell, indexed (row, slot, column)."""

    phase: npt.NDArray[np.uint8]
    place: npt.NDArray[np.int32]
    cells: Cells


class _Cell(NamedTuple):
    """Phase and place of the cells under way; written back when all are done."""

    phase: npt.NDArray[np.uint8]
    place: npt.NDArray[np.int32]


def advance(table: Table, where: Where, sample: Sample, timing: Timing) -> Moves:
    """Move the cells at ``where`` (each at most once) by one sample, in place."""
    phase = table.phase[where]
    place = table.place[where]
    fresh = np.flatnonzero((phase == Phase.IDLE) & sample.hit)
    if len(fresh):
        place[fresh] = table.cells.take(len(fresh))
        begin = sample.at_ms if sample.since_ms is None else sample.since_ms
        table.cells.since[place[fresh]] = begin[fresh]
        table.cells.last[place[fresh]] = sample.at_ms[fresh]
    waiting = phase <= Phase.PENDING
    raised = _hold(table.cells, place, np.flatnonzero(waiting & sample.hit), sample, timing)
    phase[waiting & sample.hit] = Phase.PENDING
    phase[raised] = Phase.ACTIVE
    dropped = np.flatnonzero((phase == Phase.PENDING) & sample.miss & ~sample.hit)
    standing = ~waiting
    updated = _peak(table.cells, place, np.flatnonzero(standing & sample.hit), sample, timing)
    broken = standing & ~sample.clear
    phase[broken] = Phase.ACTIVE
    cleared = _clear(
        table.cells, _Cell(phase, place), np.flatnonzero(standing & sample.clear), sample, timing
    )
    gone = np.concatenate([dropped, cleared])
    phase[gone] = Phase.IDLE
    if len(gone):
        table.cells.give_back(place[gone])
        place[gone] = FREE
    table.phase[where] = phase
    table.place[where] = place
    return Moves(raised, updated, cleared)


def _hold(
    cells: Cells, place: npt.NDArray[np.int32], at: Indices, sample: Sample, timing: Timing
) -> Indices:
    """Count a true sample of the waiting cells ``at``; those that held for long enough."""
    if not len(at):
        return at
    ids, now = place[at], sample.at_ms[at]
    broken = now - cells.last[ids] > timing.gap_ms[at]
    since = np.where(broken, now, cells.since[ids])
    count = np.where(broken, 0, cells.count[ids]) + 1
    cells.since[ids], cells.count[ids], cells.last[ids] = since, count, now
    cells.peak[ids] = np.fmax(cells.peak[ids], sample.value[at])
    held = (count >= timing.min_samples[at]) & (now - since >= timing.hold_ms[at])
    cells.shown[ids[held]] = cells.peak[ids[held]]
    return at[held]


def _peak(
    cells: Cells, place: npt.NDArray[np.int32], at: Indices, sample: Sample, timing: Timing
) -> Indices:
    """Follow the tracked value of raised cells that are still true; those to be told again."""
    if not len(at):
        return at
    ids = place[at]
    cells.count[ids] += 1
    peak = cells.peak[ids] = np.fmax(cells.peak[ids], sample.value[at])
    first = np.isinf(cells.shown[ids])  # nothing was known when it was raised
    cells.shown[ids[first]] = peak[first]
    risen = ~first & (peak - timing.step[at] >= cells.shown[ids])
    cells.shown[ids[risen]] = peak[risen]
    return at[risen]


def _clear(cells: Cells, cell: "_Cell", at: Indices, sample: Sample, timing: Timing) -> Indices:
    """Run the clear timers of raised cells whose clear condition is true; those that are over."""
    if not len(at):
        return at
    ids, now, phase = cell.place[at], sample.at_ms[at], cell.phase
    anew = (phase[at] == Phase.ACTIVE) | (now - cells.last[ids] > timing.gap_ms[at])
    mark = np.where(anew, now, cells.mark[ids])
    cells.mark[ids], cells.last[ids] = mark, now
    phase[at] = Phase.CLEARING
    return at[~timing.latch[at] & (now - mark >= timing.clear_hold_ms[at])]
