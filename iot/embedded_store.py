"""The default telemetry store: DuckDB files in one directory, one per period of arrival.

Each file remembers the journal position of its frames in the transaction that inserted
them, so every frame is stored exactly once over any crash. Retention deletes whole files,
which is the only way DuckDB gives disk back. One thread makes all calls into DuckDB.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeVar

import duckdb
import numpy as np
import structlog

from iot.embedded_file import PeriodFile
from iot.embedded_layout import no_frames
from iot.frames import FrameBatch
from iot.slicing import slices
from iot.store import (
    Float64,
    RangeQuery,
    RawQuery,
    Series,
    StoreHealth,
    StoreRefused,
    StoreUnavailable,
)

log = structlog.get_logger(__name__)

DAY_MS: Final = 86_400_000
_PATTERN: Final = "telemetry-*.duckdb"
_DAMAGE: Final = ("not a valid DuckDB database file", "Could not read enough bytes", "Corrupt")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """How much of the machine the store may take, and what one file covers."""

    memory_limit_mb: int = 512
    threads: int = 1
    period_ms: int = DAY_MS


@dataclass(slots=True)
class _Opened:
    """What exists while the store is open."""

    connection: duckdb.DuckDBPyConnection
    files: list[PeriodFile]  # oldest first
    damaged: list[str]  # names of the files that were set aside


class EmbeddedStore:
    """``iot.store.TelemetryStore`` over DuckDB."""

    def __init__(self, directory: Path, options: EmbeddedOptions) -> None:
        """Use ``EmbeddedStore.open``."""
        self._directory = directory
        self._options = options
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telemetry-store")
        self._opened: _Opened | None = None
        self._closed = False

    @classmethod
    async def open(cls, directory: Path, options: EmbeddedOptions | None = None) -> Self:
        """Open or create the store in ``directory``. Raises StoreError when it cannot be used."""
        store = cls(directory, options or EmbeddedOptions())
        try:
            await store._run(store._all_files)
        except BaseException:
            store._worker.shutdown(wait=False)
            raise
        return store

    async def append(self, blocks: Sequence[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        """Store the blocks and the position behind them in one transaction."""
        await self._run(self._append, list(blocks), upto_lsn)

    async def stored_lsn(self) -> int:
        """The journal position up to which everything is stored; 0 for an empty store."""
        return await self._run(lambda: max((f.summary.lsn for f in self._all_files()), default=0))

    async def range(self, query: RangeQuery) -> Series:
        """Minimum, maximum and mean of one channel per window."""
        return await self._run(self._range, query)

    async def raw(self, query: RawQuery, page: int = 10_000) -> AsyncIterator[FrameBatch]:
        """The query's frames by ascending event time. Each page is a query of its own."""
        async for part in slices(query, page, self._histogram):
            yield await self._run(self._frames, part)

    async def last(self, stations: Sequence[str]) -> FrameBatch:
        """The newest frame of each station that has one, in the order asked."""
        return await self._run(self._last, list(stations))

    async def prune(self, before_ms: int) -> int:
        """Delete the files all of whose frames are older; the number of frames deleted."""
        return await self._run(self._prune, before_ms)

    async def count(self) -> int:
        """How many frames are stored."""
        return await self._run(lambda: sum(f.summary.frames for f in self._all_files()))

    async def health(self) -> StoreHealth:
        """Whether all files can be used, and the disk they take."""
        try:
            damaged = await self._run(lambda: self._open().damaged)
        except (StoreUnavailable, StoreRefused) as error:
            return StoreHealth(ok=False, detail=str(error))
        paths = self._directory.glob(f"{_PATTERN}*")
        used = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in paths))
        detail = f"damaged and set aside: {', '.join(damaged)}" if damaged else "ok"
        return StoreHealth(ok=not damaged, detail=detail, bytes_used=used)

    async def close(self) -> None:
        """Fold in the write-ahead logs and release the files."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._worker, self._disconnect)
            self._worker.shutdown()

    async def _run(self, call: Callable[..., _T], *arguments: object) -> _T:
        """``call`` in the store's thread, its errors as ours."""

        def guarded() -> _T:
            try:
                return call(*arguments)
            except duckdb.FatalException as error:
                self._disconnect()  # DuckDB allows nothing more on it; the next call reopens
                raise StoreUnavailable(str(error)) from error
            except (duckdb.OperationalError, duckdb.OutOfMemoryException, OSError) as error:
                raise StoreUnavailable(str(error)) from error
            except duckdb.Error as error:
                raise StoreRefused(str(error)) from error

        if self._closed:
            msg = "the store is closed"
            raise StoreRefused(msg)
        return await asyncio.get_running_loop().run_in_executor(self._worker, guarded)

    def _all_files(self) -> list[PeriodFile]:
        return self._open().files

    def _open(self) -> _Opened:
        """What is open; opens it after start or after a fatal error."""
        if self._opened is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(
                config={
                    "memory_limit": f"{self._options.memory_limit_mb}MB",
                    "threads": self._options.threads,
                    "temp_directory": str(self._directory / "spill"),
                }
            )
            try:
                files = _open_files(connection, self._directory)
            except BaseException:
                connection.close()
                raise
            damaged = sorted(path.name for path in self._directory.glob("*.damaged"))
            self._opened = _Opened(connection, files, damaged)
        return self._opened

    def _disconnect(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.connection.close()

    def _append(self, blocks: list[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        files = self._all_files()
        arrivals = [int(batch.received_ms.max()) for _, batch in blocks if len(batch)]
        if not files or arrivals:
            period = max(arrivals, default=0) // self._options.period_ms
            if not files or files[-1].summary.period != period:
                self._begin(period)
        files[-1].append(blocks, upto_lsn)

    def _begin(self, period: int) -> None:
        """Begin a new file, which takes the journal position over from the one before it."""
        opened = self._open()
        taken = [_number(path) for path in self._directory.glob("telemetry-*")]
        number = max(taken, default=0) + 1
        path = self._directory / f"telemetry-{number:06d}.duckdb"
        lsn = 0
        if opened.files:
            lsn = opened.files[-1].summary.lsn
            opened.files[-1].fold()
        file = PeriodFile.create(opened.connection, path, number, period=period, lsn=lsn)
        opened.files.append(file)

    def _range(self, query: RangeQuery) -> Series:
        found = [
            windows
            for file in self._all_files()
            if file.covers(query.start_ms, query.end_ms)
            and (windows := file.windows(query)) is not None
        ]
        return _merge(query.window_ms, found)

    async def _histogram(self, query: RawQuery, bucket_ms: int) -> dict[int, int]:
        def counted() -> dict[int, int]:
            total: Counter[int] = Counter()
            for file in self._all_files():
                if file.covers(query.start_ms, query.end_ms):
                    total.update(file.histogram(query, bucket_ms))
            return total

        return await self._run(counted)

    def _frames(self, query: RawQuery) -> FrameBatch:
        found = [
            file.frames(query)
            for file in self._all_files()
            if file.covers(query.start_ms, query.end_ms)
        ]
        batch = FrameBatch.concat(found) if found else no_frames()
        return batch.take(np.lexsort((batch.seq, batch.event_ms)))

    def _last(self, stations: list[str]) -> FrameBatch:
        newest: dict[str, FrameBatch] = {}
        for file in reversed(self._all_files()):
            # A late frame in a newer file may be older than one in an older file.
            open_ = [
                name
                for name in stations
                if name not in newest or int(newest[name].event_ms[0]) < file.summary.last_ms
            ]
            if not open_ or not file.summary.frames:
                continue
            batch = file.last(open_)
            for row in np.lexsort((batch.seq, batch.event_ms)):
                one, name = batch.take(np.array([row])), batch.station[row]
                if name not in newest or one.event_ms[0] > newest[name].event_ms[0]:
                    newest[name] = one
        found = [newest[name] for name in stations if name in newest]
        return FrameBatch.concat(found) if found else no_frames()

    def _prune(self, before_ms: int) -> int:
        files = self._all_files()
        old = [f for f in files if f.summary.frames == 0 or f.summary.last_ms < before_ms]
        if files and files[-1] in old:
            if files[-1].summary.frames:
                self._begin(files[-1].summary.period)
            else:
                old.remove(files[-1])
        for file in old:
            files.remove(file)
            file.detach()
            _delete(file.path)
        return sum(file.summary.frames for file in old)


def _number(path: Path) -> int:
    return int(path.name.removeprefix("telemetry-")[:6])


def _delete(path: Path) -> None:
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    path.unlink()


def _merge(window_ms: int, parts: list[Float64]) -> Series:
    """Windows of several files as one series; a window may have frames in more than one."""
    rows = np.concatenate([np.empty((0, 5)), *parts])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    windows, first = np.unique(rows[:, 0], return_index=True)
    if not len(windows):
        nothing, no_time = np.empty(0), np.empty(0, dtype=np.int64)
        return Series(window_ms, no_time, nothing, nothing, nothing, no_time)
    samples = np.add.reduceat(rows[:, 4], first)
    return Series(
        window_ms,
        windows.astype(np.int64) * window_ms,
        np.minimum.reduceat(rows[:, 1], first),
        np.maximum.reduceat(rows[:, 2], first),
        np.add.reduceat(rows[:, 3], first) / samples,
        samples.astype(np.int64),
    )


def _open_files(connection: duckdb.DuckDBPyConnection, directory: Path) -> list[PeriodFile]:
    files = []
    for path in sorted(directory.glob(_PATTERN)):
        try:
            files.append(PeriodFile.open(connection, path, _number(path)))
        except duckdb.CatalogException:
            _delete(path)  # a crash came before its first commit: nothing is in it
        except duckdb.Error as error:
            if not any(sign in str(error) for sign in _DAMAGE):
                raise
            log.exception("telemetry file is damaged and set aside", path=str(path))
            path.rename(path.with_suffix(".damaged"))
    return files
