"""What the doctor asks the SQL database: does it answer, has it our schema, what time is it."""

import asyncio
from pathlib import Path
from typing import Final

from api import database_schema
from api.cli.diagnosis import ASK_S, Check, State
from api.clock import SystemClock
from api.settings import Settings
from devices.database import Database, parse_url
from devices.errors import (
    DatabaseError,
    DatabaseRefused,
    DatabaseUnavailable,
    DatabaseUrlError,
)

CLOCKS_APART_S: Final = 2.0
"""Deadlines of people are minutes; a jump of this much is what monitoring calls a fault."""


async def database(settings: Settings) -> Check:
    """Whether SQL answers and has the schema this version needs."""
    name = "database"
    try:
        url = parse_url(settings.database_url)
        shown = url.render_as_string(hide_password=True)
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite and not await asyncio.to_thread(Path(str(url.database)).exists):
            return Check(
                name,
                State.WARN,
                f"{shown} does not exist yet",
                "`chargeward serve` makes it at its first start. If this is not the first, set "
                "CHARGEWARD_DATA_DIR or CHARGEWARD_DATABASE__URL to where it is.",
            )
        return await _schema(settings.database_url, shown)
    except DatabaseUrlError as error:
        return Check(name, State.FAIL, str(error), "Correct CHARGEWARD_DATABASE__URL.")
    except DatabaseUnavailable as error:
        return Check(
            name,
            State.FAIL,
            str(error),
            "Start it, or correct CHARGEWARD_DATABASE__URL; for SQLite, see that its disk is not "
            "full and the file may be written by this user.",
        )
    except DatabaseRefused as error:
        return Check(
            name,
            State.FAIL,
            str(error),
            "The database is there but cannot be used: check user and database name, or restore "
            "the file from a backup (`chargeward db backup` makes them).",
        )


async def _schema(url: str, shown: str) -> Check:
    revision, needed = await database_schema.current(url), database_schema.newest()
    if revision is None:
        return Check(
            "database",
            State.WARN,
            f"{shown} has no tables yet",
            "`chargeward serve` makes them at its start, `chargeward db upgrade` makes them now.",
        )
    problems = await database_schema.check(url)
    if problems:
        return Check(
            "database",
            State.FAIL,
            f"{shown}: {'; '.join(problems)}",
            "`chargeward db upgrade` brings an older schema up to date. If it says that it does "
            "not know the revision, a newer version made the database: install that one.",
        )
    return Check("database", State.OK, f"{shown} at revision {needed}")


async def database_clock(settings: Settings) -> Check | None:
    """Whether PostgreSQL's clock and ours agree; None for SQLite, which has no clock."""
    try:
        if parse_url(settings.database_url).get_backend_name() == "sqlite":
            return None
        async with asyncio.timeout(ASK_S):
            return judge_database_clock(await _ahead_s(settings.database_url))
    except (DatabaseError, TimeoutError):
        return None  # the check of the database says why


async def _ahead_s(url: str) -> float:
    opened = await Database.open(url, checkpoints=False, create=False)
    try:
        async with opened.reading() as connection:
            before_ms = SystemClock().utc_ms()
            answer = await connection.exec_driver_sql("SELECT clock_timestamp()")
            after_ms = SystemClock().utc_ms()
            theirs_ms: float = answer.scalar_one().timestamp() * 1000
    finally:
        await opened.close()
    return (theirs_ms - (before_ms + after_ms) / 2) / 1000


def judge_database_clock(ahead_s: float) -> Check:
    """``ahead_s`` seconds is the database's clock before ours (negative: behind)."""
    name = "database clock"
    if abs(ahead_s) > CLOCKS_APART_S:
        return Check(
            name,
            State.WARN,
            f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine",
            "Let both machines keep time by NTP, else times in SQL and in logs do not match.",
        )
    return Check(name, State.OK, f"within {CLOCKS_APART_S:g} s of this machine's")
