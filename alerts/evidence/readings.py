"""Frozen readings read back from their CSV file; what is drawn of them."""

import csv
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Final

from alerts.paper.curves import Plot, Series

BOX: Final = ("enclosure_c", "ambient_c")
"""The channels of the box that are drawn."""

Points = tuple[list[int], list[float]]


@dataclass(frozen=True, slots=True)
class Readings:
    """What one station measured: per channel and socket (box: socket 0) times and values."""

    channels: Mapping[tuple[str, int], Points] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.channels)

    def sockets(self, channel: str) -> list[int]:
        """The sockets that have the channel, from 1."""
        return sorted(socket for name, socket in self.channels if name == channel and socket)


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when is drawn (UTC ms), and the moments that are marked with a letter."""

    start_ms: int
    end_ms: int
    marks: Sequence[tuple[int, str]]


def read(path: Path, station: str) -> Readings:
    """The readings of one station. Blocking.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no file of readings.

    """
    channels: dict[tuple[str, int], Points] = defaultdict(lambda: ([], []))
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get("station") != station:
                continue
            at_ms, socket = int(row["event_ms"]), int(row["socket"])
            for name in ("temp_c", "power_w"):
                _add(channels[name, socket], at_ms, row[name])
            for name in BOX if socket == 1 else ():
                _add(channels[name, 0], at_ms, row[name])
    return Readings(dict(channels))


def plots(
    readings: Readings, window: Window, concerned: Collection[int], limit_c: float | None
) -> dict[str, Plot]:
    """What is drawn, by the text that explains it: temperature, box, power."""

    def of_sockets(channel: str, unit: str, limit: float | None) -> Plot:
        series = [
            Series(f"#{n}", *readings.channels[channel, n], strong=n in concerned)
            for n in readings.sockets(channel)
        ]
        return Plot(unit, window.start_ms, window.end_ms, series, limit, window.marks)

    box = [
        Series(name.removesuffix("_c"), *readings.channels[name, 0], strong=True)
        for name in BOX
        if (name, 0) in readings.channels
    ]
    return {
        "temperature": of_sockets("temp_c", "°C", limit_c),
        "box": Plot("°C", window.start_ms, window.end_ms, box, None, window.marks),
        "power": of_sockets("power_w", "W", None),
    }


def _add(points: Points, at_ms: int, text: str) -> None:
    points[0].append(at_ms)
    points[1].append(float(text) if text else nan)
