"""Facts that are no frames: alarms of the station, failed cuts, locks, releases, refusals.

An alarm is a level that the station raises and ends. It is told again until its receipt comes,
so the same (id, active, time) twice is no news, and an end that is older than the last begin
ends nothing.
"""

from functools import partial
from typing import Final

import numpy as np

from iot.contract import AlarmKind
from rules.cells import Phase
from rules.fleet import Fleet
from rules.layout import STATION, Floats, Ints, Small, names
from rules.ledger import Explained, Ledger
from rules.model import (
    AlarmFact,
    CutFailedFact,
    Evidence,
    LockFact,
    RefusedFact,
    ReleaseFact,
    Transition,
)
from rules.reasons import Reason
from rules.rows import INDEX, ROWS, Subjects
from rules.rule_models import Lockout, SensorFault
from rules.sessions import Stage
from rules.state import AlarmMemory, CellKey, StationAlarms

REMEMBERED: Final = 32
"""How many alarms of a station are remembered by id."""

_ROW: Final = {
    AlarmKind.SMOKE: (INDEX["R07", "main"], Reason.SMOKE),
    AlarmKind.WATER: (INDEX["R08", "water"], Reason.WATER),
    AlarmKind.DOOR: (INDEX["R08", "door"], Reason.DOOR),
    AlarmKind.TILT: (INDEX["R08", "tilt"], Reason.TILT),
    AlarmKind.FUSE: (INDEX["R08", "fuse"], Reason.FUSE),
    AlarmKind.OVER_TEMPERATURE: (
        INDEX["R90", "over_temperature"],
        Reason.DEVICE_OVER_TEMPERATURE,
    ),
    AlarmKind.OVER_CURRENT: (INDEX["R90", "over_current"], Reason.DEVICE_OVER_CURRENT),
    AlarmKind.LOCAL_CUT: (INDEX["R90", "local_cut"], Reason.DEVICE_LOCAL_CUT),
    AlarmKind.LEAKAGE: (INDEX["R90", "leakage"], Reason.DEVICE_LEAKAGE),
    AlarmKind.POWER_LOSS: (INDEX["R90", "power_loss"], Reason.DEVICE_POWER_LOSS),
    AlarmKind.SELF_TEST: (INDEX["R90", "self_test"], Reason.DEVICE_SELF_TEST),
}
_UNKNOWN: Final = (INDEX["R91", "main"], Reason.UNKNOWN_ALARM)
_ALARM_ROWS: Final = [*(row for row, _ in _ROW.values()), _UNKNOWN[0]]
_REFUSED: Final = INDEX["R42", "refused"]
_CUT_FAILED: Final = INDEX["R40", "main"]
_LOCK_MS: Final = names(Ints).index("lock_ms")
_SEEN_OFF: Final = names(Small).index("seen_off")
_MEASURED: Final = names(Floats).index("measured")
_SESSION: Final = names(Small).index("session")


class Told:
    """Takes facts in."""

    def __init__(self, fleet: Fleet, ledger: Ledger) -> None:
        """``ledger`` writes the findings."""
        self._fleet = fleet
        self._ledger = ledger

    def alarm(self, fact: AlarmFact) -> list[Transition]:
        """A station raised or ended an alarm of its own."""
        slot = self._fleet.slots[fact.station]
        memory = self._fleet.state.alarms.setdefault(slot, StationAlarms())
        identity = (fact.alarm_id, fact.active, fact.event_ms)
        if identity in memory.seen:
            return []
        memory.seen = [*memory.seen[1 - REMEMBERED :], identity]
        row, reason = _row_of(fact.kind)
        column = self._column(row, fact.socket)
        level = memory.levels.get((column, fact.kind))
        # Told late: it began before the end that is known, so it is news, but no longer true.
        over = level is not None and not level.active and fact.event_ms < level.event_ms
        if not fact.active and level is not None and fact.event_ms < level.event_ms:
            return []
        if not over:
            memory.levels[column, fact.kind] = AlarmMemory(fact.active, fact.event_ms)
            self._set_contact(fact.kind, slot, active=fact.active)
        cell = (row, slot, column)
        explain = _explained(fact, reason)
        out = self._ledger.drive(
            cell,
            hit=fact.active or self._stands(cell),
            clear=not fact.active and not self._stands(cell),
            at_ms=fact.event_ms,
            explain=explain,
        )
        if over:
            out += self._ledger.drive(
                cell,
                hit=False,
                clear=not self._stands(cell),
                at_ms=level.event_ms if level else fact.event_ms,
                explain=explain,
            )
        return out

    def pass_time(self, now_ms: int) -> list[Transition]:
        """Alarms that stand, or stand no more, while no frame comes to say how long."""
        state = self._fleet.state
        phase = state.phase[_ALARM_ROWS]
        row, slots, columns = np.nonzero((phase == Phase.PENDING) | (phase == Phase.CLEARING))
        out: list[Transition] = []
        for r, slot, column in zip(row.tolist(), slots.tolist(), columns.tolist(), strict=True):
            cell = (_ALARM_ROWS[r], slot, column)
            told = self._told_of(cell)
            if told is None or not self._is_configured(slot):
                continue
            kind, level = told
            stands = self._stands(cell)
            if stands and state.phase[cell] == Phase.PENDING and self._held(cell, now_ms):
                state.cells.last[int(state.place[cell])] = now_ms  # a level has no gaps
            elif stands or not self._cleared(cell, now_ms):
                continue
            evidence: Evidence = {"kind": kind, "source": "alarm", "alarm_ms": level.event_ms}
            out += self._ledger.drive(
                cell,
                hit=stands,
                clear=not stands,
                at_ms=now_ms,
                explain=partial(_given, (_row_of(kind)[1], evidence)),
            )
        return out

    def cut_failed(self, fact: CutFailedFact) -> list[Transition]:
        """A cut could not be proven; the episode is the order's."""
        column = self._column(_CUT_FAILED, fact.socket)
        cell = (_CUT_FAILED, self._fleet.slots[fact.station], column)
        return self._ledger.drive(
            cell,
            hit=True,
            clear=False,
            at_ms=fact.at_ms,
            since_ms=fact.ordered_ms,
            explain=lambda: (
                Reason.CUT_FAILED,
                {**fact.evidence, "ordered_ms": fact.ordered_ms},
            ),
        )

    def refused(self, fact: RefusedFact) -> list[Transition]:
        """Frames of the station cannot be read; news only while something charges there."""
        slot = self._fleet.slots[fact.station]
        charging = int((self._fleet.state.small[_SESSION, slot] >= Stage.INRUSH).sum())
        in_row = self._fleet.profile(slot).catalogue.of(SensorFault).refused.in_row
        if fact.in_row < in_row or not charging:
            return []
        return self._ledger.drive(
            (_REFUSED, slot, STATION),
            hit=True,
            clear=False,
            at_ms=fact.received_ms,
            explain=lambda: (
                Reason.FRAMES_REFUSED,
                {"in_row": fact.in_row, "why": fact.reason, "charging": charging},
            ),
        )

    def locked(self, fact: LockFact) -> list[Transition]:
        """The complete list of sockets that may not have power now."""
        state, slot = self._fleet.state, self._fleet.slots[fact.station]
        wanted = np.zeros(state.columns, np.bool_)
        wanted[[s for s in fact.locked if s <= state.sockets]] = True
        since = state.ints[_LOCK_MS, slot]
        changed = wanted != (since != 0)
        since[changed] = np.where(wanted[changed], fact.at_ms, 0)
        # A lock comes with the proof of its cut, so power on the very next frame has come back.
        limit_w = self._fleet.profiles[fact.station].catalogue.of(Lockout).main.limit_w
        off = state.floats[_MEASURED, slot] <= limit_w
        state.small[_SEEN_OFF, slot, changed] = (wanted & off)[changed]
        return []

    def released(self, fact: ReleaseFact) -> list[Transition]:
        """A person released the subject; what is over by measurement is over now."""
        slot = self._fleet.slots[fact.station]
        return [
            self.end(cell, fact.at_ms)
            for cell, finding in sorted(self._fleet.state.findings.items())
            if cell[1] == slot
            and finding.latched
            and fact.socket in (None, finding.key.socket)
            and self.is_over(cell)
        ]

    def is_over(self, cell: CellKey) -> bool:
        """Whether the clear condition of a raised cell has held for as long as it must."""
        state = self._fleet.state
        if state.phase[cell] != Phase.CLEARING:
            return False
        place = int(state.place[cell])
        return int(state.cells.last[place]) - int(state.cells.mark[place]) >= self._clear_ms(cell)

    def end(self, cell: CellKey, at_ms: int) -> Transition:
        """Clear a raised cell, latched or not."""
        state = self._fleet.state
        state.cells.give_back(state.place[cell[0], cell[1], cell[2] : cell[2] + 1])
        state.place[cell] = -1
        state.phase[cell] = Phase.IDLE
        return self._ledger.clear(cell, at_ms)

    def _clear_ms(self, cell: CellKey) -> int:
        number = int(self._fleet.catalogue[cell[1]])
        return int(self._fleet.settings.clear_ms[number, cell[0]])

    def _held(self, cell: CellKey, now_ms: int) -> bool:
        number = int(self._fleet.catalogue[cell[1]])
        since = int(self._fleet.state.cells.since[int(self._fleet.state.place[cell])])
        return now_ms - since >= int(self._fleet.settings.hold_ms[number, cell[0]])

    def _cleared(self, cell: CellKey, now_ms: int) -> bool:
        state = self._fleet.state
        latched = cell in state.findings and state.findings[cell].latched
        mark = int(state.cells.mark[int(state.place[cell])])
        return not latched and now_ms - mark >= self._clear_ms(cell)

    def _is_configured(self, slot: int) -> bool:
        return int(self._fleet.catalogue[slot]) >= 0

    def _told_of(self, cell: CellKey) -> tuple[str, AlarmMemory] | None:
        """The alarm kind that speaks for a cell; None where only frames do."""
        row, slot, column = cell
        memory = self._fleet.state.alarms.get(slot)
        levels = () if memory is None else memory.levels.items()
        return next(
            ((k, level) for (at, k), level in levels if at == column and _row_of(k)[0] == row), None
        )

    def _stands(self, cell: CellKey) -> bool:
        """Whether any alarm, or the last frame's contact, still says that the row is true."""
        row, slot, column = cell
        contacts = self._fleet.station_floats
        levels = self._fleet.state.alarms[slot].levels
        by_alarm = any(
            level.active and at == column and _row_of(kind)[0] == row
            for (at, kind), level in levels.items()
        )
        seen = {
            _ROW[AlarmKind.SMOKE][0]: contacts.smoke,
            _ROW[AlarmKind.WATER][0]: contacts.water,
            _ROW[AlarmKind.DOOR][0]: contacts.door,
        }.get(row)
        return by_alarm or (seen is not None and bool(seen[slot] == 1))

    def _column(self, row: int, socket: int | None) -> int:
        """Where a subject stands; a socket that nobody has told of yet is made room for."""
        if socket is None or ROWS[row].subjects is Subjects.STATION:
            return STATION
        self._fleet.state.widen(socket)
        return socket

    def _set_contact(self, kind: str, slot: int, *, active: bool) -> None:
        contacts = self._fleet.station_floats
        column = {
            AlarmKind.SMOKE.value: contacts.smoke_alarm,
            AlarmKind.WATER.value: contacts.water_alarm,
            AlarmKind.DOOR.value: contacts.door_alarm,
        }.get(kind)
        if column is not None:
            column[slot] = float(active)


def _row_of(kind: str) -> tuple[int, Reason]:
    return _ROW[AlarmKind(kind)] if kind in AlarmKind.__members__.values() else _UNKNOWN


def _explained(fact: AlarmFact, reason: Reason) -> "_Explain":
    return _Explain(fact, reason)


def _given(explained: Explained) -> Explained:
    return explained


class _Explain:
    """The evidence of an alarm fact, made only when something is raised."""

    __slots__ = ("_fact", "_reason")

    def __init__(self, fact: AlarmFact, reason: Reason) -> None:
        self._fact = fact
        self._reason = reason

    def __call__(self) -> Explained:
        return self._reason, {
            "source": "alarm",
            "kind": self._fact.kind,
            "alarm_id": self._fact.alarm_id,
            "value": self._fact.value,
            "alarm_socket": self._fact.socket,
        }
