"""Rows for tests of links and silences: incidents as SQL has them."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import insert, update

from alerts.incidents import tables
from alerts.incidents.model import Incident, State, Urgency
from devices.database import Database

NOW_MS: Final = 1_790_000_000_000
INCIDENT: Final = Incident(
    id=1,
    number="F0012",
    site="caimarenjia",
    area="east",
    station="cmrj-01",
    urgency=Urgency.FIRE,
    drill=False,
    canary=False,
    state=State.OPEN,
    round=1,
    opened_ms=NOW_MS - 20_000,
    first_ms=NOW_MS - 20_000,
    activity_ms=NOW_MS - 20_000,
    standing=1,
)


async def put_incident(database: Database, incident: Incident = INCIDENT, **changes: Any) -> int:
    """Write the incident; its id."""
    made = replace(incident, **changes)
    row = {name: getattr(made, name) for name in Incident.__slots__ if name != "id"}
    row = {_COLUMNS.get(name, name): getattr(value, "value", value) for name, value in row.items()}
    async with database.writing() as connection:
        written = insert(tables.incident).values(row).returning(tables.incident.c.id)
        return int((await connection.execute(written)).scalar_one())


_COLUMNS: Final = {"site": "site_id", "area": "area_id", "station": "station_id"}


async def set_state(database: Database, incident_id: int, state: State) -> None:
    """Move the incident on."""
    c = tables.incident.c
    async with database.writing() as connection:
        moved = update(tables.incident).where(c.id == incident_id).values(state=state.value)
        await connection.execute(moved)
