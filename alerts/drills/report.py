"""Who answered a drill how fast, and who did not."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.drills.book import Drill, get_drill
from alerts.incidents.tables import incident, incident_event
from alerts.oncall.tables import person
from alerts.outbox.tables import message
from alerts.reports.responses import ACTS


@dataclass(frozen=True, slots=True)
class Answer:
    """One person who was told. Seconds from the beginning of the drill; None = never."""

    person: str
    name: str
    channels: tuple[str, ...]
    told_s: int | None  # a provider took the first message
    delivered_s: int | None  # a receipt for any of them
    answered_s: int | None  # the person's own first act
    arrived_s: int | None
    reported_s: int | None

    @property
    def answered(self) -> bool:
        """Whether the person did anything."""
        return self.answered_s is not None


@dataclass(frozen=True, slots=True)
class DrillReport:
    """A drill with everybody it told, the fastest first, then those who never answered."""

    drill: Drill
    begun_ms: int | None  # None = not begun, or not held
    answers: tuple[Answer, ...]

    @property
    def silent(self) -> tuple[str, ...]:
        """Who was told and did nothing."""
        return tuple(answer.person for answer in self.answers if not answer.answered)


async def drill_report(connection: AsyncConnection, drill_id: int) -> DrillReport | None:
    """The report of a drill as far as it has come; None when there is no such drill."""
    found = await get_drill(connection, drill_id)
    if found is None or found.incident is None:
        return None if found is None else DrillReport(found, None, ())
    begun = select(incident.c.first_ms).where(incident.c.id == found.incident)
    begun_ms = int((await connection.execute(begun)).scalar_one())
    told = await _told(connection, found.incident)
    acts = await _acts(connection, found.incident)
    names = await _names(connection, {*told, *acts})
    answers = [
        _answer(who, names.get(who, who), told.get(who, []), acts.get(who, {}), begun_ms)
        for who in {*told, *acts}
    ]
    answers.sort(key=lambda a: (not a.answered, a.answered_s or 0, a.person))
    return DrillReport(found, begun_ms, tuple(answers))


def _answer(
    who: str, name: str, messages: list[Any], acts: dict[str, int], begun_ms: int
) -> Answer:
    def since(moments: list[int | None]) -> int | None:
        known = [moment for moment in moments if moment is not None]
        return round((min(known) - begun_ms) / 1000) if known else None

    return Answer(
        person=who,
        name=name,
        channels=tuple(dict.fromkeys(m.channel for m in messages)),
        told_s=since([m.accepted_ms for m in messages]),
        delivered_s=since([m.delivered_ms for m in messages]),
        answered_s=since(list(acts.values())),
        arrived_s=since([acts.get("arrived")]),
        reported_s=since([acts.get("reported")]),
    )


async def _told(connection: AsyncConnection, incident_id: int) -> dict[str, list[Any]]:
    c = message.c
    query = (
        select(c.person_id, c.channel, c.accepted_ms, c.delivered_ms)
        .where(c.incident_id == incident_id)
        .order_by(c.created_ms, c.id)
    )
    found: dict[str, list[Any]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.person_id, []).append(row)
    return found


async def _acts(connection: AsyncConnection, incident_id: int) -> dict[str, dict[str, int]]:
    """Per person the first time of each act."""
    c = incident_event.c
    query = (
        select(c.actor, c.kind, c.at_ms)
        .where(c.incident_id == incident_id, c.kind.in_(sorted(ACTS)))
        .order_by(c.id)
    )
    found: dict[str, dict[str, int]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.actor, {}).setdefault(row.kind, row.at_ms)
    return found


async def _names(connection: AsyncConnection, people: set[str]) -> dict[str, str]:
    query = select(person.c.id, person.c.name).where(person.c.id.in_(sorted(people)))
    return {row.id: row.name for row in await connection.execute(query)}
