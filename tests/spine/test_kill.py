"""``kill -9`` of the backend under load: nothing lost, nothing twice."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from alerts.tables import alarm, finding
from devices.database import Database
from devices.sitefile import packaged_site
from iot.broker import MosquittoProcess
from iot.contract import Telemetry
from iot.embedded_store import EmbeddedStore
from iot.frames import FrameBatch
from iot.store import RawQuery
from rules.catalogue import Catalogue
from rules.engine import Engine, StationProfile
from rules.model import Change
from tests.spine.crowd import Crowd
from tests.spine.process import BackendProcess

PERIOD_S = 0.1
TIMED_RULES = {"R27", "R40", "R41", "R50"}
HOUSE_RULES = ["R95", "R96", "R97", "R98"]
"""What the house finds about itself is no finding of the engine."""
"""Rules that look at our clock or at orders; a replay of the frames alone cannot know them."""


def clock_ms() -> int:
    """The stations' clock."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - the stations' clock


async def test_kills_under_load_lose_nothing_and_double_nothing(
    mosquitto: MosquittoProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Every frame stored exactly once, every alarm committed and confirmed, no finding doubled.

    The findings must be those that one uninterrupted engine raises over the same frames.
    """
    kills: int = request.config.getoption("--kills")
    chance = random.Random(50)
    data_dir = tmp_path / "data"
    backend = BackendProcess(data_dir, mosquitto.port, SNAPSHOT_S="1", WATCH__CANARY="false")
    await backend.start()  # its persistent sessions exist before the first frame
    await lanes_up(backend)
    crowd = Crowd([s.id for s in packaged_site().stations], clock_ms, seed=50)
    end = asyncio.Event()
    sending = asyncio.create_task(crowd.run(mosquitto.port, period_s=PERIOD_S, until=end))
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        await backend.kill()
        await backend.start()
    await asyncio.sleep(1)
    end.set()
    await asyncio.wait_for(sending, 60)
    await quiet(backend)
    assert await backend.stop() == 0, backend.log()[-4000:]

    stored = await _stored(data_dir)
    sent = Counter((s, int(f.boot, 16), f.seq) for s, f in crowd.frames)
    alarms, findings = await _recorded(data_dir)
    tested = {(station, 0, "R90", "self_test") for station, _ in crowd.alarms.values()}
    expected = _oracle(crowd.frames) | tested
    untimed = Counter({k: n for k, n in findings.items() if k[2] not in TIMED_RULES})
    with capsys.disabled():
        print(  # noqa: T201 - the counts are what this test is for
            f"\nkills {kills}, frames sent {len(sent)}, stored {stored.total()}, "
            f"lost {len(sent - stored)}, doubled {sum(n - 1 for n in stored.values())}; "
            f"alarms sent {len(crowd.alarms)}, committed {len(alarms)}, confirmed "
            f"{len(crowd.receipts)}; findings {findings.total()}, doubled "
            f"{sum(n - 1 for n in findings.values())}; cuts received {crowd.cuts.total()} "
            f"for {len(crowd.cuts)} subjects"
        )
    assert stored == sent
    assert alarms == Counter(crowd.alarms.keys())
    assert set(crowd.receipts) == set(crowd.alarms)
    assert set(untimed) == expected
    assert {key: n for key, n in findings.items() if n > 1} == {}


async def lanes_up(backend: BackendProcess) -> None:
    """Until both lanes have brought their own probe once: both sessions exist at the broker."""
    async with httpx.AsyncClient(base_url=backend.url) as client, asyncio.timeout(30):
        while True:
            lines = (await client.get("/metrics")).text.splitlines()
            batches = [ln for ln in lines if ln.startswith("chargeward_batch_frames_count{")]
            if len(batches) == 2:
                return
            await asyncio.sleep(0.1)


async def quiet(backend: BackendProcess) -> None:
    """Until no frame has been accepted for two seconds."""
    async with httpx.AsyncClient(base_url=backend.url) as client, asyncio.timeout(60):
        before = ""
        while True:
            lines = (await client.get("/metrics")).text.splitlines()
            now = "".join(ln for ln in lines if ln.startswith("chargeward_frames_accepted_total"))
            if now == before:
                return
            before = now
            await asyncio.sleep(2)


async def _stored(data_dir: Path) -> Counter[tuple[str, int, int]]:
    store = await EmbeddedStore.open(data_dir / "telemetry")
    try:
        out: Counter[tuple[str, int, int]] = Counter()
        async for page in store.raw(RawQuery(0, 2**53)):
            out.update(zip(page.station, page.boot.tolist(), page.seq.tolist(), strict=True))
        return out
    finally:
        await store.close()


async def _recorded(
    data_dir: Path,
) -> tuple[Counter[str], Counter[tuple[str, int, str, str]]]:
    database = await Database.open(f"sqlite+aiosqlite:///{data_dir / 'chargeward.db'}")
    try:
        async with database.reading() as connection:
            alarms = await connection.execute(select(alarm.c.alarm_id))
            c = finding.c
            found = await connection.execute(
                select(c.station_id, c.socket, c.rule, c.tier).where(c.rule.not_in(HOUSE_RULES))
            )
            return Counter(alarms.scalars()), Counter(tuple(row) for row in found)
    finally:
        await database.close()


def _oracle(frames: list[tuple[str, Telemetry]]) -> set[tuple[str, int, str, str]]:
    """What one engine that was never killed raises over the same frames."""
    site = packaged_site()
    catalogue = Catalogue.default().with_overrides(site.rules)
    engine = Engine(
        StationProfile(s.id, site.id, s.sockets, catalogue, site.intervals_of(s).idle_s)
        for s in site.stations
    )
    raised = set()
    for station, frame in frames:
        batch = FrameBatch.build(
            [station], [frame], received_ms=[frame.ts], event_ms=[frame.ts], live=[True]
        )
        for transition in engine.step(batch, (), frame.ts):
            key = transition.finding.key
            if transition.change is Change.RAISED and key.rule not in TIMED_RULES:
                raised.add((key.station, key.socket or 0, key.rule, key.tier))
    return raised
