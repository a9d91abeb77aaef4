"""One incident as it stands in SQL, and what surrounds the freezer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from alerts.findings import save_transitions
from alerts.incidents.tables import incident, incident_finding
from alerts.tables import finding
from devices.database import Database
from rules.catalogue import Catalogue
from rules.model import Act, Change, Family, Finding, FindingKey, Severity, Transition

OPENED = 1_782_885_785_000
"""2026-07-01 14:03:05 in Shanghai."""
STATION = "cmrj-01"
SITE = "caimarenjia"


@dataclass
class Around:
    """What the freezer is told: a clock and a drain that the test moves."""

    at_ms: int = OPENED
    stored_ms: int | None = None
    urls: dict[str, str] = field(default_factory=dict)

    def now_ms(self) -> int:
        """The test's clock."""
        return self.at_ms

    def stored_until_ms(self) -> int | None:
        """The test's drain."""
        return self.stored_ms

    def camera_url(self, camera: str) -> str | None:
        """The test's cameras."""
        return self.urls.get(camera)

    def rules(self, stations: Sequence[str]) -> Mapping[str, Any]:
        """The default catalogue for all."""
        catalogue = Catalogue.default()
        said = {"version": catalogue.version, "settings": catalogue.as_dict()}
        return {"version": catalogue.version, "stations": dict.fromkeys(stations, said)}


async def add_incident(
    database: Database, number: str = "F0012", station: str | None = STATION, **changes: Any
) -> int:
    """A fire at socket 3, open; its id."""
    row = {
        "number": number,
        "site_id": SITE,
        "area_id": "east",
        "station_id": station,
        "urgency": "fire",
        "drill": False,
        "canary": False,
        "state": "open",
        "round": 1,
        "opened_ms": OPENED,
        "first_ms": OPENED,
        "activity_ms": OPENED,
        "standing": 1,
        **changes,
    }
    async with database.writing() as connection:
        added = await connection.execute(incident.insert().values(row).returning(incident.c.id))
        return int(added.scalar_one())


def hot(station: str = STATION, **changes: Any) -> Finding:
    """Socket 3 is hot."""
    values: dict[str, Any] = {
        "key": FindingKey(station, 3, "R02", "sustained", OPENED - 30_000),
        "family": Family.ALARM,
        "severity": Severity.CRITICAL,
        "reason": "socket_hot",
        "act": Act.CUT_SOCKET,
        "latched": True,
        "fire": False,
        "shadow": False,
        "raised_ms": OPENED,
        "evidence": {"temp_c": 82.0, "limit_c": 80.0, "power_w": 412.5, "sensor": "socket"},
    }
    return Finding(**(values | changes))


async def add_finding(database: Database, incident_id: int, found: Finding) -> int:
    """Recorded, and named by the incident; its id."""
    async with database.writing() as connection:
        await save_transitions(
            connection, [Transition(Change.RAISED, found, found.raised_ms)], found.raised_ms + 20
        )
        c = finding.c
        query = select(c.id).where(c.station_id == found.key.station, c.rule == found.key.rule)
        finding_id = int((await connection.execute(query)).scalar_one())
        values = {"finding_id": finding_id, "incident_id": incident_id, "added_ms": OPENED}
        await connection.execute(incident_finding.insert().values(values))
        return finding_id
