"""How fast people answered, from the timeline: pure.

Whoever arrives has acknowledged, whoever reports has arrived: a forgotten button is no delay of
its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from alerts.incidents.escalation import RowState
from alerts.incidents.plans import DeadlineName
from alerts.reports.model import Response

BEGINS: Final = frozenset({"raised", "again", "reopened"})
"""Lines of a timeline with which a further round begins."""
ACTS: Final = {"acknowledged": 0, "arrived": 1, "reported": 2}
_STAGES: Final = tuple(DeadlineName)


@dataclass(frozen=True, slots=True)
class Line:
    """What a timeline says: ``kind`` is one of ``BEGINS`` or ``ACTS``."""

    at_ms: int
    kind: str
    actor: str


@dataclass(frozen=True, slots=True)
class Round:
    """One life of an incident; ``reached_ms`` by stage: acknowledged, on site, reported."""

    begun_ms: int
    reached_ms: tuple[int | None, int | None, int | None] = (None, None, None)
    by: str | None = None  # who answered first

    def took_s(self, stage: int) -> int | None:
        """Seconds from the beginning to the stage."""
        at_ms = self.reached_ms[stage]
        return None if at_ms is None else round((at_ms - self.begun_ms) / 1000)


@dataclass(frozen=True, slots=True)
class DeadlineRow:
    """A deadline of a round as it is stored."""

    round: int
    step: str
    due_ms: int
    state: str


@dataclass(slots=True)
class _Kept:
    met: int = 0
    missed: int = 0
    pending: int = 0
    unanswered: int = 0
    took_s: list[int] = field(default_factory=list)


def rounds(first_ms: int, lines: Sequence[Line]) -> tuple[Round, ...]:
    """The rounds of an incident that began at ``first_ms``; ``lines`` in their order."""
    parts: list[tuple[int, list[Line]]] = [(first_ms, [])]
    for line in lines:
        if line.kind in BEGINS:
            parts.append((line.at_ms, []))
        elif line.kind in ACTS:
            parts[-1][1].append(line)
    return tuple(_round(begun_ms, acts) for begun_ms, acts in parts)


def kept(told: Iterable[tuple[Sequence[Round], Sequence[DeadlineRow]]]) -> tuple[Response, ...]:
    """How the deadlines of these incidents were kept, by deadline and target."""
    found: dict[tuple[int, int], _Kept] = defaultdict(_Kept)
    for lived, rows in told:
        for row in rows:
            if row.step in _STAGES and row.round <= len(lived):
                stage, one = _STAGES.index(DeadlineName(row.step)), lived[row.round - 1]
                target_s = round((row.due_ms - one.begun_ms) / 1000)
                _count(found[stage, target_s], row.state, one.took_s(stage))
    return tuple(
        Response(
            deadline=_STAGES[stage].value,
            target_s=target_s,
            met=k.met,
            missed=k.missed,
            pending=k.pending,
            unanswered=k.unanswered,
            median_s=round(median(k.took_s)) if k.took_s else None,
            worst_s=max(k.took_s, default=None),
        )
        for (stage, target_s), k in sorted(found.items(), key=lambda item: item[0])
    )


def _count(into: _Kept, state: str, took_s: int | None) -> None:
    if state == RowState.CANCELLED:
        return
    into.met += state == RowState.MET
    into.missed += state == RowState.MISSED
    into.pending += state not in (RowState.MET, RowState.MISSED)
    into.unanswered += state == RowState.MISSED and took_s is None
    if took_s is not None:
        into.took_s.append(took_s)


def _round(begun_ms: int, acts: Sequence[Line]) -> Round:
    acknowledged, on_site, reported = (
        min((a.at_ms for a in acts if ACTS[a.kind] >= stage), default=None)
        for stage in sorted(ACTS.values())
    )
    first = min(acts, key=lambda act: act.at_ms, default=None)
    by = None if first is None else first.actor
    return Round(begun_ms, (acknowledged, on_site, reported), by)
