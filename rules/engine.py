"""The detection engine: frames and facts in, findings raised, updated and cleared out.

Deterministic and without a clock: the same inputs in the same order give the same transitions,
however the frames were batched. Event time decides holds, the time of receipt decides silence.
One object, owned by one thread.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from iot.frames import FrameBatch
from rules import clocks, views
from rules.cells import Indices
from rules.decide import Placed
from rules.fleet import Fleet, StationProfile
from rules.layout import AMBIENT, STATION, Small
from rules.ledger import Ledger
from rules.model import (
    AlarmFact,
    CutFailedFact,
    Fact,
    Finding,
    LinkFact,
    LockFact,
    RefusedFact,
    ReleaseFact,
    Transition,
)
from rules.raw import Raw
from rules.silence import Silence
from rules.site_stage import SiteStage
from rules.snapshots import EngineState
from rules.told import Told
from rules.views import Reading, SocketView, StationView
from rules.wave import Waves

__all__ = [
    "Engine",
    "EngineState",
    "Reading",
    "SocketView",
    "StationProfile",
    "StationView",
]

_NOWHERE: Final = -1


class Engine:
    """Detection over the configured stations; ``state`` continues where a snapshot ended."""

    def __init__(
        self, profiles: Iterable[StationProfile], state: EngineState | None = None
    ) -> None:
        """Stations that ``state`` knows but ``profiles`` does not stay asleep."""
        self.state = EngineState() if state is None else state
        self._fleet = Fleet(self.state)
        ledger = Ledger(self._fleet)
        self._waves = Waves(self._fleet, ledger)
        self._told = Told(self._fleet, ledger)
        self._silence = Silence(self._fleet, ledger)
        self._sites = SiteStage(self._fleet)
        self._now_ms = 0
        self.ignored = 0
        """Frames and facts of stations that are not configured."""
        self.configure(profiles)

    def configure(self, profiles: Iterable[StationProfile]) -> None:
        """Add stations, or change the settings of those that are there; takes effect at once."""
        self._fleet.configure(profiles)

    def forget(self, station: str) -> None:
        """Remove a station and its state; UnknownStationError for one that is not there."""
        self.state.slot(station)
        self._fleet.forget(station)

    def begin(self, now_ms: int) -> None:
        """From now on silence counts: call it once after a restore and replay.

        Nothing was heard while this process was not there, and that is not the stations'
        silence. Without this call it is the first ``tick``.
        """
        self._silence.start_ms = now_ms

    def step(
        self, frames: FrameBatch | None, facts: Sequence[Fact], now_ms: int
    ) -> list[Transition]:
        """Take in facts, then frames; transitions in the order of what caused them.

        Frames that are not live change nothing. ``now_ms`` is the time of receipt (UTC ms).
        """
        self._now_ms = max(self._now_ms, now_ms)
        out: list[Transition] = []
        for fact in facts:
            if fact.station in self._fleet.slots:
                out += self._fact(fact)
            else:
                self.ignored += 1
        if frames is not None and len(frames):
            out += self._frames(frames)
        return out

    def tick(self, now_ms: int) -> list[Transition]:
        """What passes with time alone: silence, outages, alarms that stand while nothing comes."""
        self._now_ms = max(self._now_ms, now_ms)
        out = self._silence.tick(now_ms)
        out += self._told.pass_time(now_ms)
        out += self._sites.tick(self._silence.offline(), now_ms)
        return out

    def stages(self) -> npt.NDArray[np.uint8]:
        """The charge stage of every socket, (stations, sockets): ``rules.sessions.Stage``."""
        return Small(*self.state.small).session[:, STATION + 1 : AMBIENT].copy()

    def socket_view(self, station: str) -> list[SocketView]:
        """Every socket, from 1; UnknownStationError for a station that is not configured."""
        slot = self._slot(station)
        return views.sockets(self._fleet, slot, stale=self._silence.is_stale(slot, self._now_ms))

    def station_view(self, station: str) -> StationView:
        """The station itself; UnknownStationError for one that is not configured."""
        slot = self._slot(station)
        return views.station(
            self._fleet,
            slot,
            stale=self._silence.is_stale(slot, self._now_ms),
            offline=slot in self._silence.offline(),
        )

    def active(self, station: str) -> list[Finding]:
        """The findings that stand on the station and its sockets, in the order of the rules."""
        slot = self._slot(station)
        found = sorted((c, f) for c, f in self.state.findings.items() if c[1] == slot)
        return [finding for _, finding in found]

    def active_site(self, site: str) -> list[Finding]:
        """The findings that stand against a site as a whole."""
        return self._sites.active(site)

    def blocks_release(self, station: str, socket: int | None) -> list[Finding]:
        """Latched findings that are not over by measurement, so the subject stays locked.

        For a socket also those of the station itself; for the station those of all sockets. A
        station that is not heard proves nothing, so all of them block.
        """
        slot = self._slot(station)
        stale = self._silence.is_stale(slot, self._now_ms)
        return [
            finding
            for cell, finding in sorted(self.state.findings.items(), key=lambda item: item[0])
            if cell[1] == slot
            and finding.latched
            and (socket is None or cell[2] in (STATION, socket))
            and (stale or not self._told.is_over(cell))
        ]

    def _slot(self, station: str) -> int:
        return self.state.slot(station)

    def _fact(self, fact: Fact) -> list[Transition]:
        slot = self._fleet.slots[fact.station]
        match fact:
            case AlarmFact():
                alive = self._silence.message(slot, fact.received_ms)
                return alive + self._told.alarm(fact)
            case LinkFact():
                return self._silence.link(slot, fact.received_ms, online=fact.online)
            case CutFailedFact():
                return self._told.cut_failed(fact)
            case RefusedFact():
                return self._told.refused(fact)
            case LockFact():
                return self._told.locked(fact)
            case ReleaseFact():
                return self._told.released(fact)

    def _frames(self, batch: FrameBatch) -> list[Transition]:
        self.state.widen(batch.width)
        where = self._fleet.slots
        found = list(map(where.get, batch.station.tolist()))
        if None in found:
            self.ignored += found.count(None)
            found = [_NOWHERE if slot is None else slot for slot in found]
        slots = np.array(found, np.intp)
        position = np.flatnonzero((slots != _NOWHERE) & batch.live)
        placed: list[Placed] = []
        for wave in _waves(position, slots[position]):
            raw = Raw.of(batch, wave, slots[wave], self.state.columns)
            clocks.rebase(self._fleet, raw)
            placed += self._silence.frames(raw)
            placed += self._waves.run(raw)
        placed.sort(key=lambda p: (p[0], p[1]))
        return [transition for _, _, transition in placed]


def _waves(position: Indices, slots: Indices) -> list[Indices]:
    """Positions split so that each wave has at most one frame per station, in order."""
    if len(set(slots.tolist())) == len(slots):
        return [position] if len(position) else []
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    turn = np.empty(len(order), np.intp)
    turn[order] = np.arange(len(order)) - start
    return [position[turn == w] for w in range(int(turn.max()) + 1)]
