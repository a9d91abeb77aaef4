"""From moved cells to findings: what is raised, updated and cleared, and what stands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from rules.cells import Indices
from rules.fleet import Fleet
from rules.holds import Int64, Moves, Sample, Where, advance
from rules.layout import STATION, Small, names
from rules.model import Act, Change, Evidence, Finding, FindingKey, Severity, Transition
from rules.reasons import Reason
from rules.rows import ROWS
from rules.state import CellKey

Explained = tuple[Reason, Evidence]
_ENDING: Final = names(Small).index("ending")
_CUTS: Final = frozenset({Act.CUT_SOCKET, Act.CUT_STATION})
_COUNTS_AS_WARNED: Final = frozenset({Severity.WARN, Severity.MAJOR, Severity.CRITICAL})


class Ledger:
    """Writes findings; one per raised cell, by (row, slot, column)."""

    def __init__(self, fleet: Fleet) -> None:
        """Over the state of ``fleet``."""
        self._fleet = fleet
        self._state = fleet.state

    def raise_(self, cell: CellKey, explained: Explained, at_ms: int) -> Transition:
        """The finding of a cell that has just been raised."""
        row, slot, column = cell
        cells, place = self._state.cells, int(self._state.place[cell])
        since = int(cells.since[place])
        box = column == STATION
        number = int(self._fleet.catalogue[slot])
        settings = self._fleet.settings
        rule = settings.catalogues[number].rules[ROWS[row].rule]
        tier = settings.tiers[number][row]
        shadow = rule.shadow or tier.shadow
        act = tier.act_on(box=box)
        reason, seen = explained
        evidence: Evidence = {
            **seen,
            "since_ms": since,
            "hold_s": tier.hold_s,
            "samples": int(cells.count[place]),
        }
        if shadow:
            evidence["would_act"] = act.value
        finding = Finding(
            key=FindingKey(
                station=self._fleet.profile(slot).station,
                socket=None if box else column,
                rule=ROWS[row].rule,
                tier=ROWS[row].tier,
                episode_ms=since,
            ),
            family=tier.family,
            severity=tier.severity,
            reason=reason.value,
            act=Act.NONE if shadow else act,
            latched=tier.latch_on(box=box) and not shadow,
            fire=tier.fire,
            shadow=shadow,
            raised_ms=at_ms,
            evidence=evidence,
        )
        self._state.findings[cell] = finding
        self._note(slot, column, finding)
        return Transition(Change.RAISED, finding, at_ms)

    def update(self, cell: CellKey, explained: Explained, at_ms: int) -> Transition:
        """The finding of a cell whose tracked value has risen notably."""
        old = self._state.findings[cell]
        count = int(self._state.cells.count[int(self._state.place[cell])])
        evidence = {**old.evidence, **explained[1], "samples": count}
        finding = replace(old, evidence=evidence)
        self._state.findings[cell] = finding
        return Transition(Change.UPDATED, finding, at_ms)

    def clear(self, cell: CellKey, at_ms: int) -> Transition:
        """The finding of a cell that is over."""
        return Transition(Change.CLEARED, self._state.findings.pop(cell), at_ms)

    def found(self, row: int, slots: Indices, at_ms: int, since_ms: Int64) -> Indices:
        """Show that a row is true of stations as a whole; the slots at which it is raised now."""
        settings, number = self._fleet.settings, self._fleet.catalogue[slots]
        on = settings.enabled[number, row]
        slots, number, since_ms = slots[on], number[on], since_ms[on]
        n = len(slots)
        no = np.zeros(n, np.bool_)
        moves = advance(
            self._state.table,
            where := Where(np.full(n, row), slots, np.full(n, STATION)),
            Sample(~no, no, no, np.full(n, at_ms), np.full(n, np.nan, np.float32), since_ms),
            settings.timing(number, self._fleet.gap_floor_ms[slots], where),
        )
        return slots[moves.raised]

    def drive(  # noqa: PLR0913 - one cell, what is seen of it, when, and why
        self,
        cell: CellKey,
        *,
        hit: bool,
        clear: bool,
        at_ms: int,
        explain: Callable[[], Explained],
        since_ms: int | None = None,
    ) -> list[Transition]:
        """Move one cell by one sample that is known to be true or false."""
        row, slot, column = (np.array([x], np.intp) for x in cell)
        number = self._fleet.catalogue[slot]
        hit = hit and bool(self._fleet.settings.enabled[int(number[0]), cell[0]])
        moves = advance(
            self._state.table,
            where := Where(row, slot, column),
            Sample(
                hit=np.array([hit]),
                miss=np.array([not hit]),
                clear=np.array([clear]),
                at_ms=np.array([at_ms], np.int64),
                value=np.array([np.nan], np.float32),
                since_ms=None if since_ms is None else np.array([since_ms], np.int64),
            ),
            self._fleet.settings.timing(number, self._fleet.gap_floor_ms[slot], where),
        )
        return self._moved(cell, moves, at_ms, explain)

    def _moved(
        self, cell: CellKey, moves: Moves, at_ms: int, explain: Callable[[], Explained]
    ) -> list[Transition]:
        if len(moves.raised):
            return [self.raise_(cell, explain(), at_ms)]
        return [self.clear(cell, at_ms)] if len(moves.cleared) else []

    def _note(self, slot: int, column: int, finding: Finding) -> None:
        if finding.act in _CUTS:
            whole = finding.act is Act.CUT_STATION
            self._state.small[_ENDING, slot, slice(None) if whole else column] = 1
        if finding.severity in _COUNTS_AS_WARNED and finding.key.rule != "R41":
            times = self._fleet.station_ints
            times.warned_ms[slot] = max(times.warned_ms[slot], times.heard_ms[slot])
