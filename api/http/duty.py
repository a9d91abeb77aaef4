"""People and rosters: who is on duty, when, and where nobody is."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.security import APIKeyQuery

from alerts.oncall.book import Book
from alerts.oncall.calendar import person_calendar, roster_calendar
from alerts.oncall.feeds import Feed
from alerts.oncall.gaps import gaps
from alerts.oncall.model import PersonId, Roster
from alerts.oncall.peoplefile import Holiday
from alerts.oncall.roster import shifts
from api.errors import NoSuchThingError, Thing, UnauthenticatedError
from api.http import duty_examples as examples
from api.http import duty_views as views
from api.http.answers import answer, tagged
from api.http.documented import ALWAYS, documented, refusals
from api.http.duty_queries import (
    KEY,
    DutyQuery,
    PeopleQuery,
    RosterId,
    RostersQuery,
    SpanQuery,
    only_key,
)
from api.http.gate import Gate, Sent
from api.http.ports import Backend
from api.http.queries import Id, no_query
from api.texts import DEFAULT, negotiate

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_CALENDAR: Final[dict[str, Any]] = {
    "status_code": 200,
    "response_class": Response,
    "responses": {
        200: {
            "description": "iCalendar (RFC 5545): shifts of the last 7 days and the next 60",
            "content": {
                "text/calendar": {"schema": {"type": "string"}, "example": examples.CALENDAR}
            },
        },
        **refusals(*ALWAYS, 404),
    },
}
_key = APIKeyQuery(
    name=KEY,
    auto_error=False,
    scheme_name="calendar key",
    description="Of one calendar; made by POST to its feed.",
)
Key = Annotated[str | None, Security(_key)]


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The reading routes."""
    router = APIRouter(prefix="/api/v1", tags=["duty"])
    reading = [Depends(gate.reader)]

    @router.get(
        "/people", dependencies=reading, **documented(views.Contacts, examples.contacts, 404)
    )
    async def list_people(
        query: Annotated[PeopleQuery, Query()],
        reader: Annotated[str | None, Depends(gate.reader)],
    ) -> Response:
        """The people of a site. Numbers and addresses are masked unless ``contacts=true``."""
        if query.contacts and reader is None:
            raise UnauthenticatedError
        book = await book_of(backend, query.site)
        items = (views.contact(p, whole=query.contacts) for p in book.people_of(query.site))
        return answer(views.Contacts(tuple(items)))

    @router.get(
        "/rosters",
        dependencies=reading,
        **documented(views.Rosters, examples.rosters, 404, tagged=True),
    )
    async def list_rosters(request: Request, query: Annotated[RostersQuery, Query()]) -> Response:
        """The rosters of a site, by id."""
        view = views.Rosters(tuple((await book_of(backend, query.site)).rosters_of(query.site)))
        return tagged(request, view, view)

    @router.get(
        "/rosters/{roster}/shifts",
        dependencies=reading,
        **documented(views.Shifts, examples.shifts, 404),
    )
    async def list_shifts(roster: RosterId, query: Annotated[SpanQuery, Query()]) -> Response:
        """Who is on duty by this roster, shift by shift; empty ones say why."""
        span = query.span(backend.now_ms())
        book = await backend.duty.book()
        found = await asyncio.to_thread(shifts, book, find_roster(book, roster), *span)
        return answer(views.Shifts(roster, tuple(map(views.shift, found))))

    @router.get(
        "/rosters/{roster}/overrides",
        dependencies=[*reading, Depends(no_query)],
        **documented(views.Overrides, examples.overrides, 404),
    )
    async def list_overrides(roster: RosterId) -> Response:
        """The overrides of a roster that have not ended, by their beginning."""
        find_roster(await backend.duty.book(), roster)
        found = await backend.duty.overrides(roster)
        return answer(views.Overrides(tuple(map(views.override, found))))

    @router.get(
        "/sites/{site}/duty",
        dependencies=reading,
        **documented(views.DutyNow, examples.duty, 404),
    )
    async def get_duty(site: Id, query: Annotated[DutyQuery, Query()]) -> Response:
        """Who is on duty for each role, now or ``at``, and who is told when nobody can be."""
        book = await book_of(backend, site)
        if query.area is not None and query.area not in book.sites[site].areas:
            raise NoSuchThingError(Thing.AREA, query.area)
        at_ms = backend.now_ms() if query.at is None else query.at
        return answer(views.duty(book, site, query.area, at_ms))

    @router.get(
        "/sites/{site}/gaps", dependencies=reading, **documented(views.Gaps, examples.gaps, 404)
    )
    async def list_gaps(site: Id, query: Annotated[SpanQuery, Query()]) -> Response:
        """When nobody is on duty for a role that must be there."""
        span = query.span(backend.now_ms())
        found = await asyncio.to_thread(gaps, await book_of(backend, site), site, *span)
        items = (views.GapView(g.area, g.role, g.from_ms, g.until_ms) for g in found)
        return answer(views.Gaps(site, tuple(items)))

    @router.get(
        "/sites/{site}/holidays",
        dependencies=[*reading, Depends(no_query)],
        **documented(views.Holidays, examples.holidays, 404),
    )
    async def list_holidays(site: Id) -> Response:
        """The holidays of a site, by day."""
        days = (await book_of(backend, site)).sites[site].holidays
        items = tuple(Holiday(day=day, name=name) for day, name in days.items())
        return answer(views.Holidays(site, items))

    return router


def calendars(backend: Backend, gate: Gate) -> APIRouter:
    """The feeds of calendar applications: opened by a key in the address, or a credential."""
    router = APIRouter(prefix="/api/v1", tags=["duty"])

    async def check(request: Request, sent: Sent, feed: Feed, name: str, key: str | None) -> None:
        if sent is not None or key is None:
            await gate.caller(request, sent)
            return

        async def opens(given: str) -> bool | None:
            return await backend.duty.opens(feed, name, given) or None

        await gate.known(request, key, opens)

    @router.get("/rosters/{roster}.ics", dependencies=[Depends(only_key)], **_CALENDAR)
    async def get_roster_calendar(
        request: Request, roster: RosterId, sent: Sent, key: Key
    ) -> Response:
        """The shifts of a roster as a calendar, to subscribe to."""
        await check(request, sent, Feed.ROSTER, roster, key)
        language = negotiate(request.headers.get("accept-language"))
        book, now_ms = await backend.duty.book(), backend.now_ms()
        feed = await asyncio.to_thread(roster_calendar, book, roster, now_ms, language)
        return Response(feed, media_type=MEDIA_TYPE)

    @router.get("/people/{person}.ics", dependencies=[Depends(only_key)], **_CALENDAR)
    async def get_person_calendar(
        request: Request, person: PersonId, sent: Sent, key: Key
    ) -> Response:
        """The shifts of a person as a calendar, in that person's language."""
        await check(request, sent, Feed.PERSON, person, key)
        book, now_ms = await backend.duty.book(), backend.now_ms()
        known = book.people.get(person)
        language = DEFAULT if known is None else known.lang
        feed = await asyncio.to_thread(person_calendar, book, person, now_ms, language)
        return Response(feed, media_type=MEDIA_TYPE)

    return router


def find_roster(book: Book, roster: str) -> Roster:
    """The roster. Raises NoSuchThingError."""
    found = book.roster(roster)
    if found is None:
        raise NoSuchThingError(Thing.ROSTER, roster)
    return found


async def book_of(backend: Backend, site: str) -> Book:
    """The book, which has ``site``. Raises NoSuchThingError."""
    book = await backend.duty.book()
    if site not in book.sites:
        raise NoSuchThingError(Thing.SITE, site)
    return book
