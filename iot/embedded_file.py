"""One DuckDB file of the embedded store: the frames that arrived in one period.

Frames, the journal position behind them and the file's summary change in one transaction,
so after any crash the file knows exactly which frames it has. Not thread-safe: all calls
come from the store's one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from iot.embedded_layout import (
    HEAD_COLUMNS,
    Columns,
    column,
    from_columns,
    no_frames,
    socket_columns,
    to_columns,
)
from iot.frames import FrameBatch
from iot.store import Float64, RangeQuery, RawQuery

_VERSION: Final = 1
_INCOMING: Final = "incoming"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the store must know of a file without reading its frames."""

    version: int
    period: int  # which period's arrivals it takes
    lsn: int  # everything before this journal position is in this file or an older one
    frames: int
    first_ms: int  # oldest event, UTC ms; meaningless without frames
    last_ms: int  # newest event, UTC ms
    width: int  # sockets for which there are columns


class PeriodFile:
    """An attached file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, number: int) -> None:
        """Use ``create`` or ``open``."""
        self.path = path
        self.number = number
        self._connection = connection
        self._schema = f"t{number:06d}"
        self._table = f"{self._schema}.frames"
        self.summary: Summary
        self._ids: dict[str, int] = {}
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {self._schema}")

    @classmethod
    def create(
        cls,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        number: int,
        *,
        period: int,
        lsn: int,
    ) -> "PeriodFile":
        """A new file; ``lsn`` is the position behind the file before it."""
        file = cls(connection, path, number)
        columns = ", ".join(f"{column} {kind}" for column, kind in HEAD_COLUMNS.items())
        first = Summary(_VERSION, period, lsn, frames=0, first_ms=0, last_ms=0, width=0)
        with file._transaction():
            connection.execute(f"CREATE TABLE {file._table} ({columns})")
            connection.execute(f"CREATE TABLE {file._schema}.stations (id UINTEGER, name VARCHAR)")
            connection.execute(
                f"CREATE TABLE {file._schema}.summary (version INTEGER, period BIGINT, lsn BIGINT,"
                " frames BIGINT, first_ms BIGINT, last_ms BIGINT, width INTEGER)"
            )
            file._save(first)
        file.summary = first
        return file

    @classmethod
    def open(cls, connection: duckdb.DuckDBPyConnection, path: Path, number: int) -> "PeriodFile":
        """The file at ``path``. Raises duckdb.Error when it is damaged or none of ours."""
        file = cls(connection, path, number)
        try:
            row = connection.execute(f"FROM {file._schema}.summary").fetchone()
            if row is None or row[0] != _VERSION:
                msg = f"{path.name} is of another version"
                raise duckdb.InvalidInputException(msg)
            file.summary = Summary(*row)
            named = connection.execute(f"FROM {file._schema}.stations").fetchall()
            file._ids = {name: number for number, name in named}
        except duckdb.Error:
            file.detach()
            raise
        return file

    def detach(self) -> None:
        """Let the file go; its write-ahead log is folded in."""
        self._connection.execute(f"DETACH {self._schema}")

    def fold(self) -> None:
        """Fold the write-ahead log in: nothing more will be written here."""
        self._connection.execute(f"CHECKPOINT {self._schema}")

    def covers(self, start_ms: int, end_ms: int) -> bool:
        """Whether events of ``start_ms`` .. ``end_ms`` (exclusive) may be inside."""
        summary = self.summary
        return summary.frames > 0 and summary.first_ms < end_ms and summary.last_ms >= start_ms

    def append(self, blocks: list[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        """Insert the blocks that are not in here yet and move the position, in one commit."""
        fresh = [batch for lsn, batch in blocks if lsn >= self.summary.lsn and len(batch)]
        moved = replace(self.summary, lsn=max(upto_lsn, self.summary.lsn))
        if fresh:
            self._insert(FrameBatch.concat(fresh), moved)
        elif moved != self.summary:
            with self._transaction():
                self._save(moved)
            self.summary = moved

    def windows(self, query: RangeQuery) -> Float64 | None:
        """The query's channel, one row per window: its number, minimum, maximum, sum, samples.

        The number is the event time divided by the window's length. None when nothing of it
        can be in here.
        """
        number = self._ids.get(query.station)
        if number is None or (query.socket or 0) > self.summary.width:
            return None
        value = column(query.channel, query.socket)
        found = self._fetch(
            f"SELECT event_ms // ? AS w, min({value}) AS lo, max({value}) AS hi,"  # noqa: S608 - names from our own tuples
            f" sum({value}::DOUBLE) AS total, count({value}) AS n FROM {self._table}"
            " WHERE station = ? AND event_ms >= ? AND event_ms < ?"
            f" GROUP BY w HAVING count({value}) > 0",
            [query.window_ms, number, query.start_ms, query.end_ms],
        )
        return np.column_stack([np.asarray(values, dtype=np.float64) for values in found.values()])

    def histogram(self, query: RawQuery, bucket_ms: int) -> dict[int, int]:
        """How many of the query's frames are in each bucket (number = event // ``bucket_ms``)."""
        found = self._fetch(
            f"SELECT event_ms // ? AS b, count(*) AS n FROM {self._table}"  # noqa: S608 - own names
            f" WHERE event_ms >= ? AND event_ms < ?{self._only(query.stations)} GROUP BY b",
            [bucket_ms, query.start_ms, query.end_ms],
        )
        return dict(zip(found["b"].tolist(), found["n"].tolist(), strict=True))

    def frames(self, query: RawQuery) -> FrameBatch:
        """The query's frames, in no particular order."""
        return self._batch(
            f"FROM {self._table} WHERE event_ms >= ? AND event_ms < ?{self._only(query.stations)}",
            [query.start_ms, query.end_ms],
        )

    def last(self, stations: list[str]) -> FrameBatch:
        """The frames at the newest event of each of ``stations`` that is in here."""
        newest = self._fetch(
            f"SELECT station, max(event_ms) AS event_ms FROM {self._table}"  # noqa: S608 - own names
            f" WHERE true{self._only(tuple(stations))} GROUP BY station",
            [],
        )
        if not len(newest["station"]):
            return no_frames()
        with self._registered(newest):
            # The bound lets DuckDB skip all row groups but the newest.
            return self._batch(
                f"FROM {self._table} SEMI JOIN {_INCOMING} USING (station, event_ms)"
                " WHERE event_ms >= ?",
                [int(newest["event_ms"].min())],
            )

    def _batch(self, source: str, parameters: list[int]) -> FrameBatch:
        names = np.empty(len(self._ids), dtype=np.object_)
        for name, number in self._ids.items():
            names[number] = name
        return from_columns(self._fetch(source, parameters), names, self.summary.width)

    def _fetch(self, sql: str, parameters: list[int]) -> Columns:
        found: Columns = self._connection.execute(sql, parameters).fetchnumpy()
        return found

    def _only(self, stations: tuple[str, ...] | None) -> str:
        """The condition that limits a query to ``stations``."""
        if stations is None:
            return ""
        numbers = [str(self._ids[name]) for name in stations if name in self._ids]
        return f" AND station IN ({', '.join(numbers)})" if numbers else " AND false"

    def _insert(self, batch: FrameBatch, before: Summary) -> None:
        """Write ``batch``, what it brings anew and the summary after it, in one commit."""
        after = _grown(before, batch)
        added = [name for name in dict.fromkeys(batch.station.tolist()) if name not in self._ids]
        ids = self._ids | {name: len(self._ids) + rank for rank, name in enumerate(added)}
        numbers = np.array([ids[name] for name in batch.station.tolist()], dtype=np.uint32)
        with self._registered(to_columns(batch, numbers)), self._transaction():
            known = set(socket_columns(self.summary.width))
            for name in socket_columns(after.width):
                if name not in known:
                    self._connection.execute(f"ALTER TABLE {self._table} ADD COLUMN {name} FLOAT")
            for name in added:
                self._connection.execute(
                    f"INSERT INTO {self._schema}.stations VALUES (?, ?)",  # noqa: S608 - own name
                    [ids[name], name],
                )
            self._connection.execute(f"INSERT INTO {self._table} BY NAME FROM {_INCOMING}")
            self._save(after)
        self.summary, self._ids = after, ids

    def _save(self, summary: Summary) -> None:
        marks = ", ".join("?" * len(astuple(summary)))
        self._connection.execute(f"DELETE FROM {self._schema}.summary")  # noqa: S608 - own name
        self._connection.execute(
            f"INSERT INTO {self._schema}.summary VALUES ({marks})",  # noqa: S608 - own name
            astuple(summary),
        )

    @contextmanager
    def _registered(self, columns: Columns) -> Iterator[None]:
        """Let SQL read NumPy ``columns`` as the table ``incoming``, without a copy."""
        self._connection.register(_INCOMING, columns)
        try:
            yield
        finally:
            self._connection.unregister(_INCOMING)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing of what is executed inside."""
        self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            with suppress(duckdb.Error):  # the error that brought us here is the one to tell
                self._connection.rollback()
            raise


def _grown(summary: Summary, batch: FrameBatch) -> Summary:
    """``summary`` with the frames of ``batch`` counted in."""
    first, last = int(batch.event_ms.min()), int(batch.event_ms.max())
    return replace(
        summary,
        frames=summary.frames + len(batch),
        first_ms=min(summary.first_ms, first) if summary.frames else first,
        last_ms=max(summary.last_ms, last) if summary.frames else last,
        width=max(summary.width, batch.width),
    )
