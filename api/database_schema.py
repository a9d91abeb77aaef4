"""Bring a database to the schema this version needs, and check that it has it.

All steps of an upgrade run in one transaction on both databases: one that fails, or is
killed, leaves the old schema whole. Two processes that start at once upgrade once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text

from alerts import tables as alert_tables
from alerts.incidents import tables as incident_tables
from alerts.oncall import tables as oncall_tables
from alerts.outbox import tables as outbox_tables
from devices import tables as device_tables
from devices.database import Database
from devices.errors import DatabaseRefused

METADATA: Final[MetaData] = device_tables.metadata
"""All tables of all rooms: each room's table module adds its own when it is imported."""
ROOMS: Final = (device_tables, alert_tables, incident_tables, outbox_tables, oncall_tables)
"""The table modules; a room that is missing here would be missing in ``METADATA``."""
_UPGRADE_LOCK: Final = 7_236_455_241  # any fixed number: PostgreSQL's advisory lock for upgrades


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From which revision to which; ``before`` None = the database was empty."""

    before: str | None
    after: str


async def upgrade(url: str) -> Upgrade:
    """Make the database (and its file, for SQLite) and bring its schema up to date.

    Raises:
        DatabaseRefused: the database was made by a newer version of Chargeward.
        DatabaseUnavailable: it cannot be reached.

    """
    async with _open(url, create=True) as database, database.writing() as connection:
        return await connection.run_sync(_upgrade)


async def current(url: str) -> str | None:
    """The revision of the database's schema; None when it has none yet.

    Raises:
        DatabaseUnavailable: it cannot be reached, or the SQLite file does not exist.

    """
    async with _open(url, create=False) as database, database.reading() as connection:
        return await connection.run_sync(_revision)


async def check(url: str) -> list[str]:
    """What is wrong with the schema, in words; empty when it is what the code expects.

    Raises:
        DatabaseUnavailable: it cannot be reached, or the SQLite file does not exist.

    """
    async with _open(url, create=False) as database, database.reading() as connection:
        return await connection.run_sync(_check)


def newest() -> str:
    """The revision this version of the code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        msg = "this installation has no migrations"
        raise DatabaseRefused(msg)
    return head


@asynccontextmanager
async def _open(url: str, *, create: bool) -> AsyncIterator[Database]:
    database = await Database.open(url, checkpoints=False, create=create)
    try:
        yield database
    finally:
        await database.close()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "api:migrations")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> Upgrade:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _UPGRADE_LOCK})
    before = _revision(connection)
    try:
        command.upgrade(_config(connection), "head")
    except CommandError as error:
        msg = f"the schema is at revision {before}, which this version does not know: {error}"
        raise DatabaseRefused(msg) from error
    return Upgrade(before, newest())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    revision, needed = context.get_current_revision(), newest()
    if revision != needed:
        return [f"the schema is at revision {revision}, this version needs {needed}"]
    return [_in_words(difference) for difference in compare_metadata(context, METADATA)]


def _in_words(difference: object) -> str:
    """One of Alembic's differences: a tuple, or a list of tuples about one column."""
    first = difference[0] if isinstance(difference, list) else difference
    if not isinstance(first, tuple):
        return str(first)
    what = str(first[0]).replace("_", " ")
    return f"{what}: {', '.join(str(part) for part in first[1:] if part is not None)}"
