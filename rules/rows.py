"""The rows of the decision table: one per tier of a rule, in a fixed order.

A *cell* is one row on one subject of one station. The first rows are evaluated with every
frame (``conditions.py``); the others only when a fact arrives or time passes. A later rule is
one row here, one condition there, and its entry in the catalogue.
"""

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final


class Subjects(IntEnum):
    """On which subjects a row may be true."""

    SOCKETS = auto()
    STATION = auto()
    BOTH = auto()


class Track(IntEnum):
    """Which measured value's peak makes an update worth telling."""

    NOTHING = auto()
    TEMPERATURE = auto()
    POWER = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """One tier of one rule. ``area``: the ambient sensor speaks for the station as well."""

    rule: str
    tier: str
    subjects: Subjects
    track: Track = Track.NOTHING
    area: bool = False

    @property
    def name(self) -> str:
        """``R02.sustained``: how a row is called in snapshots and reports."""
        return f"{self.rule}.{self.tier}"


_SOCKETS, _STATION, _BOTH = Subjects.SOCKETS, Subjects.STATION, Subjects.BOTH
_HEAT = Track.TEMPERATURE

FRAME_ROWS: Final = (
    Row("R01", "main", _SOCKETS, _HEAT),
    Row("R02", "sustained", _SOCKETS, _HEAT),
    Row("R02", "extreme", _SOCKETS, _HEAT),
    Row("R04", "main", _STATION, _HEAT, area=True),
    Row("R05", "pre", _BOTH, _HEAT, area=True),
    Row("R05", "fire", _BOTH, _HEAT, area=True),
    Row("R42", "bad_value", _BOTH, area=True),
    Row("R42", "stuck", _BOTH, area=True),
    Row("R42", "jump", _BOTH, area=True),
    Row("R42", "blind", _SOCKETS),
    Row("R42", "refused", _STATION),
    Row("R07", "main", _STATION),
    Row("R08", "water", _STATION),
    Row("R08", "door", _STATION),
    Row("R10", "main", _SOCKETS, Track.POWER),
    Row("R20", "main", _SOCKETS),
    Row("R21", "main", _SOCKETS),
    Row("R22", "warn", _SOCKETS),
    Row("R22", "cut", _SOCKETS),
    Row("R27", "main", _SOCKETS),
    Row("R40", "main", _BOTH),
)
"""Evaluated with every live frame; the rows with ``area`` stand together."""

FACT_ROWS: Final = (
    Row("R08", "fuse", _BOTH),
    Row("R08", "tilt", _STATION),
    Row("R90", "over_temperature", _BOTH),
    Row("R90", "over_current", _BOTH),
    Row("R90", "local_cut", _BOTH),
    Row("R90", "leakage", _BOTH),
    Row("R90", "power_loss", _BOTH),
    Row("R90", "self_test", _BOTH),
    Row("R91", "main", _BOTH),
    Row("R41", "main", _STATION),
)
"""Evaluated when a fact arrives, or by the tick."""

ROWS: Final = FRAME_ROWS + FACT_ROWS
INDEX: Final = {(row.rule, row.tier): i for i, row in enumerate(ROWS)}
"""Position of a row by (rule, tier)."""

AREA: Final = slice(
    next(i for i, row in enumerate(FRAME_ROWS) if row.area),
    1 + max(i for i, row in enumerate(FRAME_ROWS) if row.area),
)
"""The rows in which the ambient sensor's column is folded into the station's."""
