"""Sensor truth: what may be believed of a temperature, before any rule looks at it.

A value that is not valid is NaN from here on: it trips no threshold and, above all, it never
reads as cool.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Number = float | Float32

LOWEST_C: Final = -40.0
HIGHEST_C: Final = 200.0
SENTINELS_C: Final = (0.0, -65.0, 85.0, 127.0)
"""Codes for "no sensor" or "not measured yet": AP3000 sends 0 or -65, the DS18B20 starts at
85, a failed conversion reads 127."""
SATURATED_A: Final = 40.0
SATURATED_W: Final = 10_000.0


class Truth(IntEnum):
    """What a value is worth. Each state has its consequence.

    ABSENT: no rule sees it; while charging R42 ``blind``. VALID: all rules see it. SATURATED and
    SENTINEL: no rule sees it; R42 ``bad_value``. IMPLAUSIBLE: a step no contact makes, not yet
    confirmed by the next sample; rules see it, their sample counts keep a single one from
    cutting. STUCK: rules see it; R42 ``stuck``. STALE: nothing heard for too long; it stays
    what it was for raised findings, and clears none.
    """

    ABSENT = 0
    VALID = 1
    SATURATED = 2
    SENTINEL = 3
    IMPLAUSIBLE = 4
    STUCK = 5
    STALE = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """One sample of every temperature sensor."""

    valid: Float32  # °C; NaN where there is no valid value
    good: Bools
    bad: Bools  # saturated or a sentinel
    jump: Bools  # the sample before this one stood alone: it left and came back
    truth: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps are believed, in kelvin; numbers, or one per station (n, 1)."""

    step_k: Number
    jump_k: Number
    back_k: Number


def judge(raw: Float32, one: Float32, two: Float32, steps: Steps) -> Judged:
    """Judge ``raw`` (°C, NaN = null) after the last valid values ``one`` and ``two`` before it.

    A sentinel is an exact code value that no valid value within ``step_k`` led to. A jump is a
    sample further than ``jump_k`` from both its neighbours, which agree within ``back_k``.
    """
    there = raw == raw  # noqa: PLR0124 - false for NaN only
    bad = (raw <= LOWEST_C) | (raw >= HIGHEST_C)
    truth = there.view(np.uint8).copy()  # ABSENT or VALID
    if np.count_nonzero(bad):
        truth[bad] = Truth.SATURATED
    away = np.abs(raw - one)
    special = raw == SENTINELS_C[0]
    for code in SENTINELS_C[1:]:
        special |= raw == code
    if np.count_nonzero(special):
        special &= (
            ~(away <= steps.step_k) & ~bad
        )  # not "away > step": nothing may have been valid yet
        truth[special] = Truth.SENTINEL
        bad |= special
    good = there & ~bad
    valid = np.where(good, raw, np.float32(np.nan)) if np.count_nonzero(bad) else raw
    far = good & (away > steps.jump_k)
    if not np.count_nonzero(far):
        return Judged(valid, good, bad, far, truth)
    truth[far] = Truth.IMPLAUSIBLE
    jump = far & (np.abs(one - two) > steps.jump_k) & (np.abs(raw - two) <= steps.back_k)
    truth[jump] = Truth.VALID  # this one is back where the sensor was
    return Judged(valid, good, bad, jump, truth)
