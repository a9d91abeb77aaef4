"""``kill -9`` of the backend while stations smoke: no incident and no message lost or doubled."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alerts.desk.dispatch import AT_ONCE
from alerts.incidents.tables import incident
from alerts.outbox.model import MessageState
from alerts.outbox.tables import message
from alerts.tables import alarm
from devices.database import Database
from iot.broker import MosquittoProcess
from simulators.sms.model import Behaviour, Service
from simulators.sms.provider import SmsProvider
from tests.desk.desk_city import ONLY_ALARMS, City
from tests.desk.desk_phones import channels
from tests.desk.desk_sirens import Sirens
from tests.spine.process import BackendProcess
from tests.spine.test_kill import lanes_up

PER_KILL = 3
"""Alarms: before the kill, while the backend is away, and after it has come back."""
MANY = 100
"""Of so many kills few hit a message that is under way; one alone may hit all that are."""
AREAS = 150
"""Of a site, each with one station and an officer of its own, so that nothing is bundled."""
SETTLE_S = 180
PLANS = """
[fire]
acknowledge_s = 4
steps = [
  { name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] },
  { name = "again", after_s = 4, who = ["officer"], channels = ["sms"], when = "unacknowledged", \
escalation = true },
]
[danger]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
[fault]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
[notice]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
"""


def clock_ms() -> int:
    """The stations' and the provider's clock."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - outside of the product


async def test_kills_while_it_burns(
    mosquitto: MosquittoProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Each alarm one incident, each incident its two messages, repeats only with the same id."""
    kills: int = request.config.getoption("--desk-kills")
    chance = random.Random(7)
    burning_ones = PER_KILL * kills
    town = City(-(-burning_ones // AREAS), min(burning_ones, AREAS), 1)
    plans = tmp_path / "plans.toml"
    plans.write_text(PLANS, "utf-8")
    provider = SmsProvider(now_ms=clock_ms, seed=7, log=tmp_path / "accepted.jsonl")
    for service in Service:
        provider.behave(service, Behaviour(latency_s=(0.0, 0.05)))
    async with provider.serving() as address:
        settings = {
            **channels(address, receipts=False),
            "ALERTS__PLANS": str(plans),
            "SNAPSHOT_S": "1",
        }
        settings["WATCH__CANARY"] = "false"
        backend = await registered(mosquitto.port, tmp_path, settings, town)
        began_s = time.monotonic()
        await backend.start()
        started_s = time.monotonic() - began_s
        sirens = Sirens(clock_ms)
        burning = asyncio.create_task(sirens.run(mosquitto.port))
        await sirens.connected.wait()
        stations = iter(town.all())
        for _ in range(kills):
            await sirens.smoke(next(stations))
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            await backend.kill()
            await sirens.smoke(next(stations))
            await backend.start()
            await sirens.smoke(next(stations))
        rows = await settled(tmp_path / "data", sirens, expected=2 * len(sirens.alarms))
        assert await backend.stop() == 0, backend.log()[-4000:]
        burning.cancel()
        await asyncio.wait([burning])

    alarms, incidents, messages = rows
    copies = provider.copies()
    lost = [m["id"] for m in messages if not copies[m["id"]]]
    doubled = {station: n for station, n in incidents.items() if n > 1}
    duplicates = sum(n - 1 for n in copies.values())
    with capsys.disabled():
        print(  # noqa: T201 - the counts are what this test is for
            f"\nkills {kills} (a start takes {started_s:.1f} s), alarms sent "
            f"{len(sirens.alarms)}, committed {alarms.total()}, confirmed {len(sirens.receipts)}; "
            f"incidents expected {len(sirens.alarms)}, found {incidents.total()}, doubled "
            f"{len(doubled)}; messages in the outbox {len(messages)}, accepted by the provider "
            f"{len(copies)}, lost {len(lost)}, duplicates {duplicates} (same id)"
        )
    burnt = [station for station, _ in sirens.alarms.values()]
    assert alarms == Counter(sirens.alarms.keys())
    assert set(sirens.receipts) == set(sirens.alarms)
    assert incidents == Counter(burnt)
    assert lost == []
    slots = Counter(m["slot"] for m in messages)
    assert (slots["officer"], slots["again"]) == (len(burnt), len(burnt))
    assert {m["state"] for m in messages} == {"accepted"}
    assert duplicates <= (kills if kills >= MANY else kills * 2 * AT_ONCE)


async def registered(
    port: int, folder: Path, settings: dict[str, str], town: City
) -> BackendProcess:
    """A backend whose sites, people and sessions at the broker are there; it is stopped."""
    files = town.write(folder / "city", ONLY_ALARMS)
    first = BackendProcess(folder / "data", port, **settings, **files)
    await first.start()
    await lanes_up(first)
    await first.stop()
    return BackendProcess(folder / "data", port, **settings)


Rows = tuple[Counter[str], Counter[str], list[dict[str, Any]]]


async def settled(data_dir: Path, sirens: Sirens, *, expected: int) -> Rows:
    """What is at rest once every message has ended, or when that takes too long."""
    database = await Database.open(
        f"sqlite+aiosqlite:///{data_dir / 'chargeward.db'}", checkpoints=False
    )
    try:
        for _ in range(SETTLE_S):
            rows = await _read(database)
            waits = {MessageState.QUEUED.value, MessageState.SENDING.value}
            open_ = [m for m in rows[2] if m["state"] in waits]
            planned = [m for m in rows[2] if m["slot"] in ("officer", "again")]
            if not (open_ or sirens.waiting) and len(planned) >= expected:
                return rows
            await asyncio.sleep(1)
        return await _read(database)
    finally:
        await database.close()


async def _read(database: Database) -> Rows:
    async with database.reading() as connection:
        alarms = Counter((await connection.execute(select(alarm.c.alarm_id))).scalars())
        live = select(incident.c.station_id).where(incident.c.station_id.is_not(None))
        stations = Counter((await connection.execute(live)).scalars())
        sent = await connection.execute(
            select(message.c.id, message.c.slot, message.c.state)
            .join(incident, incident.c.id == message.c.incident_id)
            .where(incident.c.station_id.is_not(None))
        )
        return alarms, stations, [dict(row._mapping) for row in sent]
