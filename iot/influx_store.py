"""The telemetry store over InfluxDB 2.

Delivery is at least once from the journal, and writing a frame again changes nothing, so
every frame is stored exactly once. The official client does no retry and raises three
families of exceptions; here they become ``StoreError`` with what a person should do. The
token appears in no log, no text and no repr.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, TypeVar

import aiohttp
import numpy as np
import structlog
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.flux_csv_parser import FluxCsvParserException, FluxQueryException
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.service.write_service import WriteService

from iot import blocks, influx_queries
from iot.contract import LATEST_TS_MS
from iot.frames import FrameBatch
from iot.influx_errors import Answer, LinesRefused, explain
from iot.influx_queries import Row
from iot.line_protocol import NS_PER_MS, SOCKET, STATION, points
from iot.slicing import slices
from iot.store import (
    RangeQuery,
    RawQuery,
    Series,
    StoreError,
    StoreHealth,
    StoreRefused,
    StoreUnavailable,
)

log = structlog.get_logger(__name__)

_MAX_PAGE: Final = 2000
"""Frames per query of whole frames: the client parses some 15 rows per frame."""
_STATIONS_PER_QUERY: Final = 200
_FRAMES_PER_STEP: Final = 500
"""Frames turned into text without a pause: the interpreter is not free for alarms meanwhile."""
_LOOKS_LIKE_CONFIGURATION: Final = 50
"""So many lines refused and none accepted: it is not the lines."""
_MAX_REFUSED: Final = 1000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class InfluxOptions:
    """Where the store is. ``token`` must be allowed to read, write and delete in ``bucket``.

    A write may take long without harm, nobody waits for it; a query has a person behind it.
    """

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str
    write_timeout_s: float = 60.0
    query_timeout_s: float = 15.0
    batch_lines: int = 10_000


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """What InfluxDB will never take: one line of line protocol, or a block of one frame."""

    payload: bytes
    reason: str


class InfluxStore:
    """``iot.store.TelemetryStore`` over InfluxDB 2."""

    def __init__(
        self, options: InfluxOptions, on_refused: Callable[[Sequence[RefusedPoint]], None]
    ) -> None:
        """Use ``InfluxStore.open``."""
        self._options = options
        self._on_refused = on_refused
        self._client = InfluxDBClientAsync(
            options.url,
            token=options.token,
            org=options.org,
            timeout=int(options.write_timeout_s * 1000),
            allow_redirects=False,  # a redirect must not carry the token elsewhere
        )
        self._writer = WriteService(self._client.api_client)  # type: ignore[no-untyped-call]
        self._where = f"bucket {options.bucket!r} of {options.org!r} at {options.url}"
        self._closed = False
        self.refused = 0
        """Points that were refused for good, since start."""
        self.expired = 0
        """Points older than the bucket keeps, since start: accepted and gone."""

    @classmethod
    async def open(
        cls, options: InfluxOptions, on_refused: Callable[[Sequence[RefusedPoint]], None]
    ) -> Self:
        """A store that connects when it is used. ``on_refused`` gets what can never be written."""
        return cls(options, on_refused)

    def __repr__(self) -> str:
        """Where it writes to, without the token."""
        return f"InfluxStore({self._options!r})"

    async def append(self, frames: Sequence[tuple[int, FrameBatch]], upto_lsn: int) -> None:  # noqa: ARG002 - the position lives in the journal's cursor
        """Write all points; what InfluxDB will never take goes to ``on_refused`` instead."""
        attempt = _Attempt()
        lines: list[bytes] = []
        for _, batch in frames:
            for first in range(0, len(batch), _FRAMES_PER_STEP):
                rows = np.arange(first, min(first + _FRAMES_PER_STEP, len(batch)))
                lines += await asyncio.to_thread(_lines, batch.take(rows), attempt)
                while len(lines) >= self._options.batch_lines:
                    await self._write(lines[: self._options.batch_lines], attempt)
                    del lines[: self._options.batch_lines]
        if lines:
            await self._write(lines, attempt)
        self.refused += len(attempt.refused)
        self.expired += attempt.expired
        if attempt.refused:
            log.error("points refused by InfluxDB", n=len(attempt.refused))
            self._on_refused(attempt.refused)

    async def stored_lsn(self) -> None:
        """InfluxDB knows nothing of the journal: its cursor is the position."""

    async def range(self, query: RangeQuery) -> Series:
        """Minimum, maximum and mean of one channel per window."""
        rows = await self._query(influx_queries.windows(self._options.bucket, query))
        found: dict[int, dict[str, float]] = {}
        for row in rows:
            window = row["ns"] // NS_PER_MS // query.window_ms
            found.setdefault(window, {})[row["result"]] = row["_value"]
        ordered = sorted(found.items())
        columns = {
            name: np.array([values[name] for _, values in ordered], dtype=np.float64)
            for name in influx_queries.AGGREGATES
        }
        return Series(
            query.window_ms,
            np.array([window * query.window_ms for window, _ in ordered], dtype=np.int64),
            columns["min"],
            columns["max"],
            columns["mean"],
            columns["count"].astype(np.int64),
        )

    async def raw(self, query: RawQuery, page: int = 10_000) -> AsyncIterator[FrameBatch]:
        """The query's frames by ascending event time, at most 2,000 per page."""
        if query.stations == ():
            return
        async for part in slices(query, min(page, _MAX_PAGE), self._histogram):
            flux = [
                influx_queries.frames(self._options.bucket, part, measurement)
                for measurement in (STATION, SOCKET)
            ]
            stations, sockets = await asyncio.gather(*(self._query(each) for each in flux))
            stations.sort(key=lambda row: row["ns"])
            yield influx_queries.to_frames(stations, sockets)

    async def last(self, stations: Sequence[str]) -> FrameBatch:
        """The newest frame of each station that has one, in the order asked."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(stations), _STATIONS_PER_QUERY):
            some = stations[start : start + _STATIONS_PER_QUERY]
            flux = [
                influx_queries.newest(self._options.bucket, some, measurement)
                for measurement in (STATION, SOCKET)
            ]
            station_rows, socket_rows = await asyncio.gather(*(self._query(each) for each in flux))
            found += influx_queries.merge_newest([*station_rows, *socket_rows], some)
        heads = [point for point in found if "socket" not in point]
        return influx_queries.to_frames(heads, [point for point in found if "socket" in point])

    async def prune(self, before_ms: int) -> int:
        """Delete every point before ``before_ms``; the bucket's own retention makes this rare."""
        frames = await self._count(0, before_ms)
        # Both ends of a delete are included, so it ends one nanosecond before.
        stop = np.datetime_as_string(np.datetime64(before_ms * NS_PER_MS - 1, "ns"))
        for measurement in (STATION, SOCKET):
            await self._delete(f"{stop}Z", f'_measurement="{measurement}"')
        return frames

    async def count(self) -> int:
        """How many frames are stored."""
        return await self._count(0, LATEST_TS_MS)

    async def health(self) -> StoreHealth:
        """Whether the bucket can be read with this token now."""
        try:
            await self._query(influx_queries.one_row(self._options.bucket))
        except StoreError as error:
            return StoreHealth(ok=False, detail=str(error))
        return StoreHealth(ok=True, detail="ok")

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _count(self, start_ms: int, end_ms: int) -> int:
        rows = await self._query(influx_queries.count(self._options.bucket, start_ms, end_ms))
        return sum(int(row["_value"]) for row in rows)

    async def _histogram(self, query: RawQuery, bucket_ms: int) -> dict[int, int]:
        rows = await self._query(influx_queries.histogram(self._options.bucket, query, bucket_ms))
        return {row["ns"] // NS_PER_MS // bucket_ms: row["_value"] for row in rows}

    async def _query(self, flux: str) -> list[Row]:
        try:
            async with asyncio.timeout(self._options.query_timeout_s):
                tables = await self._call(lambda: self._client.query_api().query(flux))
        except TimeoutError:
            msg = f"InfluxDB took more than {self._options.query_timeout_s} s for a query"
            raise StoreUnavailable(msg) from None
        except LinesRefused as error:
            msg = f"InfluxDB refuses the query: {error}"
            raise StoreRefused(msg) from None
        return [record.values for table in tables for record in table.records]

    async def _write(self, lines: list[bytes], attempt: "_Attempt") -> None:
        """Write ``lines``; halves of them when something in them is refused, down to one."""
        try:
            await self._post(lines)
        except LinesRefused as error:
            expired = error.expired(len(lines))
            if expired is not None:
                attempt.expired += expired
            elif len(lines) == 1:
                attempt.refuse(RefusedPoint(lines[0], str(error)))
            else:
                middle = len(lines) // 2
                await self._write(lines[:middle], attempt)
                await self._write(lines[middle:], attempt)
        else:
            attempt.accepted += len(lines)

    async def _delete(self, stop: str, predicate: str) -> None:
        options = self._options
        api, start = self._client.delete_api(), "1970-01-01T00:00:00Z"
        await self._call(lambda: api.delete(start, stop, predicate, options.bucket, options.org))

    async def _post(self, lines: list[bytes]) -> None:
        body = await asyncio.to_thread(lambda: gzip.compress(b"\n".join(lines), compresslevel=1))
        await self._call(
            lambda: self._writer.post_write_async(  # type: ignore[no-untyped-call]
                self._options.org,
                self._options.bucket,
                body,
                precision="ns",
                content_encoding="gzip",
                content_type="text/plain; charset=utf-8",
            )
        )

    async def _call(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """``request``, its exceptions as ours and without anything secret."""
        if self._closed:
            msg = "the store is closed"
            raise StoreRefused(msg)
        try:
            return await request()
        except InfluxDBError as error:
            answer = _answer(error)
            body = self._without_token(answer.body.decode("utf-8", "replace"))
            raise explain(replace(answer, body=body.encode()), self._where) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            msg = f"InfluxDB does not answer: {type(error).__name__} at {self._where}"
            raise StoreUnavailable(msg) from None
        except (FluxQueryException, FluxCsvParserException) as error:
            raise StoreUnavailable(self._without_token(f"InfluxDB: {error}")) from None

    def _without_token(self, said: str) -> str:
        return said.replace(self._options.token, "***") if self._options.token else said


@dataclass(slots=True)
class _Attempt:
    """What became of the lines of one ``append``."""

    accepted: int = 0
    expired: int = 0
    refused: list[RefusedPoint] = field(default_factory=list)

    def refuse(self, point: RefusedPoint) -> None:
        """Note ``point``; give up when this is no longer a matter of single lines."""
        self.refused.append(point)
        n = len(self.refused)
        if n > _MAX_REFUSED or (n >= _LOOKS_LIKE_CONFIGURATION and not self.accepted):
            msg = f"InfluxDB refuses line after line ({n} so far), the last for: {point.reason}"
            raise StoreRefused(msg)


def _lines(batch: FrameBatch, attempt: _Attempt) -> list[bytes]:
    """The lines of ``batch``; a frame that has none is handed over as a block."""
    made = points(batch)
    for row in made.unwritable:
        block = blocks.encode(batch.take(np.array([row])))
        attempt.refused.append(RefusedPoint(block, "station id has no line protocol"))
    return made.lines


def _answer(error: InfluxDBError) -> Answer:
    response: Any = error.response
    if response is None:
        return Answer(0, str(error.message).encode())
    headers = response.getheaders()
    return Answer(
        response.status,
        response.data or b"",
        headers.get("Retry-After", ""),
        headers.get("Date", ""),
    )
