"""Order and identity of what a station sends: (boot, seq) decides, the clock is corrected.

QoS 1 delivers duplicates and a broken link delivers late, so every message is judged before
it is believed. A station's clock is believed unless it is ahead of ours (it cannot have
measured tomorrow) or steadily behind; then it is shifted by a constant, which keeps the
spacing of its frames, because rates of rise are computed from that spacing.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Self, TypedDict

WINDOW: Final = 4096
"""How many sequence numbers behind the highest are remembered per boot."""
BOOTS_KEPT: Final = 4
"""How many boots of a station are remembered."""
SKEW_LIMIT_MS: Final = 60_000
"""R43: beyond this the station's clock is not used as it is."""
STEADY_MS: Final = 60_000
"""A clock that seems behind must seem so for this long; a queue being emptied does not last."""
STEADY_SPREAD_MS: Final = 30_000
STEADY_FRAMES: Final = 3
_MASK: Final = (1 << WINDOW) - 1


class SequenceState(TypedDict):
    """One station's memory as JSON-able values."""

    boots: list[tuple[str, int, str, int]]  # boot, highest, seen as hex, highest of telemetry
    clock: tuple[int, int, int, int, int]


class Verdict(Enum):
    """What a (boot, seq) means."""

    LIVE = "live"
    """Newer than anything of its kind: it speaks for the present."""
    LATE = "late"
    """Not seen before, but overtaken: kept for the record, raises and clears nothing."""
    DUPLICATE = "duplicate"
    """Seen before."""
    TOO_OLD = "too_old"
    """So far behind that it cannot be told from a duplicate."""


@dataclass(slots=True)
class _Boot:
    high: int
    seen: int = 1  # bit i = (high - i) has been seen
    telemetry_high: int = -1

    def note(self, seq: int) -> Verdict:
        ahead = seq - self.high
        if ahead > 0:
            self.seen = ((self.seen << ahead) | 1) & _MASK if ahead < WINDOW else 1
            self.high = seq
            return Verdict.LIVE
        if -ahead >= WINDOW:
            return Verdict.TOO_OLD
        bit = 1 << -ahead
        if self.seen & bit:
            return Verdict.DUPLICATE
        self.seen |= bit
        return Verdict.LATE


@dataclass(slots=True)
class _Clock:
    """Estimates by how much a station's clock must be shifted, in milliseconds."""

    shift_ms: int = 0
    since_ms: int = 0  # receive time at which the present run of lag began
    low_ms: int = 0
    high_ms: int = 0
    frames: int = 0

    def event_ms(self, ts_ms: int, received_ms: int) -> int:
        lag = received_ms - ts_ms - self.shift_ms
        if lag < -SKEW_LIMIT_MS:  # ahead of us: no delay explains that
            self.shift_ms += lag
            self.frames = 0
            return received_ms
        if lag <= SKEW_LIMIT_MS:
            self.frames = 0
            return ts_ms + self.shift_ms
        if self.frames == 0 or not self._steady_with(lag):
            self.since_ms, self.low_ms, self.high_ms, self.frames = received_ms, lag, lag, 1
        else:
            self.low_ms, self.high_ms = min(self.low_ms, lag), max(self.high_ms, lag)
            self.frames += 1
            if self.frames >= STEADY_FRAMES and received_ms - self.since_ms >= STEADY_MS:
                self.shift_ms += self.low_ms
                self.frames = 0
        return ts_ms + self.shift_ms

    def _steady_with(self, lag: int) -> bool:
        return max(self.high_ms, lag) - min(self.low_ms, lag) <= STEADY_SPREAD_MS


@dataclass(slots=True)
class StationSequence:
    """What is remembered of one station's messages."""

    boots: dict[str, _Boot] = field(default_factory=dict)  # in order of first sight
    clock: _Clock = field(default_factory=_Clock)

    def note(self, boot: str, seq: int) -> Verdict:
        """Judge any message of the station by its (boot, seq)."""
        known = self.boots.get(boot)
        if known is None:
            self.boots[boot] = _Boot(high=seq)
            while len(self.boots) > BOOTS_KEPT:
                del self.boots[next(iter(self.boots))]
            self.clock = _Clock()  # a reboot sets the clock anew
            return Verdict.LIVE
        return known.note(seq)

    def note_telemetry(self, boot: str, seq: int) -> Verdict:
        """Judge a frame: live only in the newest boot and after every frame seen of it.

        Alarms and replies take sequence numbers on another lane and may overtake frames;
        only frames are compared with frames here.
        """
        verdict = self.note(boot, seq)
        if verdict in {Verdict.DUPLICATE, Verdict.TOO_OLD}:
            return verdict
        state = self.boots[boot]
        newest = next(reversed(self.boots)) == boot
        if not newest or seq <= state.telemetry_high:
            return Verdict.LATE
        state.telemetry_high = seq
        return Verdict.LIVE

    def dump(self) -> SequenceState:
        """The state as JSON-able values."""
        c = self.clock
        return {
            "boots": [(b, s.high, f"{s.seen:x}", s.telemetry_high) for b, s in self.boots.items()],
            "clock": (c.shift_ms, c.since_ms, c.low_ms, c.high_ms, c.frames),
        }

    @classmethod
    def load(cls, state: SequenceState) -> Self:
        """The inverse of ``dump``."""
        boots = {
            boot: _Boot(high, int(seen, 16), telemetry)
            for boot, high, seen, telemetry in state["boots"]
        }
        return cls(boots, _Clock(*state["clock"]))


class Sequences:
    """``StationSequence`` of every station; not thread-safe, owned by the event loop."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._stations: dict[str, StationSequence] = {}

    def of(self, station: str) -> StationSequence:
        """The memory of one station, made at first sight."""
        found = self._stations.get(station)
        if found is None:
            found = self._stations[station] = StationSequence()
        return found

    def dump(self) -> dict[str, SequenceState]:
        """All stations as JSON-able values."""
        return {name: s.dump() for name, s in self._stations.items()}

    def load(self, state: dict[str, SequenceState]) -> None:
        """Replace everything by what ``dump`` gave."""
        self._stations = {name: StationSequence.load(s) for name, s in state.items()}
