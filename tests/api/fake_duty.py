"""People and rosters in memory: the real documents, books and checks, without a database."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from zoneinfo import ZoneInfo

from alerts.oncall.book import Book, Place
from alerts.oncall.changes import StoredOverride
from alerts.oncall.errors import (
    Fault,
    Flaw,
    Kind,
    OverrideRefusedError,
    PeopleRefusedError,
    UnknownError,
)
from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override, Roster
from alerts.oncall.peoplefile import Holiday, People, flaws, packaged_people
from devices.model import Site
from devices.registry import ImportReport


class FakeDuty:
    """Implements ``api.http.ports.Duty``: the packaged people."""

    def __init__(
        self,
        sites: Callable[[], Sequence[Site]],
        now_ms: Callable[[], int],
        sql: Callable[[], None],
    ) -> None:
        """``sql`` raises while the database is down."""
        self._sites = sites
        self._now_ms = now_ms
        self._sql = sql
        self._numbers = count(1)
        self.documents = {"caimarenjia": packaged_people()}
        self.made: dict[int, StoredOverride] = {}
        self.keys: dict[tuple[Feed, str], str] = {}
        self.by: list[tuple[str, str]] = []
        """What was done, and by whom."""

    async def book(self) -> Book:
        """Of all documents."""
        self._sql()
        people = {p.id: p for d in self.documents.values() for p in d.people}
        rosters = [
            Roster(site=site, **dict(r)) for site, d in self.documents.items() for r in d.rosters
        ]
        overrides = tuple(stored.override for stored in self.made.values())
        places = {site.id: self._place(site) for site in self._sites()}
        return Book(people, tuple(sorted(rosters, key=lambda r: r.id)), overrides, places)

    def _place(self, site: Site) -> Place:
        said = self.documents.get(site.id)
        return Place(
            id=site.id,
            zone=ZoneInfo(site.timezone),
            areas=tuple(area.id for area in site.areas),
            people=() if said is None else tuple(p.id for p in said.people),
            quiet=() if said is None else said.quiet,
            holidays={} if said is None else {h.day: h.name for h in said.holidays},
        )

    async def people(self, site: str) -> People | None:
        """The document."""
        self._sql()
        return self.documents.get(site)

    async def put_people(self, people: People, by: str) -> ImportReport:
        """Checked as the registry checks it."""
        place = (await self.book()).sites.get(people.site)
        if place is None:
            raise UnknownError(Kind.SITE, people.site)
        found = flaws(people, place.areas)
        if found:
            raise PeopleRefusedError(found)
        unchanged = self.documents.get(people.site) == people
        self.documents[people.site] = people
        self.by.append(("people", by))
        return ImportReport(people.site, (), () if unchanged else ("all",), ())

    async def overrides(self, roster: str) -> Sequence[StoredOverride]:
        """Those that have not ended."""
        self._sql()
        now_ms = self._now_ms()
        all_of = (s for s in self.made.values() if s.override.roster == roster)
        return [s for s in all_of if s.override.until_ms > now_ms]

    async def add_override(self, override: Override) -> StoredOverride:
        """Known rosters, known people, times in order."""
        book = await self.book()
        roster = book.roster(override.roster)
        if roster is None:
            raise UnknownError(Kind.ROSTER, override.roster)
        if override.person not in book.people:
            values = {"name": override.person, "known": ", ".join(book.people)}
            raise OverrideRefusedError(Flaw("person", Fault.UNKNOWN_PERSON, values))
        if override.until_ms <= override.from_ms:
            raise OverrideRefusedError(Flaw("until_ms", Fault.NOT_AFTER, {"other": "from_ms"}))
        stored = StoredOverride(next(self._numbers), override, self._now_ms())
        self.made[stored.id] = stored
        return stored

    async def end_override(self, number: int, by: str) -> StoredOverride:
        """At once."""
        self._sql()
        if number not in self.made:
            raise UnknownError(Kind.OVERRIDE, str(number))
        stored = self.made[number]
        until_ms = max(stored.override.from_ms, min(stored.override.until_ms, self._now_ms()))
        ended = stored.override.model_copy(update={"until_ms": until_ms})
        self.made[number] = replace(stored, override=ended)
        self.by.append(("end", by))
        return self.made[number]

    async def put_holiday(self, site: str, holiday: Holiday, by: str) -> None:
        """In the document."""
        await self.remove_holiday(site, holiday.day, by)
        document = self.documents[site]
        days = sorted((*document.holidays, holiday), key=lambda h: h.day)
        self.documents[site] = document.model_copy(update={"holidays": tuple(days)})

    async def remove_holiday(self, site: str, day: str, by: str) -> bool:
        """From the document."""
        self._sql()
        if site not in self.documents:
            raise UnknownError(Kind.SITE, site)
        document = self.documents[site]
        left = tuple(h for h in document.holidays if h.day != day)
        self.documents[site] = document.model_copy(update={"holidays": left})
        self.by.append(("holiday", by))
        return len(left) < len(document.holidays)

    async def feed_key(self, feed: Feed, name: str, by: str) -> str:
        """A new one each time."""
        book = await self.book()
        known = book.people if feed is Feed.PERSON else {r.id for r in book.rosters}
        if name not in known:
            raise UnknownError(Kind(feed.value), name)
        self.keys[feed, name] = f"cwf_{next(self._numbers):043}"
        self.by.append(("feed", by))
        return self.keys[feed, name]

    async def opens(self, feed: Feed, name: str, key: str) -> bool:
        """Whether it is the newest."""
        self._sql()
        return self.keys.get((feed, name)) == key
