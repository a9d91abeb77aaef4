"""The condition of each row: when it is true, when it is known to be false, when it is over.

Written so that NaN (no valid value) is neither true, nor false, nor over. Each function gets
the signals of a wave and the settings, and returns three planes (n, columns), or (n, 1) where
all columns agree.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from rules.holds import Bools
from rules.layout import AMBIENT, STATION
from rules.rows import FRAME_ROWS
from rules.sessions import MS_PER_HOUR
from rules.settings import View
from rules.signals import Float32, Signals

Planes = tuple[Bools, Bools, Bools]
"""True, known to be false, over."""
Condition = Callable[[Signals, View], Planes]


def _hot(rule: str, tier: str) -> Condition:
    def condition(x: Signals, p: View) -> Planes:
        t, limit = x.judged.valid, p(rule, tier, "limit_c")
        return t >= limit, t < limit, t <= p(rule, tier, "clear_c")

    return condition


def _rising(x: Signals, p: View) -> Planes:
    limit = p("R05", "pre", "rise_k")
    rise = x.f.rise120
    return rise >= limit, rise < limit, rise < p("R05", "pre", "clear_rise_k")


def _rising_fire(x: Signals, p: View) -> Planes:
    warm = x.judged.valid >= p("R05", "fire", "floor_c")
    hit = x.f.rise120 >= p("R05", "fire", "rise_k")
    hit &= warm
    hit |= x.f.rise60 >= p("R05", "fire", "fast_rise_k")
    return hit, x.judged.good & ~hit, x.f.rise120 < p("R05", "fire", "clear_rise_k")


def _bad_value(x: Signals, _: View) -> Planes:
    if not np.count_nonzero(x.judged.bad):
        return x.judged.bad, x.judged.good, x.judged.good
    # A socket that never had a sensor and charges nothing is no news.
    ever = x.i.temp_ms != 0
    matters: Bools = np.logical_or(ever, x.seen.running)
    charging: Bools = np.logical_or.reduce(x.seen.running, axis=1)
    matters[:, (STATION, AMBIENT)] |= charging[:, None]
    return x.judged.bad & matters, x.judged.good, x.judged.good


def _stuck(x: Signals, _: View) -> Planes:
    stuck = x.s.stuck != 0
    if not np.count_nonzero(stuck):
        return stuck, x.judged.good, x.judged.good
    free = x.judged.good & ~stuck
    return stuck & x.judged.good, free, free


def _jump(x: Signals, _: View) -> Planes:
    quiet = x.judged.good & ~x.judged.jump
    return x.judged.jump, quiet, quiet


def _blind(x: Signals, _: View) -> Planes:
    return x.seen.running & ~x.judged.good, x.judged.good | ~x.seen.running, x.judged.good


def _refused(x: Signals, _: View) -> Planes:
    here = np.ones((len(x.at_ms), 1), np.bool_)  # a good frame came
    return ~here, here, here


def _contact(level: Float32, alarm: Float32) -> Planes:
    """A contact told by frames, by alarms, or both; one that is unknown after 1 is still 1."""
    on = (level == 1) | (alarm == 1)
    return on[:, None], ~on[:, None], ~on[:, None]


def _smoke(x: Signals, _: View) -> Planes:
    return _contact(x.station.smoke, x.station.smoke_alarm)


def _water(x: Signals, _: View) -> Planes:
    return _contact(x.station.water, x.station.water_alarm)


def _door(x: Signals, _: View) -> Planes:
    return _contact(x.station.door, x.station.door_alarm)


def _overload(x: Signals, p: View) -> Planes:
    amps, watts = x.f.current, x.f.measured
    limit_a, limit_w = p("R10", "main", "limit_a"), p("R10", "main", "limit_w")
    hit = (amps > limit_a) | (watts > limit_w)
    below = ~hit & ((amps <= limit_a) | (watts <= limit_w))
    return hit, below, below & ~x.seen.running


def _full(x: Signals, _: View) -> Planes:
    # An open relay ends the session, and with it this.
    hit = x.seen.settled & (x.power <= x.seen.full_w)
    return hit, ~x.seen.running | (x.power > x.seen.full_w), x.seen.fresh


def _no_load(x: Signals, p: View) -> Planes:
    limit = p("R21", "main", "limit_w")
    # A relay that does not report counts as closed once there was a session behind it.
    fed = (x.f.relay == 1) | (np.isnan(x.f.relay) & (x.i.started_ms != 0))
    opened = x.f.relay == 0
    hit = fed & (x.power < limit)
    over = (x.power > p("R21", "main", "resume_w")) | opened
    return hit, (x.power >= limit) | opened, over


def _too_long(tier: str) -> Condition:
    def condition(x: Signals, p: View) -> Planes:
        if not np.count_nonzero(x.seen.running):
            return x.seen.running, ~x.seen.running, x.seen.fresh
        limit_ms = p("R22", tier, "limit_h") * MS_PER_HOUR
        hit = x.seen.running & (x.at_ms - x.i.started_ms >= limit_ms)
        return hit, ~hit, x.seen.fresh

    return condition


def _locked(x: Signals, p: View) -> Planes:
    locked = x.i.lock_ms != 0
    if not np.count_nonzero(locked):
        return locked, ~locked, ~locked
    limit = p("R27", "main", "limit_w")
    off = x.f.measured <= limit
    ripe = (x.s.seen_off != 0) | (x.at_ms - x.i.lock_ms >= p("R27", "main", "grace_s") * 1000)
    hit = locked & (x.f.measured > limit) & ripe & ~x.cut_failed
    return hit, off | ~locked, off | ~locked


def _cut_failed(x: Signals, p: View) -> Planes:
    if not np.count_nonzero(x.cut_failed):
        return x.cut_failed, x.cut_failed, x.cut_failed  # raised by facts, so nothing to end
    off = x.f.measured < p("R40", "main", "clear_w")
    off[:, STATION] = np.logical_or(off, ~x.exists)[:, STATION + 1 : AMBIENT].all(axis=1)
    return np.zeros_like(off), ~off, off


CONDITIONS: Final[dict[tuple[str, str], Condition]] = {
    ("R01", "main"): _hot("R01", "main"),
    ("R02", "sustained"): _hot("R02", "sustained"),
    ("R02", "extreme"): _hot("R02", "extreme"),
    ("R04", "main"): _hot("R04", "main"),
    ("R05", "pre"): _rising,
    ("R05", "fire"): _rising_fire,
    ("R42", "bad_value"): _bad_value,
    ("R42", "stuck"): _stuck,
    ("R42", "jump"): _jump,
    ("R42", "blind"): _blind,
    ("R42", "refused"): _refused,
    ("R07", "main"): _smoke,
    ("R08", "water"): _water,
    ("R08", "door"): _door,
    ("R10", "main"): _overload,
    ("R20", "main"): _full,
    ("R21", "main"): _no_load,
    ("R22", "warn"): _too_long("warn"),
    ("R22", "cut"): _too_long("cut"),
    ("R27", "main"): _locked,
    ("R40", "main"): _cut_failed,
}

ORDERED: Final = tuple(CONDITIONS[row.rule, row.tier] for row in FRAME_ROWS)
"""The conditions in the order of the frame rows."""
