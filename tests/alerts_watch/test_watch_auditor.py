"""The auditor: each invariant holds up to its limit, is broken beyond it, and names the thing."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audit
from alerts.findings import save_transitions
from alerts.incidents.store import Note, note
from alerts.incidents.tables import audit_head, escalation, incident, incident_finding
from alerts.watch.auditor import Broken, Invariant, audited
from devices.database import Database
from devices.tables import command
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition
from tests.alerts_watch.watch_rows import add_incident, add_messages, message_row

NOON = 1_790_812_800_000
S = 1_000

Scene = Callable[[AsyncConnection], Awaitable[object]]


async def add_finding(connection: AsyncConnection, **values: Any) -> int:
    """An alarm of noon without an incident; its row."""
    base: dict[str, Any] = {
        "family": Family.ALARM,
        "severity": Severity.CRITICAL,
        "reason": "socket_hot",
        "act": Act.CUT_SOCKET,
        "latched": True,
        "fire": False,
        "shadow": False,
        "raised_ms": NOON,
    }
    found = Finding(FindingKey("cmrj-01", 3, "R02", "extreme", NOON), **(base | values))
    recorded = await save_transitions(connection, [Transition(Change.RAISED, found, NOON)], NOON)
    return recorded.new[0][0]


async def grouped(connection: AsyncConnection) -> None:
    """The same with its incident."""
    row = {
        "finding_id": await add_finding(connection),
        "incident_id": await told(connection),
        "added_ms": NOON,
    }
    await connection.execute(incident_finding.insert(), [row])


async def told(connection: AsyncConnection, **values: Any) -> int:
    """A fire of noon of which somebody was told."""
    number = await add_incident(connection, "F0001", NOON, **values)
    sent = message_row("m1", number, NOON, state="accepted", accepted_ms=NOON + 1)
    await add_messages(connection, sent)
    return number


async def add_step(connection: AsyncConnection, state: str = "due") -> None:
    """A step of noon."""
    number = await told(connection)
    row = {"incident_id": number, "round": 1, "step": "call", "due_ms": NOON, "state": state}
    await connection.execute(escalation.insert(), [row])


async def queue(connection: AsyncConnection, **values: Any) -> None:
    """A message of a fire that was told already."""
    await add_messages(connection, message_row("m2", await told(connection), NOON, **values))


async def add_order(connection: AsyncConnection, state: str = "sent") -> None:
    """A cut that expires at noon."""
    row = {
        "id": "c1",
        "station_id": "cmrj-01",
        "socket": 3,
        "action": "cut",
        "reason": "",
        "origin": "rule",
        "lock": True,
        "state": state,
        "issued_ms": NOON - 15 * S,
        "expires_ms": NOON,
        "sends": 1,
        "reply_detail": "",
    }
    await connection.execute(command.insert(), [row])


async def bundled(connection: AsyncConnection, carrier: str = "queued") -> None:
    """A fire that another message speaks for."""
    number = await add_incident(connection, "F0001", NOON)
    other = await add_incident(connection, "F0002", NOON, state="acknowledged")
    await add_messages(
        connection,
        message_row("m1", number, NOON, state="bundled", bundle_id="m2"),
        message_row(
            "m2",
            other,
            NOON + 3600 * S,
            state=carrier,
            accepted_ms=None if carrier == "queued" else NOON,
        ),
    )


BROKEN: dict[str, tuple[Scene, Broken, int]] = {
    "an alarm without an incident": (
        add_finding,
        Broken(Invariant.NO_INCIDENT, "1", NOON),
        10 * S,
    ),
    "a step that nobody does": (
        add_step,
        Broken(Invariant.STEP_OVERDUE, "F0001", NOON),
        10 * S,
    ),
    "a fire SMS that nobody sends": (queue, Broken(Invariant.MESSAGE_STUCK, "m2", NOON), 20 * S),
    "a fire SMS whose sender is gone": (
        lambda c: queue(c, state="sending", lease_ms=NOON),
        Broken(Invariant.MESSAGE_STUCK, "m2", NOON),
        10 * S,
    ),
    "an order that does not end": (add_order, Broken(Invariant.ORDER_STUCK, "c1", NOON), 15 * S),
    "a fire of which nobody is told": (
        lambda c: add_incident(c, "F0001", NOON),
        Broken(Invariant.NOBODY_TOLD, "F0001", NOON),
        60 * S,
    ),
    "a fire that an unsent message speaks for": (
        bundled,
        Broken(Invariant.NOBODY_TOLD, "F0001", NOON),
        60 * S,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_an_invariant_is_broken_just_beyond_its_limit(database: Database, name: str) -> None:
    """Nothing at the limit, exactly this one millisecond later."""
    scene, broken, limit_ms = BROKEN[name]
    async with database.writing() as connection:
        await scene(connection)
        assert await audited(connection, NOON + limit_ms) == ()
        assert await audited(connection, NOON + limit_ms + 1) == (broken,)


WHOLE: dict[str, Scene] = {
    "nothing at all": lambda c: c.exec_driver_sql("SELECT 1"),
    "an alarm in its incident": grouped,
    "a shadow rule": lambda c: add_finding(c, shadow=True),
    "a warning": lambda c: add_finding(c, severity=Severity.WARN),
    "a supervisory finding": lambda c: add_finding(c, family=Family.SUPERVISORY),
    "a step that was done": lambda c: add_step(c, "fired"),
    "a message about trouble": lambda c: queue(c, priority=3),
    "a message that is due later": lambda c: queue(c, due_ms=NOON + 3600 * S),
    "a message that was withdrawn": lambda c: queue(c, state="withdrawn"),
    "an order that has ended": lambda c: add_order(c, "failed"),
    "a fire that somebody has acknowledged": lambda c: add_incident(
        c, "F0001", NOON, state="acknowledged"
    ),
    "a fault": lambda c: add_incident(c, "F0001", NOON, urgency="fault"),
    "a drill": lambda c: add_incident(c, "F0001", NOON, drill=True),
    "an incident that a larger one took over": lambda c: add_incident(
        c, "F0001", NOON, merged_into=7
    ),
    "a fire that a sent message speaks for": lambda c: bundled(c, "accepted"),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_what_is_in_order_is_not_complained_of(database: Database, name: str) -> None:
    """A quarter of an hour later, with nothing done since."""
    async with database.writing() as connection:
        await WHOLE[name](connection)
        assert await audited(connection, NOON + 900 * S) == ()


async def test_alarms_of_days_ago_are_not_looked_at_again(database: Database) -> None:
    """The look back is a day, so that old records need no incident."""
    async with database.writing() as connection:
        await add_finding(connection)
        assert await audited(connection, NOON + 24 * 3600 * S) == ()


async def act(connection: AsyncConnection, number: int, at_ms: int, *, kept: bool = True) -> None:
    """An officer acknowledges; ``kept``: and the audit log says so."""
    await note(connection, [Note(number, at_ms, "acknowledged", "li")])
    if kept:
        await audit.append(
            connection,
            actor="li",
            action="incident.acknowledge",
            subject="F0001",
            detail={},
            at_ms=at_ms,
        )


async def test_the_newest_act_is_in_the_audit_log(database: Database) -> None:
    """An act without its entry, and a head that is not the last entry, are broken."""
    async with database.writing() as connection:
        number = await told(connection)
        await act(connection, number, NOON)
        assert await audited(connection, NOON + S) == ()
        await act(connection, number, NOON + S, kept=False)
        broken = Broken(Invariant.AUDIT_BROKEN, "F0001", NOON + S)
        assert await audited(connection, NOON + 2 * S) == (broken,)
        await act(connection, number, NOON + 2 * S)
        assert await audited(connection, NOON + 3 * S) == ()
        await connection.execute(update(audit_head).values(hash="0" * 64))
        broken = Broken(Invariant.AUDIT_BROKEN, "head", NOON + 2 * S)
        assert await audited(connection, NOON + 3 * S) == (broken,)


async def test_a_disaster_is_told_in_a_bounded_list(database: Database) -> None:
    """Of each invariant at most twenty, the oldest first."""
    async with database.writing() as connection:
        for n in range(25):
            await add_incident(connection, f"F{n:04}", NOON + n, state="open")
        found = await audited(connection, NOON + 3600 * S)
        assert [b.subject for b in found] == [f"F{n:04}" for n in range(20)]
        await connection.execute(update(incident).values(state="closed"))
        assert await audited(connection, NOON + 3600 * S) == ()
