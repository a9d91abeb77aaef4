"""Who is on duty, from memory: the book as it was last read from SQL.

Reading again is cheap and done every few seconds, so that another process's change counts too;
when SQL is away the last book stands.
"""

from collections.abc import Sequence

from alerts.oncall import reach as reaching
from alerts.oncall.book import Book, load_book
from alerts.oncall.model import Person, Role
from devices.database import Database

PAST_MS = 86_400_000
"""Overrides that ended longer ago are not read."""


class Duty:
    """Implements ``alerts.incidents.telling.OnCall``."""

    def __init__(self, book: Book | None = None) -> None:
        """Nobody, until ``refresh``."""
        self.book = book or Book()

    async def refresh(self, database: Database, now_ms: int) -> None:
        """Read the book again.

        Raises:
            DatabaseUnavailable: SQL is away; the book stays as it was.

        """
        async with database.reading() as connection:
            self.book = await load_book(connection, now_ms - PAST_MS)

    def reach(self, site: str, area: str | None, role: Role, now_ms: int) -> Sequence[Person]:
        """Whoever must be told for this role, with the next role where nobody has it."""
        return reaching.reach(self.book, site, area, role, now_ms).people

    def quiet_until(self, site: str, now_ms: int) -> int | None:
        """When the site's quiet hours end, if they are on."""
        return reaching.quiet_until(self.book, site, now_ms)

    def person(self, person: str) -> Person | None:
        """The active person of that id."""
        return self.book.people.get(person)

    def by_phone(self, phone: str) -> Person | None:
        """The active person with that number."""
        return next((p for p in self.book.people.values() if p.phone == phone), None)
