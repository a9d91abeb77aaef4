"""InfluxDB away under load: the alarm path does not notice, and nothing is lost."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from devices.sitefile import packaged_site
from iot.broker import MosquittoProcess
from iot.quarantine import Quarantine
from tests.iot_stores.influx_stub import InfluxStub
from tests.spine.crowd import Crowd
from tests.spine.process import BackendProcess
from tests.spine.test_kill import clock_ms, lanes_up, quiet

CALM_S = 8.0
BAD_STATION = "cmrj-05"


def milliseconds(reactions: Sequence[tuple[float, float]], from_s: float, to_s: float) -> str:
    """Count, median and worst of the cuts that came back in the interval."""
    found = sorted(took * 1000 for when, took in reactions if from_s <= when < to_s)
    if not found:
        return "no cut"
    return f"{len(found)} cuts, median {found[len(found) // 2]:.1f} ms, worst {found[-1]:.1f} ms"


async def test_an_outage_of_influxdb_loses_nothing_and_delays_no_cut(
    mosquitto: MosquittoProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Every frame is in InfluxDB once it is back, but the one line that it will never take.

    Cut latencies before, during and after the outage are printed side by side.
    """
    outage_s: int = request.config.getoption("--outage-seconds")
    stub = InfluxStub()
    await stub.up()
    backend = BackendProcess(
        tmp_path / "data",
        mosquitto.port,
        TELEMETRY__KIND="influx",
        TELEMETRY__URL=stub.url,
        TELEMETRY__TOKEN=stub.token,
        TELEMETRY__ORG=stub.org,
        TELEMETRY__BUCKET=stub.bucket,
    )
    await backend.start()
    await lanes_up(backend)
    crowd = Crowd([s.id for s in packaged_site().stations], clock_ms, seed=120)
    end = asyncio.Event()
    sending = asyncio.create_task(crowd.run(mosquitto.port, period_s=0.1, until=end))
    began = time.monotonic()
    await asyncio.sleep(CALM_S)
    down = time.monotonic()
    await stub.down()
    await asyncio.sleep(outage_s)
    up = time.monotonic()
    spoiled: list[str] = []
    stub.bad = lambda line: _spoil_one(line, spoiled)
    await stub.up()
    await asyncio.sleep(CALM_S)
    end.set()
    await asyncio.wait_for(sending, 60)
    await quiet(backend)
    frames = Counter((s, f.seq) for s, f in crowd.frames)
    async with asyncio.timeout(120):
        while len(_stored(stub)) < len(frames) - len(spoiled):  # noqa: ASYNC110 - a real server
            await asyncio.sleep(0.2)
    ended = time.monotonic()
    await stub.down()
    assert await backend.stop() == 0, backend.log()[-4000:]
    stored = _stored(stub)
    refused = Quarantine(tmp_path / "data" / "quarantine").recent()
    with capsys.disabled():
        print(  # noqa: T201 - the counts are what this test is for
            f"\noutage {up - down:.0f} s: frames sent {len(frames)}, stored {len(stored)}, "
            f"refused by the store {len(refused)}; before: "
            f"{milliseconds(crowd.reactions_s, began, down)}; during: "
            f"{milliseconds(crowd.reactions_s, down, up)}; after: "
            f"{milliseconds(crowd.reactions_s, up, ended)}"
        )
    assert len(spoiled) == 1
    assert [r.payload.decode() for r in refused] == spoiled
    assert len(frames) - len(stored) == 1
    assert stored.issubset({(s, f.ts, f.seq % 1_000_000) for s, f in crowd.frames})
    assert stub.token not in backend.log()


def _spoil_one(line: str, spoiled: list[str]) -> str | None:
    """The first station line of one station is one that InfluxDB will never take."""
    if not spoiled and f"station={BAD_STATION} " in line:
        spoiled.append(line)
    return "field type conflict" if line in spoiled else None


def _stored(stub: InfluxStub) -> set[tuple[str, int, int]]:
    """Station, event time and sequence number of every station point."""
    out = set()
    for _, tags, ns in stub.points:
        named = dict(tags)
        if "socket" not in named:
            out.add((named["station"], ns // 1_000_000, ns % 1_000_000))
    return out
