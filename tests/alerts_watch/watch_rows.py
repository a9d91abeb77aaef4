"""Rows of the people's tables, written directly: what the watch is to find."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import escalation, evidence_task, incident, link
from alerts.outbox.tables import message


def incident_row(number: str, at_ms: int, **values: Any) -> dict[str, Any]:
    """An open fire incident of one station."""
    row: dict[str, Any] = {
        "number": number,
        "site_id": "caimarenjia",
        "area_id": None,
        "station_id": f"cmrj-{number}",
        "urgency": "fire",
        "drill": False,
        "canary": False,
        "state": "open",
        "round": 1,
        "opened_ms": at_ms,
        "first_ms": at_ms,
        "activity_ms": at_ms,
        "standing": 1,
    }
    return row | values


async def add_incident(connection: AsyncConnection, number: str, at_ms: int, **values: Any) -> int:
    """Its number in SQL."""
    insert = incident.insert().values(incident_row(number, at_ms, **values))
    made: int = (await connection.execute(insert.returning(incident.c.id))).scalar_one()
    return made


def message_row(message_id: str, incident_id: int, at_ms: int, **values: Any) -> dict[str, Any]:
    """A queued fire SMS."""
    row: dict[str, Any] = {
        "id": message_id,
        "incident_id": incident_id,
        "round": 1,
        "slot": "first",
        "kind": "fire",
        "channel": "sms",
        "person_id": message_id,
        "address": "+8613800000001",
        "lang": "zh",
        "priority": 0,
        "state": "queued",
        "facts": {},
        "due_ms": at_ms,
        "lease_ms": None,
        "created_ms": at_ms,
        "accepted_ms": None,
        "attempts": 0,
        "bundle_id": None,
        "reason": "",
    }
    return row | values


async def add_messages(connection: AsyncConnection, *rows: dict[str, Any]) -> None:
    """All of them."""
    await connection.execute(message.insert(), list(rows))


async def insert_waiting(connection: AsyncConnection, at_ms: int) -> None:
    """One row of each kind that waits for ``at_ms``, and one that no longer does."""
    number = await add_incident(connection, "F0001", at_ms)
    for table, key, open_state, settled in (
        (escalation, "step", "due", "fired"),
        (evidence_task, "what", "due", "done"),
    ):
        extra: dict[str, Any] = {"round": 1} if table is escalation else {"tries": 0}
        rows = [
            {"incident_id": number, key: state, "due_ms": at_ms, "state": state, **extra}
            for state in (open_state, settled)
        ]
        await connection.execute(table.insert(), rows)
    await add_messages(
        connection,
        message_row("m1", number, at_ms, state="sending", lease_ms=at_ms),
        message_row("m2", number, at_ms, state="accepted", lease_ms=at_ms),
    )
    links: list[dict[str, Any]] = [
        {"token_sha256": "t1", "used_ms": None, "session_until_ms": at_ms},
        {"token_sha256": "t2", "used_ms": at_ms, "session_until_ms": None},
    ]
    common: dict[str, Any] = {
        "incident_id": number,
        "person_id": "li",
        "phone": "+8613800000001",
        "created_ms": at_ms,
        "expires_ms": at_ms,
    }
    await connection.execute(link.insert(), [row | common for row in links])


async def due_times(connection: AsyncConnection) -> dict[str, int]:
    """Every due time that is written down, by whether it counts, table and column."""
    out: dict[str, int] = {}
    for table, columns, is_open in (
        (escalation, ("due_ms",), lambda row: row.state == "due"),
        (evidence_task, ("due_ms",), lambda row: row.state == "due"),
        (message, ("due_ms", "lease_ms"), lambda row: row.state == "sending"),
        (link, ("expires_ms",), lambda row: row.used_ms is None),
    ):
        for row in await connection.execute(select(table)):
            word = "open" if is_open(row) else "settled"
            for column in columns:
                out[f"{word} {table.name} {column}"] = getattr(row, column)
    return out
