"""How fast journal, drain and embedded store are on this machine.

python -m tests.bench.bench_stores
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from iot.blocks import decode, encode
from iot.drain import Drain
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from iot.journal import Entry, EntryKind, Journal
from iot.line_protocol import points
from iot.store import RangeQuery

SOCKETS = 12
STATIONS = 97  # at one frame per 5 s, 20 M socket rows are a day of so many stations
FRAMES_PER_BLOCK = 200
STORED_FRAMES = 1_680_000
STEP_MS = 52
START_MS = 1_760_000_000_000
DAY_MS = 86_400_000
_RNG = np.random.default_rng(7)


def frames(first: int, count: int) -> FrameBatch:
    """``count`` frames of all stations in turn; two decimals, as sensors give them."""
    rows = np.arange(first, first + count, dtype=np.int64)
    names = np.empty(count, dtype=np.object_)
    names[:] = [f"station-{row % STATIONS:04d}" for row in rows.tolist()]
    times = START_MS + rows * STEP_MS
    shape = (count, len(SOCKET_CHANNELS), SOCKETS)
    return FrameBatch(
        station=names,
        boot=np.full(count, 0xABCD0123, dtype=np.uint32),
        seq=rows,
        ts_ms=times,
        received_ms=times,
        event_ms=times,
        live=np.ones(count, dtype=np.bool_),
        sockets=np.full(count, SOCKETS, dtype=np.uint8),
        station_values=np.round(
            _RNG.random((count, len(STATION_CHANNELS)), dtype=np.float32) * 50, 1
        ),
        socket_values=np.round(_RNG.random(shape, dtype=np.float32) * 50, 2),
    )


def run() -> dict[str, float]:
    """The measurements by name, unit in the name."""
    with tempfile.TemporaryDirectory(prefix="bench-stores-") as folder:
        found = _blocks() | _journal(Path(folder) / "appends")
        return found | asyncio.run(_stores(Path(folder)))


def _blocks() -> dict[str, float]:
    batch = frames(0, FRAMES_PER_BLOCK)
    data = encode(batch)
    rounds = 500
    started = perf_counter()
    for _ in range(rounds):
        encode(batch)
    between = perf_counter()
    for _ in range(rounds):
        decode(data)
    ended = perf_counter()
    many = frames(0, 2000)
    begun = perf_counter()
    lines = len(points(many).lines)
    return {
        "block_encode_us_per_frame": (between - started) / rounds / FRAMES_PER_BLOCK * 1e6,
        "block_decode_us_per_frame": (ended - between) / rounds / FRAMES_PER_BLOCK * 1e6,
        "block_bytes_per_frame": len(data) / FRAMES_PER_BLOCK,
        "line_protocol_us_per_point": (perf_counter() - begun) / lines * 1e6,
    }


def _journal(directory: Path) -> dict[str, float]:
    journal = Journal.open(directory, max_bytes=1 << 28)
    entry = Entry(EntryKind.FRAMES, encode(frames(0, FRAMES_PER_BLOCK)))
    rounds = 200
    started = perf_counter()
    for _ in range(rounds):
        journal.append([entry])
    seconds = perf_counter() - started
    journal.close()
    return {
        "journal_appends_per_s": rounds / seconds,
        "journal_frames_per_s": rounds * FRAMES_PER_BLOCK / seconds,
    }


async def _stores(folder: Path) -> dict[str, float]:
    store = await EmbeddedStore.open(folder / "store", EmbeddedOptions())
    found = await _fill(store)
    found |= await _queries(store)
    await store.close()
    fresh = await EmbeddedStore.open(folder / "drained", EmbeddedOptions())
    found |= await _drain(fresh, folder / "journal")
    await fresh.close()
    return found


async def _fill(store: EmbeddedStore) -> dict[str, float]:
    wall = cpu = 0.0
    size, lsn = 20_000, 0
    for first in range(0, STORED_FRAMES, size):
        parts = range(first, first + size, FRAMES_PER_BLOCK)
        blocks = [(lsn + i, frames(at, FRAMES_PER_BLOCK)) for i, at in enumerate(parts)]
        lsn += len(blocks)
        started, burnt = perf_counter(), process_time()
        await store.append(blocks, lsn)
        wall += perf_counter() - started
        cpu += process_time() - burnt
    used = (await store.health()).bytes_used or 0
    return {
        "store_insert_frames_per_s": STORED_FRAMES / wall,
        "store_insert_socket_rows_per_s": STORED_FRAMES * SOCKETS / wall,
        "store_insert_frames_per_cpu_s": STORED_FRAMES / cpu,
        "store_bytes_per_socket_row": used / STORED_FRAMES / SOCKETS,
    }


async def _queries(store: EmbeddedStore) -> dict[str, float]:
    end = START_MS + STORED_FRAMES * STEP_MS
    times = []
    for station in range(20):
        query = RangeQuery(f"station-{station:04d}", 5, "temp_c", end - DAY_MS, end, 300)
        started = perf_counter()
        await store.range(query)
        times.append((perf_counter() - started) * 1000)
    started = perf_counter()
    await store.last([f"station-{number:04d}" for number in range(STATIONS)])
    return {
        "store_socket_rows_million": STORED_FRAMES * SOCKETS / 1e6,
        "query_24h_300_points_first_ms": times[0],
        "query_24h_300_points_p50_ms": sorted(times)[10],
        "query_last_of_all_stations_ms": (perf_counter() - started) * 1000,
    }


async def _drain(store: EmbeddedStore, directory: Path) -> dict[str, float]:
    count = 120_000
    journal = Journal.open(directory, max_bytes=1 << 30)
    for first in range(0, count, FRAMES_PER_BLOCK):
        journal.append([Entry(EntryKind.FRAMES, encode(frames(first, FRAMES_PER_BLOCK)))])
    drain = Drain(journal, store)
    started, burnt = perf_counter(), process_time()
    await drain.empty()
    wall, cpu = perf_counter() - started, process_time() - burnt
    journal.close()
    return {"drain_frames_per_s": count / wall, "drain_frames_per_cpu_s": count / cpu}


if __name__ == "__main__":
    for name, value in run().items():
        sys.stdout.write(f"{name:36} {value:14,.2f}\n")
