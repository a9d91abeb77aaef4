"""Findings at rest: every transition once, in whatever order and however often it comes."""

import random
from dataclasses import replace
from math import inf, nan

import pytest

from alerts.findings import (
    FindingFilter,
    StoredFinding,
    get_finding,
    get_history,
    list_findings,
    open_findings,
    save_transitions,
)
from devices.database import Database
from devices.errors import CursorError
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition

KEY = FindingKey("cmrj-01", 3, "R02", "sustained", 1_800_000_000_000)
FINDING = Finding(
    key=KEY,
    family=Family.ALARM,
    severity=Severity.CRITICAL,
    reason="socket_hot",
    act=Act.CUT_SOCKET,
    latched=True,
    fire=False,
    shadow=False,
    raised_ms=KEY.episode_ms + 30_000,
    evidence={"temp_c": 81.5, "threshold_c": 80, "place": "socket", "latched": True, "u": None},
)


def _step(change: Change, seconds: float, temp_c: float = 81.5, **changes: object) -> Transition:
    finding = replace(FINDING, evidence={"temp_c": temp_c}, **changes)  # type: ignore[arg-type]
    return Transition(change, finding, KEY.episode_ms + round(seconds * 1000))


RAISED = _step(Change.RAISED, 30)
UPDATED = _step(Change.UPDATED, 40, 84)
HOTTER = _step(Change.UPDATED, 50, 90, severity=Severity.CRITICAL)
CLEARED = _step(Change.CLEARED, 600, 50)


async def _save(database: Database, *steps: Transition, at: int = 7) -> set[FindingKey]:
    async with database.writing() as connection:
        return set((await save_transitions(connection, steps, at)).began)


async def _only(database: Database) -> StoredFinding:
    async with database.reading() as connection:
        page = await list_findings(connection, FindingFilter())
    [stored] = page.items
    return stored


async def _changes(database: Database) -> list[tuple[Change, int]]:
    async with database.reading() as connection:
        history = await get_history(connection, (await _only(database)).id)
    return [(step.change, step.at_ms) for step in history]


async def test_a_finding_comes_back_as_it_was(database: Database) -> None:
    """Every field and kind of evidence."""
    whole = Transition(Change.RAISED, FINDING, FINDING.raised_ms)
    assert await _save(database, whole) == {KEY}
    stored = await _only(database)
    assert (stored.finding, stored.updated_ms, stored.cleared_ms) == (
        FINDING,
        FINDING.raised_ms,
        None,
    )
    async with database.reading() as connection:
        assert await get_finding(connection, stored.id) == stored
        assert await get_finding(connection, stored.id + 1) is None
        [step] = await get_history(connection, stored.id)
    assert (step.severity, step.reason, step.recorded_ms) == (Severity.CRITICAL, "socket_hot", 7)


async def test_a_life_of_a_finding(database: Database) -> None:
    """Raised, updated, cleared: the row follows, the history keeps each step."""
    assert await _save(database, RAISED) == {KEY}
    assert await _save(database, UPDATED, HOTTER) == set()
    stored = await _only(database)
    assert (stored.finding.evidence, stored.updated_ms) == ({"temp_c": 90}, HOTTER.at_ms)
    assert await _save(database, CLEARED) == set()
    stored = await _only(database)
    assert (stored.cleared_ms, stored.updated_ms) == (CLEARED.at_ms, CLEARED.at_ms)
    assert await _changes(database) == [
        (Change.RAISED, RAISED.at_ms),
        (Change.UPDATED, UPDATED.at_ms),
        (Change.UPDATED, HOTTER.at_ms),
        (Change.CLEARED, CLEARED.at_ms),
    ]
    async with database.reading() as connection:
        assert await open_findings(connection) == []


async def test_the_same_again_changes_nothing(database: Database) -> None:
    """A replayed journal, whole or in part, in one batch or many."""
    await _save(database, RAISED, UPDATED, CLEARED)
    before = (await _only(database), await _changes(database))
    assert await _save(database, RAISED, UPDATED, CLEARED, at=99) == set()
    assert await _save(database, RAISED, RAISED, at=99) == set()
    assert (await _only(database), await _changes(database)) == before


async def test_a_late_beginning_does_not_reopen(database: Database) -> None:
    """What ended stays ended, and nobody is told of a danger that is over."""
    assert await _save(database, CLEARED) == set()
    assert await _save(database, RAISED) == set()
    stored = await _only(database)
    assert stored.cleared_ms == CLEARED.at_ms
    assert stored.finding.evidence == {"temp_c": 50}
    assert [change for change, _ in await _changes(database)] == [Change.RAISED, Change.CLEARED]


async def test_an_update_after_the_end_does_not_reopen(database: Database) -> None:
    """It is on record and changes nothing."""
    await _save(database, RAISED, CLEARED)
    await _save(database, _step(Change.UPDATED, 700, 99))
    stored = await _only(database)
    assert (stored.cleared_ms, stored.finding.evidence) == (CLEARED.at_ms, {"temp_c": 50})


async def test_an_old_update_does_not_overwrite_a_newer_one(database: Database) -> None:
    """The row says the newest, whatever came last."""
    await _save(database, RAISED, HOTTER)
    await _save(database, UPDATED)
    assert (await _only(database)).finding.evidence == {"temp_c": 90}


async def test_raised_and_cleared_in_one_batch_is_told(database: Database) -> None:
    """It was a danger, even if it is over when it is written down."""
    assert await _save(database, CLEARED, RAISED) == {KEY}
    assert (await _only(database)).cleared_ms == CLEARED.at_ms


async def test_raised_again_at_another_instant_is_the_same_beginning(database: Database) -> None:
    """A replay in other batches may see it a moment later: still one beginning."""
    await _save(database, RAISED)
    assert await _save(database, _step(Change.RAISED, 31)) == set()
    assert await _changes(database) == [(Change.RAISED, RAISED.at_ms)]


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_and_grouping_ends_the_same(database: Database, seed: int) -> None:
    """Twelve episodes of four steps each, shuffled, doubled and cut into batches."""
    steps = [
        replace(step, finding=replace(step.finding, key=replace(KEY, socket=socket, rule=rule)))
        for socket in (None, 1, 2, 3)
        for rule in ("R01", "R02", "R10")
        for step in (RAISED, UPDATED, HOTTER, CLEARED)
    ]
    shuffled = steps * 2
    random.Random(seed).shuffle(shuffled)
    told: list[FindingKey] = []
    for start in range(0, len(shuffled), 7):
        told += await _save(database, *shuffled[start : start + 7])
    assert len(told) == len(set(told))
    async with database.reading() as connection:
        page = await list_findings(connection, FindingFilter())
        histories = [len(await get_history(connection, item.id)) for item in page.items]
    assert {item.finding.key for item in page.items} == {step.finding.key for step in steps}
    assert {item.cleared_ms for item in page.items} == {CLEARED.at_ms}
    assert histories == [4] * 12


async def test_a_station_finding_is_unique_too(database: Database) -> None:
    """Without a socket the key must hold as well."""
    key = replace(KEY, socket=None)
    raised = replace(RAISED, finding=replace(RAISED.finding, key=key))
    assert await _save(database, raised) == {key}
    assert await _save(database, raised) == set()
    assert (await _only(database)).finding.key == key


async def test_evidence_without_a_value_is_null(database: Database) -> None:
    """NaN has no place in JSON and must never fail the transaction of an alarm."""
    raised = replace(RAISED, finding=replace(FINDING, evidence={"a": nan, "b": inf, "c": 1.5}))
    assert await _save(database, raised) == {KEY}
    assert (await _only(database)).finding.evidence == {"a": None, "b": None, "c": 1.5}


async def test_a_storm_is_one_batch(database: Database) -> None:
    """Two thousand sockets at once: all raised, all recorded, once."""
    storm = [
        replace(RAISED, finding=replace(FINDING, key=replace(KEY, station=f"st-{n:04d}")))
        for n in range(2_000)
    ]
    assert len(await _save(database, *storm)) == 2_000
    assert await _save(database, *storm) == set()
    async with database.reading() as connection:
        assert len(await open_findings(connection)) == 2_000
        assert len(await open_findings(connection, "st-0007")) == 1


async def test_nothing_to_save_is_nothing(database: Database) -> None:
    """An empty turn asks the database nothing."""
    assert await _save(database) == set()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (FindingFilter(), ["R20", "R07", "R02"]),
        (FindingFilter(stations=frozenset({"cmrj-02"})), ["R07"]),
        (FindingFilter(socket=0), ["R07"]),
        (FindingFilter(rules=frozenset({"R02", "R20"})), ["R20", "R02"]),
        (FindingFilter(families=frozenset({Family.TROUBLE})), ["R20"]),
        (FindingFilter(severities=frozenset({Severity.CRITICAL})), ["R07", "R02"]),
        (FindingFilter(open=True), ["R20", "R07"]),
        (FindingFilter(open=False), ["R02"]),
        (FindingFilter(shadow=True), ["R20"]),
        (FindingFilter(shadow=False), ["R07", "R02"]),
        (FindingFilter(since_ms=KEY.episode_ms + 31_000), ["R20", "R07"]),
        (FindingFilter(until_ms=KEY.episode_ms + 31_000), ["R02"]),
    ],
)
async def test_findings_are_filtered(
    database: Database, filters: FindingFilter, expected: list[str]
) -> None:
    """Each filter alone, newest first."""
    smoke = replace(
        FINDING,
        key=replace(KEY, station="cmrj-02", socket=None, rule="R07"),
        raised_ms=KEY.episode_ms + 31_000,
    )
    full = replace(
        FINDING,
        key=replace(KEY, rule="R20"),
        raised_ms=KEY.episode_ms + 32_000,
        family=Family.TROUBLE,
        severity=Severity.INFO,
        shadow=True,
    )
    await _save(
        database,
        RAISED,
        CLEARED,
        Transition(Change.RAISED, smoke, smoke.raised_ms),
        Transition(Change.RAISED, full, full.raised_ms),
    )
    async with database.reading() as connection:
        page = await list_findings(connection, filters)
    assert [item.finding.key.rule for item in page.items] == expected


async def test_pages_show_every_finding_once(database: Database) -> None:
    """Also when all were raised in the same millisecond."""
    steps = [
        replace(RAISED, finding=replace(FINDING, key=replace(KEY, socket=n))) for n in range(1, 11)
    ]
    await _save(database, *steps)
    seen: list[int | None] = []
    cursor: str | None = None
    async with database.reading() as connection:
        for _ in range(4):
            page = await list_findings(connection, FindingFilter(), cursor, 3)
            seen += [item.finding.key.socket for item in page.items]
            cursor = page.next
    assert sorted(n or 0 for n in seen) == list(range(1, 11))
    assert cursor is None


@pytest.mark.parametrize("cursor", ["1.x", "1", "", f"1.{10**17}", "1.-1"])
async def test_a_cursor_nobody_gave_out_is_refused(database: Database, cursor: str) -> None:
    """Never a wrong page, never a database error."""
    async with database.reading() as connection:
        with pytest.raises(CursorError):
            await list_findings(connection, FindingFilter(), cursor)
