"""An incident with everything that belongs to it, read in one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.audit import incident_subject, station_subject
from alerts.evidence import tasks
from alerts.evidence.attachments import Attachment, attachments
from alerts.evidence.errors import NoIncidentError
from alerts.evidence.freezer import stations_of
from alerts.evidence.proof import Concern, Extract, extract
from alerts.evidence.tasks import AROUND_MS, Standing
from alerts.incidents.tables import escalation, incident, incident_event, incident_finding
from alerts.oncall.tables import person
from alerts.outbox.tables import attempt, callback, message
from alerts.tables import alarm, finding, finding_transition
from devices import registry, tables
from devices.model import Name, Site, Station

Row = Mapping[str, Any]
"""A row of a table, by column name, as JSON values."""

_MASK: Final = "***"
_WITH_LINK: Final = ("facts", "params", "text")
_AND_NUMBER: Final = 500
"""Ids in one question: SQLite takes 32,766 values."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was, in words; ids where the registry does not know them any more."""

    site: Name
    area: Name | None
    stations: Mapping[str, Name]
    timezone: str

    def station(self, station: str) -> str:
        """What a station is called, in both languages."""
        return self.written(self.stations[station])

    @staticmethod
    def written(name: Name) -> str:
        """A name in both languages, once where both are the same."""
        return name.zh if name.zh == name.en else f"{name.zh} {name.en}"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything of one incident. Rows are in the order in which things happened."""

    incident: Row
    place: Place
    stations: Sequence[str]
    since_ms: int
    """Rows of the stations are from here (UTC ms) on ..."""
    until_ms: int | None
    """... until here; None while the incident is open."""
    findings: Sequence[Row]  # each with its ``transitions``
    alarms: Sequence[Row]
    deadlines: Sequence[Row]
    timeline: Sequence[Row]
    commands: Sequence[Row]
    lockouts: Sequence[Row]
    messages: Sequence[Row]  # links masked
    attempts: Sequence[Row]
    callbacks: Sequence[Row]
    people: Mapping[str, str]  # person id -> name
    attachments: Sequence[Attachment]
    tasks: Sequence[Standing]
    audit: Extract

    @property
    def number(self) -> str:
        """What people call it."""
        return str(self.incident["number"])


async def read_case(connection: AsyncConnection, number: str) -> Case:
    """Read it all; call it inside one ``reading()``, so that the parts fit together.

    Raises:
        NoIncidentError: there is no incident of that number.

    """
    found = await _rows(connection, incident, incident.c.number == number)
    if not found:
        raise NoIncidentError(number)
    row = found[0]
    stations = await stations_of(connection, row["id"], row["station_id"])
    since_ms = row["first_ms"] - AROUND_MS
    until_ms = None if row["closed_ms"] is None else row["closed_ms"] + AROUND_MS
    messages, attempts, callbacks = await _messages(connection, row, since_ms, until_ms)
    return Case(
        incident=row,
        place=await _place(connection, row, stations),
        stations=stations,
        since_ms=since_ms,
        until_ms=until_ms,
        findings=await _findings(connection, row["id"]),
        alarms=await _of(connection, alarm, stations, alarm.c.received_ms, since_ms, until_ms),
        deadlines=await _rows(connection, escalation, escalation.c.incident_id == row["id"]),
        timeline=await _rows(connection, incident_event, incident_event.c.incident_id == row["id"]),
        commands=await _of(
            connection, tables.command, stations, tables.command.c.issued_ms, since_ms, until_ms
        ),
        lockouts=await _of(
            connection, tables.lockout, stations, tables.lockout.c.since_ms, since_ms, until_ms
        ),
        messages=messages,
        attempts=attempts,
        callbacks=callbacks,
        people={p["id"]: p["name"] for p in await _rows(connection, person)},
        attachments=await attachments(connection, row["id"]),
        tasks=await tasks.standings(connection, row["id"]),
        audit=await extract(
            connection,
            [
                Concern([number, incident_subject(number)]),
                Concern([station_subject(s) for s in stations], since_ms, until_ms),
            ],
        ),
    )


async def _rows(
    connection: AsyncConnection, table: Table, *where: ColumnElement[bool]
) -> list[dict[str, Any]]:
    order = list(table.primary_key.columns)
    query = select(table).where(*where).order_by(*order)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _of(  # noqa: PLR0913, PLR0917 - a question with its limits
    connection: AsyncConnection,
    table: Table,
    stations: Sequence[str],
    time: Column[int],
    since_ms: int,
    until_ms: int | None,
) -> list[dict[str, Any]]:
    """The rows of the stations within the time, oldest first."""
    limits = [table.c.station_id.in_(stations), time >= since_ms]
    if until_ms is not None:
        limits.append(time <= until_ms)
    rows = await _rows(connection, table, and_(*limits))
    return sorted(rows, key=lambda row: int(row[time.name]))


async def _findings(connection: AsyncConnection, incident_id: int) -> list[dict[str, Any]]:
    link = select(incident_finding.c.finding_id).where(
        incident_finding.c.incident_id == incident_id
    )
    found = await _rows(connection, finding, finding.c.id.in_(link))
    steps = await _rows(connection, finding_transition, finding_transition.c.finding_id.in_(link))
    for row in found:
        mine = [step for step in steps if step["finding_id"] == row["id"]]
        row["transitions"] = sorted(mine, key=lambda step: (step["at_ms"], step["id"]))
    return sorted(found, key=lambda row: (row["raised_ms"], row["id"]))


async def _messages(
    connection: AsyncConnection, row: Row, since_ms: int, until_ms: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Messages, attempts, and the call-backs that name one of them, its address or the incident."""
    c = message.c
    messages = await _rows(connection, message, c.incident_id == row["id"])
    bundles = [m["bundle_id"] for m in messages if m["bundle_id"]]
    known = {m["id"] for m in messages}
    if others := sorted(set(bundles) - known):
        messages += await _rows(connection, message, c.id.in_(others))
    messages.sort(key=lambda m: (m["created_ms"], m["id"]))
    attempts: list[dict[str, Any]] = []
    ids = [m["id"] for m in messages]
    for start in range(0, len(ids), _AND_NUMBER):
        chunk = ids[start : start + _AND_NUMBER]
        attempts += await _rows(connection, attempt, attempt.c.message_id.in_(chunk))
    names = {*ids, *(m["address"] for m in messages), row["number"]}
    names |= {a["provider_ref"] for a in attempts if a["provider_ref"]}
    within = [callback.c.received_ms >= since_ms]
    if until_ms is not None:
        within.append(callback.c.received_ms <= until_ms)
    came = await _rows(connection, callback, *within)
    callbacks = [one for one in came if names & _words(one["detail"])]
    callbacks.sort(key=lambda one: (one["received_ms"], one["provider"], one["key"]))
    return [_masked(m) for m in messages], sorted(attempts, key=lambda a: int(a["id"])), callbacks


def _masked(row: dict[str, Any]) -> dict[str, Any]:
    """Without the one-time link: who reads a pack must not be able to act with it."""
    link = str(row["facts"].get("link") or "")
    before, _, token = link.rpartition("/")
    if not token:
        return row
    hidden = {name: _without(row[name], link, f"{before}/{_MASK}") for name in _WITH_LINK}
    return row | {name: _without(value, token, _MASK) for name, value in hidden.items()}


def _without(value: Any, secret: str, shown: str) -> Any:
    if isinstance(value, str):
        return value.replace(secret, shown)
    if isinstance(value, dict):
        return {name: _without(part, secret, shown) for name, part in value.items()}
    return [_without(part, secret, shown) for part in value] if isinstance(value, list) else value


def _words(value: Any) -> set[str]:
    """Every text in a document."""
    if isinstance(value, str):
        return {value}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {word for part in parts for word in _words(part)}


async def _place(connection: AsyncConnection, row: Row, stations: Sequence[str]) -> Place:
    site = await registry.load_site(connection, row["site_id"])
    names = {name: _station_name(site, name) for name in stations}
    area = None
    if site is not None:
        area = next((a.name for a in site.areas if a.id == row["area_id"]), None)
    return Place(
        site=Name(zh=row["site_id"], en=row["site_id"]) if site is None else site.name,
        area=area,
        stations=names,
        timezone="UTC" if site is None else site.timezone,
    )


def _station_name(site: Site | None, station: str) -> Name:
    found: Station | None = None if site is None else site.station(station)
    return Name(zh=station, en=station) if found is None else found.name
