"""Kinds of e-bike chargers, as the wall socket sees them.

Figures: the two 48 V makes and the 36 V dual charger follow measured wall power (rise through
constant current, length of taper, power after the end); the 60 V and 72 V ones and the
lead-acid one follow trade descriptions. A charge is described by four things only: constant
current with a slow rise, a taper whose decay is slow at first (the knee), a share of peak at
which the charger ends, and what it draws afterwards.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

Range = tuple[float, float]

LONGEST_CONSTANT_CURRENT_S: Final = 200 * 60
COLD_BELOW_C: Final = 15.0
COLD_AT_C: Final = 4.0
COLD_STRETCH: Final = 1.6
"""At ``COLD_AT_C`` a taper lasts this many times longer (cells measured at 4 C and 24 C)."""
COLDEST_STRETCH: Final = 1.8


@dataclass(frozen=True, slots=True)
class ChargerKind:
    """The spread of one make: each range is drawn uniformly for each charge."""

    name: str
    start_w: Range  # power at the start of constant current
    growth: Range  # rise through constant current, share of the start power
    decay_min: Range  # time constant of the late taper, minutes
    knee: Range  # how much slower the taper begins (0 = pure exponential)
    end_share: Range  # share of peak at which the charger ends the charge
    idle_w: Range  # power after the end
    power_factor: Range
    bump_share: float = 0.0  # a last top-up after the end, share of peak
    bump_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Charge:
    """One battery on one charger, as drawn; what the physics needs and nothing else."""

    kind: str
    start_w: float
    growth: float
    constant_s: float
    decay_s: float
    knee: float
    end_share: float
    idle_w: float
    power_factor: float
    bump_share: float
    bump_s: float
    handshake_s: float  # charger and pack agree before any power flows

    @property
    def peak_w(self) -> float:
        """Power at the end of constant current, watts."""
        return self.start_w * (1 + self.growth)

    @property
    def full_after_s(self) -> float:
        """Seconds from power-on to the end of the taper."""
        taper = -math.log(self.end_share) + self.knee * (1 - self.end_share**3) / 3
        return self.handshake_s + self.constant_s + self.decay_s * taper


KINDS: Final = {
    kind.name: kind
    for kind in (
        ChargerKind(
            "lectric-48v",
            start_w=(97, 107),
            growth=(0.03, 0.05),
            decay_min=(28, 35),
            knee=(1.2, 2.2),
            end_share=(0.03, 0.04),
            idle_w=(0.3, 0.7),
            power_factor=(0.54, 0.60),
        ),
        ChargerKind(
            "rad-48v",
            start_w=(100, 105),
            growth=(0.01, 0.02),
            decay_min=(36, 43),
            knee=(2.4, 3.2),
            end_share=(0.16, 0.18),
            idle_w=(4, 6),
            power_factor=(0.54, 0.60),
        ),
        ChargerKind(
            "bosch-36v",
            start_w=(157, 163),
            growth=(0.10, 0.13),
            decay_min=(12, 15),
            knee=(7, 10),
            end_share=(0.115, 0.13),
            idle_w=(0.0, 0.2),
            power_factor=(0.58, 0.64),
            bump_share=0.28,
            bump_s=540,
        ),
        ChargerKind(
            "shimano-36v",
            start_w=(68, 71),
            growth=(0.06, 0.12),
            decay_min=(26, 30),
            knee=(1.0, 1.5),
            end_share=(0.88, 0.94),
            idle_w=(0.3, 4),
            power_factor=(0.52, 0.58),
        ),
        ChargerKind(
            "lead-acid-48v",
            start_w=(108, 118),
            growth=(0.02, 0.06),
            decay_min=(30, 40),
            knee=(1.0, 2.0),
            end_share=(0.09, 0.12),
            idle_w=(5, 9),
            power_factor=(0.50, 0.56),
        ),
        ChargerKind(
            "li-60v-20ah",
            start_w=(195, 230),
            growth=(0.02, 0.06),
            decay_min=(27, 36),
            knee=(1.0, 2.2),
            end_share=(0.04, 0.06),
            idle_w=(0.7, 2),
            power_factor=(0.58, 0.65),
        ),
        ChargerKind(
            "li-72v-20ah",
            start_w=(250, 295),
            growth=(0.02, 0.06),
            decay_min=(27, 36),
            knee=(1.0, 2.2),
            end_share=(0.04, 0.06),
            idle_w=(0.7, 3),
            power_factor=(0.60, 0.65),
        ),
    )
}
"""Every kind by its name."""

_SHARES: Final = (0.16, 0.12, 0.10, 0.06, 0.16, 0.26, 0.14)


def cold_stretch(ambient_c: float) -> float:
    """How many times longer a taper lasts at this air temperature (1 when it is warm)."""
    share = max(0.0, (COLD_BELOW_C - ambient_c) / (COLD_BELOW_C - COLD_AT_C))
    return min(COLDEST_STRETCH, 1 + (COLD_STRETCH - 1) * share)


def draw_kind(rng: np.random.Generator) -> ChargerKind:
    """One kind, as often as such bikes come to a residential compound."""
    return list(KINDS.values())[int(rng.choice(len(KINDS), p=_SHARES))]


def draw(
    rng: np.random.Generator,
    kind: ChargerKind,
    *,
    constant_s: float,
    ambient_c: float = 24.0,
) -> Charge:
    """One charge of this kind with ``constant_s`` seconds of constant current ahead."""

    def one(span: Range) -> float:
        return float(rng.uniform(*span))

    return Charge(
        kind=kind.name,
        start_w=one(kind.start_w),
        growth=one(kind.growth),
        constant_s=constant_s,
        decay_s=one(kind.decay_min) * 60 * cold_stretch(ambient_c),
        knee=one(kind.knee),
        end_share=one(kind.end_share),
        idle_w=one(kind.idle_w),
        power_factor=one(kind.power_factor),
        bump_share=kind.bump_share,
        bump_s=kind.bump_s,
        handshake_s=float(rng.integers(0, 6)),
    )
