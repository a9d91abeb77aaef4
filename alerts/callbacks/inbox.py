"""What came back, each once, in the caller's transaction with what it changes.

The row in ``callback`` is the claim: whoever writes it hands the event to the desk. A repeat
finds the row and does nothing. A transaction that fails leaves no row, so the provider's next
attempt starts anew. Unknown numbers and messages are kept too: they are counted, not believed.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.callbacks.events import CallResult, Event, Receipt, Reply
from alerts.outbox.tables import callback
from devices.database import insert_into

APPLIED: Final = "applied"
REPEATED: Final = "repeated"
UNKNOWN_MESSAGE: Final = "unknown_message"
_CLAIMED: Final = "claimed"
_KEY: Final = ("provider", "key")
_KINDS: Final = {Receipt: "receipt", Reply: "reply", CallResult: "call"}


class Desk(Protocol):
    """Who knows our messages, people and incidents; all in the caller's transaction."""

    async def receipt(self, connection: AsyncConnection, came: Receipt, now_ms: int) -> bool:
        """A delivery receipt; whether it is of a message of ours."""
        ...

    async def reply(self, connection: AsyncConnection, came: Reply, now_ms: int) -> str:
        """A person's text; in one word of at most 24 characters, what it did.

        The words are a fixed set: they are metric labels. ``unknown_number`` is one of them.
        """
        ...

    async def call_result(self, connection: AsyncConnection, came: CallResult, now_ms: int) -> bool:
        """How a call went; whether it is a call of ours."""
        ...


async def take(
    connection: AsyncConnection, events: Sequence[Event], now_ms: int, desk: Desk
) -> list[str]:
    """Hand each new event to the desk, in order; what became of each of ``events``.

    ``repeated`` for one that was here before, in another call or earlier in this one.
    """
    fresh = await _claim(connection, events, now_ms)
    outcomes: list[str] = []
    for event in events:
        identity = (event.provider, event.key)
        if identity not in fresh:
            outcomes.append(REPEATED)
            continue
        fresh.discard(identity)
        outcome = await _hand(connection, event, now_ms, desk)
        await _settle(connection, event, outcome)
        outcomes.append(outcome)
    return outcomes


async def _claim(
    connection: AsyncConnection, events: Sequence[Event], now_ms: int
) -> set[tuple[str, str]]:
    rows = {(event.provider, event.key): _row(event, now_ms) for event in events}
    if not rows:
        return set()
    # One order of locking for all writers, so that PostgreSQL sees no deadlock.
    ordered = [rows[identity] for identity in sorted(rows)]
    insert = insert_into(connection, callback).on_conflict_do_nothing(index_elements=_KEY)
    returning = insert.returning(callback.c.provider, callback.c.key)
    return {(row.provider, row.key) for row in await connection.execute(returning, ordered)}


def _row(event: Event, now_ms: int) -> dict[str, Any]:
    said = {n: v for n, v in asdict(event).items() if n not in _KEY}
    return {
        "provider": event.provider,
        "key": event.key,
        "kind": _KINDS[type(event)],
        "received_ms": now_ms,
        "outcome": _CLAIMED,
        "detail": said,
    }


async def _hand(connection: AsyncConnection, event: Event, now_ms: int, desk: Desk) -> str:
    if isinstance(event, Reply):
        return await desk.reply(connection, event, now_ms)
    known = (
        await desk.receipt(connection, event, now_ms)
        if isinstance(event, Receipt)
        else await desk.call_result(connection, event, now_ms)
    )
    return APPLIED if known else UNKNOWN_MESSAGE


async def _settle(connection: AsyncConnection, event: Event, outcome: str) -> None:
    same = (callback.c.provider == event.provider) & (callback.c.key == event.key)
    await connection.execute(update(callback).where(same).values(outcome=outcome))
