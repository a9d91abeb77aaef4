"""What the engine knows of a socket or a station, for the API and the panel.

``None`` means not known. A value whose station has fallen silent keeps its number, but its
truth is ``stale``.
"""

from dataclasses import dataclass

import numpy as np

from rules.evidence import plain
from rules.fleet import Fleet
from rules.layout import AMBIENT, STATION, Floats, Ints, Memory, Small
from rules.sessions import Stage
from rules.truth import SATURATED_A, SATURATED_W, Truth


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured value and what it is worth; ``truth`` is a name of ``rules.truth.Truth``."""

    value: float | None
    truth: str


@dataclass(frozen=True, slots=True)
class SocketView:
    """One socket: truths of its sensors and the state of its charge."""

    socket: int  # from 1
    temp_c: Reading
    current_a: Reading
    power_w: Reading
    relay: bool | None  # closed
    temp_ms: int | None  # last valid temperature, event time UTC ms
    last_temp_c: float | None  # last valid temperature
    rise_k_60s: float | None
    rise_k_120s: float | None
    phase: str  # a name of ``rules.sessions.Stage``
    charging: bool
    started_ms: int | None  # of the running or the last session, event time UTC ms
    elapsed_s: float | None  # of the running session
    peak_w: float | None
    min_since_peak_w: float | None
    energy_wh: float | None  # from power and time
    slope_w_per_h: float | None
    locked: bool


@dataclass(frozen=True, slots=True)
class StationView:
    """The box: truths of its own sensors, its contacts, and when it was heard."""

    enclosure_c: Reading
    ambient_c: Reading
    voltage_v: float | None
    leakage_ma: float | None
    smoke: bool | None  # by contact or by a standing alarm; last known
    water: bool | None
    door: bool | None  # open
    rise_k_120s: float | None  # of the box
    last_event_ms: int | None  # newest live frame, event time UTC ms
    last_frame_ms: int | None  # newest live frame, time of receipt UTC ms
    last_heard_ms: int | None  # newest message of any kind, time of receipt UTC ms
    stale: bool
    offline: bool
    charging: int  # sockets with a running session


def sockets(fleet: Fleet, slot: int, *, stale: bool) -> list[SocketView]:
    """Every socket of the station, from 1."""
    state = fleet.state
    memory = Memory(
        Floats(*state.floats[:, slot]), Ints(*state.ints[:, slot]), Small(*state.small[:, slot])
    )
    now_ms = int(fleet.station_ints.event_ms[slot])
    return [
        _socket(memory, socket, now_ms, stale=stale)
        for socket in range(1, int(fleet.sockets[slot]) + 1)
    ]


def _socket(memory: Memory, k: int, now_ms: int, *, stale: bool) -> SocketView:
    f, i, s = memory.f, memory.i, memory.s
    stage = Stage(int(s.session[k]))
    running = stage >= Stage.INRUSH
    had = stage is not Stage.IDLE
    started = int(i.started_ms[k])
    return SocketView(
        socket=k,
        temp_c=_temperature(f, s, k, stale=stale),
        current_a=_measured(float(f.current[k]), SATURATED_A, stale=stale),
        power_w=_measured(float(f.measured[k]), SATURATED_W, stale=stale),
        relay=_flag(float(f.relay[k])),
        temp_ms=int(i.temp_ms[k]) or None,
        last_temp_c=plain(float(f.temp1[k])),
        rise_k_60s=plain(float(f.rise60[k])),
        rise_k_120s=plain(float(f.rise120[k])),
        phase=stage.name.lower(),
        charging=running,
        started_ms=started if had else None,
        elapsed_s=(now_ms - started) / 1000 if running else None,
        peak_w=plain(float(f.peak[k])) if had else None,
        min_since_peak_w=plain(float(f.valley[k])) if had else None,
        energy_wh=plain(float(f.energy[k])) if had else None,
        slope_w_per_h=plain(float(f.slope[k])) if running else None,
        locked=bool(i.lock_ms[k] != 0),
    )


def station(fleet: Fleet, slot: int, *, stale: bool, offline: bool) -> StationView:
    """The station itself."""
    f = Floats(*fleet.state.floats[:, slot])
    s = Small(*fleet.state.small[:, slot])
    times, values = fleet.station_ints, fleet.station_floats
    return StationView(
        enclosure_c=_temperature(f, s, STATION, stale=stale),
        ambient_c=_temperature(f, s, AMBIENT, stale=stale),
        voltage_v=plain(float(values.voltage[slot])),
        leakage_ma=plain(float(values.leakage[slot])),
        smoke=_contact(float(values.smoke[slot]), float(values.smoke_alarm[slot])),
        water=_contact(float(values.water[slot]), float(values.water_alarm[slot])),
        door=_contact(float(values.door[slot]), float(values.door_alarm[slot])),
        rise_k_120s=plain(float(f.rise120[STATION])),
        last_event_ms=int(times.event_ms[slot]) or None,
        last_frame_ms=int(times.frame_ms[slot]) or None,
        last_heard_ms=int(times.heard_ms[slot]) or None,
        stale=stale,
        offline=offline,
        charging=int((s.session[1:AMBIENT] >= Stage.INRUSH).sum()),
    )


def _temperature(f: Floats, s: Small, k: int, *, stale: bool) -> Reading:
    truth = Truth(int(s.truth[k]))
    believed = truth in {Truth.VALID, Truth.IMPLAUSIBLE, Truth.STUCK}
    if stale and truth is not Truth.ABSENT:
        return Reading(plain(float(f.temp1[k])), Truth.STALE.name.lower())
    return Reading(plain(float(f.temp1[k])) if believed else None, truth.name.lower())


def _measured(value: float, most: float, *, stale: bool) -> Reading:
    if np.isnan(value):
        return Reading(None, Truth.ABSENT.name.lower())
    truth = Truth.STALE if stale else Truth.SATURATED if value >= most else Truth.VALID
    return Reading(plain(value, 3), truth.name.lower())


def _flag(value: float) -> bool | None:
    return None if np.isnan(value) else value == 1


def _contact(level: float, alarm: float) -> bool | None:
    return True if alarm == 1 else _flag(level)
