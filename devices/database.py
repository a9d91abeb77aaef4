"""The SQL database behind one URL: SQLite by default, PostgreSQL when asked.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit that returned survives a power
cut. One connection writes and does all checkpoints, the others only read, and none maps the
file: SQLite before 3.51.3 can lose a WAL reset otherwise.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import asyncpg  # type: ignore[import-untyped]  # ships no types; only its error root is used
from sqlalchemy import Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from devices.errors import DatabaseError, DatabaseRefused, DatabaseUnavailable, DatabaseUrlError

BUSY_TIMEOUT_MS: Final = 5_000
"""How long SQLite waits for another process's lock before it gives up."""
CHECKPOINT_PAGES: Final = 1_000
"""WAL pages (4 KiB) after which a commit of the writer also checkpoints."""

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
# Result codes after which the same statement may succeed later: busy, locked, no memory,
# read-only, interrupted, I/O error, disk full, cannot open, lock protocol.
_SQLITE_PASSING: Final = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15})
# PostgreSQL error classes of the same kind: connection, rolled back (deadlock), resources,
# operator intervention (restart), system error; and "lock not available".
_POSTGRES_PASSING: Final = ("08", "40", "53", "57", "58", "55P03")


class Database:
    """An open database: ``writing()`` is one transaction, ``reading()`` one snapshot."""

    def __init__(self, url: URL, writer: AsyncEngine, reader: AsyncEngine) -> None:
        """Use ``open``."""
        self._writer = writer
        self._reader = reader
        self._one_writer = asyncio.Lock() if url.get_backend_name() == "sqlite" else None
        self.url: Final = url.render_as_string(hide_password=True)
        """The URL without its password, fit for logs."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        checkpoints: bool = True,
        create: bool = True,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> Self:
        """Connect and set up.

        ``checkpoints=False`` is for a process beside the server, whose writer alone moves the
        WAL into the file; ``create=False`` refuses to make an SQLite file that is not there.

        Raises:
            DatabaseUrlError: no SQLite file or PostgreSQL database is named.
            DatabaseUnavailable: it cannot be reached.

        """
        parsed = parse_url(url)
        with translated():
            if parsed.get_backend_name() == "sqlite":
                await asyncio.to_thread(_prepare, Path(str(parsed.database)), create=create)
                pages = CHECKPOINT_PAGES if checkpoints else 0
                writer = _sqlite_engine(parsed, busy_timeout_ms, pages)
                reader = _sqlite_engine(parsed, busy_timeout_ms, None)
            else:
                writer = reader = _postgres_engine(parsed)
            database = cls(parsed, writer, reader)
            try:
                async with database.writing():
                    pass
            except BaseException:
                await database.close()
                raise
        return database

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back if it raises."""
        with translated():
            if self._one_writer is None:
                async with self._writer.begin() as connection:
                    yield connection
            else:
                async with self._one_writer, self._writer.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view that never waits for the writer (SQLite) and cannot write."""
        with translated():
            async with self._reader.connect() as connection:
                read_only = (
                    await connection.execution_options(
                        postgresql_readonly=True, isolation_level="REPEATABLE READ"
                    )
                    if self._one_writer is None
                    else connection
                )
                async with read_only.begin():
                    yield read_only

    async def close(self) -> None:
        """Close all connections; the writer last, because the last one checkpoints."""
        if self._reader is not self._writer:
            await self._reader.dispose()
        await self._writer.dispose()


def parse_url(text: str) -> URL:
    """The URL with its async driver: ``sqlite:///file`` or ``postgresql://user@host/name``.

    Raises:
        DatabaseUrlError: it names nothing we can use.

    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        msg = "the database URL cannot be read; write sqlite:///path or postgresql://user@host/name"
        raise DatabaseUrlError(msg) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        msg = f"{url.drivername!r} is no database we know; use sqlite or postgresql"
        raise DatabaseUrlError(msg)
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        msg = "SQLite needs a file (sqlite:///path): readers and the writer must see the same data"
        raise DatabaseUrlError(msg)
    return url.set(drivername=driver)


def insert_into(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert of this connection's dialect: both know the ``on_conflict`` clauses."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what drivers raise into this room's errors, by whether a retry can help."""
    try:
        yield
    except DatabaseError:
        raise
    except (SQLAlchemyError, asyncpg.PostgresError, OSError, TimeoutError) as error:
        # The driver's own words only: SQLAlchemy's would repeat the statement and its values.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = f"{type(cause).__name__}: {cause}"
        raise (DatabaseUnavailable if _can_pass(error, cause) else DatabaseRefused)(text) from error


def _can_pass(error: BaseException, cause: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _passing(cause)
    if isinstance(error, asyncpg.PostgresError):  # raised bare while connecting
        return _passing(error)
    return isinstance(error, (PoolTimeout, OSError, TimeoutError))


def _passing(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return (code & 0xFF) in _SQLITE_PASSING  # the low byte is the primary result code
    state = getattr(error, "sqlstate", None)
    return state is None or str(state).startswith(_POSTGRES_PASSING)


def _prepare(path: Path, *, create: bool) -> None:
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        msg = f"there is no database file {path}"
        raise DatabaseUnavailable(msg)


def _sqlite_engine(url: URL, busy_timeout_ms: int, checkpoint_pages: int | None) -> AsyncEngine:
    """The writer's engine, or with ``checkpoint_pages=None`` the readers'."""
    writes = checkpoint_pages is not None
    engine = create_async_engine(url, pool_size=1 if writes else 4, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not open transactions by itself
        cursor = connection.cursor()
        pragmas = [f"busy_timeout={busy_timeout_ms}", "foreign_keys=ON", "mmap_size=0"]
        if writes:
            pragmas += ["journal_mode=WAL", "synchronous=FULL"]
        pragmas += [f"wal_autocheckpoint={checkpoint_pages or 0}"]
        if not writes:
            pragmas += ["query_only=ON"]
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # IMMEDIATE: a transaction that will write must not find out halfway that it cannot.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"timeout": 5, "command_timeout": 15},
    )
