"""The canary: what it says, when a run has passed, and what its runs say about the alarm path."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.alarms import AlarmFilter, AlarmKey, StationAlarm, list_alarms, save_alarms
from alerts.findings import FindingFilter, list_findings, save_transitions
from alerts.incidents.store import Note, note
from alerts.incidents.tables import canary_run, incident, incident_finding
from alerts.outbox.tables import message
from alerts.tables import alarm, finding, finding_transition
from alerts.watch import canary_runs
from alerts.watch.canary import Canary, Voice, canary_id, canary_sites
from alerts.watch.canary_runs import DAY_MS, Outcome, Run, Standing
from devices.database import Database
from devices.names import is_canary, is_station_id
from devices.sitefile import packaged_site
from iot.codec import decode
from iot.contract import Alarm
from iot.topics import parse
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition
from tests.alerts_watch.watch_rows import add_incident, add_messages, message_row

NOON = 1_790_812_800_000
MINUTE = 60_000
SITE = "caimarenjia"
STATION = canary_id(SITE)


async def arrive(
    connection: AsyncConnection, run: Run, number: str, *, accepted_ms: int | None
) -> int:
    """What the backend makes of a run: alarm, finding, incident, message; the incident."""
    key = AlarmKey(run.station, "0a1b2c3d", run.alarm, active=True)
    came = StationAlarm(key, 1, "self_test", None, None, run.started_ms, run.started_ms + 5)
    await save_alarms(connection, [came], run.started_ms + 5)
    found = Finding(
        FindingKey(run.station, None, "R90", "self_test", run.started_ms),
        Family.SUPERVISORY,
        Severity.INFO,
        "device_self_test",
        Act.NONE,
        latched=False,
        fire=False,
        shadow=False,
        raised_ms=run.started_ms,
    )
    raised = Transition(Change.RAISED, found, run.started_ms)
    recorded = await save_transitions(connection, [raised], run.started_ms)
    made = await add_incident(
        connection, number, run.started_ms, canary=True, station_id=run.station, state="closed"
    )
    row = {"finding_id": recorded.new[0][0], "incident_id": made, "added_ms": run.started_ms}
    await connection.execute(incident_finding.insert(), [row])
    state = "queued" if accepted_ms is None else "accepted"
    sent = message_row(
        f"m{number}", made, run.started_ms, state=state, accepted_ms=accepted_ms, person_id="canary"
    )
    await add_messages(connection, sent)
    await note(connection, [Note(made, run.started_ms, "opened")])
    return made


async def begun(connection: AsyncConnection, at_ms: int) -> Run:
    """A run that began then."""
    run = await canary_runs.begin(connection, STATION, at_ms, MINUTE)
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("accepted_s", "seen_s", "outcome"),
    [
        (3, 5, Outcome.PASSED),
        (10, 12, Outcome.PASSED),
        (11, 12, Outcome.LATE),
        (None, 44, None),  # may still come
        (None, 45, Outcome.FAILED),
    ],
)
async def test_a_run_has_passed_when_its_message_was_accepted_within_ten_seconds(
    database: Database, accepted_s: int | None, seen_s: int, outcome: Outcome | None
) -> None:
    """The time of acceptance counts, not when somebody looked."""
    accepted_ms = None if accepted_s is None else NOON + accepted_s * 1000
    async with database.writing() as connection:
        run = await begun(connection, NOON)
        await arrive(connection, run, "F0001", accepted_ms=accepted_ms)
        ended = await canary_runs.judge(connection, NOON + seen_s * 1000)
        again = await canary_runs.judge(connection, NOON + seen_s * 1000)
    seen = replace(run, alarm_ms=NOON + 5, message_ms=accepted_ms)
    assert ended == ([] if outcome is None else [replace(seen, outcome=outcome)])
    assert again == []


async def test_an_alarm_that_never_came_is_told_from_a_message_that_did_not(
    database: Database,
) -> None:
    """The record says how far a failed run got."""
    async with database.writing() as connection:
        await begun(connection, NOON)
        second = await begun(connection, NOON + MINUTE)
        await arrive(connection, second, "F0002", accepted_ms=None)
        await canary_runs.judge(connection, NOON + 2 * MINUTE)
        rows = await connection.execute(select(canary_run.c.detail).order_by(canary_run.c.id))
        why = [row.detail["why"] for row in rows]
    assert why == ["the alarm was not recorded", "no message was accepted"]


async def test_two_processes_do_not_sing_at_once(database: Database) -> None:
    """A run that began within half a period is somebody else's turn."""
    async with database.writing() as connection:
        await begun(connection, NOON)
        assert await canary_runs.begin(connection, STATION, NOON + 29_000, MINUTE) is None
        assert await canary_runs.begin(connection, STATION, NOON + 30_000, MINUTE) is not None


async def add_runs(connection: AsyncConnection, *runs: tuple[int, Outcome]) -> None:
    """Ended runs, by when they began."""
    rows: list[dict[str, Any]] = [
        {"started_ms": at, "outcome": o.value, "detail": {}} for at, o in runs
    ]
    await connection.execute(canary_run.insert(), rows)


@pytest.mark.parametrize(
    ("minutes", "after", "standing"),
    [
        ({}, 0, Standing(None, None, 0)),
        (dict.fromkeys(range(10), "passed"), 9, Standing(1.0, NOON + 9 * MINUTE, 0)),
        (
            dict.fromkeys(range(8), "passed") | {8: "late", 9: "failed"},
            9,
            Standing(0.8, NOON + 7 * MINUTE, 2),
        ),
        # half an hour of which nothing is known counts against it
        (
            dict.fromkeys(range(10), "passed") | dict.fromkeys(range(40, 50), "passed"),
            49,
            Standing(20 / 48, NOON + 49 * MINUTE, 0),
        ),
        ({0: "failed"}, 1, Standing(0.0, None, 1)),
    ],
)
async def test_what_the_runs_say_about_the_alarm_path(
    database: Database, minutes: dict[int, str], after: int, standing: Standing
) -> None:
    """The share of the runs there should have been, the last success, failures in a row."""
    async with database.writing() as connection:
        if minutes:
            runs = [(NOON + m * MINUTE, Outcome(o)) for m, o in minutes.items()]
            await add_runs(connection, *runs)
        now_ms = NOON + after * MINUTE + 12_000
        assert await canary_runs.standing(connection, now_ms, MINUTE) == standing


async def test_what_was_a_day_ago_is_forgiven(database: Database) -> None:
    """Availability looks back 24 hours; a gap without runs is no proof."""
    async with database.writing() as connection:
        await add_runs(connection, (NOON, Outcome.FAILED), (NOON + DAY_MS, Outcome.PASSED))
        now_ms = NOON + DAY_MS + 12_000
        found = await canary_runs.standing(connection, now_ms, MINUTE)
    assert found == Standing(1 / 1439, NOON + DAY_MS, 0)


async def counted(connection: AsyncConnection) -> dict[str, int]:
    """Rows per table."""
    tables = (alarm, finding, finding_transition, incident, incident_finding, message, canary_run)
    return {
        table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        for table in tables
    }


async def test_what_old_runs_left_behind_is_deleted(database: Database) -> None:
    """Of all tables but the runs themselves; what is young, or real, stays."""
    async with database.writing() as connection:
        for n in range(3):
            run = await begun(connection, NOON + n * MINUTE)
            await arrive(connection, run, f"F000{n}", accepted_ms=NOON + n * MINUTE + 1)
        await add_incident(connection, "F0009", NOON, state="closed")
        assert await canary_runs.forget(connection, NOON + 2 * MINUTE) == 2
        assert await canary_runs.forget(connection, NOON + 2 * MINUTE) == 0
        left = await counted(connection)
    assert left == {
        "alarm": 1,
        "finding": 1,
        "finding_transition": 1,
        "incident": 2,
        "incident_finding": 1,
        "message": 1,
        "canary_run": 3,
    }


async def test_a_canary_is_in_no_list_of_findings_or_alarms(database: Database) -> None:
    """Unless somebody asks for it by name."""
    async with database.writing() as connection:
        run = await begun(connection, NOON)
        await arrive(connection, run, "F0001", accepted_ms=None)
        named = frozenset({STATION})
        pages: list[Any] = [
            await list_findings(connection, FindingFilter()),
            await list_findings(connection, FindingFilter(stations=named)),
            await list_alarms(connection, AlarmFilter()),
            await list_alarms(connection, AlarmFilter(stations=named)),
        ]
    assert [len(page.items) for page in pages] == [0, 1, 0, 1]


class Air:
    """Keeps what is published; ``up`` = there is a connection."""

    def __init__(self) -> None:
        """Connected."""
        self.up = True
        self.said: list[tuple[str, Alarm]] = []

    def publish(self, topic: str, body: bytes) -> bool:
        """Keep it as it would be decoded."""
        address = parse(topic)
        assert address is not None
        if self.up:
            alarm_body = decode(address[1], body)
            assert isinstance(alarm_body, Alarm)
            self.said.append((address[0], alarm_body))
        return self.up


def heard(air: Air) -> list[tuple[str, str, bool]]:
    """Station, alarm id and whether it begins, of all that was said."""
    return [(station, body.id, body.active) for station, body in air.said]


async def test_a_run_raises_an_alarm_and_ends_it(database: Database) -> None:
    """Valid bodies in order; at first an end for what an earlier process may have left."""
    air = Air()
    canary = Canary(database, [SITE], Voice(air.publish, "0a1b2c3d"), period_s=60)
    run = await canary.begin(NOON)
    assert run is not None
    async with database.writing() as connection:
        await arrive(connection, run, "F0001", accepted_ms=NOON + 800)
    assert [r.outcome for r in await canary.look(NOON + 2_000)] == [Outcome.PASSED]
    assert await canary.look(NOON + 4_000) == []
    assert heard(air) == [
        (STATION, f"{run.alarm}-before", False),
        (STATION, run.alarm, True),
        (STATION, run.alarm, False),
    ]
    assert [(b.seq, b.ts, b.kind) for _, b in air.said] == [
        (1, NOON - 1, "self_test"),
        (2, NOON, "self_test"),
        (3, NOON + 2_000, "self_test"),
    ]
    assert await canary.standing(NOON + 4_000) == Standing(1.0, NOON, 0)


async def test_sites_take_turns(database: Database) -> None:
    """One run a period, whatever the number of sites."""
    air = Air()
    canary = Canary(database, ["east", "west"], Voice(air.publish, "0a1b2c3d"), period_s=60)
    for minute in range(3):
        await canary.begin(NOON + minute * MINUTE)
    began = [station for station, body in air.said if body.active]
    assert began == ["canary-east", "canary-west", "canary-east"]


async def test_without_a_connection_a_run_has_failed_at_once(database: Database) -> None:
    """Nobody need wait for what did not leave."""
    air = Air()
    air.up = False
    canary = Canary(database, [SITE], Voice(air.publish, "0a1b2c3d"), period_s=60)
    await canary.begin(NOON)
    await canary.begin(NOON + MINUTE)
    assert await canary.look(NOON + MINUTE) == []
    assert await canary.standing(NOON + MINUTE + 1) == Standing(0.0, None, 2)


@pytest.mark.parametrize("site", ["abc", SITE, "a" * 32, "b" * 25, "b" * 26])
def test_a_canary_has_the_form_of_a_station(site: str) -> None:
    """Its id is one of the wire's, and two sites never share one."""
    assert is_station_id(canary_id(site))
    assert is_canary(canary_id(site))
    assert canary_id(site) != canary_id(site[:-1] + "z")


def test_a_canary_stands_in_its_site_and_in_no_registry() -> None:
    """So that its incident has a place; the site itself is unchanged."""
    site = packaged_site()
    (with_canary,) = canary_sites([site])
    assert [s.id for s in with_canary.stations] == [STATION]
    assert with_canary.stations[0].area in {area.id for area in site.areas}
    assert (with_canary.id, with_canary.name) == (site.id, site.name)
    assert site.station(STATION) is None


async def test_a_clock_that_was_set_back_does_not_silence_the_canary(database: Database) -> None:
    """A run of the future is no reason to wait."""
    async with database.writing() as connection:
        await begun(connection, NOON)
        await connection.execute(update(canary_run).values(outcome="passed"))
        assert await canary_runs.begin(connection, STATION, NOON - 3_600_000, MINUTE) is not None
