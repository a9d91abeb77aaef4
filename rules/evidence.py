"""Reason and evidence of a finding: what was seen, against which limit, since when."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from rules.layout import AMBIENT, STATION, StationFloats
from rules.model import Evidence
from rules.reasons import Reason
from rules.rows import ROWS
from rules.sessions import MS_PER_HOUR, Stage
from rules.settings import View
from rules.signals import Float32, Signals

Explained = tuple[Reason, Evidence]


@dataclass(frozen=True, slots=True)
class Subject:
    """One cell of a wave: the ``n``-th frame and its column."""

    x: Signals
    p: View
    n: int
    column: int
    peak: float  # highest tracked value; not finite where none

    def value(self, plane: Float32) -> float | None:
        """A value of the subject, rounded to what a sensor can tell; None = not known."""
        return plain(float(plane[self.n, self.column]))

    def limit(self, rule: str, tier: str, name: str) -> float:
        """A threshold in force."""
        return round(self.p.at(self.n, rule, tier, name), 3)


def plain(value: float, digits: int = 2) -> float | None:
    """A rounded number, None for NaN and infinity."""
    return round(value, digits) if np.isfinite(value) else None


def explain(row: int, subject: Subject) -> Explained:
    """Why the row is true on the subject."""
    return _EXPLAIN[ROWS[row].rule, ROWS[row].tier](subject)


def _load(c: Subject) -> Evidence:
    """What flows through the socket, beside whatever else is wrong with it."""
    if c.column in (STATION, c.x.f.temp1.shape[1] - 1):
        return {}
    return {"power_w": c.value(c.x.f.measured), "current_a": c.value(c.x.f.current)}


def _sensor(c: Subject) -> Evidence:
    if c.column == STATION:
        return {"sensor": "enclosure"}
    return {"sensor": "ambient" if c.column == c.x.f.temp1.shape[1] - 1 else "socket"}


def _heat(rule: str, tier: str, reason: Reason) -> Callable[[Subject], Explained]:
    def explained(c: Subject) -> Explained:
        return reason, {
            "temp_c": c.value(c.x.f.temp1),
            "peak_c": plain(c.peak),
            "limit_c": c.limit(rule, tier, "limit_c"),
            "clear_c": c.limit(rule, tier, "clear_c"),
            **_sensor(c),
            **_load(c),
        }

    return explained


def _rise(c: Subject) -> Evidence:
    return {
        "temp_c": c.value(c.x.f.temp1),
        "peak_c": plain(c.peak),
        "rise_k_60s": c.value(c.x.f.rise60),
        "rise_k_120s": c.value(c.x.f.rise120),
        **_sensor(c),
        **_load(c),
    }


def _rising(c: Subject) -> Explained:
    return Reason.RISING, {**_rise(c), "limit_k_120s": c.limit("R05", "pre", "rise_k")}


def _rising_fire(c: Subject) -> Explained:
    fast = c.limit("R05", "fire", "fast_rise_k")
    evidence = {
        **_rise(c),
        "limit_k_60s": fast,
        "limit_k_120s": c.limit("R05", "fire", "rise_k"),
        "floor_c": c.limit("R05", "fire", "floor_c"),
    }
    is_fast = c.x.f.rise60[c.n, c.column] >= np.float32(fast)
    return Reason.RISING_FAST if is_fast else Reason.RISING_FIRE, evidence


def _bad_value(c: Subject) -> Explained:
    raw = float(c.x.raw[c.n, c.column])
    exact = {"value_c": plain(raw), "last_valid_c": c.value(c.x.f.temp1), **_sensor(c)}
    inside = -40 < raw < 200  # noqa: PLR2004 - the physical bounds of the contract
    return Reason.SENTINEL if inside else Reason.SATURATED, exact


def _stuck(c: Subject) -> Explained:
    return Reason.STUCK, {
        "temp_c": c.value(c.x.f.temp1),
        "still_since_ms": int(c.x.i.still_ms[c.n, c.column]),
        "peers_low_c": c.value(c.x.f.still_low),
        "peers_high_c": c.value(c.x.f.still_high),
        **_sensor(c),
    }


def _jump(c: Subject) -> Explained:
    return Reason.JUMP, {
        "before_c": c.value(c.x.f.temp3),
        "jump_c": c.value(c.x.f.temp2),
        "after_c": c.value(c.x.f.temp1),
        "limit_k": c.limit("R42", "jump", "jump_k"),
        **_sensor(c),
    }


def _session(c: Subject) -> Evidence:
    at, started = int(c.x.at_ms[c.n, 0]), int(c.x.i.started_ms[c.n, c.column])
    return {
        "started_ms": started or None,
        "elapsed_h": plain((at - started) / MS_PER_HOUR) if started else None,
        "peak_w": c.value(c.x.f.peak),
        "energy_wh": c.value(c.x.f.energy),
    }


def _blind(c: Subject) -> Explained:
    last = int(c.x.i.temp_ms[c.n, c.column])
    return Reason.NO_VALID_TEMPERATURE, {
        "last_valid_c": c.value(c.x.f.temp1),
        "last_valid_ms": last or None,
        **_load(c),
    }


def _contact(
    reason: Reason, level: Callable[[StationFloats], Float32]
) -> Callable[[Subject], Explained]:
    def explained(c: Subject) -> Explained:
        running = c.x.s.session[c.n] >= Stage.INRUSH
        return reason, {
            "source": "telemetry" if level(c.x.station)[c.n] == 1 else "alarm",
            "charging": int(running.sum()),
            "enclosure_c": plain(float(c.x.judged.valid[c.n, STATION])),
            "ambient_c": plain(float(c.x.judged.valid[c.n, AMBIENT])),
        }

    return explained


def _overload(c: Subject) -> Explained:
    amps, watts = c.limit("R10", "main", "limit_a"), c.limit("R10", "main", "limit_w")
    evidence = {
        **_load(c),
        "peak_w": plain(c.peak),
        "limit_a": amps,
        "limit_w": watts,
    }
    too_many_amps = c.x.f.current[c.n, c.column] > np.float32(amps)
    return Reason.OVER_CURRENT if too_many_amps else Reason.OVER_POWER, evidence


def _full(c: Subject) -> Explained:
    return Reason.FULL, {
        "power_w": c.value(c.x.power),
        "limit_w": c.value(c.x.seen.full_w),
        **_session(c),
    }


def _no_load(c: Subject) -> Explained:
    return Reason.NO_LOAD, {
        "power_w": c.value(c.x.power),
        "limit_w": c.limit("R21", "main", "limit_w"),
        "relay": c.value(c.x.f.relay),
    }


def _too_long(tier: str, reason: Reason) -> Callable[[Subject], Explained]:
    def explained(c: Subject) -> Explained:
        return reason, {
            "limit_h": c.limit("R22", tier, "limit_h"),
            "power_w": c.value(c.x.power),
            **_session(c),
        }

    return explained


def _locked(c: Subject) -> Explained:
    return Reason.LOCKED_BUT_POWERED, {
        **_load(c),
        "limit_w": c.limit("R27", "main", "limit_w"),
        "locked_since_ms": int(c.x.i.lock_ms[c.n, c.column]),
    }


_EXPLAIN: Final[dict[tuple[str, str], Callable[[Subject], Explained]]] = {
    ("R01", "main"): _heat("R01", "main", Reason.SOCKET_WARM),
    ("R02", "sustained"): _heat("R02", "sustained", Reason.SOCKET_HOT),
    ("R02", "extreme"): _heat("R02", "extreme", Reason.SOCKET_EXTREME),
    ("R04", "main"): _heat("R04", "main", Reason.AREA_HOT),
    ("R05", "pre"): _rising,
    ("R05", "fire"): _rising_fire,
    ("R42", "bad_value"): _bad_value,
    ("R42", "stuck"): _stuck,
    ("R42", "jump"): _jump,
    ("R42", "blind"): _blind,
    ("R07", "main"): _contact(Reason.SMOKE, lambda s: s.smoke),
    ("R08", "water"): _contact(Reason.WATER, lambda s: s.water),
    ("R08", "door"): _contact(Reason.DOOR, lambda s: s.door),
    ("R10", "main"): _overload,
    ("R20", "main"): _full,
    ("R21", "main"): _no_load,
    ("R22", "warn"): _too_long("warn", Reason.SESSION_LONG),
    ("R22", "cut"): _too_long("cut", Reason.SESSION_TOO_LONG),
    ("R27", "main"): _locked,
}
