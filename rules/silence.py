"""R41: nothing comes from a station. Decided by the time of receipt, not by any clock of its."""

from typing import Final

import numpy as np

from rules.cells import Phase
from rules.decide import Placed
from rules.fleet import Fleet
from rules.layout import STATION, Floats, Small, names
from rules.ledger import Explained, Ledger
from rules.model import Transition
from rules.raw import Raw
from rules.reasons import Reason
from rules.rows import INDEX
from rules.rule_models import Offline
from rules.sessions import Stage

ROW: Final = INDEX["R41", "main"]
AFTER_WILL_MS: Final = 3_000
"""A frame must come this long after a last will to disprove it: it may have overtaken it."""
_TEMP: Final = names(Floats).index("temp1")
_SESSION: Final = names(Small).index("session")


class Silence:
    """Watches when each station was heard last."""

    def __init__(self, fleet: Fleet, ledger: Ledger) -> None:
        """``ledger`` writes the findings."""
        self._fleet = fleet
        self._ledger = ledger
        self.start_ms: int | None = None

    def offline(self) -> dict[int, int]:
        """Slots whose R41 stands, with the time of receipt since which they are silent."""
        state = self._fleet.state
        slots = np.flatnonzero(state.phase[ROW, :, STATION] >= Phase.ACTIVE).tolist()
        return {s: state.findings[ROW, s, STATION].key.episode_ms for s in slots}

    def link(self, slot: int, received_ms: int, *, online: bool) -> list[Transition]:
        """The station's status, or its last will."""
        times = self._fleet.station_ints
        if not online:
            if times.down_ms[slot] == 0:
                times.down_ms[slot] = received_ms
            return []
        times.down_ms[slot] = 0
        return self.message(slot, received_ms)

    def message(self, slot: int, received_ms: int) -> list[Transition]:
        """Anything the station sent, other than a frame."""
        times = self._fleet.station_ints
        times.heard_ms[slot] = max(int(times.heard_ms[slot]), received_ms)
        return self._back(slot, received_ms)

    def frames(self, raw: Raw) -> list[Placed]:
        """The frames of a wave, as signs of life."""
        times = self._fleet.station_ints
        down = times.down_ms[raw.slots]
        if np.count_nonzero(down):
            alive = (down != 0) & (raw.received_ms > down + AFTER_WILL_MS)
            times.down_ms[raw.slots[alive]] = 0
        missing = self._fleet.state.phase[ROW, raw.slots, STATION] >= Phase.ACTIVE
        if not np.count_nonzero(missing):
            return []
        order = ROW * self._fleet.state.columns
        return [
            (int(raw.position[k]), order, transition)
            for k in np.flatnonzero(missing).tolist()
            for transition in self._back(int(raw.slots[k]), int(raw.received_ms[k]))
        ]

    def tick(self, now_ms: int) -> list[Transition]:
        """Stations that have been silent for too long by now."""
        if self.start_ms is None:
            self.start_ms = now_ms
        fleet, times = self._fleet, self._fleet.station_ints
        since = np.maximum(times.heard_ms, self.start_ms)
        silent = now_ms - since > fleet.silence_ms
        left = (times.down_ms != 0) & (now_ms - times.down_ms >= fleet.will_ms)
        idle = fleet.state.phase[ROW, :, STATION] == Phase.IDLE
        found = (silent | left) & idle & (fleet.catalogue >= 0)
        slots = np.flatnonzero(found)
        begin = np.where(left[slots], times.down_ms[slots], since[slots])
        times.back[slots] = 0
        raised = self._ledger.found(ROW, slots, now_ms, begin).tolist()
        return [
            self._ledger.raise_(
                (ROW, slot, STATION), self._explain(slot, now_ms, will=bool(left[slot])), now_ms
            )
            for slot in raised
        ]

    def is_stale(self, slot: int, now_ms: int) -> bool:
        """Whether the station's last frame is too old to say anything about now."""
        last = int(self._fleet.station_ints.frame_ms[slot])
        return last == 0 or now_ms - last > int(self._fleet.silence_ms[slot])

    def _back(self, slot: int, at_ms: int) -> list[Transition]:
        cell = (ROW, slot, STATION)
        if cell not in self._fleet.state.findings:
            return []
        times = self._fleet.station_ints
        times.back[slot] += 1
        rule = self._fleet.profile(slot).catalogue.of(Offline).main
        return self._ledger.drive(
            cell,
            hit=False,
            clear=int(times.back[slot]) >= rule.clear_messages,
            at_ms=at_ms,
            explain=lambda: (Reason.SILENCE, {}),
        )

    def _explain(self, slot: int, now_ms: int, *, will: bool) -> Explained:
        state, times = self._fleet.state, self._fleet.station_ints
        rule = self._fleet.profile(slot).catalogue.of(Offline).main
        sockets = slice(1, int(self._fleet.sockets[slot]) + 1)
        charging = int((state.small[_SESSION, slot, sockets] >= Stage.INRUSH).sum())
        warned = int(times.warned_ms[slot])
        hottest = np.fmax.reduce(state.floats[_TEMP, slot], initial=np.nan)
        return Reason.LAST_WILL if will else Reason.SILENCE, {
            "heard_ms": int(times.heard_ms[slot]) or None,
            "silence_s": round(float(self._fleet.silence_ms[slot]) / 1000, 1),
            "charging": charging,
            "warned": warned != 0 and now_ms - warned <= rule.warned_s * 1000,
            "hottest_c": round(float(hottest), 1) if np.isfinite(hottest) else None,
        }
