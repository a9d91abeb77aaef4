"""A drill through the real desk: told, answered, escalated, and reported for the month."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from alerts.drills.book import DrillState, list_drills, order
from alerts.drills.plans import DrillsSettings
from alerts.drills.report import drill_report
from alerts.drills.turn import Drills
from alerts.incidents.model import Act, Cause
from alerts.reports.collect import collect
from alerts.reports.period import parse_period
from devices.database import Database
from devices.sitefile import packaged_site
from tests.desk.desk_scene import START, Scene, smoke

SITE = "caimarenjia"
ZONE = ZoneInfo("Asia/Shanghai")


async def test_a_drill_from_order_to_report(database: Database) -> None:
    """The officer answers late: the drill says so, and no figure of the month counts it."""
    scene = Scene(database)
    drills = Drills(DrillsSettings(), {SITE: ZONE}, scene.desk.open_drill)
    async with database.writing() as connection:
        await order(connection, site=SITE, area=None, by="li", note="", now_ms=START)
    await drills.turn(database, scene.clock.now_ms)
    await scene.at(130)
    told = {m.text for m in await scene.messages() if m.text}
    assert all("演练" in text or "rill" in text for text in told)
    await scene.act(Act.ACKNOWLEDGE)
    await scene.at(200)
    await scene.act(Act.REPORT, cause=Cause.TEST)
    await drills.turn(database, scene.clock.now_ms)
    async with database.reading() as connection:
        [drill] = (await list_drills(connection, SITE)).items
        report = await drill_report(connection, drill.id)
        site, period = packaged_site(), parse_period(_day())
        day = await collect(connection, site, period, scene.clock.now_ms)
    assert drill.state is DrillState.DONE
    assert report is not None
    [first, *others] = report.answers
    assert (first.person, first.answered_s, first.arrived_s) == ("zhao", 130, None)
    assert first.reported_s == 200
    assert {answer.person for answer in others} == set(report.silent)
    assert report.silent != ()
    assert [line.number for line in day.drills] == [drill.number]
    assert (day.responses, day.incidents, day.sent) == ((), (), ())


async def test_a_real_alarm_is_counted_and_keeps_a_drill_from_beginning(
    database: Database,
) -> None:
    """The desk's own rows are what the report reads."""
    scene = Scene(database)
    drills = Drills(DrillsSettings(), {SITE: ZONE}, scene.desk.open_drill)
    await scene.raised(smoke())
    async with database.writing() as connection:
        await order(connection, site=SITE, area=None, by="li", note="", now_ms=START)
    [drill] = await drills.turn(database, scene.clock.now_ms)
    assert (drill.state, drill.incident) == (DrillState.DONE, None)
    await scene.at(45)
    await scene.act(Act.ACKNOWLEDGE)
    await scene.at(400)
    await scene.act(Act.ARRIVE)
    async with database.reading() as connection:
        site, period = packaged_site(), parse_period(_day())
        day = await collect(connection, site, period, scene.clock.now_ms)
    kept = {r.deadline: (r.met, r.missed, r.pending, r.median_s) for r in day.responses}
    assert kept == {
        "acknowledge": (1, 0, 0, 45),
        "on_site": (0, 1, 0, 400),
        "report": (0, 0, 1, None),
    }
    assert sum(s.messages for s in day.sent) == len(await scene.messages())


def _day() -> str:
    """The site's day on which the scene plays."""
    return datetime.fromtimestamp(START / 1000, UTC).astimezone(ZONE).date().isoformat()
