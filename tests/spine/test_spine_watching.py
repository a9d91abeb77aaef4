"""The watch over the watcher on a whole backend: audits, findings, heartbeat, the direct line."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alerts.channels.port import Outgoing
from alerts.desk.settings import AlertsSettings
from alerts.incidents.tables import escalation, incident
from alerts.watch.auditor import Invariant
from alerts.watch.house import HouseRule
from api.bootstrap import assemble
from api.clock import VirtualClock
from api.loopback import Loopback
from tests.spine.conftest import START_MS, Stage, settings_for
from tests.spine.scenes import cut_hot_socket, findings


@pytest.fixture
async def staffed(tmp_path: Path) -> AsyncIterator[Stage]:
    """A started backend whose site has somebody on duty in every role."""
    clock = VirtualClock(START_MS)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    people = AlertsSettings(packaged_people=True)
    settings = settings_for(tmp_path).model_copy(update={"alerts": people})
    async with assemble(settings, clock, link) as backend:
        backend.start()
        made = Stage(backend, clock, loops)
        made.pass_s(1)
        await backend.committer.flush()
        yield made


def sound(stage: Stage) -> bool:
    """Whether the heartbeat would be sent."""
    return stage.backend.watching.sound


async def green(stage: Stage) -> None:
    """What the running backend's jobs report: lanes, SQL, an audit."""
    now_ms = round(stage.clock.monotonic_s() * 1000)
    for lane in stage.backend.lanes:
        stage.backend.health.processed(lane, now_ms)
    await stage.backend.watch()
    await stage.backend.watching.audit()


async def house_rules(stage: Stage) -> list[tuple[str, str, bool]]:
    """Rule, tier and whether it stands, of the house's findings at rest."""
    rules = {rule.value for rule in HouseRule}
    return [
        (f.finding.key.rule, f.finding.key.tier, f.cleared_ms is None)
        for f in await findings(stage)
        if f.finding.key.rule in rules
    ]


async def test_a_backend_in_order_is_sound(stage: Stage) -> None:
    """Nothing is broken, nothing stands; without an audit nothing is known."""
    assert not sound(stage)
    await green(stage)
    assert stage.backend.watching.broken == ()
    assert sound(stage)
    assert await house_rules(stage) == []


async def test_a_step_that_nobody_does_is_found_told_and_over(staffed: Stage) -> None:
    """Broken, R96 with an incident of the site, heartbeat withheld; then all of it ends."""
    cut_hot_socket(staffed)
    await staffed.backend.committer.flush()
    staffed.clock.now_ms += 131_000  # the desk has not had a turn since
    await green(staffed)
    found = {(b.name, b.since_ms) for b in staffed.backend.watching.broken}
    assert Invariant.STEP_OVERDUE in {name for name, _ in found}
    assert not sound(staffed)
    assert ("R96", "audit-step_overdue", True) in await house_rules(staffed)
    async with staffed.backend.database.reading() as connection:
        query = select(incident.c.station_id, incident.c.urgency).order_by(incident.c.id)
        rows = [tuple(row) for row in await connection.execute(query)]
    assert (None, "fault") in rows
    staffed.backend.tick()  # the cut without proof ends too
    await staffed.backend.committer.flush()
    await staffed.backend.desk()
    await staffed.backend.people.desk.dispatcher.idle()
    await green(staffed)
    assert staffed.backend.watching.broken == ()
    assert sound(staffed)
    standing = {(rule, tier) for rule, tier, stands in await house_rules(staffed) if stands}
    assert standing == set()


async def test_a_clock_that_is_set_is_told_and_moves_no_deadline(staffed: Stage) -> None:
    """R98 stands for as long as the wall clock is off; what is due stays due when it was."""
    cut_hot_socket(staffed)
    await staffed.backend.committer.flush()
    before = await due(staffed)
    staffed.clock._wall_ms = lambda: staffed.clock.now_ms + 3_600_000
    await green(staffed)
    assert ("R98", "clock", True) in await house_rules(staffed)
    assert await due(staffed) == before
    staffed.clock._wall_ms = lambda: staffed.clock.now_ms
    await green(staffed)
    assert ("R98", "clock", False) in await house_rules(staffed)


async def due(stage: Stage) -> list[int]:
    """When the steps of all incidents of stations are due."""
    async with stage.backend.database.reading() as connection:
        query = (
            select(escalation.c.due_ms)
            .join(incident, incident.c.id == escalation.c.incident_id)
            .where(incident.c.station_id.is_not(None))
            .order_by(escalation.c.id)
        )
        return list((await connection.execute(query)).scalars())


class Line:
    """Ways to people that keep what they get."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.sent: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Any:
        """Taken."""
        self.sent.append(outgoing)
        return type("Taken", (), {"accepted": "yes"})()


async def test_without_sql_people_are_told_all_the_same(staffed: Stage) -> None:
    """The danger after ten seconds, the fault itself once; and nothing twice when SQL is back."""
    line, watching = Line(), staffed.backend.watching
    watching.faultline._line = line
    await green(staffed)
    staffed.backend.health.sql(reachable=False, now_ms=0)
    cut_hot_socket(staffed)  # nobody commits: SQL would not take it
    await watching.direct()
    assert [o.kind.value for o in line.sent] == ["trouble", "trouble"]
    staffed.clock.now_ms += 10_000
    await watching.direct()
    assert [o.kind.value for o in line.sent[2:]] == ["cut"]
    assert "X0" in line.sent[2].text
    await staffed.backend.committer.flush()
    staffed.clock.now_ms += 60_000
    await watching.direct()
    assert len(line.sent) == 3


async def test_what_is_recorded_in_time_is_not_told_twice(staffed: Stage) -> None:
    """The committer tells the line; the ordinary message is the only one."""
    line = Line()
    staffed.backend.watching.faultline._line = line
    cut_hot_socket(staffed)
    await staffed.backend.committer.flush()
    staffed.clock.now_ms += 60_000
    await staffed.backend.watching.direct()
    assert line.sent == []


async def test_an_audit_that_cannot_be_made_is_no_good_news(stage: Stage) -> None:
    """After half a minute without one the heartbeat stops; an audit without SQL is an error."""
    watching = stage.backend.watching
    await green(stage)
    assert sound(stage)
    watching.audited_ms = round(stage.clock.monotonic_s() * 1000) - 30_100
    assert not sound(stage)


async def test_empty_shifts_and_budgets_are_looked_at(stage: Stage) -> None:
    """Without people's files nobody is on duty, and that is said."""
    await stage.backend.watching.plan()
    assert await house_rules(stage) == [("R95", "officer", True)]
