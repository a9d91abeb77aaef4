"""What is still to be frozen: rows with a due time, claimed once, tried again.

A claim is a lease: who took a task and died gives it back by the passing of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from sqlalchemy import Row, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents.tables import evidence_task, incident
from devices.database import insert_into

LEASE_MS: Final = 120_000
"""For so long a task belongs to who claimed it; longer than any try takes."""
AROUND_MS: Final = 30 * 60_000
"""Frames are frozen from so long before the incident to so long after."""
STILLS_AT_MS: Final = (0, 30_000, 300_000)
"""When each camera is asked, counted from the incident."""

_SETTLE_MS: Final = 5_000  # frames of the last instant are still on their way to the store
_MAX_ERROR: Final = 200


class Part(StrEnum):
    """What a task freezes."""

    RULES = "rules"  # the settings in force
    FIRST_FRAMES = "first-frames"  # what is there already, in case worse comes
    FRAMES = "frames"  # the whole window
    STILL = "still"


@dataclass(frozen=True, slots=True)
class What:
    """A part with the moment of the incident it belongs to; a still also with its camera."""

    part: Part
    opened_ms: int
    camera: str = ""
    after_ms: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the task's column."""
        part, opened_ms, *still = text.split(":")
        camera, after_ms = still or ("", "0")
        return cls(Part(part), int(opened_ms), camera, int(after_ms))

    def __str__(self) -> str:
        """As the task's column; short enough for it."""
        still = f":{self.camera}:{self.after_ms}" if self.part is Part.STILL else ""
        return f"{self.part.value}:{self.opened_ms}{still}"

    @property
    def due_ms(self) -> int:
        """When it is to be frozen, UTC ms."""
        if self.part is Part.FRAMES:
            return self.opened_ms + AROUND_MS + _SETTLE_MS
        if self.part is Part.FIRST_FRAMES:
            return self.opened_ms + _SETTLE_MS
        return self.opened_ms + self.after_ms


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed task with the incident it is for; ``tries`` counts this one."""

    id: int
    incident_id: int
    number: str
    station: str | None
    what: What
    tries: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a task is, for the pack: what is missing is told, not passed over."""

    what: What
    state: str  # due, done, failed
    tries: int
    error: str | None


async def plan(
    connection: AsyncConnection, incident_id: int, cameras: Sequence[str], opened_ms: int
) -> None:
    """Plan what is to be frozen, in the transaction that opens the incident (or reopens it).

    ``cameras`` are those that see the place and give stills. Planning the same opening again
    changes nothing.
    """
    whats = [What(part, opened_ms) for part in (Part.RULES, Part.FIRST_FRAMES, Part.FRAMES)]
    whats += [What(Part.STILL, opened_ms, c, after) for c in cameras for after in STILLS_AT_MS]
    rows = [
        {
            "incident_id": incident_id,
            "what": str(what),
            "due_ms": what.due_ms,
            "state": "due",
            "tries": 0,
        }
        for what in dict.fromkeys(whats)
    ]
    insert = insert_into(connection, evidence_task)
    await connection.execute(
        insert.on_conflict_do_nothing(index_elements=["incident_id", "what"]), rows
    )


async def any_due(connection: AsyncConnection, now_ms: int) -> bool:
    """Whether a claim could get something: asked first, so that writers are left alone."""
    c = evidence_task.c
    query = select(c.id).where(c.state == "due", c.due_ms <= now_ms).limit(1)
    return (await connection.execute(query)).first() is not None


async def claim(connection: AsyncConnection, now_ms: int, limit: int) -> Sequence[Task]:
    """Take up to ``limit`` due tasks, the longest due first; nobody else has them now."""
    c = evidence_task.c
    due = and_(c.state == "due", c.due_ms <= now_ms)
    oldest = select(c.id).where(due).order_by(c.due_ms, c.id).limit(limit)
    taken = (
        update(evidence_task)
        .where(c.id.in_(oldest), due)  # again: another may have been faster
        .values(due_ms=now_ms + LEASE_MS, tries=c.tries + 1)
        .returning(c.id)
    )
    ids = (await connection.execute(taken)).scalars().all()
    query = (
        select(evidence_task, incident.c.number, incident.c.station_id)
        .join(incident, incident.c.id == c.incident_id)
        .where(c.id.in_(ids))
        .order_by(c.id)
    )
    return [_task(row) for row in await connection.execute(query)] if ids else []


async def finish(connection: AsyncConnection, task: Task) -> bool:
    """It is frozen; False when the lease had passed to somebody else."""
    return await _settle(connection, task, state="done", error=None)


async def fail(connection: AsyncConnection, task: Task, error: str) -> bool:
    """It will not be frozen, and why."""
    return await _settle(connection, task, state="failed", error=error[:_MAX_ERROR])


async def postpone(connection: AsyncConnection, task: Task, error: str, due_ms: int) -> bool:
    """It could not be frozen this time; again from ``due_ms`` on."""
    return await _settle(connection, task, due_ms=due_ms, error=error[:_MAX_ERROR])


async def standings(connection: AsyncConnection, incident_id: int) -> Sequence[Standing]:
    """All tasks of an incident in the order of their due times."""
    c = evidence_task.c
    query = select(evidence_task).where(c.incident_id == incident_id).order_by(c.id)
    return [
        Standing(What.parse(row.what), row.state, row.tries, row.error)
        for row in await connection.execute(query)
    ]


async def _settle(connection: AsyncConnection, task: Task, **values: Any) -> bool:
    c = evidence_task.c
    mine = and_(c.id == task.id, c.state == "due", c.tries == task.tries)
    done = await connection.execute(update(evidence_task).where(mine).values(**values))
    return bool(done.rowcount)


def _task(row: Row[Any]) -> Task:
    return Task(
        id=row.id,
        incident_id=row.incident_id,
        number=row.number,
        station=row.station_id,
        what=What.parse(row.what),
        tries=row.tries,
    )
