"""Stored frames as one CSV or Parquet file: a row per socket reading, DuckDB as the writer.

The file appears whole or not at all; what is on the way lies in ``{name}.part`` files beside it.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from iot.store import RawQuery, TelemetryStore

COLUMNS: Final = {
    "time": "TIMESTAMP",  # event time, UTC
    "station": "VARCHAR",
    "socket": "UTINYINT",
    **dict.fromkeys(SOCKET_CHANNELS, "FLOAT"),
    **dict.fromkeys(STATION_CHANNELS, "FLOAT"),
    "event_ms": "BIGINT",
    "ts_ms": "BIGINT",
    "received_ms": "BIGINT",
    "boot": "UINTEGER",
    "seq": "BIGINT",
    "live": "BOOLEAN",
}
"""The columns of an export. The station's channels repeat in each of its sockets' rows."""

_MEMORY_MB: Final = 256


class ExportFormat(StrEnum):
    """How the file is written."""

    CSV = "csv"
    PARQUET = "parquet"


async def export(
    store: TelemetryStore,
    query: RawQuery,
    path: Path,
    file_format: ExportFormat,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the query's frames to ``path``, ascending by time; the number of rows written.

    ``progress`` is told the frames written so far and the event time reached, UTC ms.
    Raises StoreError from the store and OSError when ``path`` cannot be written.
    """
    staging = path.with_name(f"{path.name}.duckdb.part")
    part = path.with_name(f"{path.name}.part")
    _remove(staging)
    connection = await asyncio.to_thread(_open, staging)
    try:
        frames = rows = 0
        async for batch in store.raw(query):
            rows += await asyncio.to_thread(_stage, connection, batch)
            frames += len(batch)
            if progress is not None and len(batch):
                progress(frames, int(batch.event_ms[-1]))
        await asyncio.to_thread(_write, connection, part, file_format)
        part.replace(path)
    except duckdb.Error as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
        _remove(staging)
        part.unlink(missing_ok=True)
    return rows


def _open(staging: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(
            staging, config={"memory_limit": f"{_MEMORY_MB}MB", "threads": 1}
        )
    except duckdb.Error as error:
        raise OSError(str(error)) from error
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE export ({columns})")
    return connection


def _stage(connection: duckdb.DuckDBPyConnection, batch: FrameBatch) -> int:
    """Append the rows of ``batch``; how many."""
    columns = _rows(batch)
    connection.register("incoming", columns)
    try:
        connection.execute("INSERT INTO export BY NAME FROM incoming")
    finally:
        connection.unregister("incoming")
    return len(columns["socket"])


def _rows(batch: FrameBatch) -> dict[str, npt.NDArray[Any]]:
    """One row per socket that the frame has."""
    frame, place = np.nonzero(np.arange(batch.width) < batch.sockets[:, None])
    columns: dict[str, npt.NDArray[Any]] = {
        "time": batch.event_ms[frame].astype("datetime64[ms]").astype("datetime64[us]"),
        "station": batch.station[frame],
        "socket": (place + 1).astype(np.uint8),
    }
    for index, name in enumerate(SOCKET_CHANNELS):
        columns[name] = batch.socket_values[frame, index, place]
    for index, name in enumerate(STATION_CHANNELS):
        columns[name] = batch.station_values[frame, index]
    for name in ("event_ms", "ts_ms", "received_ms", "boot", "seq", "live"):
        columns[name] = getattr(batch, name)[frame]
    return columns


def _write(connection: duckdb.DuckDBPyConnection, part: Path, file_format: ExportFormat) -> None:
    options = "FORMAT csv, HEADER" if file_format is ExportFormat.CSV else "FORMAT parquet"
    target = str(part).replace("'", "''")
    connection.execute(f"COPY export TO '{target}' ({options})")


def _remove(staging: Path) -> None:
    for path in (staging, staging.with_name(f"{staging.name}.wal")):
        path.unlink(missing_ok=True)
