"""Charge sessions read from power alone: when they start, taper and end, and what they took.

Shapes measured on real chargers: power *rises* by 1 to 21 % through constant current, 60 % to
20 % of the peak takes 28 to 60 minutes, a pack swap is a dip of less than a minute, and an idle
charger draws 0 to 6 W.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from rules.cells import Indices
from rules.layout import Floats, Memory, Small

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Number = float | Float32
Cells = tuple[Indices, ...]

TAPER_BELOW: Final = 0.90
"""Of the peak: below it the current tapers ..."""
TAPER_UNTIL: Final = 0.95
"""... until power is back above this share."""
FLOAT_UNTIL: Final = 1.2
"""Of the full limit: float ends above it, so that a ripple is no change of stage."""
ENERGY_GAP_MS: Final = 900_000
"""A longer pause between two frames adds no energy: nobody knows what flowed."""
MS_PER_HOUR: Final = 3_600_000.0
NOMINAL_V: Final = 220.0


class Stage(IntEnum):
    """The stage of the charge on a socket; from INRUSH on a session runs."""

    IDLE = 0
    ENDED = 1
    INRUSH = 2
    CONSTANT_CURRENT = 3
    TAPER = 4
    FLOAT = 5


# Plain numbers for comparisons with whole planes: NumPy looks long at the members of an enum.
_INRUSH: Final = int(Stage.INRUSH)
_CONSTANT_CURRENT: Final = int(Stage.CONSTANT_CURRENT)
_TAPER: Final = int(Stage.TAPER)
_FLOAT: Final = int(Stage.FLOAT)


@dataclass(frozen=True, slots=True)
class SessionNumbers:
    """The thresholds in force, in watts and milliseconds; numbers or one per station (n, 1)."""

    start_w: Number
    start_ms: Number
    start_samples: Number
    end_w: Number
    end_ms: Number
    open_ms: Number
    inrush_ms: Number
    full_floor_w: Number
    full_share: Number


@dataclass(frozen=True, slots=True)
class Flow:
    """What one frame of each station says of its subjects."""

    power: Float32  # (n, columns) W; NaN = unknown
    relay: Float32  # (n, columns) 1 = closed; NaN = not reported
    at_ms: Int64  # (n, 1) event time, UTC ms
    pause_ms: Int64  # (n, 1) since the last frame


@dataclass(frozen=True, slots=True)
class Seen:
    """What one frame shows of every session."""

    running: Bools
    fresh: Bools  # a new session began with this frame
    settled: Bools  # running, and past the inrush
    full_w: Float32  # at or below this the charge counts as full


def effective(measured: Float32, current: Float32, voltage: Float32) -> Float32:
    """Watts; where the power meter is silent, apparent power from current stands in."""
    missing = np.isnan(measured) & (current == current)  # noqa: PLR0124 - false for NaN only
    if not np.count_nonzero(missing):
        return measured
    volts = np.where(np.isnan(voltage), np.float32(NOMINAL_V), voltage)[:, None]
    return np.where(missing, current * volts, measured)


def follow(memory: Memory, flow: Flow, n: SessionNumbers) -> Seen:
    """Take in one frame of each station; ``memory`` moves on."""
    f, i, s = memory.f, memory.i, memory.s
    power, at_ms = flow.power, flow.at_ms
    known = power == power  # noqa: PLR0124 - false for NaN only
    running = s.session >= _INRUSH
    fresh = np.zeros_like(running)
    loaded = power > n.start_w
    starting = (loaded & ~running) | (i.above_ms != 0)
    if np.count_nonzero(starting):
        fresh[_start(memory, flow, n, np.nonzero(starting))] = True
        running = s.session >= _INRUSH
    _energy(f, flow, running & ~fresh)
    settled = running & (s.session > _INRUSH)
    rushing = s.session == _INRUSH
    if np.count_nonzero(rushing):
        over = rushing & (at_ms - i.started_ms >= n.inrush_ms)
        s.session[over] = _CONSTANT_CURRENT
    if np.count_nonzero(running):
        _extremes(f, power, settled)
    full_w = np.maximum(f.peak * n.full_share, n.full_floor_w)
    if np.count_nonzero(settled):
        _stage(f, s, power, settled & known, full_w)
    np.copyto(f.power, power, where=known)
    ending = running & ((power < n.end_w) | (i.low_ms != 0))
    if np.count_nonzero(ending):
        _end(memory, flow, n, np.nonzero(ending))
        running = s.session >= _INRUSH
        settled &= running
    return Seen(running, fresh, settled, full_w.astype(np.float32, copy=False))


def _start(memory: Memory, flow: Flow, n: SessionNumbers, at: Cells) -> Cells:
    """Count samples with load on the subjects ``at``; those on which a session has begun."""
    f, i, s = memory.f, memory.i, memory.s
    now, watts = flow.at_ms[at[0], 0], flow.power[at]
    above, count = i.above_ms[at], s.above_n[at].astype(np.int64)
    on, off = watts > _pick(n.start_w, at), watts <= _pick(n.start_w, at)
    above = np.where(off, 0, np.where(on & (above == 0), now, above))
    count = np.where(off, 0, np.minimum(count + on, 200))
    held = now - above >= _pick(n.start_ms, at)
    begun = on & ((count >= _pick(n.start_samples, at)) | held)
    i.above_ms[at] = np.where(begun, 0, above)
    s.above_n[at] = np.where(begun, 0, count)
    new = tuple(axis[begun] for axis in at)
    i.started_ms[new] = above[begun]
    i.low_ms[new] = 0
    s.session[new] = _INRUSH
    s.ending[new] = 0
    f.peak[new] = 0
    f.valley[new] = np.nan
    f.slope[new] = np.nan
    f.slope_w[new] = np.nan
    f.energy[new] = (watts * (now - above) / MS_PER_HOUR)[begun]
    return new


def _end(memory: Memory, flow: Flow, n: SessionNumbers, at: Cells) -> None:
    """Run the timers of sessions without load on the subjects ``at``; some end."""
    i, s = memory.i, memory.s
    now, watts, low = flow.at_ms[at[0], 0], flow.power[at], i.low_ms[at]
    down = watts < _pick(n.end_w, at)
    low = np.where(down & (low == 0), now, np.where(watts >= _pick(n.end_w, at), 0, low))
    opened = flow.relay[at] == 0
    after = np.where(opened, _pick(n.open_ms, at), _pick(n.end_ms, at))
    after = np.where(opened & (s.ending[at] != 0), 0, after)
    over = down & (now - low >= after)
    i.low_ms[at] = np.where(over, 0, low)
    s.session[tuple(axis[over] for axis in at)] = Stage.ENDED


def _pick(number: Number, at: Cells) -> Number:
    return number[at[0], 0] if isinstance(number, np.ndarray) else number


def _energy(f: Floats, flow: Flow, running: Bools) -> None:
    """Add the trapezoid since the last frame; a long pause adds nothing."""
    hours = np.where(flow.pause_ms <= ENERGY_GAP_MS, flow.pause_ms, 0).astype(np.float32)
    hours *= np.float32(0.5 / MS_PER_HOUR)
    added = (flow.power + f.power) * hours
    np.fmax(added, 0, out=added)  # an unknown power adds nothing
    added *= running
    np.add(f.energy, added, out=f.energy)


def _extremes(f: Floats, power: Float32, settled: Bools) -> None:
    """Follow peak and valley with two samples at a time, so that one spike or dip is neither."""
    steady = np.minimum(power, f.power)
    rising = settled & (steady > f.peak)
    dip = np.maximum(power, f.power)
    falling = settled & ((dip < f.valley) | (f.valley != f.valley))
    if np.count_nonzero(falling):
        np.copyto(f.valley, dip, where=falling)
    if np.count_nonzero(rising):
        np.copyto(f.peak, steady, where=rising)
        np.copyto(f.valley, steady, where=rising)


def _stage(f: Floats, s: Small, power: Float32, at: Bools, full_w: Float32) -> None:
    stage = s.session
    taper = power < f.peak * np.float32(TAPER_UNTIL)
    taper &= (stage >= _TAPER) | (power < f.peak * np.float32(TAPER_BELOW))
    floats = power <= full_w * np.float32(FLOAT_UNTIL)
    floats &= (stage == _FLOAT) | (power <= full_w)
    now = taper.view(np.uint8) + np.uint8(_CONSTANT_CURRENT)
    np.maximum(now, floats.view(np.uint8) * np.uint8(_FLOAT), out=now)
    np.copyto(stage, now, where=at)
