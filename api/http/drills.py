"""Drills: ordered, listed, and who answered them how fast."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import Field

from alerts.drills.book import Drill
from alerts.drills.report import DrillReport
from api.errors import NoSuchThingError, Thing
from api.http import report_examples as examples
from api.http.answers import answer
from api.http.documented import documented
from api.http.gate import Gate
from api.http.ports import Backend
from api.http.queries import Number, json_only, no_query
from api.http.report_queries import DrillOrder, DrillsQuery


@dataclass(frozen=True, slots=True)
class Drills:
    """A page of drills, the latest first."""

    items: tuple[Drill, ...]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last")]


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The routes under ``/drills``."""
    router = APIRouter(prefix="/api/v1", tags=["reports"])
    reading = [Depends(gate.reader)]

    @router.get("/drills", dependencies=reading, **documented(Drills, examples.drills))
    async def list_drills(query: Annotated[DrillsQuery, Query()]) -> Response:
        """Drills, the latest first; those planned for the next days stand at the top."""
        page = await backend.watchbook.drills(query.site, query.cursor, query.limit)
        return answer(Drills(page.items, page.next))

    @router.get(
        "/drills/{drill}",
        dependencies=[*reading, Depends(no_query)],
        **documented(DrillReport, examples.drill_report, 404),
    )
    async def get_drill(drill: Number) -> Response:
        """One drill with everybody it told: who answered how fast, who did not."""
        found = await backend.watchbook.drill(drill)
        if found is None:
            raise NoSuchThingError(Thing.DRILL, str(drill))
        return answer(found)

    @router.post(
        "/drills",
        dependencies=[Depends(gate.caller), Depends(json_only), Depends(no_query)],
        **documented(Drill, examples.drill, 400, 404, 413, 415, status=HTTPStatus.ACCEPTED),
    )
    async def post_drill(
        caller: Annotated[str, Depends(gate.caller)],
        order: Annotated[DrillOrder, Body(openapi_examples=examples.ORDERS)],
    ) -> Response:
        """Order a drill; it begins within seconds.

        Everybody on duty is told as for a fire, with the word drill. It is not held while a
        real alarm stands on the site; then its ``note`` says so.
        """
        site = next((one for one in backend.sites() if one.id == order.site), None)
        if site is None:
            raise NoSuchThingError(Thing.SITE, order.site)
        if order.area is not None and order.area not in {area.id for area in site.areas}:
            raise NoSuchThingError(Thing.AREA, order.area)
        drill = await backend.watchbook.order_drill(order.site, order.area, order.note, caller)
        response = answer(drill, status=HTTPStatus.ACCEPTED)
        response.headers["Location"] = f"/api/v1/drills/{drill.id}"
        return response

    return router
