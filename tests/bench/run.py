"""``make bench``: what the product does per second, beside the budgets it is held to.

Everything real: Mosquitto with QoS 1, manual acknowledgement after the durable write, all rules,
the embedded store, broker and load on the same machine. Figures compare only within one run.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from devices.model import Area, Name, Plan, Position, Site, Station
from devices.sitefile import dump_site
from iot.broker import MosquittoProcess, find_mosquitto
from iot.topics import Channel, topic
from tests.bench import bench_engine, bench_stores
from tests.bench.load import SOCKETS, TAIL
from tests.spine.process import BackendProcess

BROKER = """
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
"""
LOAD = Path(__file__).with_name("load.py")
STATIONS = 200
HOT = "bench-hot"
HOT_TAIL = TAIL.replace(b'"temp_c":[31.2', b'"temp_c":[97.5')

Row = tuple[str, str, str, bool | None]


def site(stations: int) -> Site:
    """A site of ``stations`` load stations and some that get hot."""
    ids = [f"load-{i + 1:04d}" for i in range(stations)]
    ids += [f"{HOT}-{i:04d}" for i in range(1000)]
    return Site(
        id="bench",
        name=Name(zh="测试", en="Bench"),
        plan=Plan(width=100, height=100),
        areas=(Area(id="area", name=Name(zh="区", en="Area")),),
        stations=tuple(
            Station(
                id=i,
                name=Name(zh=i, en=i),
                area="area",
                grid=1,
                position=Position(x=1, y=1),
                sockets=SOCKETS,
                feeder_limit_w=8000,
            )
            for i in ids
        ),
    )


@asynccontextmanager
async def product(directory: Path, stations: int) -> Any:
    """Mosquitto and a backend process with its own data."""
    broker_dir, data = directory / "broker", directory / "data"
    broker_dir.mkdir(parents=True)
    file = directory / "site.toml"
    file.write_text(dump_site(site(stations)), encoding="utf-8")
    async with MosquittoProcess(BROKER, broker_dir) as broker:
        backend = BackendProcess(data, broker.port, SITES=str(file), API__OPEN_READS="true")
        await backend.start()
        await lanes_up(backend.url)
        try:
            yield broker, backend
        finally:
            await backend.stop()


async def metric(url: str, name: str) -> float:
    """The sum of a metric's series."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


async def lanes_up(url: str) -> None:
    """Until both lanes have brought their probe."""
    while await metric(url, "chargeward_batch_frames_count{") < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def load(port: int, stations: int, frames: int, rate: float) -> dict[str, float]:
    """Run the load process to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(LOAD),
        *(str(v) for v in (port, stations, frames, rate)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    result: dict[str, float] = json.loads(out)
    return result


async def sustained(directory: Path, frames: int) -> tuple[float, float]:
    """Frames per second from the first sent to the last stored durably; and the sender's rate."""
    async with product(directory, STATIONS) as (broker, backend):
        before = await metric(backend.url, 'chargeward_frames_accepted_total{lane="telemetry"}')
        started = time.perf_counter()
        sent = await load(broker.port, STATIONS, frames, 0)
        name = 'chargeward_frames_accepted_total{lane="telemetry"}'
        while await metric(backend.url, name) - before < frames:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - started
        return frames / seconds, sent["sent"] / sent["seconds"]


async def reactions(directory: Path, *, stations: int, rate: float, count: int) -> list[float]:
    """Milliseconds from a hot frame's publication to the cut arriving back at its station.

    Both ways over the broker, so it is more than the budget's "at the broker -> published".
    """
    out: list[float] = []
    async with product(directory, stations) as (broker, _):
        frames = int(rate * (count * 0.12 + 2))
        loading = asyncio.create_task(load(broker.port, stations, frames, rate))
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="bench-hot") as client:
            await client.subscribe(f"chargeward/v1/+/{Channel.COMMAND}", qos=1)
            await asyncio.sleep(1)
            for index in range(count):
                station = f"{HOT}-{index:04d}"
                started = time.perf_counter()
                for seq in range(2):
                    now = time.time_ns() // 1_000_000  # noqa: TID251 - a station's clock
                    head = b'{"boot":"0a0b0c0d","seq":%d,"ts":%d' % (seq, now)
                    started = time.perf_counter()
                    await client.publish(topic(station, Channel.TELEMETRY), head + HOT_TAIL, qos=1)
                    await asyncio.sleep(0.005 if seq == 0 else 0)
                async with asyncio.timeout(20):
                    async for message in client.messages:
                        if station in str(message.topic):
                            break
                out.append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(0.05)
        await loading
    return sorted(out)


async def http_status(directory: Path) -> tuple[float, float]:
    """p50 and p99 of ``GET /api/v1/stations`` with 16 stations, in milliseconds."""
    async with product(directory, 16) as (broker, backend):
        await load(broker.port, 16, 160, 0)
        out = []
        async with httpx.AsyncClient(base_url=backend.url) as client:
            for _ in range(300):
                started = time.perf_counter()
                answer = await client.get("/api/v1/stations", params={"limit": 16})
                out.append((time.perf_counter() - started) * 1000)
                answer.raise_for_status()
        out.sort()
        return out[len(out) // 2], out[int(len(out) * 0.99)]


async def startup(directory: Path) -> float:
    """Seconds from the start of the process to the first frame processed."""
    broker_dir = directory / "broker"
    broker_dir.mkdir(parents=True)
    async with MosquittoProcess(BROKER, broker_dir) as broker:
        backend = BackendProcess(directory / "data", broker.port)
        await backend.start()
        await lanes_up(backend.url)
        await backend.stop()
        started = time.perf_counter()
        await backend.start()
        await lanes_up(backend.url)
        seconds = time.perf_counter() - started
        await backend.stop()
        return seconds


def quantile(values: Sequence[float], q: float) -> float:
    """The value at ``q`` of sorted ``values``."""
    return values[min(len(values) - 1, int(len(values) * q))]


async def measure(directory: Path) -> list[Row]:
    """All figures, one row each: what, measured, budget, within."""
    rows: list[Row] = []
    rate, sender = await sustained(directory / "sustained", 60_000)
    rows.append(
        (
            "sustained, QoS 1, acknowledged after the durable write",
            f"{rate:,.0f} frames/s = {rate * SOCKETS:,.0f} readings/s (sender {sender:,.0f}/s)",
            ">= 12,000 frames/s (first landing: 6,000)",
            rate >= 12_000,
        )
    )
    idle = await reactions(directory / "idle", stations=16, rate=16, count=60)
    rows.append(
        (
            "hot frame sent -> cut back at the station, 16 stations at 1 Hz",
            f"p50 {quantile(idle, 0.5):.1f} ms, p99 {quantile(idle, 0.99):.1f} ms",
            "p99 <= 20 ms",
            quantile(idle, 0.99) <= 20,
        )
    )
    loaded = await reactions(directory / "loaded", stations=STATIONS, rate=5_000, count=60)
    rows.append(
        (
            "the same at 5,000 frames/s",
            f"p50 {quantile(loaded, 0.5):.1f} ms, p99 {quantile(loaded, 0.99):.1f} ms",
            "p99 <= 250 ms",
            quantile(loaded, 0.99) <= 250,
        )
    )
    engine = await asyncio.to_thread(bench_engine.run)
    rows += [
        (
            "engine alone, all rules built, batches of 2,000 readings",
            f"{engine['readings_per_s']:,.0f} readings/s, 1 frame {engine['one_frame_us']:.0f} us",
            ">= 2,000,000 readings/s",
            engine["readings_per_s"] >= 2e6,
        ),
        (
            "memory per socket",
            f"{engine['bytes_per_socket']:,.0f} bytes",
            "<= 2,048 bytes",
            engine["bytes_per_socket"] <= 2048,
        ),
    ]
    rows += store_rows(await asyncio.to_thread(bench_stores.run))
    p50, p99 = await http_status(directory / "http")
    rows.append(
        (
            "status of all stations (HTTP, 16 of a page)",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            "p99 <= 10 ms",
            p99 <= 10,
        )
    )
    seconds = await startup(directory / "startup")
    rows.append(
        (
            "start of the process -> first message processed",
            f"{seconds:.2f} s",
            "<= 3 s",
            seconds <= 3,
        )
    )
    return rows


def store_rows(stores: dict[str, float]) -> list[Row]:
    """The telemetry store's figures."""
    rows: list[Row] = []
    for name, value in stores.items():
        query = "24h" in name and "ms" in name
        rows.append(
            (
                f"store: {name.replace('_', ' ')}",
                f"{value:,.1f}" if value < 1000 else f"{value:,.0f}",
                "<= 50 ms" if query else "",
                value <= 50 if query else None,
            )
        )
    return rows


def main() -> None:
    """Measure and print the table."""
    if find_mosquitto() is None:
        sys.exit("make bench needs mosquitto (Debian: apt-get install mosquitto)")
    with tempfile.TemporaryDirectory(prefix="chargeward-bench-") as directory:
        rows = uvloop.run(measure(Path(directory)))
    table = Table("what", "measured", "budget", "within")
    for what, measured, budget, within in rows:
        table.add_row(what, measured, budget, "" if within is None else "yes" if within else "NO")
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
