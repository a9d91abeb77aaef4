"""The canary through the whole backend: from the wire to an accepted message, listed nowhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from alerts.alarms import AlarmFilter, list_alarms
from alerts.findings import FindingFilter, list_findings
from alerts.incidents.store import IncidentFilter, list_incidents
from alerts.incidents.tables import incident
from alerts.outbox.store import list_messages
from alerts.outbox.tables import message
from alerts.watch.canary import canary_id
from alerts.watch.canary_runs import Standing
from api.bootstrap import assemble
from api.clock import SystemClock
from api.running import SAFETY, Backend
from api.settings import Settings
from devices.names import is_canary
from iot.broker import MosquittoProcess
from iot.mqtt import MqttSettings
from iot.topics import Channel, parse
from tests.spine.conftest import START_MS, STATION, Stage
from tests.spine.scenes import after_crash

CANARY = canary_id("caimarenjia")
MINUTE_S = 60


def carry(stage: Stage) -> None:
    """Play the broker: what the canary has said arrives on the safety lane."""
    loop = stage.loops[SAFETY]
    for sent in loop.take():
        address = parse(sent.topic)
        if address == (CANARY, Channel.ALARM):
            stage.backend.lanes[SAFETY].turn([loop.delivery(sent.topic, sent.payload)])
        elif address is not None:
            stage.published.append((*address, {}))


async def settle(stage: Stage, seconds: float = 1) -> None:
    """Everything that is under way is recorded, sent and looked at."""
    carry(stage)
    await stage.backend.committer.flush()
    await stage.backend.desk()
    await stage.backend.people.desk.dispatcher.idle()
    stage.clock.now_ms += round(seconds * 1000)
    await stage.backend.watching.listen()


async def run_once(stage: Stage) -> None:
    """One whole run of the canary, and the rest of its minute."""
    await stage.backend.watching.sing()
    await settle(stage)  # the alarm, its incident and its message; then the end of the alarm
    await settle(stage)
    await stage.backend.desk()
    stage.clock.now_ms += (MINUTE_S - 2) * 1000


async def rows(backend: Backend, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    """These columns, in the order of their rows."""
    async with backend.database.reading() as connection:
        query = select(*(table.c[name] for name in columns)).order_by(table.c.id)
        return [tuple(row) for row in await connection.execute(query)]


async def test_each_run_is_an_incident_of_its_own_that_closes_by_itself(stage: Stage) -> None:
    """Raised, told to the sandbox, ended, closed: and the next minute again."""
    for _ in range(3):
        await run_once(stage)
    incidents = await rows(stage.backend, incident, "station_id", "canary", "urgency", "state")
    assert incidents == [(CANARY, True, "notice", "closed")] * 3
    messages = await rows(stage.backend, message, "person_id", "channel", "provider", "state")
    assert messages == [("canary", "robot", "sandbox", "accepted")] * 3
    standing = stage.backend.watching.standing
    assert standing == Standing(1.0, START_MS + 1_000 + 2 * MINUTE_S * 1_000, 0)


async def test_it_is_seen_by_nobody(stage: Stage) -> None:
    """Not on the board, in no list, in no live event, without orders, limits or findings R41."""
    listener = stage.backend.live.subscribe()
    for _ in range(2):
        await run_once(stage)
    stage.pass_s(600)  # ten minutes without a run
    assert [s.id for site in stage.backend.sites for s in site.stations if is_canary(s.id)] == []
    assert CANARY not in stage.backend.runner.actuation.stations
    assert {c for s, c, _ in stage.published if s == CANARY} == {Channel.RECEIPT}
    assert stage.backend.engine.active(CANARY) == []
    assert CANARY.encode() not in await listener.take(0.01)
    async with stage.backend.database.reading() as connection:
        pages: list[Any] = [
            await list_findings(connection, FindingFilter()),
            await list_alarms(connection, AlarmFilter()),
            await list_incidents(connection, IncidentFilter()),
            await list_messages(connection),
        ]
    found = [item for page in pages for item in page.items]
    assert [item for item in found if CANARY in repr(item)] == []
    metrics = stage.backend.metrics.render(stage.backend.health.verdict(0)).decode()
    assert 'rule="R90"' not in metrics
    assert 'chargeward_canary_runs_total{outcome="passed"} 2.0' in metrics
    assert 'chargeward_alarm_path_availability{path="canary"} 1.0' in metrics


async def test_a_process_that_died_in_a_run_does_not_stop_the_next(
    stage: Stage, tmp_path: Path
) -> None:
    """The alarm that it left standing is ended first, so the next one is news."""
    await stage.backend.watching.sing()
    carry(stage)
    await stage.backend.committer.flush()
    async with after_crash(stage, tmp_path / "crashed", later_s=MINUTE_S) as second:
        await run_once(second)
        incidents = await rows(second.backend, incident, "canary", "state")
        standing = second.backend.watching.standing
    assert incidents[-1] == (True, "closed")
    assert standing is not None
    assert standing.failures_in_row == 0


async def test_a_path_that_does_not_work_is_told_after_two_runs(stage: Stage) -> None:
    """The desk sends nothing: both runs fail, R96 stands, and the heartbeat stops."""
    watching = stage.backend.watching
    for _ in range(2):
        await watching.sing()
        carry(stage)
        await stage.backend.committer.flush()
        stage.clock.now_ms += 46_000
        await watching.listen()
        stage.clock.now_ms += 14_000
    assert watching.standing == Standing(0.0, None, 2)
    await watching.audit()
    assert not watching.sound
    async with stage.backend.database.reading() as connection:
        page = await list_findings(connection, FindingFilter(rules=frozenset({"R96"})))
    assert "canary_failed" in {item.finding.reason for item in page.items}


@asynccontextmanager
async def turning(settings: Settings) -> AsyncIterator[Backend]:
    """A backend that really runs."""
    async with assemble(settings, SystemClock()) as backend:
        task = asyncio.create_task(backend.run())
        try:
            yield backend
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_run_over_a_real_broker(mosquitto: MosquittoProcess, tmp_path: Path) -> None:
    """What it publishes with the backend's own account comes back on the safety lane."""
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        mqtt=MqttSettings(host=mosquitto.host, port=mosquitto.port),
    )
    async with asyncio.timeout(60), turning(settings) as backend:
        while not backend.started:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.05)
        await backend.watching.sing()
        while backend.watching.standing is None or backend.watching.standing.availability is None:
            await backend.watching.listen()
            await asyncio.sleep(0.1)
        assert backend.watching.standing.availability == 1.0
        assert STATION in {s.id for s in backend.sites[0].stations}
