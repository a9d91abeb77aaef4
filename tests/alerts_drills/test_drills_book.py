"""Drills: held when they are due, once, never late nor beside a real alarm; who answered."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.drills.book import (
    LATE_MS,
    LONGEST_MS,
    REAL_ALARM,
    TOO_LATE,
    Drill,
    DrillState,
    end_due,
    list_drills,
    order,
    plan_ahead,
    start_due,
)
from alerts.drills.plans import DrillPlan, DrillsSettings, times
from alerts.drills.report import Answer, DrillReport, drill_report
from alerts.drills.turn import Drills
from alerts.incidents.tables import incident, incident_event
from alerts.oncall.tables import person
from alerts.outbox.tables import message
from devices.database import Database

SITE = "caimarenjia"
ZONE = ZoneInfo("Asia/Shanghai")
ZONES = {SITE: ZONE}
WEEKLY = DrillPlan(site=SITE, time="10:00", weekday=3)
MONTHLY = DrillPlan(site=SITE, area="east", time="15:30", day=28)
NOON_MS = 1_795_579_200_000  # Wednesday 2026-11-25 12:00 in Hangzhou
DAY_MS = 86_400_000


def _incident(**columns: object) -> dict[str, object]:
    return {
        "site_id": SITE,
        "urgency": "fire",
        "drill": True,
        "canary": False,
        "state": "open",
        "round": 1,
        "opened_ms": NOON_MS,
        "first_ms": NOON_MS,
        "activity_ms": NOON_MS,
        "standing": 0,
        **columns,
    }


class Opener:
    """Makes the incident of a drill and remembers what it was asked for."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self.asked: list[tuple[str, str | None, int, str]] = []

    async def __call__(
        self, connection: AsyncConnection, site: str, area: str | None, now_ms: int, by: str
    ) -> int:
        """A row that looks like the desk's."""
        self.asked.append((site, area, now_ms, by))
        number = f"F{len(self.asked):04d}"
        row = _incident(number=number, area_id=area, first_ms=now_ms)
        made = await connection.execute(insert(incident).values(row).returning(incident.c.id))
        return int(made.scalar_one())


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """One transaction."""
    async with database.writing() as connection:
        yield connection


def _local(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZONE).strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("plan", "held"),
    [
        (WEEKLY, ["Wed 02 10:00"]),
        (MONTHLY, ["Sat 28 15:30"]),
        (DrillPlan(site=SITE, time="12:00", weekday=3), ["Wed 25 12:00"]),
        (DrillPlan(site=SITE, time="12:00", day=5), []),
    ],
)
def test_when_a_plan_is_held(plan: DrillPlan, held: list[str]) -> None:
    """On its days at its time by the site's clocks; the first moment counts, the last does not."""
    assert [_local(t) for t in times(plan, ZONE, NOON_MS, NOON_MS + 7 * DAY_MS)] == held


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"weekday": 3, "day": 3},
        {"weekday": 8},
        {"day": 29},
        {"day": "3"},
        {"day": 3, "time": "24:00"},
        {"day": 3, "hour": 3},
        {"day": 3, "site": "No Site"},
    ],
)
def test_a_plan_that_could_be_misread_is_refused(wrong: dict[str, object]) -> None:
    """A weekday or a day that every month has, and nothing unknown."""
    with pytest.raises(ValidationError):
        DrillPlan.model_validate({"site": SITE, "time": "10:00", **wrong})


async def test_plans_are_written_down_ahead_and_follow_the_settings(
    connection: AsyncConnection,
) -> None:
    """The same twice changes nothing; what is no longer planned goes; an order stays."""
    for plans in ([WEEKLY, MONTHLY], [WEEKLY, MONTHLY]):
        await plan_ahead(connection, plans, ZONES, NOON_MS)
    both = (await list_drills(connection, SITE)).items
    assert [(_local(d.planned_ms), d.area, d.by) for d in both] == [
        ("Wed 02 10:00", None, "plan"),
        ("Sat 28 15:30", "east", "plan"),
    ]
    ordered = await order(
        connection, site=SITE, area=None, by="li-na", note="new officer", now_ms=NOON_MS
    )
    await plan_ahead(connection, [], ZONES, NOON_MS)
    assert (await list_drills(connection, SITE)).items == (ordered,)


async def test_a_drill_begins_once(database: Database) -> None:
    """Of two turns at the same time one begins it; its incident is on record."""
    opener = Opener()
    drills = Drills(DrillsSettings(plans=(WEEKLY,)), ZONES, opener)
    await drills.turn(database, NOON_MS)
    due_ms = next(times(WEEKLY, ZONE, NOON_MS, NOON_MS + 8 * DAY_MS))
    assert await drills.turn(database, due_ms - 1) == []
    [begun] = await drills.turn(database, due_ms + 900)
    assert await drills.turn(database, due_ms + 900) == []
    assert begun == Drill(
        id=begun.id,
        site=SITE,
        area=None,
        planned_ms=due_ms,
        state=DrillState.RUNNING,
        by="plan",
        incident=begun.incident,
        number="F0001",
    )
    assert opener.asked == [(SITE, None, due_ms + 900, "plan")]


@pytest.mark.parametrize(
    ("late_ms", "real", "note"),
    [
        (LATE_MS - 1, {}, ""),
        (LATE_MS, {}, TOO_LATE),
        (0, {"number": "F0099", "drill": False}, REAL_ALARM),
        (0, {"number": "F0099", "drill": False, "state": "closed"}, ""),
        (0, {"number": "F0099", "drill": False, "urgency": "fault"}, ""),
        (0, {"number": "F0099", "drill": False, "site_id": "elsewhere"}, ""),
        (0, {"number": "F0099", "drill": True}, ""),
    ],
)
async def test_a_drill_is_not_held_late_nor_beside_a_real_alarm(
    connection: AsyncConnection, late_ms: int, real: dict[str, object], note: str
) -> None:
    """It is done without an incident, and says why."""
    if real:
        await connection.execute(insert(incident).values(_incident(**real)))
    opener = Opener()
    await order(connection, site=SITE, area="east", by="li-na", note="", now_ms=NOON_MS)
    [drill] = await start_due(connection, opener, NOON_MS + late_ms)
    assert (drill.note, drill.incident is None) == (note, note != "")
    assert drill.state is (DrillState.DONE if note else DrillState.RUNNING)
    assert len(opener.asked) == (not note)


@pytest.mark.parametrize(
    ("state", "after_ms", "ended"),
    [
        ("open", LONGEST_MS - 1, DrillState.RUNNING),
        ("open", LONGEST_MS, DrillState.DONE),
        ("on_site", 1_000, DrillState.RUNNING),
        ("reported", 1_000, DrillState.DONE),
        ("closed", 1_000, DrillState.DONE),
    ],
)
async def test_a_drill_ends_when_it_was_reported_or_lasted_an_hour(
    connection: AsyncConnection, state: str, after_ms: int, ended: DrillState
) -> None:
    """Its report is final then."""
    await order(connection, site=SITE, area=None, by="li-na", note="", now_ms=NOON_MS)
    await start_due(connection, Opener(), NOON_MS)
    await connection.execute(update(incident).values(state=state))
    await end_due(connection, NOON_MS + after_ms)
    [drill] = (await list_drills(connection, None)).items
    assert drill.state is ended


async def test_the_report_says_who_answered_how_fast_and_who_did_not(
    connection: AsyncConnection,
) -> None:
    """The fastest first; whoever was told and did nothing comes last."""
    await order(connection, site=SITE, area=None, by="li-na", note="", now_ms=NOON_MS)
    [drill] = await start_due(connection, Opener(), NOON_MS)
    await connection.execute(
        insert(person), [{"id": "zhang-wei", "name": "张伟", "lang": "zh", "active": True}]
    )
    for n, (who, channel, accepted, delivered) in enumerate(
        [
            ("chen-gang", "sms", 1_000, None),
            ("chen-gang", "voice", 61_000, None),
            ("zhang-wei", "sms", 1_200, 4_000),
        ]
    ):
        await _message(connection, drill, n, (who, channel, accepted, delivered))
    for kind, after_ms in (("acknowledged", 42_000), ("arrived", 250_000), ("arrived", 300_000)):
        row: dict[str, object] = {
            "incident_id": drill.incident,
            "at_ms": NOON_MS + after_ms,
            "kind": kind,
            "actor": "zhang-wei",
            "detail": {},
        }
        await connection.execute(insert(incident_event), [row])
    report = await drill_report(connection, drill.id)
    assert report == DrillReport(
        drill,
        NOON_MS,
        (
            Answer("zhang-wei", "张伟", ("sms",), 1, 4, 42, 250, None),
            Answer("chen-gang", "chen-gang", ("sms", "voice"), 1, None, None, None, None),
        ),
    )
    assert report.silent == ("chen-gang",)


async def _message(
    connection: AsyncConnection,
    drill: Drill,
    number: int,
    told: tuple[str, str, int, int | None],
) -> None:
    who, channel, accepted, delivered = told
    row: dict[str, object] = {
        "id": f"m{number}",
        "incident_id": drill.incident,
        "round": 1,
        "slot": "officer",
        "kind": "drill",
        "channel": channel,
        "person_id": who,
        "address": "+8613800000000",
        "lang": "zh",
        "priority": 2,
        "state": "accepted",
        "facts": {},
        "due_ms": NOON_MS,
        "created_ms": NOON_MS + number,
        "attempts": 1,
        "reason": "",
        "accepted_ms": NOON_MS + accepted,
        "delivered_ms": None if delivered is None else NOON_MS + delivered,
    }
    await connection.execute(insert(message), [row])


async def test_a_drill_that_was_not_held_has_an_empty_report(connection: AsyncConnection) -> None:
    """And one that does not exist has none."""
    ordered = await order(connection, site=SITE, area=None, by="li-na", note="", now_ms=NOON_MS)
    assert await drill_report(connection, ordered.id) == DrillReport(ordered, None, ())
    assert await drill_report(connection, ordered.id + 1) is None
