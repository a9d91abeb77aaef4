"""The audit chain: whole when only we wrote, broken at the right place when anybody else did."""

import asyncio
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from alerts import audit
from alerts.audit import GENESIS, Anchor, Broken, Entry, Kind, Verdict
from api.cli.audit import app
from devices.database import Database
from devices.tables import metadata
from tests.cli.conftest import acall, data  # noqa: F401 - a fixture

AT = 1_800_000_000_000
ACTS: tuple[dict[str, Any], ...] = (
    {"actor": "zhang-wei", "action": "incident.acknowledge", "subject": "incident:F0001"},
    {"actor": "system", "action": "command.cut", "subject": "station:cmrj-01"},
    {"actor": "li-na", "action": "incident.close", "subject": "incident:F0001"},
    {"actor": "zhang-wei", "action": "silence.add", "subject": "station:cmrj-02"},
)


async def _written(database: Database, count: int = 4) -> list[Entry]:
    """A chain of ``count`` entries, each in its own transaction."""
    for number in range(count):
        async with database.writing() as connection:
            await audit.append(
                connection,
                **ACTS[number % len(ACTS)],
                detail={"note": f"第{number}条", "value": number + 0.5},
                at_ms=AT + number,
            )
    return await _all(database)


async def _all(database: Database) -> list[Entry]:
    async with database.reading() as connection:
        return [entry async for entry in audit.entries(connection)]


async def _verdict(database: Database, expect: Anchor | None = None) -> Verdict:
    async with database.reading() as connection:
        return await audit.verify(connection, expect)


async def _meddle(database: Database, *statements: str) -> None:
    async with database.writing() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_empty_chain_is_whole(database: Database) -> None:
    """Nothing was done yet: no entry, the head at the beginning."""
    assert await _verdict(database) == Verdict(0, Anchor(0, GENESIS))


async def test_entries_come_back_as_they_were_and_hold(database: Database) -> None:
    """Numbers from 1, each hash over the one before; the head is the last entry."""
    entries = await _written(database)
    previous = GENESIS
    for number, entry in enumerate(entries):
        assert entry == Entry(
            seq=number + 1,
            at_ms=AT + number,
            **ACTS[number],
            detail={"note": f"第{number}条", "value": number + 0.5},
            previous=previous,
            hash=entry.hash,
        )
        previous = entry.hash
    assert await _verdict(database) == Verdict(4, Anchor(4, previous))


async def test_the_hash_can_be_made_with_any_tool(database: Database) -> None:
    """The form that the decision record states: two SHA-256, no secret."""
    async with database.writing() as connection:
        await audit.append(
            connection, actor="甲", action="a", subject="s", detail={"b": 2.0, "a": None}, at_ms=7
        )
    [entry] = await _all(database)
    said = '{"action":"a","actor":"甲","at_ms":7,"detail":{"a":null,"b":2},"seq":1,"subject":"s"}'
    digest = hashlib.sha256(said.encode()).hexdigest()
    assert entry.hash == hashlib.sha256(f"{'0' * 64}\n{digest}".encode()).hexdigest()


async def test_a_transaction_that_fails_leaves_no_gap(database: Database) -> None:
    """The number goes back with the act."""
    await _written(database, 1)

    async def broken_off() -> None:
        async with database.writing() as connection:
            await audit.append(connection, **ACTS[0], detail={}, at_ms=AT)
            raise KeyError

    with pytest.raises(KeyError):
        await broken_off()
    await _written(database, 1)
    verdict = await _verdict(database)
    assert (verdict.ok, verdict.entries) == (True, 2)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("at_ms = at_ms + 1", Kind.ALTERED),
        ("actor = 'somebody'", Kind.ALTERED),
        ("action = 'incident.open'", Kind.ALTERED),
        ("subject = 'incident:F0002'", Kind.ALTERED),
        ("""detail = '{"note": "第2条", "value": 3.5}'""", Kind.ALTERED),
        ("detail = '[]'", Kind.ALTERED),
        (f"previous = '{GENESIS}'", Kind.ALTERED),
        (f"hash = '{GENESIS}'", Kind.ALTERED),
        ("seq = 30", Kind.MISSING),
        ("seq = -3", Kind.ALTERED),
    ],
)
async def test_any_changed_column_is_found(database: Database, change: str, kind: Kind) -> None:
    """The third of four entries is not what it was: told at its place."""
    await _written(database)
    await _meddle(database, f"UPDATE audit SET {change} WHERE seq = 3")  # noqa: S608 - the test's own
    verdict = await _verdict(database)
    at = -3 if "-3" in change else 3
    assert verdict.broken == Broken(at, kind)
    assert verdict.entries == max(at - 1, 0)


async def test_a_detail_that_is_no_json_any_more_is_found(tmp_path: Path) -> None:
    """SQLite takes any text: told, not raised."""
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    async with database.writing() as connection:
        await connection.run_sync(metadata.create_all)
    await _written(database)
    for wrong in ("'{'", "'[1'", "''"):
        await _meddle(database, f"UPDATE audit SET detail = {wrong} WHERE seq = 2")  # noqa: S608
        assert (await _verdict(database)).broken == Broken(2, Kind.ALTERED)
    await _meddle(database, "UPDATE audit SET at_ms = x'00' WHERE seq = 1")
    assert (await _verdict(database)).broken == Broken(1, Kind.ALTERED)
    await database.close()


@pytest.mark.parametrize("gone", [1, 2, 4])
async def test_a_deleted_entry_is_found(database: Database, gone: int) -> None:
    """The first, one between, the last: missing at its number."""
    await _written(database)
    await _meddle(database, f"DELETE FROM audit WHERE seq = {gone}")  # noqa: S608
    assert (await _verdict(database)).broken == Broken(gone, Kind.MISSING)


async def test_a_head_that_was_moved_is_found(database: Database) -> None:
    """Back, away, or to another hash."""
    await _written(database)
    for meddling in (
        "UPDATE audit_head SET seq = 3",
        f"UPDATE audit_head SET seq = 4, hash = '{GENESIS}'",  # noqa: S608
        "DELETE FROM audit_head",
    ):
        await _meddle(database, meddling)
        assert (await _verdict(database)).broken == Broken(4, Kind.HEAD)


async def test_a_cut_off_end_is_found_by_an_anchor_alone(database: Database) -> None:
    """Last entry and head taken back together look whole, but not to who kept the hash."""
    entries = await _written(database)
    kept = Anchor(4, entries[3].hash)
    assert (await _verdict(database, kept)).ok
    assert (await _verdict(database, Anchor(2, entries[1].hash))).ok
    assert (await _verdict(database, Anchor(0, GENESIS))).ok
    await _meddle(
        database,
        "DELETE FROM audit WHERE seq = 4",
        f"UPDATE audit_head SET seq = 3, hash = '{entries[2].hash}'",  # noqa: S608
    )
    assert (await _verdict(database)).ok
    assert (await _verdict(database, kept)).broken == Broken(4, Kind.ANCHOR)


async def test_a_chain_written_anew_is_found_by_an_anchor_alone(database: Database) -> None:
    """All hashes fit again, the one kept outside does not."""
    entries = await _written(database)
    kept = Anchor(2, entries[1].hash)
    await _meddle(database, "DELETE FROM audit", "DELETE FROM audit_head")
    assert await _written(database, 3) == entries[:3]
    assert (await _verdict(database, kept)).ok  # the same acts: the same hashes
    await _meddle(database, "DELETE FROM audit", "DELETE FROM audit_head")
    async with database.writing() as connection:
        for number in range(3):
            await audit.append(connection, **ACTS[0], detail={}, at_ms=AT + number)
    assert (await _verdict(database)).ok
    assert (await _verdict(database, kept)).broken == Broken(2, Kind.ANCHOR)


async def test_writers_at_once_make_one_chain(database: Database, migrated_url: str) -> None:
    """Two processes' worth of connections, the very first entry included."""
    other = await Database.open(migrated_url, checkpoints=False)

    async def write(through: Database, number: int) -> int:
        async with through.writing() as connection:
            return await audit.append(connection, **ACTS[0], detail={"n": number}, at_ms=AT)

    numbers = await asyncio.gather(*(write((database, other)[n % 2], n) for n in range(20)))
    await other.close()
    assert sorted(numbers) == list(range(1, 21))
    verdict = await _verdict(database)
    assert (verdict.ok, verdict.entries) == (True, 20)


async def test_what_a_column_cannot_hold_does_not_stop_an_act(database: Database) -> None:
    """Long names are cut, NUL and lone surrogates replaced, values without JSON form are null."""
    async with database.writing() as connection:
        await audit.append(
            connection,
            actor="a" * 100,
            action="b\x00" * 50,
            subject="c\ud800" * 100,
            detail={"nan": float("nan"), "big": 1e22, "zero": -0.0, "tiny": 1e-300, "x": "\x00"},
            at_ms=AT,
        )
    [entry] = await _all(database)
    assert entry == replace(
        entry,
        actor="a" * 64,
        action="b\ufffd" * 20,
        subject="c?" * 60,
        detail={"nan": None, "big": 10**22, "zero": 0, "tiny": 1e-300, "x": "\ufffd"},
    )
    assert (await _verdict(database)).ok


def test_what_has_no_json_form_is_refused() -> None:
    """A mistake of the caller is seen at once."""
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        audit.canonical({"a": [b""]})


def _json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    return st.recursive(
        leaves, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(), x, max_size=4)
    )


@given(st.dictionaries(st.text(), _json(), max_size=4))
def test_the_canonical_form_is_its_own(detail: dict[str, Any]) -> None:
    """Again, and through JSON and back: nothing changes, so that the hash is the same."""
    once = audit.canonical(detail)
    assert audit.canonical(once) == once
    entry = Entry(1, AT, "a", "b", "c", once, GENESIS, "")
    read = replace(entry, detail=json.loads(json.dumps(once)))
    assert audit.content_digest(read) == audit.content_digest(entry)


async def test_hypothetical_details_hold_in_both_databases(database: Database) -> None:
    """A few hundred of the strangest documents, stored and checked together."""
    details: list[dict[str, Any]] = []

    @given(st.dictionaries(st.text(), _json(), max_size=4))
    def collect(detail: dict[str, Any]) -> None:
        details.append(detail)

    collect()
    async with database.writing() as connection:
        for detail in details:
            await audit.append(connection, **ACTS[0], detail=detail, at_ms=AT)
    verdict = await _verdict(database)
    assert (verdict.ok, verdict.entries) == (True, len(details))


@pytest.mark.parametrize(
    "wrong", ["", "@", "ab@1", f"{GENESIS}", f"{GENESIS}@", f"{GENESIS}@-1", f"{'g' * 64}@1"]
)
def test_an_anchor_is_hash_at_number(wrong: str) -> None:
    """Everything else is refused with what is wanted; what is printed can be read."""
    anchor = Anchor(12, "ab" * 32)
    assert Anchor.parse(str(anchor)) == anchor
    with pytest.raises(ValueError, match="no anchor"):
        Anchor.parse(wrong)


async def test_the_newest_are_listed_by_subject_and_actor(database: Database) -> None:
    """Newest first, as many as asked for."""
    entries = await _written(database)
    async with database.reading() as connection:
        assert await audit.newest(connection, limit=3) == entries[:0:-1]
        of_incident = await audit.newest(connection, subject=audit.incident_subject("F0001"))
        by_zhang = await audit.newest(connection, actor="zhang-wei", limit=1)
    assert of_incident == [entries[2], entries[0]]
    assert by_zhang == [entries[3]]


@pytest.mark.usefixtures("data")
async def test_the_command_tells_by_exit_code(database: Database, migrated_url: str) -> None:
    """0 and the anchor when whole; 1 and the place when not; a script gets JSON."""
    entries = await _written(database)
    kept = f"{entries[3].hash}@4"
    good = await acall(app, "verify", "--database", migrated_url, "--expect", kept)
    assert (good.exit_code, good.stdout) == (0, f"4 entries, all good\n{kept}\n")
    listed = await acall(app, "list", "--database", migrated_url, "--json", "--limit", "1")
    assert json.loads(listed.stdout) == [asdict(entries[3])]
    table = await acall(app, "list", "--database", migrated_url, "--actor", "li-na")
    assert "incident.close" in table.stdout
    await _meddle(database, "UPDATE audit SET actor = 'x' WHERE seq = 2")
    bad = await acall(app, "verify", "--database", migrated_url)
    assert (bad.exit_code, bad.stdout) == (1, f"{kept}\n")
    assert "broken at entry 2: altered; the 1 entries before are good" in bad.stderr
    script = await acall(app, "verify", "--database", migrated_url, "--json")
    assert script.exit_code == 1
    assert json.loads(script.stdout) == {
        "ok": False,
        "entries": 1,
        "head": kept,
        "broken": {"seq": 2, "kind": "altered"},
    }


@pytest.mark.usefixtures("data")
async def test_the_command_refuses_what_is_no_anchor(migrated_url: str) -> None:
    """A mistyped hash is no broken chain."""
    wrong = await acall(app, "verify", "--database", migrated_url, "--expect", "abc@1")
    assert wrong.exit_code == 2
    nothing = await acall(app, "list", "--database", migrated_url)
    assert (nothing.exit_code, nothing.stdout) == (0, "no entries\n")
