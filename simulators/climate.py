"""Air and mains around the stations: slow daily curves, no weather surprises."""

import math
from dataclasses import dataclass
from typing import Final

_DAY_S: Final = 86_400
_UTC_OFFSET_S: Final = 8 * 3600
_COLDEST_HOUR: Final = 5.0
_DEMAND_HOUR: Final = 20.0


@dataclass(frozen=True, slots=True)
class Climate:
    """Shade temperature as a sine between 05:00 and 17:00 local time, and the sun on the box.

    Degrees Celsius; ``sun_k`` is what full sun adds inside a closed box, in kelvin.
    """

    mean_c: float = 23.0
    swing_c: float = 5.0
    sun_k: float = 4.0
    mains_v: float = 228.0
    mains_swing_v: float = 4.0

    def ambient_c(self, now_ms: int) -> float:
        """Air temperature in the shade."""
        angle = 2 * math.pi * (_hour(now_ms) - _COLDEST_HOUR) / 24
        return self.mean_c - self.swing_c * math.cos(angle)

    def sun_heat_k(self, now_ms: int) -> float:
        """How much the sun would heat the inside of a box, kelvin above the air."""
        height = math.sin(math.pi * (_hour(now_ms) - 6) / 12)
        return self.sun_k * max(0.0, height)

    def supply_v(self, now_ms: int) -> float:
        """Mains voltage: lowest at the evening demand."""
        angle = 2 * math.pi * (_hour(now_ms) - _DEMAND_HOUR) / 24
        return self.mains_v - self.mains_swing_v * math.cos(angle)


MILD: Final = Climate()
"""A spring day in Hangzhou."""
COLD: Final = Climate(mean_c=3.0, swing_c=4.0, sun_k=2.0)
"""A winter day: tapers last longer."""


def local_hour(now_ms: int) -> float:
    """Hour of the day in Hangzhou (UTC+8), 0..24."""
    return _hour(now_ms)


def _hour(now_ms: int) -> float:
    return ((now_ms / 1000 + _UTC_OFFSET_S) % _DAY_S) / 3600
