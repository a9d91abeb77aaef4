"""How fast the engine alone is, and how much it remembers per socket.

Run it as ``python tests/bench/bench_engine.py``, or call ``run`` as ``make bench`` does.
"""

import gc
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from rules.catalogue import Catalogue
from rules.engine import Engine, StationProfile

SOCKETS = 12
STATIONS = 2_000
FRAMES = 167
"""Frames of 12 sockets in one batch: 2,004 readings."""
START_MS = 1_760_000_000_000
INTERVAL_MS = 5_000


class Load:
    """Stations of which half charge, at slowly moving powers and temperatures."""

    def __init__(self, stations: int, seed: int = 1) -> None:
        """Deterministic by ``seed``."""
        self._rng = np.random.default_rng(seed)
        self.names = np.array([f"station-{i:05d}" for i in range(stations)], dtype=np.object_)
        self._power = np.where(
            self._rng.random((stations, SOCKETS)) < 0.5,
            self._rng.uniform(90, 180, (stations, SOCKETS)),
            0.4,
        ).astype(np.float32)
        self._temp = self._rng.uniform(20, 35, (stations, SOCKETS)).astype(np.float32)
        self._round = 0

    def batch(self, which: np.ndarray[tuple[int], np.dtype[np.intp]], now_ms: int) -> FrameBatch:
        """One frame of each station in ``which`` (each once)."""
        n = len(which)
        sockets = np.empty((n, len(SOCKET_CHANNELS), SOCKETS), np.float32)
        power = self._power[which] * self._rng.uniform(0.99, 1.01, (n, SOCKETS)).astype(np.float32)
        sockets[:, 0] = power > 1
        sockets[:, 1] = power / 220
        sockets[:, 2] = power
        sockets[:, 3] = self._temp[which] + self._rng.normal(0, 0.1, (n, SOCKETS))
        sockets[:, 4] = 0
        box = np.tile(np.array([20, 25, 225, 4, 0, 0, 0], np.float32), (n, 1))
        assert box.shape[1] == len(STATION_CHANNELS)
        self._round += 1
        times = np.full(n, now_ms, np.int64)
        return FrameBatch(
            station=self.names[which],
            boot=np.ones(n, np.uint32),
            seq=np.full(n, self._round, np.int64),
            ts_ms=times,
            received_ms=times,
            event_ms=times,
            live=np.ones(n, np.bool_),
            sockets=np.full(n, SOCKETS, np.uint8),
            station_values=box,
            socket_values=sockets,
        )


def _engine(stations: int) -> Engine:
    names = Load(stations).names
    catalogue = Catalogue.default()
    return Engine([StationProfile(str(s), "site", SOCKETS, catalogue, 30.0) for s in names])


def _passes(load: Load, size: int, rounds: int) -> list[FrameBatch]:
    """``rounds`` times every station, in a shuffled order, ``size`` frames to a batch."""
    rng = np.random.default_rng(2)
    orders = [rng.permutation(len(load.names)) for _ in range(rounds)]
    return [
        load.batch(order[start : start + size], START_MS + number * INTERVAL_MS)
        for number, order in enumerate(orders)
        for start in range(0, len(order) - size + 1, size)
    ]


def _seconds(engine: Engine, batches: list[FrameBatch]) -> list[float]:
    """CPU seconds of this thread per batch: on a shared machine the clock on the wall lies."""
    out = []
    for batch in batches:
        now_ms = int(batch.received_ms[0])
        start = time.thread_time()
        engine.step(batch, (), now_ms)
        out.append(time.thread_time() - start)
    return out


def run() -> dict[str, float]:
    """Readings/s on batches of 2,000, bytes per socket, and microseconds for a single frame."""
    load, engine = Load(STATIONS), _engine(STATIONS)
    batches = _passes(load, FRAMES, 16)
    warm, hot = batches[: len(batches) // 4], batches[len(batches) // 4 :]
    gc.collect()
    gc.freeze()
    _seconds(engine, warm)
    took = _seconds(engine, hot)
    small = Load(16, seed=3)
    one = _engine(16)
    singles = _seconds(one, _passes(small, 1, 80))[160:]
    gc.unfreeze()
    return {
        "readings_per_s": FRAMES * SOCKETS * len(took) / sum(took),
        "readings_per_s_best": FRAMES * SOCKETS / min(took),
        "bytes_per_socket": engine.state.nbytes / (engine.state.capacity * SOCKETS),
        "one_frame_us": float(np.median(singles)) * 1e6,
    }


if __name__ == "__main__":
    print(json.dumps({k: round(v, 1) for k, v in run().items()}, indent=2))  # noqa: T201 - a script
