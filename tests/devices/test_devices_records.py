"""Commands, lockouts, limits and statuses: what was stored is what comes back."""

from dataclasses import replace

import pytest

from devices import records
from devices.command_model import CommandRecord, Failure, Origin, State
from devices.database import Database
from devices.errors import CursorError
from devices.limits import Desired
from devices.lockouts import Approval, Kind, Lockout
from devices.orders import Action, Intervals, Result, Trips
from devices.records import CommandFilter
from devices.twin import ReportedStatus

BARE = CommandRecord(
    id="c-0",
    station="cmrj-01",
    socket=None,
    action=Action.CUT_STATION,
    reason="smoke",
    rule=None,
    origin=Origin.PERSON,
    by="admin",
    lock=False,
    state=State.REQUESTED,
    issued_ms=1_800_000_000_000,
    expires_ms=1_800_000_010_000,
)
FULL = replace(
    BARE,
    id="c-1",
    socket=7,
    action=Action.CUT,
    rule="R02",
    origin=Origin.RULE,
    by=None,
    lock=True,
    state=State.FAILED,
    parent="c-0",
    trigger_received_ms=1_799_999_999_990,
    first_sent_ms=1_800_000_000_000,
    sent_ms=1_800_000_007_000,
    published_ms=1_800_000_000_003,
    sends=3,
    seen_boot=0xFFFFFFFF,
    seen_seq=2**32 - 1,
    reply=Result.REFUSED,
    reply_detail="不行",
    replied_ms=1_800_000_000_200,
    proven_ms=1_800_000_009_000,
    proof_w=0.25,
    relay_open=False,
    others_unaffected=True,
    failure=Failure.STILL_POWER,
    ended_ms=1_800_000_010_000,
)


async def test_commands_come_back_as_they_were(database: Database) -> None:
    """Every field, the empty ones and the largest numbers too."""
    async with database.writing() as connection:
        await records.save_commands(connection, [FULL, BARE])
    async with database.reading() as connection:
        assert await records.get_command(connection, "c-0") == BARE
        assert await records.get_command(connection, "c-1") == FULL
        assert await records.get_command(connection, "c-2") is None
        assert await records.load_live_commands(connection) == [BARE]


async def test_a_command_stored_again_takes_its_newest_form(database: Database) -> None:
    """Also when both forms come in one batch."""
    done = replace(BARE, state=State.PROVEN, proof_w=0.0)
    async with database.writing() as connection:
        await records.save_commands(connection, [BARE])
        await records.save_commands(connection, [replace(BARE, state=State.SENT), done])
        await records.save_commands(connection, [])
    async with database.reading() as connection:
        assert await records.get_command(connection, "c-0") == done
        assert await records.load_live_commands(connection) == []


async def test_commands_are_listed_newest_first_in_pages(database: Database) -> None:
    """Every command once, also where several share a millisecond."""
    made = [replace(BARE, id=f"c-{n:02d}", issued_ms=BARE.issued_ms + n // 3) for n in range(10)]
    async with database.writing() as connection:
        await records.save_commands(connection, made)
    seen: list[str] = []
    cursor: str | None = None
    async with database.reading() as connection:
        for _ in range(4):
            page = await records.list_commands(connection, CommandFilter(), cursor, 3)
            seen += [record.id for record in page.items]
            cursor = page.next
    assert seen == [f"c-{n:02d}" for n in reversed(range(10))]
    assert cursor is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (CommandFilter(), {"c-0", "c-1"}),
        (CommandFilter(stations=frozenset({"cmrj-02"})), set()),
        (CommandFilter(stations=frozenset()), set()),
        (CommandFilter(socket=7), {"c-1"}),
        (CommandFilter(socket=0), {"c-0"}),
        (CommandFilter(states=frozenset({State.FAILED, State.PROVEN})), {"c-1"}),
        (CommandFilter(since_ms=BARE.issued_ms), {"c-0", "c-1"}),
        (CommandFilter(until_ms=BARE.issued_ms), set()),
    ],
)
async def test_commands_are_filtered(
    database: Database, filters: CommandFilter, expected: set[str]
) -> None:
    """Each filter alone."""
    async with database.writing() as connection:
        await records.save_commands(connection, [BARE, FULL])
    async with database.reading() as connection:
        page = await records.list_commands(connection, filters)
    assert {record.id for record in page.items} == expected


@pytest.mark.parametrize("cursor", ["", "x", "1", "-1.c", "1.", f"{10**17}.c", "1." + "c" * 65])
async def test_a_cursor_nobody_gave_out_is_refused(database: Database, cursor: str) -> None:
    """Never a wrong page, never a database error."""
    async with database.reading() as connection:
        with pytest.raises(CursorError):
            await records.list_commands(connection, CommandFilter(), cursor)


async def test_lockouts_come_back_while_they_stand(database: Database) -> None:
    """A released one stays on record, and the same rule can lock again later."""
    fire = Lockout(
        "cmrj-01", None, Kind.LATCHED, "R07", "smoke", fire=True, since_ms=5,
        approvals=(Approval("li", "看过了", 6),),
    )  # fmt: skip
    over = Lockout("cmrj-01", 2, Kind.LATCHED, "R02", "hot", fire=False, since_ms=1, released_ms=3)
    again = replace(over, since_ms=8, released_ms=None)
    async with database.writing() as connection:
        await records.save_lockouts(connection, [fire, over, again])
    async with database.reading() as connection:
        assert await records.load_lockouts(connection) == [fire, again]
        assert await records.load_lockouts(connection, "cmrj-02") == []
        everything = await records.load_lockouts(connection, "cmrj-01", released=True)
    assert everything == [over, fire, again]


async def test_limits_come_back_newest(database: Database) -> None:
    """One document per station."""
    old = Desired("cmrj-01", 1, Trips(), Intervals(), (), 1)
    new = Desired("cmrj-01", 2, Trips(socket_c=80.0), Intervals(fast_s=0.5), (1, 12), 2)
    async with database.writing() as connection:
        await records.save_limits(connection, [old])
        await records.save_limits(connection, [new])
        await records.save_limits(connection, [old])  # a late repeat
    async with database.reading() as connection:
        assert await records.load_limits(connection) == [new]


async def test_status_comes_back_newest(database: Database) -> None:
    """One per station, protections included."""
    status = ReportedStatus(
        online=True,
        boot="00ff00ff",
        firmware="1.4.0",
        hardware="B2",
        sockets=12,
        interval_s=5.0,
        limits_version=2**53 - 1,
        protections={"smoke_sensor": True, "leakage_trip": False},
        received_ms=1_800_000_000_000,
    )
    gone = replace(status, online=False, received_ms=1_800_000_001_000)
    async with database.writing() as connection:
        await records.save_status(connection, [("cmrj-01", status), ("cmrj-02", status)])
        await records.save_status(connection, [("cmrj-01", gone)])
        await records.save_status(connection, [("cmrj-01", status)])  # a late repeat
    async with database.reading() as connection:
        assert await records.load_status(connection) == {"cmrj-01": gone, "cmrj-02": status}
