"""Keys of calendar feeds: a calendar application sends no credential, so its address has a key.

A key opens the calendar of one roster or one person, for reading, and nothing else. Only its
SHA-256 is kept; a new key ends the one before.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.oncall import tables
from alerts.oncall.errors import Kind, UnknownError
from devices.database import insert_into

PREFIX: Final = "cwf_"
"""So that a leaked key is recognised, by secret scanners and by people."""
MAX_KEY: Final = 100
"""Characters of a key that are looked at; ours are about 50."""


class Feed(StrEnum):
    """Whose calendar it is."""

    ROSTER = "roster"
    PERSON = "person"


def fresh_key() -> str:
    """A new key with 256 bits from the operating system."""
    return PREFIX + secrets.token_urlsafe(32)


async def make_key(  # noqa: PLR0913 - one row, field by field
    connection: AsyncConnection,
    feed: Feed,
    name: str,
    now_ms: int,
    *,
    by: str,
    new_key: Callable[[], str] = fresh_key,
) -> str:
    """Make the key of a feed; it is shown now and never again, and the old one ends.

    Raises:
        UnknownError: there is no such roster or person.

    """
    table = tables.roster if feed is Feed.ROSTER else tables.person
    if (await connection.execute(select(table.c.id).where(table.c.id == name))).first() is None:
        raise UnknownError(Kind(feed.value), name)
    key = new_key()
    values = {"key_sha256": _digest(key), "by": by, "created_ms": now_ms}
    insert = insert_into(connection, tables.calendar_feed).values(
        kind=feed.value, id=name, **values
    )
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["kind", "id"], set_=values)
    )
    return key


async def opens(connection: AsyncConnection, feed: Feed, name: str, key: str) -> bool:
    """Whether ``key`` is the feed's key."""
    if not (key.startswith(PREFIX) and key.isascii() and len(key) <= MAX_KEY):
        return False
    c = tables.calendar_feed.c
    query = select(c.key_sha256).where(c.kind == feed.value, c.id == name)
    kept = (await connection.execute(query)).scalar_one_or_none()
    return kept is not None and hmac.compare_digest(kept, _digest(key))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
