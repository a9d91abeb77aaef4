"""The schema: migrations make exactly what the code expects, on both databases."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from api import database_schema
from api.database_schema import Upgrade
from devices.database import Database
from devices.errors import DatabaseRefused, DatabaseUnavailable


async def _execute(url: str, statement: str) -> None:
    database = await Database.open(url)
    async with database.writing() as connection:
        await connection.execute(text(statement))
    await database.close()


async def test_an_empty_database_becomes_what_the_code_expects(database_url: str) -> None:
    """The models and the migrations say the same, and a second upgrade finds nothing to do."""
    newest = database_schema.newest()
    assert await database_schema.upgrade(database_url) == Upgrade(None, newest)
    assert await database_schema.check(database_url) == []
    assert await database_schema.current(database_url) == newest
    assert await database_schema.upgrade(database_url) == Upgrade(newest, newest)


async def test_a_database_without_schema_says_so(database_url: str) -> None:
    """Opened, but never upgraded."""
    await (await Database.open(database_url)).close()
    assert await database_schema.current(database_url) is None
    [problem] = await database_schema.check(database_url)
    assert f"this version needs {database_schema.newest()}" in problem


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TABLE credential", "add table: credential"),
        ("ALTER TABLE alarm DROP COLUMN value", "add column: alarm"),
        ("CREATE TABLE notes (n INTEGER)", "remove table: notes"),
        ("DROP INDEX ix_command_state", "add index"),
    ],
)
async def test_a_schema_that_was_changed_by_hand_is_named(
    migrated_url: str, statement: str, problem: str
) -> None:
    """What differs, in words."""
    await _execute(migrated_url, statement)
    problems = await database_schema.check(migrated_url)
    assert [p for p in problems if p.startswith(problem)], problems


async def test_a_database_of_a_newer_version_is_left_alone(migrated_url: str) -> None:
    """An old program does not touch a schema that it does not know."""
    await _execute(migrated_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseRefused, match="9999"):
        await database_schema.upgrade(migrated_url)
    assert await database_schema.current(migrated_url) == "9999"


async def test_an_upgrade_that_fails_leaves_nothing_behind(database_url: str) -> None:
    """All steps are one transaction: the table in the way stands alone, as before."""
    await _execute(database_url, "CREATE TABLE lockout (n INTEGER)")
    with pytest.raises(DatabaseRefused):
        await database_schema.upgrade(database_url)
    assert await database_schema.current(database_url) is None
    await _execute(database_url, "DROP TABLE lockout")
    assert (await database_schema.upgrade(database_url)).before is None


async def test_two_upgrades_at_once_upgrade_once(database_url: str) -> None:
    """Two processes that start together: one does it, the other finds it done."""
    newest = database_schema.newest()
    done = await asyncio.gather(*(database_schema.upgrade(database_url) for _ in range(2)))
    assert sorted(done, key=lambda d: d.before or "") == [
        Upgrade(None, newest),
        Upgrade(newest, newest),
    ]


async def test_looking_makes_no_file(tmp_path: Path) -> None:
    """A mistyped path is an error, not an empty database."""
    url = f"sqlite:///{tmp_path}/typo.db"
    with pytest.raises(DatabaseUnavailable, match="no database file"):
        await database_schema.current(url)
    with pytest.raises(DatabaseUnavailable, match="no database file"):
        await database_schema.check(url)
