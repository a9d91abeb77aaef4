"""The wall clock is set while it burns: no step is early, and none waits for the old time."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from alerts.incidents.tables import escalation
from devices.database import Database
from iot.broker import MosquittoProcess
from simulators.sms.provider import SmsProvider
from tests.conftest import missing
from tests.desk.desk_city import City
from tests.desk.desk_phones import channels
from tests.desk.desk_sirens import Sirens
from tests.desk.test_desk_kill import clock_ms, registered
from tests.desk.test_desk_wall_clock import HOUR_S, LIBRARIES, YEARS_S, set_to

JUMPS = {"+1 h": HOUR_S, "-1 h": -HOUR_S, "+10 y": YEARS_S}
PLANS = """
[fire]
acknowledge_s = 4
steps = [
  { name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] },
  { name = "second", after_s = 6, who = ["second"], channels = ["sms"], when = "unacknowledged", \
escalation = true },
  { name = "supervisor", after_s = 9, who = ["supervisor"], channels = ["sms"], \
when = "unacknowledged", escalation = true },
]
[danger]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
[fault]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
[notice]
steps = [{ name = "officer", after_s = 0, who = ["officer"], channels = ["sms"] }]
"""


async def test_no_deadline_follows_a_wall_clock_that_is_set(
    mosquitto: MosquittoProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """+1 h, -1 h, +10 y, each right after a fire began, in a real process on real time.

    By our own clock, which no one sets, each step comes at its time or a little later; how much
    is printed.
    """
    if not LIBRARIES:
        missing("faketime")
    wall, plans = tmp_path / "wall", tmp_path / "plans.toml"
    set_to(wall, 0)
    plans.write_text(PLANS, "utf-8")
    town = City(len(JUMPS), 1, 1)
    provider = SmsProvider(now_ms=clock_ms, seed=7)
    began: dict[str, int] = {}
    async with provider.serving() as address:
        settings = {
            **channels(address, receipts=False),
            "ALERTS__PLANS": str(plans),
            "WATCH__CANARY": "false",
        }
        backend = await registered(mosquitto.port, tmp_path, settings, town)
        monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
        monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(wall))
        monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
        monkeypatch.setenv("DONT_FAKE_MONOTONIC", "1")
        await backend.start()
        sirens = Sirens(clock_ms)
        burning = asyncio.create_task(sirens.run(mosquitto.port))
        await sirens.connected.wait()
        for station, ahead_s in zip(town.all(), JUMPS.values(), strict=True):
            set_to(wall, 0)
            began[station] = clock_ms()
            await sirens.smoke(station)
            await until(provider, 1 + 3 * (len(began) - 1))
            set_to(wall, ahead_s)
            await until(provider, 3 * len(began))
        set_to(wall, 0)
        assert await backend.stop() == 0, backend.log()[-4000:]
        burning.cancel()
        await asyncio.wait([burning])
    rows = await settled(tmp_path / "data")
    late = [settled_ms - due_ms for _, due_ms, settled_ms in rows]
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what this test is for
            f"\nwall clock set {', '.join(JUMPS)}: {len(rows)} steps and deadlines, earliest "
            f"{min(late)} ms, latest {max(late)} ms after their time"
        )
    assert min(late) >= 0
    assert max(late) < 60_000
    for start_ms, texts in zip(began.values(), in_threes(provider), strict=True):
        for at_ms, after_s in zip(texts, (0, 6, 9), strict=True):
            assert at_ms - start_ms >= after_s * 1_000


async def until(provider: SmsProvider, count: int) -> None:
    """Until the provider has taken so many texts."""
    async with asyncio.timeout(60):
        while len(provider.accepted) < count:  # noqa: ASYNC110 - another process causes it
            await asyncio.sleep(0.05)


def in_threes(provider: SmsProvider) -> list[list[int]]:
    """When the three texts of each fire were taken."""
    times = [sms.at_ms for sms in provider.accepted]
    return [times[n : n + 3] for n in range(0, len(times), 3)]


async def settled(data_dir: Path) -> list[tuple[str, int, int]]:
    """Step, due and done of everything that was done or missed, by the backend's clock."""
    database = await Database.open(f"sqlite:///{data_dir / 'chargeward.db'}")
    c = escalation.c
    try:
        async with database.reading() as connection:
            query = select(c.step, c.due_ms, c.settled_ms).where(c.state.in_(["fired", "missed"]))
            return [(r.step, r.due_ms, r.settled_ms) for r in await connection.execute(query)]
    finally:
        await database.close()
