"""Rates of rise over 60 s and 120 s, from the lowest value of each ten-second bucket.

The rise is measured against the lowest value of the window. What enters the window is the
highest of the last three valid samples, so a sensor that drops out low for one or two samples
and comes back does not look like a fire.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rules.cells import Indices
from rules.layout import BUCKET_MS, BUCKETS, Floats
from rules.scratch import Scratch

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_SHORT = 60_000 // BUCKET_MS


@dataclass(frozen=True, slots=True)
class Ring:
    """The full buckets of all stations, changed in place."""

    lowest: Float32  # (bucket, slot, column) °C; +inf = none
    number: Int64  # (bucket, slot) which ten seconds it covers


def roll(  # noqa: PLR0913, PLR0917 - the ring, whose, their time, what follows, work memory
    ring: Ring, slots: Indices, running: Int64, at_ms: Int64, f: Floats, scratch: Scratch
) -> Int64:
    """Close the running bucket of every station whose time has left it; the new bucket numbers.

    ``running`` are the bucket numbers so far. ``low``, ``base60`` and ``base120`` follow.
    """
    now = at_ms // BUCKET_MS
    at = np.flatnonzero(now != running)
    if not len(at):
        return now
    moved, old = slots[at], running[at]
    ring.lowest[old % BUCKETS, moved] = f.low[at]
    ring.number[old % BUCKETS, moved] = old
    age = now[at] - ring.number[:, moved]
    kept = scratch.gather("ring", ring.lowest, moved)
    gone = age > BUCKETS
    if np.count_nonzero(gone):
        kept[gone] = np.inf
    long = np.minimum.reduce(kept, axis=0)
    kept[age > _SHORT] = np.inf
    short = np.minimum.reduce(kept, axis=0)
    if len(at) == len(slots):
        f.base120[...], f.base60[...], f.low[...] = long, short, np.inf
    else:
        f.base120[at], f.base60[at], f.low[at] = long, short, np.inf
    return now


def observe(f: Floats, valid: Float32) -> None:
    """Take in one sample (NaN = none); ``temp1`` to ``temp3`` already hold it and its elders."""
    steady = np.fmax(np.fmax(f.temp1, f.temp2), f.temp3)
    steady += valid - valid  # NaN where this sample is none
    np.fmin(f.low, steady, out=f.low)
    np.subtract(valid, np.minimum(f.low, f.base60), out=f.rise60)
    np.subtract(valid, np.minimum(f.low, f.base120), out=f.rise120)
