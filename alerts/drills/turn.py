"""The turn of the drills: plan ahead, begin what is due, end what is over."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from alerts.drills.book import Drill, OpenDrill, end_due, plan_ahead, start_due
from alerts.drills.plans import DrillsSettings
from devices.database import Database


class Drills:
    """Turned by the scheduler, every few seconds; what it knows is in SQL."""

    def __init__(
        self, settings: DrillsSettings, zones: Mapping[str, ZoneInfo], open_drill: OpenDrill
    ) -> None:
        """``zones``: the time zone of each site."""
        self._settings = settings
        self._zones = zones
        self._open_drill = open_drill

    async def turn(self, database: Database, now_ms: int) -> list[Drill]:
        """Do what is due, in one transaction; drills that began, or are not held after all."""
        async with database.writing() as connection:
            await plan_ahead(connection, self._settings.plans, self._zones, now_ms)
            started = await start_due(connection, self._open_drill, now_ms)
            await end_due(connection, now_ms)
        return started
