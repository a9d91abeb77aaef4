"""What to do when a station's clock steps: keep what has elapsed, not what the clock said."""

from typing import Final

import numpy as np

from rules.cells import FREE, Indices
from rules.fleet import Fleet
from rules.layout import BUCKET_MS, NO_BUCKET, Ints, names
from rules.raw import Raw
from rules.rows import INDEX
from rules.silence import ROW as SILENCE_ROW

LEAP_MS: Final = 60_000
"""Event time may run ahead of the time of receipt by this much between two frames."""
_SERVER_CLOCK: Final = frozenset({SILENCE_ROW, INDEX["R42", "refused"]})
_SHIFTED: Final = [i for i, n in enumerate(names(Ints)) if n != "lock_ms"]


def rebase(fleet: Fleet, raw: Raw) -> None:
    """Before a wave: move the timers of stations whose clock has stepped back or leapt ahead.

    A backlog that is delivered late makes no step: there event time passes and the time of
    receipt does not, by less than ``LEAP_MS`` between two frames.
    """
    times = fleet.station_ints
    before, frame = times.event_ms[raw.slots], times.frame_ms[raw.slots]
    ahead = raw.at_ms - before
    leap = ahead - np.maximum(raw.received_ms - frame, 0)
    known = before != 0
    back, forth = known & (ahead < 0), known & (leap > LEAP_MS)
    if not (np.count_nonzero(back) or np.count_nonzero(forth)):
        return
    for at, step in ((np.flatnonzero(back), ahead), (np.flatnonzero(forth), leap)):
        for k in at.tolist():
            _shift(fleet, raw.slots[k : k + 1], int(step[k]))


def _shift(fleet: Fleet, slot: Indices, step_ms: int) -> None:
    state, times, at = fleet.state, fleet.station_ints, int(slot[0])
    planes = state.ints[:, at]
    for index in _SHIFTED:
        planes[index] += np.where(planes[index] != 0, step_ms, 0)
    times.event_ms[at] += step_ms
    times.slow_ms[at] += step_ms
    buckets = (
        int(times.event_ms[at]) // BUCKET_MS - (int(times.event_ms[at]) - step_ms) // BUCKET_MS
    )
    times.bucket[at] += buckets
    places = [state.place[row, at] for row in range(len(state.place)) if row not in _SERVER_CLOCK]
    used = np.concatenate(places)
    used = used[used != FREE]
    for column in (state.cells.since, state.cells.mark, state.cells.last):
        column[used] += step_ms
    _renumber(fleet, at, buckets)


def _renumber(fleet: Fleet, slot: int, buckets: int) -> None:
    """A bucket's place in the ring follows from its number, so both move together."""
    ring, number = fleet.state.ring[:, slot], fleet.state.ring_number[:, slot]
    kept = np.flatnonzero(number > number.max() - len(number))
    values, numbers = ring[kept], number[kept] + buckets
    ring[...], number[...] = np.inf, NO_BUCKET
    ring[numbers % len(number)] = values
    number[numbers % len(number)] = numbers
