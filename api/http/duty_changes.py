"""Changes of people and rosters; each needs a credential, whose name is recorded."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response

from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override, PersonId
from alerts.oncall.peoplefile import Holiday, People
from api.errors import BadQueryError, NoSuchThingError, Thing, Why
from api.http import duty_examples as examples
from api.http import duty_views as views
from api.http.answers import answer, tagged
from api.http.documented import documented
from api.http.duty import book_of
from api.http.duty_queries import HolidayName, NewOverride, PathDay, RosterId
from api.http.gate import Gate
from api.http.ports import Backend
from api.http.queries import Id, Number, json_only, no_query


def site_routes(backend: Backend, gate: Gate) -> APIRouter:
    """The whole people document of a site, and its holidays one by one."""
    router = APIRouter(prefix="/api/v1", tags=["duty"])
    Caller = Annotated[str, Depends(gate.caller)]  # noqa: N806 - a type
    plain = [Depends(gate.caller), Depends(no_query)]

    @router.get(
        "/sites/{site}/people",
        dependencies=plain,
        **documented(People, examples.people, 404, tagged=True),
    )
    async def get_people(request: Request, site: Id) -> Response:
        """The people document of a site, numbers included: what ``PUT`` takes back."""
        found = await backend.duty.people(site)
        if found is None:
            raise NoSuchThingError(Thing.SITE, site)
        return tagged(request, found, found)

    @router.put(
        "/sites/{site}/people",
        dependencies=[*plain, Depends(json_only)],
        **documented(views.Imported, examples.imported, 400, 404, 413, 415),
    )
    async def put_people(
        site: Id,
        caller: Caller,
        people: Annotated[People, Body(openapi_examples=examples.PEOPLE)],
    ) -> Response:
        """Replace people, rosters, quiet hours and holidays of a site; doing it twice is once.

        People who are no longer in it become inactive. Overrides stay.
        """
        if people.site != site:
            raise BadQueryError(field="site", why=Why.OTHER_THAN_ADDRESS, site=site)
        report = await backend.duty.put_people(people, caller)
        return answer(views.Imported(**asdict(report)))

    @router.put(
        "/sites/{site}/holidays/{day}",
        dependencies=[*plain, Depends(json_only)],
        **documented(Holiday, examples.holiday, 400, 404, 413, 415),
    )
    async def put_holiday(
        site: Id,
        day: PathDay,
        caller: Caller,
        new: Annotated[HolidayName, Body(openapi_examples=examples.NEW_HOLIDAY)],
    ) -> Response:
        """Make a day a holiday of the site, until the next import of its people document."""
        holiday = Holiday(day=day, name=new.name)
        await backend.duty.put_holiday(site, holiday, caller)
        return answer(holiday)

    @router.delete(
        "/sites/{site}/holidays/{day}",
        dependencies=plain,
        **documented(views.Holidays, examples.holidays, 404),
    )
    async def delete_holiday(site: Id, day: PathDay, caller: Caller) -> Response:
        """Make a day an ordinary one; answers with the holidays that are left."""
        await book_of(backend, site)
        if not await backend.duty.remove_holiday(site, day, caller):
            raise NoSuchThingError(Thing.HOLIDAY, day)
        left = (await book_of(backend, site)).sites[site].holidays
        items = tuple(Holiday(day=day, name=name) for day, name in left.items())
        return answer(views.Holidays(site, items))

    return router


def roster_routes(backend: Backend, gate: Gate) -> APIRouter:
    """Overrides, and the addresses of calendars."""
    router = APIRouter(prefix="/api/v1", tags=["duty"])
    Caller = Annotated[str, Depends(gate.caller)]  # noqa: N806 - a type
    plain = [Depends(gate.caller), Depends(no_query)]

    @router.post(
        "/rosters/{roster}/overrides",
        dependencies=[*plain, Depends(json_only)],
        **documented(views.OverrideView, examples.override, 400, 404, 413, 415, status=201),
    )
    async def post_override(
        roster: RosterId,
        caller: Caller,
        new: Annotated[NewOverride, Body(openapi_examples=examples.NEW_OVERRIDE)],
    ) -> Response:
        """Put somebody of the site on duty for a time; of two the one made last holds."""
        override = Override(
            roster=roster,
            person=new.person,
            from_ms=new.from_ms,
            until_ms=new.until_ms,
            by=caller,
        )
        return answer(views.override(await backend.duty.add_override(override)), 201)

    @router.delete(
        "/overrides/{override}",
        dependencies=plain,
        **documented(views.OverrideView, examples.override, 404),
    )
    async def delete_override(override: Number, caller: Caller) -> Response:
        """End an override now; one that has not begun never does. It stays on record."""
        return answer(views.override(await backend.duty.end_override(override, caller)))

    @router.post(
        "/rosters/{roster}/feed",
        dependencies=plain,
        **documented(views.FeedAddress, examples.feed, 404, status=201),
    )
    async def post_roster_feed(roster: RosterId, caller: Caller) -> Response:
        """Make the address of the roster's calendar; the address before is void at once."""
        key = await backend.duty.feed_key(Feed.ROSTER, roster, caller)
        return answer(views.FeedAddress(f"/api/v1/rosters/{roster}.ics?key={key}"), 201)

    @router.post(
        "/people/{person}/feed",
        dependencies=plain,
        **documented(views.FeedAddress, examples.feed, 404, status=201),
    )
    async def post_person_feed(person: PersonId, caller: Caller) -> Response:
        """Make the address of a person's calendar; the address before is void at once."""
        key = await backend.duty.feed_key(Feed.PERSON, person, caller)
        return answer(views.FeedAddress(f"/api/v1/people/{person}.ics?key={key}"), 201)

    return router
