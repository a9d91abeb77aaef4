"""When stations were out of protection: intervals of findings, each moment counted once. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from alerts.incidents.grading import OFFLINE_RULE, OUTAGE_RULE
from alerts.reports.model import Unprotected
from rules.model import Family

BLIND = frozenset({("R42", "blind"), ("R42", "refused"), (OFFLINE_RULE, "main")})
"""Rules and tiers of other families under which a station is not watched."""
OUTAGE = OUTAGE_RULE
"""Its evidence names the stations."""


@dataclass(frozen=True, slots=True)
class Span:
    """A finding that stood on a subject (a station, or a site) from ``start_ms`` to ``end_ms``."""

    subject: str
    rule: str
    tier: str
    family: str
    start_ms: int
    end_ms: int
    stations: tuple[str, ...] = ()  # an outage names its stations


def is_unprotected(span: Span) -> bool:
    """Whether a protection was off or nothing was seen while it stood."""
    return (
        span.family == Family.SUPERVISORY or (span.rule, span.tier) in BLIND or span.rule == OUTAGE
    )


def unprotected(
    spans: Iterable[Span], site: str, stations: Collection[str], start_ms: int, end_ms: int
) -> tuple[Unprotected, ...]:
    """Per station, longest first; the site itself (None) for what is of no station."""
    parts: dict[str | None, dict[str, list[tuple[int, int]]]] = {}
    for span in spans:
        clipped = max(span.start_ms, start_ms), min(span.end_ms, end_ms)
        if not is_unprotected(span) or clipped[0] >= clipped[1]:
            continue
        for subject in _subjects(span, site, stations):
            parts.setdefault(subject, defaultdict(list))[span.rule].append(clipped)
    rows = [_row(subject, by_rule, end_ms - start_ms) for subject, by_rule in parts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.seconds, row.station or "")))


def length_ms(intervals: Iterable[tuple[int, int]]) -> int:
    """How long they are together; where they overlap it is counted once."""
    total, until = 0, None
    for start, end in sorted(intervals):
        begin = start if until is None else max(start, until)
        total += max(0, end - begin)
        until = end if until is None else max(until, end)
    return total


def _subjects(span: Span, site: str, stations: Collection[str]) -> Sequence[str | None]:
    if span.rule == OUTAGE:
        return [name for name in span.stations if name in stations]
    if span.subject == site:
        return [None]
    return [span.subject] if span.subject in stations else []


def _row(
    station: str | None, by_rule: dict[str, list[tuple[int, int]]], whole_ms: int
) -> Unprotected:
    ms = length_ms(part for parts in by_rule.values() for part in parts)
    rules = sorted((rule, length_ms(parts) // 1000) for rule, parts in by_rule.items())
    return Unprotected(station, ms // 1000, round(ms / whole_ms, 6), tuple(rules))
