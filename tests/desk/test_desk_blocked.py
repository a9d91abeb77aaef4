"""An event loop that stands still over a deadline: the step is done as soon as it goes on."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from alerts.channels.settings import ChannelsSettings
from alerts.desk.settings import AlertsSettings
from alerts.incidents.tables import escalation
from alerts.watch.settings import WatchSettings
from api.bootstrap import assemble
from api.clock import SystemClock
from api.loopback import Loopback
from api.running import SAFETY, Backend
from api.settings import Settings
from iot.contract import Alarm
from iot.topics import Channel, topic
from tests.desk.test_desk_jump import PLANS

BLOCKED_S = 5.0
ENDS_S = 60


async def test_a_blocked_loop_delays_steps_but_loses_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocked for five seconds before the first deadline: all are done in order, none early.

    By how much they were late after the loop went on is printed.
    """
    plans = tmp_path / "plans.toml"
    plans.write_text(PLANS, "utf-8")
    clock = SystemClock()
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    settings = Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        channels=ChannelsSettings(file=tmp_path / "said.jsonl"),
        alerts=AlertsSettings(plans=plans, packaged_people=True),
        watch=WatchSettings(canary=False),
    )
    async with assemble(settings, clock, link) as backend:
        backend.start()
        turning = asyncio.create_task(backend.run())
        began_ms = clock.utc_ms()
        alarm = Alarm(
            boot="0a1b2c3d",
            seq=1,
            ts=began_ms,
            id="a1",
            kind="smoke",
            socket=None,
            active=True,
            value=None,
        )
        body = alarm.model_dump_json().encode()
        arrived = loops[SAFETY].delivery(topic("cmrj-01", Channel.ALARM), body)
        backend.lanes[SAFETY].turn([arrived])
        while clock.utc_ms() < began_ms + 3_000:  # noqa: ASYNC110 - time itself is waited for
            await asyncio.sleep(0.05)
        time.sleep(BLOCKED_S)  # noqa: ASYNC251 - what this test is about
        unblocked_ms = clock.utc_ms()
        rows = await done(backend)
        turning.cancel()
        await asyncio.wait([turning])
    said = [orjson.loads(line) for line in (tmp_path / "said.jsonl").read_bytes().splitlines()]
    late = {step: at_ms - max(due_ms, unblocked_ms) for step, due_ms, at_ms in rows[1:]}
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what this test is for
            f"\nblocked for {BLOCKED_S} s over the deadline; milliseconds after it was due and "
            f"possible: {late}"
        )
    assert [step for step, _, _ in rows] == ["officer", "acknowledge", "second", "supervisor"]
    assert all(at_ms >= due_ms for _, due_ms, at_ms in rows)
    assert len(said) == 3


async def done(backend: Backend) -> list[tuple[str, int, int]]:
    """Step, due and done of all rows, once none is due any more and everything is said."""
    c = escalation.c
    query = select(c.step, c.due_ms, c.settled_ms).order_by(c.due_ms, c.id)
    async with asyncio.timeout(ENDS_S):
        while True:
            async with backend.database.reading() as connection:
                rows = [tuple(row) for row in await connection.execute(query)]
            if rows and all(at_ms is not None for _, _, at_ms in rows):
                await backend.people.desk.turn(backend.clock.utc_ms())
                await backend.people.desk.dispatcher.idle()
                return rows
            await asyncio.sleep(0.1)
