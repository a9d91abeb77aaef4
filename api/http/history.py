"""What happened: findings, the stations' own alarms, refused messages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from alerts.alarms import AlarmFilter
from alerts.findings import FindingFilter
from api.errors import BadQueryError, NoSuchThingError, Thing, Why
from api.http import examples, kept, records
from api.http.answers import answer
from api.http.documented import documented
from api.http.gate import Gate
from api.http.ports import Backend
from api.http.queries import AlarmsQuery, FindingsQuery, Number, QuarantineQuery, no_query


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The routes under ``/findings``, ``/alarms`` and ``/quarantine``."""
    router = APIRouter(prefix="/api/v1", tags=["history"])
    reading = [Depends(gate.reader)]

    @router.get("/findings", dependencies=reading, **documented(kept.Findings, examples.findings))
    async def list_findings(query: Annotated[FindingsQuery, Query()]) -> Response:
        """Findings, newest first."""
        if query.since is not None and query.until is not None and query.since >= query.until:
            raise BadQueryError(field="since", why=Why.SINCE_AFTER_UNTIL)
        page = await backend.findings(_filter(backend, query), query.cursor, query.limit)
        return answer(kept.Findings(tuple(map(records.finding, page.items)), page.next))

    @router.get(
        "/findings/{finding}",
        dependencies=[*reading, Depends(no_query)],
        **documented(kept.FindingDetail, examples.finding_detail, 404),
    )
    async def get_finding(finding: Number) -> Response:
        """One finding with its reason, its evidence and the steps of its life."""
        found = await backend.finding(finding)
        if found is None:
            raise NoSuchThingError(Thing.FINDING, str(finding))
        stored, steps = found
        return answer(kept.FindingDetail(records.finding(stored), tuple(steps)))

    @router.get("/alarms", dependencies=reading, **documented(kept.Alarms, examples.alarms))
    async def list_alarms(query: Annotated[AlarmsQuery, Query()]) -> Response:
        """The stations' own alarms, newest first."""
        where = AlarmFilter(
            stations=None if query.station is None else frozenset({query.station}),
            kinds=None if query.kind is None else frozenset({query.kind}),
            active=query.active,
        )
        page = await backend.alarms(where, query.cursor, query.limit)
        return answer(kept.Alarms(tuple(map(records.alarm, page.items)), page.next))

    @router.get(
        "/quarantine",
        dependencies=[Depends(gate.caller)],
        **documented(kept.Refusals, examples.refusals),
    )
    async def list_refused(query: Annotated[QuarantineQuery, Query()]) -> Response:
        """The newest refused messages. Always needs a credential: bodies may hold anything."""
        newest = await backend.refused(query.limit)
        return answer(kept.Refusals(tuple(map(records.refusal, newest))))

    return router


def _filter(backend: Backend, query: FindingsQuery) -> FindingFilter:
    stations = None
    if query.site is not None:
        at_site = (site for site in backend.sites() if site.id == query.site)
        stations = frozenset(station.id for site in at_site for station in site.stations)
    if query.station is not None:
        only = frozenset({query.station})
        stations = only if stations is None else stations & only
    return FindingFilter(
        stations=stations,
        socket=query.socket,
        rules=None if query.rule is None else frozenset({query.rule}),
        families=None if query.family is None else frozenset({query.family}),
        severities=None if query.severity is None else frozenset({query.severity}),
        open=query.open,
        since_ms=query.since,
        until_ms=query.until,
    )
