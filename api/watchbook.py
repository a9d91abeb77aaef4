"""Reports and drills as the HTTP side sees them, over the SQL database."""

from collections.abc import Callable

from alerts import audit
from alerts.drills import book
from alerts.drills.book import Drill
from alerts.drills.report import DrillReport, drill_report
from alerts.reports.collect import collect
from alerts.reports.model import Report
from alerts.reports.period import Period
from devices.database import Database
from devices.model import Site
from devices.pages import Page


class SqlWatchBook:
    """Implements ``api.http.watchbook.WatchBook``."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        """``now_ms`` gives UTC milliseconds."""
        self._database = database
        self._now_ms = now_ms

    async def report(self, site: Site, period: Period) -> Report:
        """The report as of now."""
        async with self._database.reading() as connection:
            return await collect(connection, site, period, self._now_ms())

    async def order_drill(self, site: str, area: str | None, note: str, by: str) -> Drill:
        """Write it down; the next turn of the drills begins it."""
        now_ms = self._now_ms()
        async with self._database.writing() as connection:
            drill = await book.order(
                connection, site=site, area=area, by=by, note=note, now_ms=now_ms
            )
            await audit.append(
                connection,
                actor=by,
                action="drill.order",
                subject=site,
                detail={"drill": drill.id, "area": area, "note": note},
                at_ms=now_ms,
            )
        return drill

    async def drills(self, site: str | None, cursor: str | None, limit: int) -> Page[Drill]:
        """Drills, the latest first."""
        async with self._database.reading() as connection:
            return await book.list_drills(connection, site, cursor, limit)

    async def drill(self, drill: int) -> DrillReport | None:
        """One drill with who answered."""
        async with self._database.reading() as connection:
            return await drill_report(connection, drill)
