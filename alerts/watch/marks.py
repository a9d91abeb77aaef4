"""The clock's trace over restarts: how far stored due times must move, and moving them.

While a process runs it counts from where its clock stood at the start, whatever the wall clock
does (``api.clock``). When it starts anew it believes the wall clock again, so due times that
were counted on the old scale are carried over to the new one: once, in one transaction with the
new mark. One clock leads per database: the mark has one row.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import escalation, evidence_task, link, watch_mark
from alerts.outbox.tables import message
from devices.database import insert_into

JUMP_MS: Final = 2_000
"""A wall clock farther than this from ours has jumped: a fault. Below it, it is taken as right."""
CLOCK: Final = "clock"


@dataclass(frozen=True, slots=True)
class Mark:
    """What all clocks said at one instant, in milliseconds.

    ``monotonic_ms`` counts from the machine's boot, which ``boot`` names; empty = unknown, and
    then the monotonic clocks of two processes cannot be compared.
    """

    utc_ms: int  # ours: what due times are counted on
    wall_ms: int  # the machine's wall clock
    monotonic_ms: int
    boot: str = ""


def rebase(mark: Mark, now: Mark) -> int:
    """By how many milliseconds due times must be shifted at a start; ``mark`` is the last one.

    * Same boot: the time between is known exactly, whatever the wall clock did in it.
    * Else the wall clock measures it. If it had been set while we ran, the shift is what it was
      ahead of us; if it stands before ``mark`` it was set back, no time is taken to have passed,
      and nothing becomes later than it was.

    0 when that is no more than ``JUMP_MS``.
    """
    if mark.boot and mark.boot == now.boot and now.monotonic_ms >= mark.monotonic_ms:
        passed_ms = now.monotonic_ms - mark.monotonic_ms
    else:
        passed_ms = max(0, now.wall_ms - mark.wall_ms)
    shift_ms = now.utc_ms - (mark.utc_ms + passed_ms)
    return shift_ms if abs(shift_ms) > JUMP_MS else 0


async def resume(connection: AsyncConnection, now: Mark) -> int:
    """Carry due times over to this start's clock and leave the first mark; the shift in ms."""
    mark = await load_mark(connection)
    shift_ms = 0 if mark is None else rebase(mark, now)
    await shift_due(connection, shift_ms)
    await save_mark(connection, now)
    return shift_ms


async def shift_due(connection: AsyncConnection, shift_ms: int) -> None:
    """Move the due times of everything that waits for one: steps, messages, evidence, links."""
    if not shift_ms:
        return
    for table, columns, waits in _WAITING:
        moved = {column.name: column + shift_ms for column in columns}
        await connection.execute(update(table).where(waits).values(moved))


_WAITING: Final[tuple[tuple[Table, tuple[Column[Any], ...], Any], ...]] = (
    (escalation, (escalation.c.due_ms,), escalation.c.state == "due"),
    (message, (message.c.due_ms, message.c.lease_ms), message.c.state.in_(("queued", "sending"))),
    (message, (message.c.receipt_due_ms,), message.c.state == "accepted"),
    (evidence_task, (evidence_task.c.due_ms,), evidence_task.c.state == "due"),
    (link, (link.c.expires_ms,), link.c.used_ms.is_(None)),
    (link, (link.c.session_until_ms,), link.c.session_until_ms.is_not(None)),
)


async def load_mark(connection: AsyncConnection) -> Mark | None:
    """The last mark of the clock, or None before the first."""
    row = (
        await connection.execute(select(watch_mark).where(watch_mark.c.name == CLOCK))
    ).one_or_none()
    return None if row is None else Mark(utc_ms=row.at_ms, **row.detail)


async def save_mark(connection: AsyncConnection, mark: Mark) -> None:
    """Replace the mark of the clock; done every 10 s while running."""
    detail = {"wall_ms": mark.wall_ms, "monotonic_ms": mark.monotonic_ms, "boot": mark.boot}
    row = {"name": CLOCK, "at_ms": mark.utc_ms, "detail": detail}
    insert = insert_into(connection, watch_mark)
    kept = {name: insert.excluded[name] for name in ("at_ms", "detail")}
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_=kept), [row]
    )
