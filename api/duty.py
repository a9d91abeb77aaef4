"""People and rosters as the HTTP side sees them, over the SQL database."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audited
from alerts.oncall import changes, feeds, registry
from alerts.oncall.book import Book, load_book
from alerts.oncall.changes import StoredOverride
from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override
from alerts.oncall.peoplefile import Holiday, People
from devices.database import Database
from devices.registry import ImportReport


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
            at_ms = self._now_ms()
            await audited.imported(connection, "people", report, by=by, at_ms=at_ms)
        return report

    async def overrides(self, roster: str) -> Sequence[StoredOverride]:
        """Those that have not ended."""
        async with self._database.reading() as connection:
            return await changes.list_overrides(connection, self._now_ms(), roster)

    async def add_override(self, override: Override) -> StoredOverride:
        """Record it."""
        async with self._database.writing() as connection:
            now_ms = self._now_ms()
            made = await changes.add_override(connection, override, now_ms)
            await audited.changed(
                connection,
                "override.add",
                f"roster:{override.roster}",
                by=override.by,
                at_ms=now_ms,
                override=override.model_dump(),
            )
            return made

    async def end_override(self, number: int, by: str) -> StoredOverride:
        """End it now."""
        async with self._database.writing() as connection:
            now_ms = self._now_ms()
            ended = await changes.end_override(connection, number, now_ms)
            subject = f"roster:{ended.override.roster}"
            await audited.changed(
                connection, "override.end", subject, by=by, at_ms=now_ms, number=number
            )
        return ended

    async def put_holiday(self, site: str, holiday: Holiday, by: str) -> None:
        """Make a day a holiday."""
        async with self._database.writing() as connection:
            await changes.put_holiday(connection, site, holiday)
            await self._holiday(connection, "put", site, holiday.day, by)

    async def remove_holiday(self, site: str, day: str, by: str) -> bool:
        """Make a day an ordinary one."""
        async with self._database.writing() as connection:
            removed = await changes.remove_holiday(connection, site, day)
            if removed:
                await self._holiday(connection, "remove", site, day, by)
        return removed

    async def feed_key(self, feed: Feed, name: str, by: str) -> str:
        """A new key; only its digest is kept."""
        async with self._database.writing() as connection:
            now_ms = self._now_ms()
            key = await feeds.make_key(connection, feed, name, now_ms, by=by)
            subject = f"{feed.value}:{name}"
            await audited.changed(connection, "feed.key", subject, by=by, at_ms=now_ms)
            return key

    async def opens(self, feed: Feed, name: str, key: str) -> bool:
        """Whether it is the key."""
        async with self._database.reading() as connection:
            return await feeds.opens(connection, feed, name, key)

    async def _holiday(
        self, connection: AsyncConnection, what: str, site: str, day: str, by: str
    ) -> None:
        at_ms = self._now_ms()
        await audited.changed(
            connection, f"holiday.{what}", f"site:{site}", by=by, at_ms=at_ms, day=day
        )
