"""From frames to signals: sensor truth, windows, sessions; what is remembered moves on."""

from typing import Final

import numpy as np
import numpy.typing as npt

from iot.frames import SOCKET_CHANNELS
from rules import sessions, slow, truth, windows
from rules.cells import Indices, Phase
from rules.fleet import Fleet
from rules.layout import STATION, Memory, StationFloats, StationInts
from rules.raw import Raw
from rules.rows import INDEX
from rules.scratch import Scratch
from rules.settings import Number, View
from rules.signals import Signals

Int64 = npt.NDArray[np.int64]

_CUT_FAILED: Final = INDEX["R40", "main"]
_MAINS: Final = 2  # of what the station tells are voltage and leakage; the others are contacts
_RELAY, _CURRENT, _POWER = (SOCKET_CHANNELS.index(c) for c in ("relay", "current_a", "power_w"))


class Observer:
    """Observes waves over one fleet."""

    def __init__(self, fleet: Fleet, scratch: Scratch) -> None:
        """``scratch`` is work memory for the windows."""
        self._fleet = fleet
        self._scratch = scratch

    def observe(self, raw: Raw, memory: Memory, view: View) -> Signals:
        """Truth, windows and sessions; ``memory`` moves on."""
        f, i, s = memory.f, memory.i, memory.s
        slots, at_ms = raw.slots, raw.at_ms[:, None]
        times = self._fleet.station_ints
        before = times.event_ms[slots]
        steps = truth.Steps(
            view("R42", "bad_value", "step_k"),
            view("R42", "jump", "jump_k"),
            view("R42", "jump", "back_k"),
        )
        judged = truth.judge(raw.temp, f.temp1, f.temp2, steps)
        _temperatures(memory, judged, at_ms)
        state = self._fleet.state
        ring = windows.Ring(state.ring, state.ring_number)
        times.bucket[slots] = windows.roll(
            ring, slots, times.bucket[slots], raw.at_ms, f, self._scratch
        )
        windows.observe(f, judged.valid)
        station = self._contacts(raw)
        raw.put(f.relay, _RELAY)
        raw.put(f.current, _CURRENT)
        raw.put(f.measured, _POWER)
        power = sessions.effective(f.measured, f.current, station.voltage)
        pause = np.where(before != 0, raw.at_ms - before, 0)[:, None]
        flow = sessions.Flow(power, f.relay, at_ms, pause)
        seen = sessions.follow(memory, flow, view.sessions())
        if np.count_nonzero(i.lock_ms):
            off = f.measured <= view("R27", "main", "limit_w")
            s.seen_off[off & (i.lock_ms != 0)] = 1
        self._slowly(raw, memory, judged, view)
        _heard(raw, times)
        failed = state.phase[_CUT_FAILED][slots] >= Phase.ACTIVE
        return Signals(
            at_ms=at_ms,
            f=f,
            i=i,
            s=s,
            station=station,
            judged=judged,
            seen=seen,
            raw=raw.temp,
            power=power,
            exists=self._fleet.exists(slots),
            cut_failed=failed | failed[:, STATION : STATION + 1],
        )

    def _contacts(self, raw: Raw) -> StationFloats:
        """Last frame's mains values, and the last known state of each contact."""
        block = self._fleet.state.station_floats
        values = np.take(block, raw.slots, axis=1)
        known = raw.told == raw.told
        known[:_MAINS] = True  # what flows is as unknown as it is; a contact stays as it was
        np.copyto(values[: len(known)], raw.told, where=known)
        block[: len(known), raw.slots] = values[: len(known)]
        return StationFloats(*values)

    def _slowly(self, raw: Raw, memory: Memory, judged: truth.Judged, view: View) -> None:
        times = self._fleet.station_ints
        last = times.slow_ms[raw.slots]
        at = np.flatnonzero(raw.at_ms // slow.PERIOD_MS != last // slow.PERIOD_MS)
        if not len(at):
            return
        still_ms = view("R42", "stuck", "still_h") * sessions.MS_PER_HOUR
        limits = slow.Still(_some(still_ms, at), _some(view("R42", "stuck", "peers_k"), at))
        part = memory.take(at)
        now, pause = raw.at_ms[at, None], (raw.at_ms - last)[at, None]
        slow.look(part, judged.valid[at], now, pause, limits)
        memory.put(at, part)
        times.slow_ms[raw.slots[at]] = raw.at_ms[at]


def _temperatures(memory: Memory, judged: truth.Judged, at_ms: Int64) -> None:
    f, i, s = memory.f, memory.i, memory.s
    good = judged.good
    moved = good & (judged.valid != f.temp1)
    np.bitwise_or(s.moved, moved.view(np.uint8), out=s.moved)
    s.truth[...] = judged.truth
    if np.count_nonzero(s.stuck):
        s.stuck[moved] = 0
        s.truth[(s.stuck != 0) & (judged.truth == truth.Truth.VALID)] = truth.Truth.STUCK
    # "True" is the usual case, in which NumPy copies without looking.
    where = True if np.count_nonzero(good) == good.size else good
    np.copyto(f.temp3, f.temp2, where=where)
    np.copyto(f.temp2, f.temp1, where=where)
    np.copyto(f.temp1, judged.valid, where=where)
    np.copyto(i.temp_ms, at_ms, where=where)


def _heard(raw: Raw, times: StationInts) -> None:
    slots = raw.slots
    times.event_ms[slots] = raw.at_ms
    times.frame_ms[slots] = raw.received_ms
    times.heard_ms[slots] = np.maximum(times.heard_ms[slots], raw.received_ms)


def _some(number: Number, at: Indices) -> Number:
    return number[at] if isinstance(number, np.ndarray) else number
