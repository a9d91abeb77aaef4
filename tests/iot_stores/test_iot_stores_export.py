"""Exports: every reading once, readable by others, whole or not there."""

import csv
from pathlib import Path

import duckdb
import numpy as np
import pytest

from iot.embedded_store import EmbeddedStore
from iot.store import RawQuery, TelemetryStore
from iot.telemetry_export import COLUMNS, ExportFormat, export
from tests.iot_stores.telemetry import START_MS, frames

ALWAYS = RawQuery(0, START_MS * 2)


def exported(folder: Path) -> list[str]:
    """What an export named ``out`` left in ``folder``."""
    return sorted(path.name for path in folder.glob("out*"))


async def test_csv_has_a_row_per_socket_reading(store: TelemetryStore, tmp_path: Path) -> None:
    """Rows come by time with every column; an absent sensor is an empty cell."""
    batch = frames(3, station=["st-01", "st-02", "st-01"], sockets=2)
    batch.socket_values[1, 3, 0] = np.nan
    batch.sockets[2] = 1
    batch.socket_values[2, :, 1] = np.nan
    await store.append([(0, batch)], 1)
    path = tmp_path / "out.csv"
    told: list[tuple[int, int]] = []
    assert await export(store, ALWAYS, path, ExportFormat.CSV, lambda *p: told.append(p)) == 5
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["station"], row["socket"], row["temp_c"]) for row in rows] == [
        ("st-01", "1", "20.25"),
        ("st-01", "2", "20.5"),
        ("st-02", "1", ""),
        ("st-02", "2", "21.5"),
        ("st-01", "1", "22.25"),
    ]
    assert rows[2]["time"] == "2025-10-09 08:53:21"
    assert told[-1] == (3, START_MS + 2000)
    assert exported(tmp_path) == ["out.csv"]


async def test_parquet_keeps_types_and_values(store: TelemetryStore, tmp_path: Path) -> None:
    """Another program reads the same numbers with their types."""
    await store.append([(0, frames(500, sockets=3))], 1)
    path = tmp_path / "it's.parquet"
    assert await export(store, ALWAYS, path, ExportFormat.PARQUET) == 1500
    quoted = str(path).replace("'", "''")
    with duckdb.connect() as reader:
        found = reader.execute(
            f"SELECT count(*), sum(temp_c), max(seq), max(boot), bool_and(live) FROM '{quoted}'"  # noqa: S608 - own path
        ).fetchone()
    expected = sum(20.0 + row + socket / 4 for row in range(500) for socket in (1, 2, 3))
    assert found == (1500, pytest.approx(expected), 499, 0xABCD0123, True)


async def test_nothing_found_is_a_file_with_a_head(
    embedded_store: EmbeddedStore, tmp_path: Path
) -> None:
    """An export without rows is still a readable file."""
    path = tmp_path / "empty.csv"
    assert await export(embedded_store, ALWAYS, path, ExportFormat.CSV) == 0
    assert path.read_text().strip() == ",".join(COLUMNS)


async def test_what_cannot_be_written_leaves_nothing_behind(
    embedded_store: EmbeddedStore, tmp_path: Path
) -> None:
    """A missing folder is an OSError; an older export under that name stays as it was."""
    await embedded_store.append([(0, frames(3))], 1)
    with pytest.raises(OSError, match="missing"):
        await export(embedded_store, ALWAYS, tmp_path / "missing" / "x.csv", ExportFormat.CSV)
    older = tmp_path / "out.csv"
    older.write_text("older")
    await embedded_store.close()
    with pytest.raises(Exception, match="closed"):
        await export(embedded_store, ALWAYS, older, ExportFormat.CSV)
    assert older.read_text() == "older"
    assert exported(tmp_path) == ["out.csv"]
