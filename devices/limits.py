"""The retained ``limits`` document of each station, and its version.

The version only grows: a station ignores a document that is not newer than the one it has,
so a version that fell back (a lost database, a restored backup) would leave a lock unheard.
That is why versions follow the clock, and why a station that reports a higher version than
ours lifts ours above it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from devices.orders import Intervals, Trips


@dataclass(frozen=True, slots=True)
class Desired:
    """What the station is to enforce alone; ``locked`` ascending, sockets from 1."""

    station: str
    version: int
    trips: Trips
    intervals: Intervals
    locked: tuple[int, ...]
    changed_ms: int


class LimitsBook:
    """The newest document of every station."""

    def __init__(self) -> None:
        """An empty book; ``restore`` fills it after a restart."""
        self._desired: dict[str, Desired] = {}
        self._changed: dict[str, Desired] = {}

    def desire(
        self,
        station: str,
        trips: Trips,
        intervals: Intervals,
        locked: Iterable[int],
        now_ms: int,
    ) -> Desired | None:
        """The document to publish, or None when the newest one already says this."""
        wanted = tuple(sorted(set(locked)))
        old = self._desired.get(station)
        if old is not None and (old.trips, old.intervals, old.locked) == (
            trips,
            intervals,
            wanted,
        ):
            return None
        # Counted from the clock: a document that left before a crash and was never stored
        # must not share its number with the next one, which would then go unheard.
        version = now_ms if old is None else max(old.version + 1, now_ms)
        return self._put(Desired(station, version, trips, intervals, wanted, now_ms))

    def on_reported(self, station: str, version: int, now_ms: int) -> Desired | None:
        """Take note of the version a station has; a document to publish if ours is behind it."""
        old = self._desired.get(station)
        if old is None or version <= old.version:
            return None
        return self._put(replace(old, version=version + 1, changed_ms=now_ms))

    def current(self, station: str) -> Desired | None:
        """The newest document, or None before the first ``desire``."""
        return self._desired.get(station)

    def changed(self) -> list[Desired]:
        """Documents to store; handed out once, keep them until they are committed."""
        out = list(self._changed.values())
        self._changed.clear()
        return out

    def restore(self, documents: Iterable[Desired]) -> None:
        """Take over what was stored before a restart."""
        self._desired.update((d.station, d) for d in documents)

    def _put(self, desired: Desired) -> Desired:
        self._desired[desired.station] = desired
        self._changed[desired.station] = desired
        return desired
