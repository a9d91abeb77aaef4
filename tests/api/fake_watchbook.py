"""Reports and drills in memory: the examples of the document, and what was ordered."""

from collections.abc import Callable
from dataclasses import replace

from alerts.drills.book import Drill, DrillState
from alerts.drills.report import DrillReport
from alerts.reports.model import Report
from alerts.reports.period import Period
from api.http import report_examples as examples
from devices.errors import CursorError
from devices.model import Site
from devices.pages import Page


class FakeWatchBook:
    """Implements ``api.http.watchbook.WatchBook``."""

    def __init__(self, now_ms: Callable[[], int], sql: Callable[[], None]) -> None:
        """``sql`` raises while the database is down."""
        self._now_ms = now_ms
        self._sql = sql
        self.ordered: list[Drill] = []

    async def report(self, site: Site, period: Period) -> Report:
        """The example, of the site and period asked for."""
        self._sql()
        return replace(examples.report, site=site.id, period=period.label)

    async def order_drill(self, site: str, area: str | None, note: str, by: str) -> Drill:
        """Remembered."""
        self._sql()
        number = len(self.ordered) + 8
        drill = Drill(number, site, area, self._now_ms(), DrillState.PLANNED, by, note)
        self.ordered.append(drill)
        return drill

    async def drills(self, site: str | None, cursor: str | None, limit: int) -> Page[Drill]:
        """What was ordered, then the example; never more than one page."""
        self._sql()
        if cursor is not None:
            raise CursorError(cursor)
        found = [d for d in (*reversed(self.ordered), examples.drill) if site in (None, d.site)]
        return Page(tuple(found[:limit]), None)

    async def drill(self, drill: int) -> DrillReport | None:
        """The example, or a drill that has not begun."""
        self._sql()
        if drill == examples.drill.id:
            return examples.drill_report
        waiting = next((d for d in self.ordered if d.id == drill), None)
        return None if waiting is None else DrillReport(waiting, None, ())
