"""Silences: what they cover, how they end, and that no danger is ever muted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import audit
from alerts.incidents import silences
from alerts.incidents.silences import (
    MAX_MS,
    Silence,
    SilenceFilter,
    SilenceRefusal,
    SilenceRefusedError,
    Wanted,
    muted,
)
from devices.database import Database
from rules.model import Family

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
WANTED = Wanted("caimarenjia", "cmrj-01", "R41", NOW_MS + HOUR_MS, "4G modem exchanged", "li")
SILENCE = Silence(
    id=1,
    site="caimarenjia",
    station="cmrj-01",
    rule="R41",
    from_ms=NOW_MS,
    until_ms=NOW_MS + HOUR_MS,
    reason="4G modem exchanged",
    by="li",
)


async def add(database: Database, wanted: Wanted = WANTED, now_ms: int = NOW_MS) -> Silence:
    """Begin it."""
    async with database.writing() as connection:
        return await silences.add(connection, wanted, now_ms)


async def end(database: Database, silence_id: int, now_ms: int) -> Silence | None:
    """End it early."""
    async with database.writing() as connection:
        return await silences.end(connection, silence_id, "zhao", now_ms)


async def listed(database: Database, where: SilenceFilter, **page: object) -> list[int]:
    """The numbers of what is listed."""
    async with database.reading() as connection:
        found = await silences.list_silences(connection, where, **page)  # type: ignore[arg-type]
    return [one.id for one in found.items]


async def test_a_silence_comes_back_as_it_was_made(database: Database) -> None:
    """Every field; it is in force from now until its end."""
    made = await add(database)
    assert made == replace(SILENCE, id=made.id)
    async with database.reading() as connection:
        assert await silences.in_force(connection, NOW_MS) == [made]
        assert await silences.in_force(connection, NOW_MS + HOUR_MS - 1) == [made]
        assert await silences.in_force(connection, NOW_MS + HOUR_MS) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rule": "R02"}, SilenceRefusal.DANGER),
        ({"rule": "R07"}, SilenceRefusal.DANGER),
        ({"until_ms": NOW_MS}, SilenceRefusal.OVER),
        ({"until_ms": NOW_MS + MAX_MS + 1}, SilenceRefusal.TOO_LONG),
    ],
)
async def test_what_may_not_be_silenced(
    database: Database, changes: dict[str, object], told: SilenceRefusal
) -> None:
    """Rules that tell of dangers; no end, or one too far away."""
    with pytest.raises(SilenceRefusedError) as refused:
        await add(database, replace(WANTED, **changes))  # type: ignore[arg-type]
    assert refused.value.refusal is told
    assert await listed(database, SilenceFilter()) == []


@pytest.mark.parametrize("rule", [None, "R08", "R41", "R99"])
async def test_what_may_be_silenced_for_a_week(database: Database, rule: str | None) -> None:
    """Rules that do not only tell of dangers; R08 is water, but also the door."""
    made = await add(database, replace(WANTED, rule=rule, until_ms=NOW_MS + MAX_MS))
    assert (made.rule, made.until_ms) == (rule, NOW_MS + MAX_MS)


async def test_ending_early_happens_once(database: Database) -> None:
    """The first end stands; a silence that is over is left alone; no silence is none."""
    made = await add(database)
    ended = replace(made, ended_ms=NOW_MS + 5)
    assert await end(database, made.id, NOW_MS + 5) == ended
    assert await end(database, made.id, NOW_MS + 9) == ended
    over = await add(database)
    assert await end(database, over.id, NOW_MS + HOUR_MS) == over
    assert await end(database, 999, NOW_MS) is None
    async with database.reading() as connection:
        assert await silences.in_force(connection, NOW_MS + 5) == [over]


async def test_silences_are_in_the_audit_log(database: Database) -> None:
    """Who began and who ended each, once; a refused one is not in it."""
    made = await add(database)
    await end(database, made.id, NOW_MS + 5)
    await end(database, made.id, NOW_MS + 6)
    with pytest.raises(SilenceRefusedError):
        await add(database, replace(WANTED, rule="R02"))
    async with database.reading() as connection:
        entries = [entry async for entry in audit.entries(connection)]
    detail = {
        "silence": made.id,
        "rule": "R41",
        "until_ms": NOW_MS + HOUR_MS,
        "reason": "4G modem exchanged",
    }
    assert [(e.actor, e.action, e.subject, e.detail, e.at_ms) for e in entries] == [
        ("li", "silence.begin", "caimarenjia/cmrj-01", detail, NOW_MS),
        ("zhao", "silence.end", "caimarenjia/cmrj-01", detail, NOW_MS + 5),
    ]


async def test_silences_are_listed_newest_first(database: Database) -> None:
    """By site, by station, by whether they are in force; page by page."""
    one = await add(database, now_ms=NOW_MS)
    two = await add(database, replace(WANTED, station=None), now_ms=NOW_MS + 1)
    three = await add(database, replace(WANTED, site="other"), now_ms=NOW_MS + 2)
    await end(database, one.id, NOW_MS + 3)
    assert await listed(database, SilenceFilter()) == [three.id, two.id, one.id]
    assert await listed(database, SilenceFilter(site="caimarenjia")) == [two.id, one.id]
    assert await listed(database, SilenceFilter(station="cmrj-01")) == [three.id, one.id]
    assert await listed(database, SilenceFilter(at_ms=NOW_MS + 2)) == [three.id, two.id, one.id]
    assert await listed(database, SilenceFilter(at_ms=NOW_MS + 3)) == [three.id, two.id]
    assert await listed(database, SilenceFilter(at_ms=NOW_MS + HOUR_MS)) == []
    async with database.reading() as connection:
        first = await silences.list_silences(connection, SilenceFilter(), None, 2)
        rest = await silences.list_silences(connection, SilenceFilter(), first.next, 2)
    assert ([s.id for s in first.items], first.next) == (
        [three.id, two.id],
        f"{NOW_MS + 1}.{two.id}",
    )
    assert ([s.id for s in rest.items], rest.next) == ([one.id], None)


@pytest.mark.parametrize(
    ("changes", "where", "told"),
    [
        ({}, {}, False),
        ({}, {"rule": "R42"}, True),
        ({}, {"station": "cmrj-02"}, True),
        ({}, {"station": None}, True),
        ({}, {"site": "other"}, True),
        ({"rule": None}, {"rule": "R42"}, False),
        ({"station": None}, {"station": "cmrj-02"}, False),
        ({"station": None}, {"station": None}, False),
        ({}, {"now_ms": NOW_MS - 1}, True),
        ({}, {"now_ms": NOW_MS + HOUR_MS}, True),
        ({"ended_ms": NOW_MS + 5}, {"now_ms": NOW_MS + 4}, False),
        ({"ended_ms": NOW_MS + 5}, {"now_ms": NOW_MS + 5}, True),
    ],
)
def test_what_a_silence_covers(
    changes: dict[str, object], where: dict[str, object], *, told: bool
) -> None:
    """Its place, its rule, its time; nothing beside them."""
    asked: dict[str, object] = {
        "site": "caimarenjia",
        "station": "cmrj-01",
        "rule": "R41",
        "family": Family.TROUBLE,
        "now_ms": NOW_MS,
    }
    silence = replace(SILENCE, **changes)  # type: ignore[arg-type]
    found = muted([silence], **{**asked, **where})  # type: ignore[arg-type]
    assert found == (None if told else silence)


@given(
    st.builds(
        Silence,
        id=st.integers(1, 9),
        site=st.just("caimarenjia"),
        station=st.sampled_from([None, "cmrj-01"]),
        rule=st.sampled_from([None, "R02", "R07", "R41"]),
        from_ms=st.just(0),
        until_ms=st.just(2**53),
        reason=st.text(max_size=5),
        by=st.just("li"),
    ),
    st.sampled_from(["R02", "R07", "R08", "R41"]),
)
def test_no_danger_is_ever_muted(silence: Silence, rule: str) -> None:
    """Whatever stands in SQL, a finding of family alarm reaches people."""
    asked = {"site": "caimarenjia", "station": "cmrj-01", "rule": rule, "now_ms": NOW_MS}
    assert muted([silence], **asked, family=Family.ALARM) is None  # type: ignore[arg-type]
