"""Findings at rest: every transition once, and the state they add up to.

Replaying a journal, or the same station twice, changes nothing: an episode is known by
(station, socket, rule, tier, start of episode), a transition by its change within it. What
has been cleared stays cleared, whatever arrives late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.tables import finding, finding_transition
from devices.database import insert_into
from devices.names import CANARY_PREFIX
from devices.pages import MAX_PAGE, Cursor, Page, page_of
from rules.model import Act, Change, Evidence, Family, Finding, FindingKey, Severity, Transition

_KEY = ("station_id", "socket", "rule", "tier", "episode_ms")
_LOOKUP_CHUNK = 1_000  # keys per look-up: five values each, SQLite takes 32,766
_ORDER = {Change.RAISED: 0, Change.UPDATED: 1, Change.CLEARED: 2}


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding as recorded. Times are UTC ms; ``cleared_ms`` None = it stands."""

    id: int
    finding: Finding
    updated_ms: int
    cleared_ms: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a call of ``save_transitions`` added: findings that began, transitions by finding."""

    began: frozenset[FindingKey] = frozenset()
    new: tuple[tuple[int, Transition], ...] = ()  # finding's row, in order of time


@dataclass(frozen=True, slots=True)
class StoredTransition:
    """One step in the life of a finding, as recorded at ``recorded_ms``."""

    change: Change
    at_ms: int
    recorded_ms: int
    severity: Severity
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings to list; None = any. UTC ms: ``since`` <= raised < ``until``.

    ``socket`` 0 asks for findings on stations themselves. Those of synthetic stations are in no
    list unless their stations are named.
    """

    stations: frozenset[str] | None = None
    socket: int | None = None
    rules: frozenset[str] | None = None
    families: frozenset[Family] | None = None
    severities: frozenset[Severity] | None = None
    open: bool | None = None
    shadow: bool | None = None
    since_ms: int | None = None
    until_ms: int | None = None


async def save_transitions(
    connection: AsyncConnection, transitions: Sequence[Transition], recorded_ms: int
) -> Recorded:
    """Record what is new of ``transitions``; what was, and the findings it raised.

    A finding whose end is known before its beginning arrives late was not raised by it.
    """
    if not transitions:
        return Recorded()
    ordered = sorted(transitions, key=lambda t: (t.at_ms, _ORDER[t.change]))
    first: dict[FindingKey, Transition] = {}
    for transition in ordered:
        first.setdefault(transition.finding.key, transition)
    made = await _make_findings(connection, first)
    ids = await _ids(connection, first)
    new = await _record(connection, ordered, ids, recorded_ms)
    await _apply(connection, new)
    began = {t.finding.key for t in new.values() if t.change is Change.RAISED}
    return Recorded(frozenset(made & began), tuple((step[0], t) for step, t in new.items()))


async def open_findings(
    connection: AsyncConnection, station: str | None = None
) -> list[StoredFinding]:
    """Findings that stand, oldest first."""
    c = finding.c
    query = select(finding).where(c.cleared_ms.is_(None)).order_by(c.raised_ms, c.id)
    if station is not None:
        query = query.where(c.station_id == station)
    return [stored_finding(row) for row in await connection.execute(query)]


async def list_findings(
    connection: AsyncConnection,
    filters: FindingFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[StoredFinding]:
    """One page, newest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = finding.c
    query = _filtered(select(finding), filters)
    query = query.order_by(c.raised_ms.desc(), c.id.desc()).limit(limit + 1)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.raised_ms == last.at_ms, c.id < last.number)
        query = query.where(or_(c.raised_ms < last.at_ms, older))
    rows = [stored_finding(row) for row in await connection.execute(query)]
    return page_of([(Cursor(s.finding.raised_ms, str(s.id)), s) for s in rows], limit)


async def get_finding(connection: AsyncConnection, finding_id: int) -> StoredFinding | None:
    """One finding by its number, or None."""
    row = (await connection.execute(select(finding).where(finding.c.id == finding_id))).first()
    return None if row is None else stored_finding(row)


async def get_history(connection: AsyncConnection, finding_id: int) -> list[StoredTransition]:
    """The recorded steps of one finding, in the order in which they happened."""
    c = finding_transition.c
    query = select(finding_transition).where(c.finding_id == finding_id).order_by(c.at_ms, c.id)
    return [
        StoredTransition(
            Change(row.change),
            row.at_ms,
            row.recorded_ms,
            Severity(row.severity),
            row.reason,
            row.evidence,
        )
        for row in await connection.execute(query)
    ]


async def _make_findings(
    connection: AsyncConnection, first: dict[FindingKey, Transition]
) -> set[FindingKey]:
    """Make the rows that do not exist yet; which were made."""
    rows = [
        {
            **_key_row(key),
            "family": t.finding.family.value,
            "severity": t.finding.severity.value,
            "reason": t.finding.reason,
            "act": t.finding.act.value,
            "latched": t.finding.latched,
            "fire": t.finding.fire,
            "shadow": t.finding.shadow,
            "raised_ms": t.finding.raised_ms,
            "updated_ms": t.at_ms,
            "evidence": _finite(t.finding.evidence),
        }
        for key, t in sorted(first.items(), key=lambda item: _sort_key(item[0]))
    ]
    insert = insert_into(connection, finding).on_conflict_do_nothing(index_elements=_KEY)
    returning = insert.returning(*(finding.c[name] for name in _KEY))
    return {_key(row) for row in await connection.execute(returning, rows)}


async def _ids(connection: AsyncConnection, keys: Iterable[FindingKey]) -> dict[FindingKey, int]:
    wanted = [tuple(_key_row(key).values()) for key in keys]
    columns = [finding.c[name] for name in _KEY]
    ids: dict[FindingKey, int] = {}
    for start in range(0, len(wanted), _LOOKUP_CHUNK):
        chunk = wanted[start : start + _LOOKUP_CHUNK]
        query = select(finding.c.id, *columns).where(tuple_(*columns).in_(chunk))
        ids.update((_key(row), row.id) for row in await connection.execute(query))
    return ids


async def _record(
    connection: AsyncConnection,
    ordered: Sequence[Transition],
    ids: dict[FindingKey, int],
    recorded_ms: int,
) -> dict[tuple[int, str, int], Transition]:
    """Write the transitions that are not known yet, by (finding, change, step)."""
    steps: dict[tuple[int, str, int], Transition] = {}
    for t in ordered:
        step_ms = t.at_ms if t.change is Change.UPDATED else 0
        steps.setdefault((ids[t.finding.key], t.change.value, step_ms), t)
    rows = [
        {
            "finding_id": finding_id,
            "change": change,
            "step_ms": step_ms,
            "at_ms": t.at_ms,
            "recorded_ms": recorded_ms,
            "severity": t.finding.severity.value,
            "reason": t.finding.reason,
            "evidence": _finite(t.finding.evidence),
        }
        for (finding_id, change, step_ms), t in sorted(steps.items(), key=lambda item: item[0])
    ]
    c = finding_transition.c
    insert = insert_into(connection, finding_transition).on_conflict_do_nothing(
        index_elements=["finding_id", "change", "step_ms"]
    )
    written = await connection.execute(insert.returning(c.finding_id, c.change, c.step_ms), rows)
    new = {(row.finding_id, row.change, row.step_ms) for row in written}
    return {step: t for step, t in steps.items() if step in new}


async def _apply(connection: AsyncConnection, new: dict[tuple[int, str, int], Transition]) -> None:
    """Bring the finding rows up to date; what is older than the row, or ended, stays."""
    c = finding.c
    stands = c.cleared_ms.is_(None)
    latest: dict[int, Transition] = {}
    ends: dict[int, int] = {}
    for (finding_id, _, _), t in new.items():  # in order of time
        latest[finding_id] = t
        if t.change is Change.CLEARED:
            ends[finding_id] = t.at_ms
    updates = [
        {
            "row": finding_id,
            "at": t.at_ms,
            "new_severity": t.finding.severity.value,
            "new_reason": t.finding.reason,
            "new_act": t.finding.act.value,
            "new_evidence": _finite(t.finding.evidence),
        }
        for finding_id, t in sorted(latest.items())
    ]
    if updates:
        newer = and_(c.id == bindparam("row"), stands, c.updated_ms <= bindparam("at"))
        statement = (
            update(finding)
            .where(newer)
            .values(
                updated_ms=bindparam("at"),
                severity=bindparam("new_severity"),
                reason=bindparam("new_reason"),
                act=bindparam("new_act"),
                evidence=bindparam("new_evidence"),
            )
        )
        await connection.execute(statement, updates)
    if ends:
        ending = update(finding).where(c.id == bindparam("row"), stands)
        rows = [{"row": finding_id, "at": at} for finding_id, at in sorted(ends.items())]
        await connection.execute(ending.values(cleared_ms=bindparam("at")), rows)


def _filtered(query: Select[Any], filters: FindingFilter) -> Select[Any]:
    c = finding.c
    wanted: list[ColumnElement[bool]] = []
    for column, members in (
        (c.station_id, filters.stations),
        (c.rule, filters.rules),
        (c.family, filters.families),
        (c.severity, filters.severities),
    ):
        if members is not None:
            wanted.append(column.in_(sorted(str(member) for member in members)))
    if filters.stations is None:
        wanted.append(c.station_id.not_like(f"{CANARY_PREFIX}%"))
    if filters.socket is not None:
        wanted.append(c.socket == filters.socket)
    if filters.open is not None:
        wanted.append(c.cleared_ms.is_(None) if filters.open else c.cleared_ms.is_not(None))
    if filters.shadow is not None:
        wanted.append(c.shadow.is_(filters.shadow))
    if filters.since_ms is not None:
        wanted.append(c.raised_ms >= filters.since_ms)
    if filters.until_ms is not None:
        wanted.append(c.raised_ms < filters.until_ms)
    return query.where(*wanted)


def _finite(evidence: Evidence) -> Evidence:
    """JSON has no NaN: a value that was not there is null, not a refused transaction."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in evidence.items()
    }


def _key_row(key: FindingKey) -> dict[str, Any]:
    return {
        "station_id": key.station,
        "socket": key.socket or 0,
        "rule": key.rule,
        "tier": key.tier,
        "episode_ms": key.episode_ms,
    }


def _sort_key(key: FindingKey) -> tuple[str, int, str, str, int]:
    """One order of locking for all writers, so that PostgreSQL sees no deadlock."""
    return key.station, key.socket or 0, key.rule, key.tier, key.episode_ms


def _key(row: Row[Any]) -> FindingKey:
    return FindingKey(row.station_id, row.socket or None, row.rule, row.tier, row.episode_ms)


def stored_finding(row: Row[Any]) -> StoredFinding:
    """A finding of a row of its table."""
    return StoredFinding(
        id=row.id,
        finding=Finding(
            key=_key(row),
            family=Family(row.family),
            severity=Severity(row.severity),
            reason=row.reason,
            act=Act(row.act),
            latched=row.latched,
            fire=row.fire,
            shadow=row.shadow,
            raised_ms=row.raised_ms,
            evidence=row.evidence,
        ),
        updated_ms=row.updated_ms,
        cleared_ms=row.cleared_ms,
    )
