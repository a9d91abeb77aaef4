"""The SQL database: one writer, readers that see a snapshot, errors that say whether to retry."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from devices import tables
from devices.database import Database, parse_url
from devices.errors import DatabaseRefused, DatabaseUnavailable, DatabaseUrlError

TOKEN_HASH = "0" * 64
ROW = {"name": "admin", "token_sha256": TOKEN_HASH, "created_ms": 1}


async def _count(database: Database) -> int:
    async with database.reading() as connection:
        query = select(func.count()).select_from(tables.credential)
        return int((await connection.execute(query)).scalar_one())


async def test_writing_commits_at_the_end_of_the_block(database: Database) -> None:
    """What the block wrote is there for every reader after it."""
    async with database.writing() as connection:
        await connection.execute(insert(tables.credential), [ROW])
    assert await _count(database) == 1


async def test_writing_rolls_back_when_the_block_raises(database: Database) -> None:
    """Half a transaction never stays."""

    async def fail_half_way() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(tables.credential), [ROW])
            _ = 1 // 0

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    assert await _count(database) == 0


async def test_reader_sees_one_snapshot_while_the_writer_commits(database: Database) -> None:
    """A reader neither waits for the writer nor sees its rows half way through."""
    query = select(func.count()).select_from(tables.credential)
    async with database.reading() as reader:
        assert (await reader.execute(query)).scalar_one() == 0
        async with database.writing() as writer:
            await writer.execute(insert(tables.credential), [ROW])
        assert (await reader.execute(query)).scalar_one() == 0
    assert await _count(database) == 1


async def test_reader_cannot_write(database: Database) -> None:
    """A write through a reading connection is refused, and nothing is stored."""
    with pytest.raises((DatabaseRefused, DatabaseUnavailable)):
        async with database.reading() as connection:
            await connection.execute(insert(tables.credential), [ROW])
    assert await _count(database) == 0


async def test_writers_take_turns(database: Database) -> None:
    """Twenty writers at once all commit; none fails because another one writes."""

    async def write(number: int) -> None:
        async with database.writing() as connection:
            row = {"name": f"n{number}", "token_sha256": f"{number:064d}", "created_ms": number}
            await connection.execute(insert(tables.credential), [row])

    await asyncio.gather(*(write(number) for number in range(20)))
    assert await _count(database) == 20


async def test_wrong_data_is_refused_for_good(database: Database) -> None:
    """A doubled key cannot succeed later, and the message repeats no stored value."""
    async with database.writing() as connection:
        await connection.execute(insert(tables.credential), [ROW])
    with pytest.raises(DatabaseRefused) as caught:
        async with database.writing() as connection:
            await connection.execute(insert(tables.credential), [ROW])
    assert TOKEN_HASH not in str(caught.value)


async def test_unknown_table_is_refused_for_good(database: Database) -> None:
    """A statement that names nothing is our mistake, not a passing state."""
    with pytest.raises(DatabaseRefused):
        async with database.reading() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))


async def test_sqlite_is_durable_and_checked(tmp_path: Path) -> None:
    """WAL, full sync and foreign keys on the writer; readers never write or checkpoint."""
    database = await Database.open(f"sqlite:///{tmp_path}/deep/below/a.db")
    names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "mmap_size")
    async with database.writing() as connection:
        writer = [(await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in names]
    async with database.reading() as connection:
        reader = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in (*names, "query_only")
        ]
    await database.close()
    assert writer == ["wal", 2, 1, 1000, 0]
    assert [reader[0], *reader[2:]] == ["wal", 1, 0, 0, 1]


async def test_sqlite_locked_by_another_process_is_unavailable(tmp_path: Path) -> None:
    """A file that somebody else writes to is worth another try."""
    path = tmp_path / "busy.db"
    database = await Database.open(f"sqlite:///{path}", busy_timeout_ms=20)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        async with database.writing():
            pass
    other.execute("ROLLBACK")
    other.close()
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE after_it (n INTEGER)"))
    await database.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Some other file is never taken over."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(DatabaseRefused, match="not a database"):
        await Database.open(f"sqlite:///{path}")
    assert path.read_text().startswith("Dear reader")


async def test_missing_file_is_not_made_when_not_asked_to(tmp_path: Path) -> None:
    """A mistyped path gives an error, not an empty database."""
    with pytest.raises(DatabaseUnavailable, match="no database file"):
        await Database.open(f"sqlite:///{tmp_path}/typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()


async def test_postgres_that_does_not_listen_is_unavailable(tmp_path: Path) -> None:
    """A server that is down is worth another try."""
    with pytest.raises(DatabaseUnavailable):
        await Database.open(f"postgresql://nobody@/none?host={tmp_path}")


async def test_password_is_in_no_text() -> None:
    """Neither the shown URL nor an error about it repeats the password."""
    url = parse_url("postgresql://me:secret@host/db")
    assert url.render_as_string() == "postgresql+asyncpg://me:***@host/db"
    with pytest.raises(DatabaseUrlError) as caught:
        parse_url("mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://h/d"])
def test_urls_that_name_no_usable_database(url: str) -> None:
    """Memory is refused too: readers would not see what the writer wrote."""
    with pytest.raises(DatabaseUrlError):
        parse_url(url)
