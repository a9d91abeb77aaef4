"""People and rosters as the HTTP side sees them, over the SQL database."""

from collections.abc import Callable, Sequence

import structlog

from alerts.oncall import changes, feeds, registry
from alerts.oncall.book import Book, load_book
from alerts.oncall.changes import StoredOverride
from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override
from alerts.oncall.peoplefile import Holiday, People
from devices.database import Database
from devices.registry import ImportReport

log = structlog.get_logger(__name__)


class SqlDuty:
    """Implements ``api.http.ports.Duty``."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        """``now_ms`` gives UTC milliseconds."""
        self._database = database
        self._now_ms = now_ms

    async def book(self) -> Book:
        """All of it: calendars show overrides that are over, too."""
        async with self._database.reading() as connection:
            return await load_book(connection)

    async def people(self, site: str) -> People | None:
        """The people document of a site."""
        async with self._database.reading() as connection:
            return await registry.load_people(connection, site)

    async def put_people(self, people: People, by: str) -> ImportReport:
        """Import it."""
        async with self._database.writing() as connection:
            report = await registry.import_people(connection, people)
        log.info("people imported", site=report.site, by=by, unchanged=report.unchanged)
        return report

    async def overrides(self, roster: str) -> Sequence[StoredOverride]:
        """Those that have not ended."""
        async with self._database.reading() as connection:
            return await changes.list_overrides(connection, self._now_ms(), roster)

    async def add_override(self, override: Override) -> StoredOverride:
        """Record it."""
        async with self._database.writing() as connection:
            return await changes.add_override(connection, override, self._now_ms())

    async def end_override(self, number: int, by: str) -> StoredOverride:
        """End it now."""
        async with self._database.writing() as connection:
            ended = await changes.end_override(connection, number, self._now_ms())
        log.info("override ended", override=number, by=by)
        return ended

    async def put_holiday(self, site: str, holiday: Holiday, by: str) -> None:
        """Make a day a holiday."""
        async with self._database.writing() as connection:
            await changes.put_holiday(connection, site, holiday)
        log.info("holiday put", site=site, day=holiday.day, by=by)

    async def remove_holiday(self, site: str, day: str, by: str) -> bool:
        """Make a day an ordinary one."""
        async with self._database.writing() as connection:
            removed = await changes.remove_holiday(connection, site, day)
        log.info("holiday removed", site=site, day=day, by=by, was=removed)
        return removed

    async def feed_key(self, feed: Feed, name: str, by: str) -> str:
        """A new key; only its digest is kept."""
        async with self._database.writing() as connection:
            return await feeds.make_key(connection, feed, name, self._now_ms(), by=by)

    async def opens(self, feed: Feed, name: str, key: str) -> bool:
        """Whether it is the key."""
        async with self._database.reading() as connection:
            return await feeds.opens(connection, feed, name, key)
