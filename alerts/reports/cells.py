"""What stands in a report's tables, and how it is written: for people, and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.oncall.wallclock import local


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration."""

    value: int


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, UTC ms."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 0 to 1."""

    value: float


Cell = str | int | Seconds | Moment | Share | None
"""None = there is no such figure."""


@dataclass(frozen=True, slots=True)
class Column:
    """Its title, its unit in a CSV file, and how wide it is beside the others."""

    title: str
    unit: str = ""
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a simple chart; ``value`` is what its length says."""

    label: str
    value: float
    shown: str


@dataclass(frozen=True, slots=True)
class Section:
    """One table under its title. ``remark`` says how it is to be read, or that nothing was."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    remark: str = ""
    bars: tuple[Bar, ...] = ()


def shown(cell: Cell, zone: ZoneInfo, units: Mapping[str, str]) -> str:
    """A cell as people read it; ``units`` are the words for h, min, s."""
    match cell:
        case None:
            return "–"
        case Seconds(value):
            return _duration(value, units)
        case Moment(at_ms):
            return f"{local(at_ms, zone):%m-%d %H:%M:%S}"
        case Share(value):
            return percent(value)
        case _:
            return str(cell)


def plain(cell: Cell, zone: ZoneInfo) -> str:
    """A cell as a program reads it: seconds, ISO 8601 with its offset, a fraction."""
    match cell:
        case None:
            return ""
        case Seconds(value):
            return str(value)
        case Moment(at_ms):
            return moment(local(at_ms, zone))
        case Share(value):
            return f"{value:.6f}"
        case _:
            return str(cell)


def moment(at: datetime) -> str:
    """ISO 8601 in whole seconds with the offset."""
    return at.isoformat(timespec="seconds")


def percent(share: float) -> str:
    """Two decimals, but what is not all is never 100 %, and what is something never 0 %."""
    rounded = round(share * 100, 2)
    if 0 < share < 1:
        rounded = min(max(rounded, 0.01), 99.99)
    return f"{rounded:.2f} %"


def _duration(seconds: int, units: Mapping[str, str]) -> str:
    """The two largest units: 45 s, 2 min 05 s, 3 h 07 min."""
    minutes, s = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} {units['h']} {minutes_left:02d} {units['min']}"
    if minutes:
        return f"{minutes} {units['min']} {s:02d} {units['s']}"
    return f"{s} {units['s']}"
