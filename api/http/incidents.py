"""What people handle: incidents and what is done about them, the ledger of messages, silences."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from alerts.incidents.model import Act, Doing, Incident
from alerts.incidents.silences import Silence, SilenceFilter, Wanted
from alerts.incidents.store import IncidentFilter
from api.errors import BadQueryError, NoSuchThingError, Thing, Why
from api.http import incident_examples as examples
from api.http import incident_records as records
from api.http import incident_views as views
from api.http.answers import answer
from api.http.cases import Case
from api.http.documented import documented
from api.http.gate import Gate
from api.http.incident_queries import (
    ActBody,
    IncidentNumber,
    IncidentsQuery,
    MessagesQuery,
    SilenceBody,
    SilencesQuery,
)
from api.http.ports import Backend
from api.http.queries import Number, json_only, no_query

_PHOTO: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "JPEG, PNG or WebP, at most 10 MB; kept without what the camera wrote",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The routes under ``/incidents``, ``/messages`` and ``/silences``."""
    router = APIRouter(prefix="/api/v1", tags=["incidents"])
    reading = [Depends(gate.reader)]
    acting = [Depends(gate.caller), Depends(no_query)]

    @router.get(
        "/incidents", dependencies=reading, **documented(views.Incidents, examples.incidents)
    )
    async def list_incidents(query: Annotated[IncidentsQuery, Query()]) -> Response:
        """Incidents, newest first."""
        page = await backend.cases.incidents(_filter(query), query.cursor, query.limit)
        return answer(views.Incidents(tuple(map(records.incident, page.items)), page.next))

    @router.get(
        "/incidents/{number}",
        dependencies=[Depends(no_query)],
        **documented(views.IncidentDetail, examples.incident_detail, 404),
    )
    async def get_incident(
        number: IncidentNumber, reader: Annotated[str | None, Depends(gate.reader)]
    ) -> Response:
        """One incident: findings, deadlines, timeline, messages, attachments."""
        return answer(records.detail(await _case(backend, number), masked=reader is None))

    @router.post(
        "/incidents/{number}/acts",
        dependencies=[*acting, Depends(json_only)],
        **documented(views.Incident, examples.incident, 400, 404, 409, 413, 415),
    )
    async def post_act(
        number: IncidentNumber,
        caller: Annotated[str, Depends(gate.caller)],
        body: Annotated[ActBody, Body(openapi_examples=examples.ACTS)],
    ) -> Response:
        """Do something about an incident; the incident after it.

        Doing what is done already changes nothing and is no error. Arriving acknowledges,
        reporting arrives.
        """
        incident = (await _case(backend, number)).incident
        await _check_person(backend, getattr(body, "person", None))
        return answer(records.incident(await _perform(backend, incident, body, caller)))

    @router.post(
        "/incidents/{number}/photos",
        dependencies=acting,
        openapi_extra=_PHOTO,
        **documented(views.Attachment, examples.attachment, 404, 413, status=201),
    )
    async def post_photo(
        number: IncidentNumber, caller: Annotated[str, Depends(gate.caller)], request: Request
    ) -> Response:
        """Add a photo, as the body of the request; the same one again is kept once."""
        incident = (await _case(backend, number)).incident
        kept = await backend.cases.add_photo(incident.id, await request.body(), caller)
        return answer(records.attachment(kept), status=HTTPStatus.CREATED)

    @router.get(
        "/messages",
        dependencies=[Depends(gate.caller)],
        **documented(views.Messages, examples.messages),
    )
    async def list_messages(query: Annotated[MessagesQuery, Query()]) -> Response:
        """The ledger, newest first. Always needs a credential: it holds people's numbers."""
        page = await backend.cases.messages(query.cursor, query.limit)
        return answer(views.Messages(tuple(map(records.message, page.items)), page.next))

    @router.get("/silences", dependencies=reading, **documented(views.Silences, examples.silences))
    async def list_silences(query: Annotated[SilencesQuery, Query()]) -> Response:
        """Silences, newest first; those that are over too, unless ``active=true``."""
        at_ms = backend.now_ms() if query.active else None
        where = SilenceFilter(query.site, query.station, at_ms)
        page = await backend.cases.silences(where, query.cursor, query.limit)
        return answer(views.Silences(page.items, page.next))

    @router.post(
        "/silences",
        dependencies=[*acting, Depends(json_only)],
        **documented(Silence, examples.silence, 400, 404, 409, 413, 415, status=201),
    )
    async def post_silence(
        caller: Annotated[str, Depends(gate.caller)],
        body: Annotated[SilenceBody, Body(openapi_examples=examples.SILENCES)],
    ) -> Response:
        """Begin a silence now. Never of a danger, at most for 7 days."""
        _check_place(backend, body)
        wanted = Wanted(body.site, body.station, body.rule, body.until, body.reason, caller)
        return answer(await backend.cases.silence(wanted), status=HTTPStatus.CREATED)

    @router.delete(
        "/silences/{silence}",
        dependencies=acting,
        **documented(Silence, examples.silence, 404),
    )
    async def delete_silence(
        silence: Number, caller: Annotated[str, Depends(gate.caller)]
    ) -> Response:
        """End a silence; the record of it stays. Twice is harmless."""
        ended = await backend.cases.end_silence(silence, caller)
        if ended is None:
            raise NoSuchThingError(Thing.SILENCE, str(silence))
        return answer(ended)

    return router


def _filter(query: IncidentsQuery) -> IncidentFilter:
    if query.since is not None and query.until is not None and query.since >= query.until:
        raise BadQueryError(field="since", why=Why.SINCE_AFTER_UNTIL)
    return IncidentFilter(
        sites=None if query.site is None else frozenset({query.site}),
        stations=None if query.station is None else frozenset({query.station}),
        states=None if query.state is None else frozenset({query.state}),
        urgencies=None if query.urgency is None else frozenset({query.urgency}),
        drill=query.drill,
        since_ms=query.since,
        until_ms=query.until,
    )


async def _case(backend: Backend, number: str) -> Case:
    case = await backend.cases.case(number)
    if case is None:
        raise NoSuchThingError(Thing.INCIDENT, number)
    return case


async def _perform(backend: Backend, incident: Incident, body: ActBody, by: str) -> Incident:
    doing = Doing(
        act=Act(body.act),
        by=by,
        at_ms=backend.now_ms(),
        note=getattr(body, "note", ""),
        cause=getattr(body, "cause", None),
        person=getattr(body, "person", None),
    )
    return await backend.cases.perform(incident.id, doing, via="api")


async def _check_person(backend: Backend, person: str | None) -> None:
    if person is not None and await backend.cases.person(person) is None:
        raise NoSuchThingError(Thing.PERSON, person)


def _check_place(backend: Backend, body: SilenceBody) -> None:
    """Raises NoSuchThingError for a site, or a station of it, that is not registered."""
    site = next((site for site in backend.sites() if site.id == body.site), None)
    if site is None:
        raise NoSuchThingError(Thing.SITE, body.site)
    if body.station is not None and site.station(body.station) is None:
        raise NoSuchThingError(Thing.STATION, body.station)
