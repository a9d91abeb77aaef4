"""What the HTTP side needs for reports and drills: ``WatchBook``, implemented over SQL.

When SQL does not answer its methods raise ``devices.errors.DatabaseError``.
"""

from typing import Protocol

from alerts.drills.book import Drill
from alerts.drills.report import DrillReport
from alerts.reports.model import Report
from alerts.reports.period import Period
from devices.model import Site
from devices.pages import Page


class WatchBook(Protocol):
    """Reports of sites, and drills."""

    async def report(self, site: Site, period: Period) -> Report:
        """The report as of now."""
        ...

    async def order_drill(self, site: str, area: str | None, note: str, by: str) -> Drill:
        """A drill that begins within seconds, or is not held because a real alarm stands."""
        ...

    async def drills(self, site: str | None, cursor: str | None, limit: int) -> Page[Drill]:
        """Drills, the latest first; planned ones of the next days too."""
        ...

    async def drill(self, drill: int) -> DrillReport | None:
        """One drill with who answered, as far as it has come."""
        ...
