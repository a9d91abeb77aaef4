"""What is looked at once in ten minutes: sensors that stand still, and the slope of power."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rules.layout import Memory
from rules.sessions import MS_PER_HOUR, Stage
from rules.truth import Truth

PERIOD_MS: Final = 600_000

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Number = float | Float32


@dataclass(frozen=True, slots=True)
class Still:
    """When a sensor counts as stuck; numbers, or one per station (n, 1)."""

    still_ms: Number
    peers_k: Number


def look(memory: Memory, valid: Float32, at_ms: Int64, pause_ms: Int64, limits: Still) -> None:
    """Take in one frame of stations whose slow period has just changed.

    ``valid`` are the temperatures (°C, NaN = none), ``at_ms`` the time and ``pause_ms`` the
    time since the last look, both (n, 1). A sensor is stuck when it has not moved for
    ``still_ms`` while the median of its peers moved by ``peers_k``.
    """
    f, i, s = memory.f, memory.i, memory.s
    peers = _median_of_others(np.where(s.stuck != 0, np.float32(np.nan), valid))
    seen = valid == valid  # noqa: PLR0124 - false for NaN only
    moved = (s.moved != 0) | (i.still_ms == 0)
    np.copyto(i.still_ms, np.where(moved, at_ms, i.still_ms), where=seen)
    np.copyto(f.still_low, np.where(moved, peers, np.fmin(f.still_low, peers)), where=seen)
    np.copyto(f.still_high, np.where(moved, peers, np.fmax(f.still_high, peers)), where=seen)
    stuck = (
        seen
        & (at_ms - i.still_ms >= limits.still_ms)
        & (f.still_high - f.still_low >= limits.peers_k)
    )
    s.stuck[stuck] = 1
    s.truth[stuck & (s.truth == Truth.VALID)] = Truth.STUCK
    s.moved[seen] = 0
    per_hour = np.where(pause_ms > 0, MS_PER_HOUR / np.maximum(pause_ms, 1), np.nan)
    running = s.session > Stage.INRUSH
    f.slope[...] = np.where(running, (f.power - f.slope_w) * per_hour, np.nan)
    f.slope_w[...] = np.where(running, f.power, np.nan)


def _median_of_others(values: Float32) -> Float32:
    """For each column, the median of the other columns' values; NaN where there is none."""
    n, c = values.shape
    others = np.broadcast_to(values[:, None, :], (n, c, c)).copy()
    others[:, np.arange(c), np.arange(c)] = np.nan
    others.sort(axis=2)  # NaN goes last
    count = (others == others).sum(axis=2)  # noqa: PLR0124 - false for NaN only
    middle = np.maximum(count - 1, 0) // 2
    return np.take_along_axis(others, middle[:, :, None], axis=2)[:, :, 0]
