"""Timers of the cells that are not idle, in a pool: almost every cell is idle.

Times are UTC milliseconds of the clock that decides the cell (event time; for silence the
time of receipt).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]
FREE: Final = -1
"""A cell without a place in the pool."""


class Phase:
    """Where a cell stands. Plain numbers: NumPy looks long at the members of an enum."""

    IDLE: Final = 0
    PENDING: Final = 1  # true, but not yet for long enough
    ACTIVE: Final = 2  # raised
    CLEARING: Final = 3  # raised, and its clear condition holds since ``mark``


class Cells:
    """The pool: columns of equal length, places handed out and taken back many at a time."""

    def __init__(self, capacity: int = 64) -> None:
        """An empty pool; it doubles when full."""
        self.since = np.zeros(capacity, np.int64)  # when the condition began
        self.mark = np.zeros(capacity, np.int64)  # when the clear condition began
        self.last = np.zeros(capacity, np.int64)  # the last sample that counted
        self.count = np.zeros(capacity, np.int64)  # samples that counted
        self.peak = np.zeros(capacity, np.float32)  # highest tracked value
        self.shown = np.zeros(capacity, np.float32)  # tracked value when last told
        self._free = np.arange(capacity - 1, -1, -1, dtype=np.int32)
        self._left = capacity

    @property
    def used(self) -> int:
        """How many places are taken."""
        return len(self.since) - self._left

    @property
    def nbytes(self) -> int:
        """Bytes held, free places included."""
        columns = (self.since, self.mark, self.last, self.count, self.peak, self.shown)
        return sum(c.nbytes for c in columns) + self._free.nbytes

    def take(self, n: int) -> npt.NDArray[np.int32]:
        """``n`` places, all values zero and the peak below everything."""
        while self._left < n:
            self._grow()
        self._left -= n
        ids = self._free[self._left : self._left + n].copy()
        for column in (self.since, self.mark, self.last, self.count):
            column[ids] = 0
        self.peak[ids] = self.shown[ids] = -np.inf
        return ids

    def give_back(self, ids: npt.NDArray[np.int32]) -> None:
        """Return places; their values are gone."""
        self._free[self._left : self._left + len(ids)] = ids
        self._left += len(ids)

    def _grow(self) -> None:
        old = len(self.since)
        for name in ("since", "mark", "last", "count", "peak", "shown"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
        free = np.empty(2 * old, np.int32)
        free[: self._left] = self._free[: self._left]
        free[self._left : self._left + old] = np.arange(2 * old - 1, old - 1, -1)
        self._free = free
        self._left += old
